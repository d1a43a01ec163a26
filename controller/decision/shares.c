/* The split of alpha; the rule is in the header. */
#include "decision/shares.h"

#include "decision/evalue.h"

#include <math.h>

static const double slack = 4; /* one absolute component alone can cross, so many times over */

struct shares policy_shares(const struct policy *policy, enum sli sli)
{
    const struct guardrail *guardrail = &policy->guardrail[sli];
    bool ceiling = guardrail->ceiling > 0, budget = guardrail->allowed > 0;
    double sum = 0;
    for (int i = 0; i < SLI_COUNT; i++)
        if (policy->guardrail[i].used)
            sum += policy->guardrail[i].share;
    struct shares shares = {.sli = guardrail->share / sum};
    shares.budget = budget ? 0.05 : 0;
    shares.absolute = !ceiling ? 0 : budget ? 0.20 : 0.25;
    shares.relative = ceiling ? 0.75 : budget ? 0.95 : 1;
    shares.cap = guardrail->cap > 0 ? guardrail->cap : -log(policy->alpha * shares.sli * shares.relative) / 2;
    shares.bound =
        ceiling ? log(slack * EVIDENCE_GRID / (policy->alpha * shares.sli * shares.absolute)) : INFINITY;
    return shares;
}
