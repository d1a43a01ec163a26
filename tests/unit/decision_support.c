/* Shared by the tests of the decision. */
#include "decision_support.h"

#include <math.h>
#include <string.h>

bool near(double a, double b)
{
    return a == b || fabs(a - b) <= 1e-9 * (1 + fabs(a));
}

void support_policy(struct policy *policy, int used)
{
    struct slos slos;
    memset(&slos, 0, sizeof slos);
    for (int i = 0; i < used; i++)
        slos.of[i] = (struct slo){.used = true, .objective_ppm = 1000000};
    policy_default(&slos, policy);
    for (int i = 0; i < used; i++) {
        policy->guardrail[i].cap = 3.5;
        policy->guardrail[i].block_s = 0;
    }
}

void support_plan(struct plan *plan, size_t steps)
{
    static const int32_t weights[] = {100, 500, 1000, 2500, 5000, 7500, 9000};
    memset(plan, 0, sizeof *plan);
    plan->steps = steps;
    for (size_t i = 0; i + 1 < steps; i++)
        plan->step[i].weight = weights[i];
    plan->step[steps - 1].weight = WEIGHT_FULL;
}

void bench_init(struct bench *bench, int used, int32_t weight, double tick_s)
{
    memset(bench, 0, sizeof *bench);
    support_policy(&bench->policy, used);
    support_plan(&bench->plan, 5);
    evidence_init(&bench->evidence, &bench->policy, &bench->plan, tick_s);
    if (weight >= 0)
        evidence_weight(&bench->evidence, 0, weight, true);
}

int bench_tick(struct bench *bench, enum sli sli, double t_s, struct counts counts, bool hint)
{
    struct sli_counts all = sli_counts_of(counts);
    bench->count = evidence_tick(&bench->evidence, &bench->policy, &bench->plan, sli, QUALITY_COHORT, t_s,
                                 bench->evidence.tick_s, &all, hint, false, bench->closed);
    return bench->count;
}

static bool same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static bool same_all(const double *a, const double *b, size_t count)
{
    return memcmp(a, b, count * sizeof *a) == 0;
}

static bool same_counts(const struct counts *a, const struct counts *b)
{
    return a->n_c == b->n_c && a->k_c == b->k_c && a->n_b == b->n_b && a->k_b == b->k_b;
}

static bool same_strata(const struct sli_counts *a, const struct sli_counts *b)
{
    bool equal = a->strata == b->strata;
    for (int32_t i = 0; equal && i < a->strata; i++)
        equal = same_counts(&a->stratum[i], &b->stratum[i]) && same_counts(&a->coverage[i], &b->coverage[i]);
    return equal;
}

static bool same_split(const struct split_watch *a, const struct split_watch *b)
{
    return same_all(a->split.log_m, b->split.log_m, SPLIT_GRID) && same(a->split.mass.u, b->split.mass.u) &&
           same(a->split.mass.origin, b->split.mass.origin) &&
           same(a->split.mass.t_prev, b->split.mass.t_prev) &&
           a->split.mass.steps_left == b->split.mass.steps_left &&
           a->split.planned_weights == b->split.planned_weights && same(a->block_start, b->block_start) &&
           same(a->last_tick, b->last_tick) && a->n_c == b->n_c && a->n == b->n && same(a->w_lo, b->w_lo) &&
           same(a->w_hi, b->w_hi) && a->new_step == b->new_step && same(a->raise_seen, b->raise_seen) &&
           same(a->gap_from, b->gap_from) && same(a->gap_to, b->gap_to) && a->crossed == b->crossed &&
           a->uncovered == b->uncovered && a->blocks == b->blocks && same(a->share, b->share);
}

static bool same_lane(const struct evidence_lane *a, const struct evidence_lane *b)
{
    return same_all(a->log_m, b->log_m, EVIDENCE_GRID) && same(a->mass.u, b->mass.u) &&
           same(a->mass.origin, b->mass.origin) && same(a->mass.t_prev, b->mass.t_prev) &&
           a->mass.steps_left == b->mass.steps_left;
}

bool same_blocks(const struct sli_evidence *a, const struct sli_evidence *b)
{
    return same_lane(&a->relative, &b->relative) && same_lane(&a->absolute, &b->absolute) &&
           same_all(a->stable, b->stable, EVIDENCE_GRID) && same_all(a->canary, b->canary, EVIDENCE_GRID) &&
           same_all(a->worse, b->worse, EVIDENCE_GRID) &&
           same_all(a->budget_y, b->budget_y, EVIDENCE_BUDGET_GRID) && same(a->budget_x, b->budget_x) &&
           same(a->closed_s, b->closed_s) && same_all(a->ni_ratio, b->ni_ratio, 2) &&
           same(a->ni_add, b->ni_add) && same_all(a->ni_bad, b->ni_bad, STRATA_MAX) &&
           same_all(a->ni_seen, b->ni_seen, STRATA_MAX) && same_lane(&a->coverage, &b->coverage) &&
           memcmp(a->burn, b->burn, sizeof a->burn) == 0 &&
           same_counts(&a->coverage_total, &b->coverage_total) && same(a->stable_bad, b->stable_bad) &&
           same(a->stable_seen, b->stable_seen) && same(a->shared_since, b->shared_since) &&
           same(a->last_sick, b->last_sick) && a->sick == b->sick && a->sick_before == b->sick_before &&
           same_counts(&a->total, &b->total) && same_counts(&a->step_total, &b->step_total) &&
           same_counts(&a->step_coverage, &b->step_coverage);
}

static bool same_sli(const struct sli_evidence *a, const struct sli_evidence *b)
{
    return same_blocks(a, b) && same(a->block_start, b->block_start) && same(a->block_end, b->block_end) &&
           same(a->block_last, b->block_last) && same_strata(&a->open, &b->open) &&
           a->open_step == b->open_step && a->step_pending == b->step_pending && a->weight == b->weight &&
           a->step == b->step && a->weight_next == b->weight_next && same(a->weight_seen, b->weight_seen) &&
           same(a->last_tick, b->last_tick) && a->invalid_ticks == b->invalid_ticks &&
           a->rows_dropped == b->rows_dropped && a->failed == b->failed;
}

bool same_evidence(const struct evidence *a, const struct evidence *b)
{
    bool equal = a->weights == b->weights && a->planned_weights == b->planned_weights &&
                 same(a->tick_s, b->tick_s) && same(a->rps, b->rps) && same(a->rps_next, b->rps_next) &&
                 same(a->rps_tick, b->rps_tick) && same(a->breach_since, b->breach_since) &&
                 same(a->now_s, b->now_s) && same(a->canary_since, b->canary_since) &&
                 a->coverage_crossed == b->coverage_crossed && same_split(&a->split, &b->split) &&
                 a->latched.action == b->latched.action && a->latched.reason == b->latched.reason &&
                 a->latched.lead == b->latched.lead && same(a->latched.log_g_rel, b->latched.log_g_rel) &&
                 same(a->latched.log_g_all, b->latched.log_g_all);
    for (int32_t i = 0; equal && i < a->weights; i++)
        equal = same(a->weight[i].at_s, b->weight[i].at_s) && a->weight[i].weight == b->weight[i].weight &&
                a->weight[i].raised == b->weight[i].raised &&
                same(a->weight[i].applied, b->weight[i].applied);
    for (int i = 0; equal && i < SLI_COUNT; i++)
        equal = same_sli(&a->sli[i], &b->sli[i]);
    return equal;
}

struct dice dice_seeded(uint64_t seed)
{
    return (struct dice){seed * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du};
}

uint64_t dice_bits(struct dice *dice)
{
    dice->state ^= dice->state >> 12;
    dice->state ^= dice->state << 25;
    dice->state ^= dice->state >> 27;
    return dice->state * 0x2545f4914f6cdd1du;
}

double dice_share(struct dice *dice)
{
    return (double)(dice_bits(dice) >> 11) / 9007199254740992.0;
}

int64_t dice_below(struct dice *dice, int64_t n)
{
    return (int64_t)(dice_share(dice) * (double)n);
}

int64_t dice_binomial(struct dice *dice, int64_t n, double p)
{
    int64_t k = 0;
    for (int64_t i = 0; i < n; i++)
        k += dice_share(dice) < p;
    return k;
}
