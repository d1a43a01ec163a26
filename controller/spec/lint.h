/* What is allowed but unwise, or cannot work, in a policy and a plan; and how long each step will take. */
#pragma once

#include "decision/policy.h"
#include "spec/policy.h"

#include <stddef.h>

enum spec_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_NOTE, LEVEL_COUNT };
const char *spec_level_name(enum spec_level level); /* "error"; static */

struct spec_finding {
    enum spec_level level;
    char pointer[128]; /* into the policy document; steps as "/plan/steps/0" also where the plan stands
                          elsewhere */
    char text[301];
    char mend[301]; /* what to do about it; "" for a plain statement */
};

/* Lints `plan` under `policy` and `slos`. `rps` is the service's requests a second; 0 or less = unknown: then
   the policy's expected_rps, and without that no times are estimated. Writes at most `max` findings, errors
   first, and returns how many. */
size_t spec_lint(const struct slos *slos, const struct spec_policy *policy, const struct plan *plan,
                 double rps, struct spec_finding *out, size_t max);

/* Canary requests that a healthy canary needs in `step` (0-based) until `sli` is proven not worse, at half of
   its allowed bad share: ln(2 S_n / alpha_ni) / ((1 - w) max(KL(p || p + d), p (W - 1 - ln W))). Infinite
   where stable has no traffic left to compare with. */
double spec_requests_needed(const struct slos *slos, const struct policy *policy, const struct plan *plan,
                            size_t step, enum sli sli);
