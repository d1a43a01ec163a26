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
