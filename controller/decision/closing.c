/* A closed block becomes evidence. */
#include "decision/closing.h"

#include "decision/budget.h"
#include "decision/coverage.h"
#include "decision/ni.h"
#include "decision/recent.h"
#include "decision/shares.h"

#include <math.h>

static const double stable_memory_s = 3600; /* of the rate that starts theta */
static const double ceiling_factor = 1.5, ceiling_max = 0.95;

/* Where a guardrail without a ceiling still has burn windows, "above its ceiling" is told by the default one.
 */
static double attribution_ceiling(const struct guardrail *guardrail)
{
    double usual = ceiling_factor * guardrail->budget_rate;
    if (guardrail->ceiling > 0)
        return guardrail->ceiling;
    return usual < ceiling_max ? usual : ceiling_max;
}

/* Attribution and the absolute lane; `relative`: the block's relative e-values. Derivation: "Attribution of a
   ceiling breach". */
static void close_ceiling(struct sli_evidence *sli, const struct guardrail *guardrail,
                          const struct shares *shares, const struct lane_rules *rules,
                          const struct block *block, const struct counts *counts,
                          const double relative[EVIDENCE_GRID])
{
    double canary[EVIDENCE_GRID], stable[EVIDENCE_GRID], end = block->start_s + block->length_s;
    double ceiling = attribution_ceiling(guardrail), damped[EVIDENCE_GRID];
    /* without eta one burst inside the canary's arm would prove it worse while both are broken */
    for (int j = 0; j < EVIDENCE_GRID; j++)
        damped[j] = guardrail->eta * relative[j];
    evalue_absolute(counts->n_b, counts->k_b, ceiling, stable);
    recent_update(sli->stable, block->length_s, stable);
    sli->sick = recent_proven(sli->stable);
    if (block->weight > 0) {
        evalue_absolute(counts->n_c, counts->k_c, ceiling, canary);
        recent_update(sli->worse, block->length_s, damped);
        recent_update(sli->canary, block->length_s, canary);
    }
    if (block->weight > 0 && guardrail->ceiling > 0) {
        for (int j = 0; j < EVIDENCE_GRID && sli->sick; j++)
            canary[j] = canary[j] < 0 ? canary[j] : 0;
        evidence_lane_update(&sli->absolute, rules, block->start_s, block->new_step, canary);
        evidence_lane_clip(&sli->absolute, sli->sick ? 0 : shares->bound);
    }
    /* the shared clock runs from the first proof in both arms to the start of the newest block that is proof
     * by itself */
    if (!sli->sick)
        sli->shared_since = -1;
    else if (sli->shared_since < 0 && recent_proven(sli->canary))
        sli->shared_since = sli->last_sick = end;
    if (recent_block_proves(stable))
        sli->last_sick = block->start_s;
    sli->sick_before = sli->sick && (block->weight == 0 || sli->sick_before);
}

static void remember_stable(struct sli_evidence *sli, const struct block *block, const struct counts *counts)
{
    double kept = exp(-block->length_s / stable_memory_s);
    sli->stable_bad = kept * sli->stable_bad + (double)counts->k_b;
    sli->stable_seen = kept * sli->stable_seen + (double)counts->n_b;
}

void closing_apply(struct evidence *evidence, const struct policy *policy, const struct plan *plan,
                   const struct block *block)
{
    struct sli_evidence *sli = &evidence->sli[block->sli];
    const struct guardrail *guardrail = &policy->guardrail[block->sli];
    struct counts total = sli_counts_total(&block->counts);
    struct shares shares = policy_shares(policy, block->sli);
    struct lane_rules rules = {guardrail->eta, shares.cap, evidence->planned_weights};
    double relative[EVIDENCE_GRID], end = block->start_s + block->length_s;
    sli->closed_s = end;
    evalue_relative_strata(block->counts.stratum, block->counts.strata, guardrail->tolerance, relative);
    if (block->weight > 0)
        evidence_lane_update(&sli->relative, &rules, block->start_s, block->new_step, relative);
    if (guardrail->ceiling > 0 || guardrail->budget_rate > 0)
        close_ceiling(sli, guardrail, &shares, &rules, block, &total, relative);
    remember_stable(sli, block, &total);
    if (block->weight == 0)
        return;
    if (guardrail->allowed > 0)
        budget_update(sli, &block->counts, guardrail->eta);
    for (int i = 0; i < BURN_WINDOWS; i++)
        burn_add(&sli->burn[i], &policy->burn[i].window, block->start_s, end, total.n_c, total.k_c);
    coverage_update(evidence, policy, block);
    double margin = guardrail->margin_add > 0 ? guardrail->margin_add
                                              : plan_margin(plan, sli->step > 0 ? (size_t)sli->step : 0);
    ni_update(sli, &block->counts, guardrail->margin_ratio, margin, guardrail->eta);
    counts_add(&sli->total, &total);
    counts_add(&sli->step_total, &total);
}
