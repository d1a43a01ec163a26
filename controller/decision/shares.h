/* How alpha is split: v_s over the SLIs, then l over the lanes of an SLI. The shares of all used guardrails,
   whatever their action, sum to 1, so alpha bounds every false alarm of the rollout together.
       ceiling and budget: relative .75, absolute .20, budget .05      ceiling only: .75, .25
       budget only:        relative .95, budget .05                    neither:      1 */
#pragma once

#include "decision/policy.h"

struct shares {
    double sli;                        /* v_s */
    double relative, absolute, budget; /* l; they sum to 1 */
    double cap;   /* most ln-evidence of one block: guardrail.cap, or ln(1/(alpha v_s l_rel))/2 */
    double bound; /* of each absolute component while stable is well: ln(4 x 8/(alpha v_s l_abs)) */
};

/* The guardrail is used. */
struct shares policy_shares(const struct policy *policy, enum sli sli);
