/* Coverage: an SLI that is measured less often for canary holds, and never rolls back. */
#include "decision_support.h"

#include "decision/coverage.h"

#include <criterion/criterion.h>
#include <math.h>

static struct judgement go(struct bench *bench, enum sli sli, double t_s, struct counts coverage,
                           uint32_t muted)
{
    struct sli_counts counts = {.strata = 1, .coverage = {coverage}};
    counts.stratum[0] = (struct counts){coverage.n_c - coverage.k_c, 0, coverage.n_b - coverage.k_b, 1};
    evidence_tick(&bench->evidence, &bench->policy, &bench->plan, sli, QUALITY_COHORT, t_s, 1, &counts, false,
                  false, bench->closed);
    return evidence_judge(&bench->evidence, &bench->policy, muted, false);
}

static const struct counts fine = {50, 1, 50, 1}, blind = {50, 25, 50, 1}, both_blind = {50, 25, 50, 25},
                           stable_blind = {50, 1, 50, 25};

Test(decision_coverage, a_judge_that_canary_breaks_is_found)
{
    struct bench bench;
    bench_init(&bench, 3, 5000, 1);
    int t = 0;
    for (; !bench.evidence.coverage_crossed && t < 100; t++) {
        struct judgement judgement = go(&bench, SLI_ERROR, t, blind, 0);
        cr_expect_eq(judgement.action, bench.evidence.coverage_crossed ? JUDGE_HOLD : JUDGE_CONTINUE);
    }
    cr_expect(t >= 3 && t < 10, "%d blocks", t);
    enum sli lead = SLI_REFUSAL;
    cr_expect_geq(coverage_log(&bench.evidence, &bench.policy, &lead), log(1000));
    cr_expect_eq(lead, SLI_ERROR);
    struct judgement judgement = go(&bench, SLI_REFUSAL, t, fine, 0);
    cr_expect(judgement.action == JUDGE_HOLD && judgement.reason == REASON_COVERAGE &&
              judgement.lead == SLI_ERROR);
    cr_expect_eq(go(&bench, SLI_REFUSAL, t + 1, fine, 1u << WATCH_COVERAGE).action, JUDGE_CONTINUE);
    for (int i = 0; i < 300; i++)
        judgement = go(&bench, SLI_ERROR, t + 2 + i, fine, 0);
    cr_expect_lt(coverage_log(&bench.evidence, &bench.policy, NULL), log(1000), "the evidence has gone");
    cr_expect(judgement.reason == REASON_COVERAGE, "the finding has not");
    cr_expect(bench.evidence.latched.action == JUDGE_CONTINUE && !bench.evidence.sli[SLI_ERROR].failed);
    cr_expect_eq(bench.evidence.sli[SLI_ERROR].coverage_total.n_c, 50 * (t + 300));
    cr_expect_eq(bench.evidence.sli[SLI_ERROR].coverage_total.k_c, 25 * t + 300);
}

Test(decision_coverage, what_both_lack_or_only_stable_is_no_finding)
{
    const struct counts cases[] = {both_blind, stable_blind, fine, {50, 50, 50, 50}, {50, 0, 50, 0}};
    for (int i = 0; i < 5; i++) {
        struct bench bench;
        bench_init(&bench, 1, 5000, 1);
        for (int t = 0; t < 2000; t++)
            cr_assert_eq(go(&bench, SLI_REFUSAL, t, cases[i], 0).action, JUDGE_CONTINUE, "case %d at %d", i,
                         t);
    }
}

/* "easy" is always measured and "hard" only half, in both arms alike; the canary has more of "hard". */
static bool holds_for_another_mix(int32_t strata)
{
    struct bench bench;
    struct dice dice = dice_seeded(7);
    bench_init(&bench, 1, 5000, 1);
    bench.policy.strata = strata;
    for (int t = 0; t < 500; t++) {
        const struct counts hard = {40, dice_binomial(&dice, 40, .5), 10, dice_binomial(&dice, 10, .5)};
        struct sli_counts counts = {.strata = strata, .coverage = {{10, 0, 40, 0}}};
        counts_add(&counts.coverage[strata - 1], &hard);
        for (int32_t i = 0; i < strata; i++)
            counts.stratum[i] = (struct counts){counts.coverage[i].n_c - counts.coverage[i].k_c, 0,
                                                counts.coverage[i].n_b - counts.coverage[i].k_b, 0};
        evidence_tick(&bench.evidence, &bench.policy, &bench.plan, SLI_REFUSAL, QUALITY_COHORT, t, 1, &counts,
                      false, false, bench.closed);
    }
    return bench.evidence.coverage_crossed;
}

Test(decision_coverage, each_stratum_is_compared_with_itself)
{
    cr_expect(holds_for_another_mix(1), "all in one it looks like a fault: the test must be able to fail");
    cr_expect_not(holds_for_another_mix(2));
}

/* Its own alpha of 0.1 %, over all SLIs: at the tolerated odds ratio of 1.25 it seldom holds. */
Test(decision_coverage, false_holds_are_rare_at_the_tolerance, .timeout = 60)
{
    enum { RUNS = 400 };
    int held = 0;
    struct dice dice = dice_seeded(51);
    const double p_b = 0.05, odds = 1.25 * p_b / (1 - p_b), p_c = odds / (1 + odds);
    for (int run = 0; run < RUNS; run++) {
        struct bench bench;
        bench_init(&bench, 2, 2000, 1);
        for (int t = 0; t < 300; t++)
            for (int i = 0; i < 2; i++) {
                struct counts counts = {20, dice_binomial(&dice, 20, p_c), 80, dice_binomial(&dice, 80, p_b)};
                go(&bench, (enum sli)i, t, counts, 0);
            }
        held += bench.evidence.coverage_crossed;
    }
    cr_expect_leq(held, 3, "%d of %d", held, RUNS);
}

/* One lane alone needs three blocks, whatever its share. */
Test(decision_coverage, no_two_blocks_hold)
{
    for (int used = 1; used <= SLI_COUNT; used++) {
        struct bench bench;
        bench_init(&bench, used, 5000, 1);
        for (int t = 0; t < 2; t++) {
            go(&bench, SLI_REFUSAL, t, (struct counts){100000, 100000, 100000, 0}, 0);
            cr_expect_not(bench.evidence.coverage_crossed, "%d SLIs, block %d", used, t);
        }
        go(&bench, SLI_REFUSAL, 2, (struct counts){100000, 100000, 100000, 0}, 0);
        cr_expect(bench.evidence.coverage_crossed, "%d SLIs", used);
    }
}

Test(decision_coverage, without_weight_nothing_is_gathered)
{
    struct bench bench;
    bench_init(&bench, 1, -1, 1);
    for (int t = 0; t < 50; t++)
        go(&bench, SLI_REFUSAL, t, (struct counts){0, 0, 50, 40}, 0);
    cr_expect(bench.evidence.sli[0].coverage.mass.u == 1 && bench.evidence.sli[0].coverage_total.n_b == 0);
}
