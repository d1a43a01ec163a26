/* Policies as people write them (schema PolicyWrite): guardrails, pace, source and default plan. */
#pragma once

#include "base/fault.h"
#include "base/id.h"
#include "decision/policy.h"
#include "spec/source.h"

#include <json-c/json_object.h>
#include <stdbool.h>

struct spec_policy {
    struct policy policy;
    struct plan plan; /* plan_default() if !has_plan */
    bool has_plan;
    bool eta_auto[SLI_COUNT];       /* "auto": measured when a rollout starts, 1 where it cannot be */
    bool has_keyed, has_key_effect; /* written; else they follow the service, see spec_policy_keyed() */
    char stratum[STRATA_MAX - 1][NAME_MAX_LENGTH + 1]; /* names of the declared strata, numbers 1 .. */
    struct spec_source source;
};

/* Reads `value` (lent) into *out: policy_default(slos), changed by what is written. A guardrail for an SLI
   without an SLO is refused; so is a plan whose weight does not rise under this policy's holdback. `pointer`
   is where `value` stands in the input. INVALID with every problem at its pointer; *out is then unspecified.
   `fault` may be NULL. */
enum status spec_read_policy(struct json_object *value, const char *pointer, const struct slos *slos,
                             struct spec_policy *out, struct fault *fault) MUST_CHECK;

/* Takes over how the service sticks to its keys, where the policy does not say it itself. */
void spec_policy_keyed(struct spec_policy *policy, bool keyed);

/* Number of a stratum by its name; 0 if it is not declared. */
int32_t spec_policy_stratum(const struct spec_policy *policy, const char *name);

/* PolicyWrite with all fields explicit, but for those that can only be left out: "margin" when it goes by
   exposure, "plan" when there is none, "expected_rps" when it is measured. Reading it with the same SLOs
   gives *policy again exactly, if *policy came from spec_read_policy(); shares set by hand may move by a last
   bit. Owned by the caller; NULL on no memory. */
struct json_object *spec_write_policy(const struct spec_policy *policy) MUST_CHECK;
