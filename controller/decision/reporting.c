/* Outcomes with and without an SLI. */
#include "decision/reporting.h"

#include <string.h>

static bool block_open(const struct sli_evidence *sli)
{
    return sli->block_start >= 0 && sli->weight > 0;
}

struct counts reporting_of(const struct evidence *evidence, enum sli id, bool all)
{
    const struct sli_evidence *sli = &evidence->sli[id];
    struct counts out;
    memset(&out, 0, sizeof out);
    if (!all && !evidence_in_step(evidence, id))
        return out;
    out = all ? sli->coverage_total : sli->step_coverage;
    if (block_open(sli)) {
        struct counts open = sli_counts_covered(&sli->open);
        counts_add(&out, &open);
    }
    return out;
}

bool reporting_canary_without(const struct counts *counts)
{
    return counts->n_c > 0 && counts->k_c == counts->n_c;
}

bool reporting_stable_without(const struct counts *counts)
{
    return counts->n_b > 0 && counts->k_b == counts->n_b;
}

bool reporting_nobody(const struct counts *counts)
{
    return reporting_canary_without(counts) && counts->k_b == counts->n_b;
}

int64_t reporting_outcomes(const struct counts *counts)
{
    struct counts sum = {.n_c = counts->n_c};
    counts_add(&sum, &(struct counts){.n_c = counts->n_b});
    return sum.n_c;
}

uint32_t reporting_missing(const struct evidence *evidence, const struct policy *policy, uint32_t muted,
                           double step_s)
{
    uint32_t set = 0;
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct guardrail *guardrail = &policy->guardrail[i];
        struct counts step = reporting_of(evidence, (enum sli)i, false);
        bool old = step_s >= (double)guardrail->maturity_s + REPORTING_PATIENCE_S;
        if (guardrail->used && (muted >> i & 1) == 0 && old && reporting_nobody(&step) &&
            reporting_outcomes(&step) >= REPORTING_MIN)
            set |= 1u << i;
    }
    return set;
}

double reporting_share(const struct evidence *evidence, enum sli id)
{
    const struct sli_evidence *sli = &evidence->sli[id];
    struct counts counted = sli->total, came = reporting_of(evidence, id, true);
    if (block_open(sli)) {
        struct counts open = sli_counts_total(&sli->open);
        counts_add(&counted, &open);
    }
    if (reporting_canary_without(&came))
        return 0;
    double with = (double)counted.n_c + (double)counted.n_b;
    double without = (double)came.k_c + (double)came.k_b;
    return without > with ? with / without : 1;
}
