/* How long a healthy canary still needs to prove non-inferiority. Canary requests:
       N = ln(2 S_n/alpha_NI) / growth / eta          growth: see pace.h
   Of the numerator, what the step has proven already is taken off (ln 2 is the price of proving one margin of
   two). Only requests that have the SLI count: of a sample, its share. */
#include "decision/ni.h"
#include "decision/pace.h"
#include "decision/reporting.h"

#include <math.h>

double evidence_eta_s(const struct evidence *evidence, const struct policy *policy, const struct plan *plan,
                      size_t step, enum sli id)
{
    const struct sli_evidence *sli = &evidence->sli[id];
    const struct guardrail *guardrail = &policy->guardrail[id];
    double w = (double)plan_weight(plan, policy, step) / WEIGHT_FULL;
    double needed = evidence_ni_threshold(evidence, policy), known = evidence_ni(evidence, id);
    double rps =
        (evidence->rps_next >= 0 ? evidence->rps_next : evidence->rps) * reporting_share(evidence, id);
    if (known >= needed)
        return 0;
    if (!guardrail->used || rps <= 0 || w <= 0 || w >= 1)
        return -1;
    double d = guardrail->margin_add > 0 ? guardrail->margin_add : plan_margin(plan, step);
    double p = (sli->stable_bad + 1) / (sli->stable_seen + 100);
    double growth = pace_growth(w, p, guardrail->margin_ratio, d) * guardrail->eta;
    double left = needed - known + log(2) * (known > 0 ? 1 - known / needed : 1);
    return growth > 0 ? left / growth / (rps * w) : -1;
}
