// SEES: base decision spec
/* Fuzzes the reader of policies: {"slos": ..., "policy": ...}. What it accepts can be written, and reads back
   as the same policy. */
#include "base/json.h"
#include "spec/lint.h"
#include "spec/policy.h"
#include "spec/slos.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Structs with padding are compared through their own canonical form. */
static void canonical(const struct spec_policy *policy, struct text *out)
{
    struct json_object *value = spec_write_policy(policy);
    if (value == NULL || json_canonical(value, out) != STATUS_OK) {
        abort();
    }
    json_object_put(value);
}

static void check(const struct slos *slos, const struct spec_policy *policy)
{
    static struct spec_finding found[64];
    struct spec_policy again;
    struct text one, two;
    struct json_object *value = spec_write_policy(policy);
    if (value == NULL || spec_read_policy(value, "", slos, &again, NULL) != STATUS_OK) {
        abort();
    }
    json_object_put(value);
    for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
        if (policy->policy.guardrail[sli].ceiling != again.policy.guardrail[sli].ceiling ||
            policy->policy.guardrail[sli].margin_add != again.policy.guardrail[sli].margin_add ||
            policy->policy.guardrail[sli].budget_share != again.policy.guardrail[sli].budget_share) {
            abort();
        }
    }
    text_init(&one, 1 << 20);
    text_init(&two, 1 << 20);
    canonical(policy, &one);
    canonical(&again, &two);
    if (strcmp(text_get(&one), text_get(&two)) != 0) {
        abort();
    }
    text_free(&one);
    text_free(&two);
    if (spec_lint(slos, policy, &policy->plan, 3.5, found, 64) > 64) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_object *document = NULL, *slos_json = NULL, *policy_json = NULL;
    struct slos slos;
    struct spec_policy policy;
    struct fault fault = {0};
    if (json_parse((const char *)data, size, &document, &fault) != STATUS_OK) {
        return 0;
    }
    if (json_object_is_type(document, json_type_object)) {
        json_object_object_get_ex(document, "slos", &slos_json);
        json_object_object_get_ex(document, "policy", &policy_json);
    }
    if (spec_read_slos(slos_json, "/slos", &slos, &fault) == STATUS_OK) {
        if (spec_read_policy(policy_json, "/policy", &slos, &policy, &fault) == STATUS_OK) {
            check(&slos, &policy);
        } else if (fault.errors == 0) {
            abort();
        }
    }
    json_object_put(document);
    return 0;
}
