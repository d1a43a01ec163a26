/* Verdicts of single guardrails, and what is proven in the present step. */
#include "decision/ni.h"

#include <math.h>
#include <string.h>

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[VERDICT_COUNT] = {"pass", "fail", "inconclusive", "no_data", "error"};
    return names[verdict];
}

bool verdict_parse(const char *text, enum verdict *out)
{
    for (int i = 0; i < VERDICT_COUNT; i++)
        if (strcmp(verdict_name((enum verdict)i), text) == 0) {
            *out = (enum verdict)i;
            return true;
        }
    return false;
}

bool evidence_in_step(const struct evidence *evidence, enum sli id)
{
    const struct sli_evidence *sli = &evidence->sli[id];
    for (int32_t i = sli->weight_next; i < evidence->weights; i++)
        if (evidence->weight[i].raised)
            return false;
    return true;
}

double evidence_ni(const struct evidence *evidence, enum sli sli)
{
    return evidence_in_step(evidence, sli) ? ni_log(&evidence->sli[sli]) : 0;
}

double evidence_ni_threshold(const struct evidence *evidence, const struct policy *policy)
{
    return log((double)evidence->planned_weights / policy->alpha_ni);
}

static bool proven(const struct evidence *evidence, const struct policy *policy, enum sli sli)
{
    return evidence_ni(evidence, sli) >= evidence_ni_threshold(evidence, policy);
}

bool evidence_proven(const struct evidence *evidence, const struct policy *policy)
{
    bool any = false;
    for (int i = 0; i < SLI_COUNT; i++) {
        if (!policy->guardrail[i].used)
            continue;
        if (!proven(evidence, policy, (enum sli)i))
            return false;
        any = true;
    }
    return any;
}

enum verdict evidence_verdict(const struct evidence *evidence, const struct policy *policy, enum sli id,
                              double now_s, bool blind)
{
    const struct sli_evidence *sli = &evidence->sli[id];
    double patience = 4 * evidence->tick_s > 60 ? 4 * evidence->tick_s : 60;
    double newest = sli->last_tick > 0 ? sli->last_tick : 0;
    if (sli->failed)
        return VERDICT_FAIL;
    /* before the first tick the wait counts from the start: the first counts must be given time to mature */
    if (blind || now_s - (double)policy->guardrail[id].maturity_s - newest > patience)
        return VERDICT_NO_DATA;
    return proven(evidence, policy, id) ? VERDICT_PASS : VERDICT_INCONCLUSIVE;
}
