/* Rules of a service, from the objectives and the policy that hold for it now. */
#include "gateway/rules.h"

#include "base/json.h"
#include "decision/policy.h"
#include "spec/policy.h"
#include "spec/slos.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_MATURITY_MS = 10000 };

static void no_documents(struct rules *rules)
{
    rules->ttft_ms = rules->latency_ms = rules->timeout_ms = 0;
    rules->oldest_ms = DEFAULT_MATURITY_MS;
    rules->strata = 0;
    memset(rules->stratum, 0, sizeof rules->stratum);
    for (size_t i = 0; i < SLI_COUNT; i++)
        rules->maturity_ms[i] = DEFAULT_MATURITY_MS;
}

void rules_default(struct rules *rules)
{
    *rules = (struct rules){.releases = 0};
    no_documents(rules);
}

static enum status read_slos(const char *text, struct slos *slos, struct fault *fault)
{
    struct json_object *document = NULL;
    memset(slos, 0, sizeof *slos);
    if (text[0] == '\0')
        return STATUS_OK;
    enum status status = json_parse(text, strlen(text), &document, fault);
    if (status == STATUS_OK)
        status = spec_read_slos(document, "", slos, fault);
    json_object_put(document);
    return status;
}

static enum status read_policy(const char *text, const struct slos *slos, struct spec_policy *policy,
                               struct fault *fault)
{
    struct json_object *document = NULL;
    const char *written = text[0] == '\0' ? "{}" : text;
    enum status status = json_parse(written, strlen(written), &document, fault);
    if (status == STATUS_OK)
        status = spec_read_policy(document, "", slos, policy, fault);
    json_object_put(document);
    return status;
}

static int64_t threshold(const struct slos *slos, enum sli sli)
{
    return slos->of[sli].used ? slos->of[sli].threshold_ms : 0;
}

enum status rules_read(struct rules *rules, const char *slos_text, const char *policy_text,
                       struct fault *fault)
{
    struct slos slos;
    struct spec_policy spec;
    const struct policy *policy = &spec.policy;
    no_documents(rules);
    enum status status = read_slos(slos_text, &slos, fault);
    if (status == STATUS_OK)
        status = read_policy(policy_text, &slos, &spec, fault);
    if (status != STATUS_OK)
        return status;
    rules->ttft_ms = threshold(&slos, SLI_TTFT);
    rules->latency_ms = threshold(&slos, SLI_LATENCY);
    rules->timeout_ms = threshold(&slos, SLI_TIMEOUT);
    rules->strata = policy->strata - 1;
    memcpy(rules->stratum, spec.stratum, sizeof rules->stratum);
    int64_t oldest_ms = 0;
    for (size_t i = 0; i < SLI_COUNT; i++) {
        if (policy->guardrail[i].used && policy->guardrail[i].maturity_s * 1000 > oldest_ms)
            oldest_ms = policy->guardrail[i].maturity_s * 1000;
    }
    rules->oldest_ms = oldest_ms > 0 ? oldest_ms : DEFAULT_MATURITY_MS;
    /* what nobody watches is counted as long as anything else is */
    for (size_t i = 0; i < SLI_COUNT; i++)
        rules->maturity_ms[i] =
            policy->guardrail[i].used ? policy->guardrail[i].maturity_s * 1000 : rules->oldest_ms;
    return STATUS_OK;
}

bool rules_add_release(struct rules *rules, const char *release)
{
    if (rules->releases == rules->capacity) {
        size_t capacity = rules->capacity == 0 ? 8 : rules->capacity * 2;
        void *grown = reallocarray(rules->release, capacity, sizeof *rules->release);
        if (grown == NULL)
            return false;
        rules->release = grown;
        rules->capacity = capacity;
    }
    snprintf(rules->release[rules->releases++], sizeof *rules->release, "%s", release);
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

void rules_seal(struct rules *rules)
{
    if (rules->releases > 1)
        qsort(rules->release, rules->releases, sizeof *rules->release, by_text);
}

bool rules_has_release(const struct rules *rules, const char *release)
{
    return rules->releases > 0 &&
           bsearch(release, rules->release, rules->releases, sizeof *rules->release, by_text) != NULL;
}

const char *rules_stratum(const struct rules *rules, const char *name)
{
    for (int32_t i = 0; i < rules->strata; i++) {
        if (strcmp(rules->stratum[i], name) == 0)
            return rules->stratum[i];
    }
    return "";
}

bool rules_copy(const struct rules *rules, struct rules *out)
{
    *out = *rules;
    out->release = NULL;
    out->capacity = out->releases = 0;
    if (rules->releases == 0)
        return true;
    out->release = reallocarray(NULL, rules->releases, sizeof *out->release);
    if (out->release == NULL)
        return false;
    memcpy(out->release, rules->release, rules->releases * sizeof *out->release);
    out->capacity = out->releases = rules->releases;
    return true;
}

bool rules_equal(const struct rules *a, const struct rules *b)
{
    if (a->ttft_ms != b->ttft_ms || a->latency_ms != b->latency_ms || a->timeout_ms != b->timeout_ms ||
        a->oldest_ms != b->oldest_ms || memcmp(a->maturity_ms, b->maturity_ms, sizeof a->maturity_ms) != 0 ||
        a->strata != b->strata || memcmp(a->stratum, b->stratum, sizeof a->stratum) != 0 ||
        a->releases != b->releases)
        return false;
    for (size_t i = 0; i < a->releases; i++) {
        if (strcmp(a->release[i], b->release[i]) != 0)
            return false;
    }
    return true;
}

void rules_free(struct rules *rules)
{
    free(rules->release);
    rules->release = NULL;
    rules->releases = rules->capacity = 0;
}
