/* The coverage lanes; formulas in the header. */
#include "decision/coverage.h"

#include "decision/shares.h"

#include <math.h>

static const double tolerance = 1.25, alpha = 0.001;

double coverage_log(const struct evidence *evidence, const struct policy *policy, enum sli *lead)
{
    double terms[SLI_COUNT], most = -INFINITY;
    size_t count = 0;
    for (int i = 0; i < SLI_COUNT; i++) {
        if (!policy->guardrail[i].used)
            continue;
        double term =
            log(policy_shares(policy, (enum sli)i).sli) + evidence_lane_log(&evidence->sli[i].coverage);
        terms[count++] = term;
        if (term > most && lead != NULL)
            *lead = (enum sli)i;
        most = term > most ? term : most;
    }
    return ln_sum(terms, count);
}

void coverage_update(struct evidence *evidence, const struct policy *policy, const struct block *block)
{
    struct sli_evidence *sli = &evidence->sli[block->sli];
    struct counts coverage = sli_counts_covered(&block->counts);
    double log_e[EVIDENCE_GRID], share = policy_shares(policy, block->sli).sli;
    struct lane_rules rules = {.eta = policy->guardrail[block->sli].eta,
                               .cap = -log(alpha * share) / 2, /* at least three blocks */
                               .planned_weights = evidence->planned_weights};
    counts_add(&sli->coverage_total, &coverage);
    counts_add(&sli->step_coverage, &coverage);
    evalue_relative_strata(block->counts.coverage, block->counts.strata, tolerance, log_e);
    evidence_lane_update(&sli->coverage, &rules, block->start_s, block->new_step, log_e);
    if (coverage.k_c > 0 && coverage_log(evidence, policy, NULL) >= -log(alpha))
        evidence->coverage_crossed = true;
}
