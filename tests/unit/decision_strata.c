/* Strata: each class of requests is compared with itself, so that another mix in the two arms is no
   difference of the releases. */
#include "decision_support.h"

#include "decision/closing.h"
#include "decision/ni.h"

#include <criterion/criterion.h>
#include <math.h>

enum { BLOCKS = 400 };

/* Stratum 1 has 1 % bad, stratum 2 has 6 %; of the canary's requests 30 % are of stratum 2, of stable's half.
   Or the other way round. `fault`: the canary's odds in stratum 1. */
static struct sli_counts block_of(struct dice *dice, double canary_share, double fault)
{
    struct sli_counts counts = {.strata = 3};
    double p = 0.01 * fault;
    struct counts *one = &counts.stratum[1], *two = &counts.stratum[2];
    two->n_c = dice_binomial(dice, 200, canary_share);
    two->n_b = dice_binomial(dice, 200, 0.5);
    one->n_c = 200 - two->n_c;
    one->n_b = 200 - two->n_b;
    one->k_c = dice_binomial(dice, one->n_c, p);
    one->k_b = dice_binomial(dice, one->n_b, 0.01);
    two->k_c = dice_binomial(dice, two->n_c, 0.06);
    two->k_b = dice_binomial(dice, two->n_b, 0.06);
    return counts;
}

struct outcome {
    int rolled_back; /* at this block, or BLOCKS */
    bool proven;
};

static struct outcome run(uint64_t seed, double canary_share, double fault, bool pooled)
{
    struct dice dice = dice_seeded(seed);
    struct bench bench;
    bench_init(&bench, 1, 5000, 1);
    struct outcome outcome = {BLOCKS, false};
    for (int t = 0; t < BLOCKS && outcome.rolled_back == BLOCKS; t++) {
        struct sli_counts counts = block_of(&dice, canary_share, fault);
        if (pooled)
            counts = sli_counts_of(sli_counts_total(&counts));
        evidence_tick(&bench.evidence, &bench.policy, &bench.plan, SLI_REFUSAL, QUALITY_COHORT, t, 1, &counts,
                      true, false, bench.closed);
        if (evidence_judge(&bench.evidence, &bench.policy, 0, false).action == JUDGE_ROLLBACK)
            outcome.rolled_back = t;
        outcome.proven = outcome.proven || evidence_proven(&bench.evidence, &bench.policy);
    }
    return outcome;
}

Test(decision_strata, another_mix_blames_nobody, .timeout = 60)
{
    int pooled = 0, stratified = 0, faults = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        pooled += run(seed, 0.8, 1, true).rolled_back < BLOCKS;
        stratified += run(seed, 0.8, 1, false).rolled_back < BLOCKS;
        faults += run(seed, 0.8, 5, false).rolled_back < BLOCKS;
    }
    cr_expect_eq(pooled, 60, "the control: without strata the mix alone accuses (%d of 60)", pooled);
    cr_expect_eq(stratified, 0, "%d of 60", stratified);
    cr_expect_eq(faults, 60, "a fault in one stratum is found (%d of 60)", faults);
}

/* A mix that flatters the canary hides a fault from the pooled counts. */
Test(decision_strata, another_mix_hides_nothing, .timeout = 60)
{
    int pooled = 0, stratified = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        pooled += run(seed, 0.2, 2.2, true).rolled_back < BLOCKS;
        stratified += run(seed, 0.2, 2.2, false).rolled_back < BLOCKS;
    }
    cr_expect_eq(pooled, 0, "the control: %d of 40", pooled);
    cr_expect_geq(stratified, 38, "%d of 40", stratified);
}

/* Block e-values of strata multiply; what looks at one arm alone takes them together. */
Test(decision_strata, evidence_of_a_block_is_that_of_its_strata)
{
    struct bench split, one[2], total;
    const struct sli_counts counts = {.strata = 2, .stratum = {{40, 6, 60, 2}, {10, 0, 300, 9}}};
    struct block block = {.sli = SLI_REFUSAL, .start_s = 0, .length_s = 5, .weight = 500, .counts = counts};
    struct bench *all[] = {&split, &one[0], &one[1], &total};
    for (int i = 0; i < 4; i++) {
        bench_init(all[i], 1, 500, 1);
        all[i]->policy.guardrail[SLI_REFUSAL].ceiling = 0.05;
        all[i]->policy.guardrail[SLI_REFUSAL].allowed = 10;
        all[i]->policy.guardrail[SLI_REFUSAL].cap = 1000;
        struct block part = block;
        if (i > 0)
            part.counts =
                i == 3 ? sli_counts_of(sli_counts_total(&counts)) : sli_counts_of(counts.stratum[i - 1]);
        evidence_block(&all[i]->evidence, &all[i]->policy, &all[i]->plan, &part);
    }
    const struct sli_evidence *s = &split.evidence.sli[0], *a = &one[0].evidence.sli[0],
                              *b = &one[1].evidence.sli[0], *t = &total.evidence.sli[0];
    for (int j = 0; j < EVIDENCE_GRID; j++) {
        cr_expect(
            near(s->relative.log_m[j] - log(.5), a->relative.log_m[j] + b->relative.log_m[j] - 2 * log(.5)));
        cr_expect(near(s->absolute.log_m[j], t->absolute.log_m[j]) && near(s->stable[j], t->stable[j]));
        cr_expect(near(s->canary[j], t->canary[j]));
        cr_expect_neq(s->relative.log_m[j], t->relative.log_m[j]);
    }
    for (int i = 0; i < EVIDENCE_BUDGET_GRID; i++)
        cr_expect(near(s->budget_y[i], a->budget_y[i] + b->budget_y[i]));
    cr_expect(near(s->budget_x, a->budget_x + b->budget_x));
    cr_expect(near(s->ni_add, a->ni_add + b->ni_add));
    cr_expect(near(s->ni_ratio[1], a->ni_ratio[1] + b->ni_ratio[1]));
    cr_expect(s->total.n_c == 50 && s->total.k_b == 11 && s->stable_seen == t->stable_seen);
    /* each stratum has learnt a rate of its own */
    cr_expect(s->ni_seen[0] == 200 && s->ni_seen[1] == 410 && s->ni_seen[2] == 100);
    cr_expect(s->ni_bad[0] > s->ni_bad[2] && s->ni_bad[1] > s->ni_bad[2]);
}

/* A stratum whose requests come only later does not disturb what has been gathered. */
Test(decision_strata, strata_may_come_and_go)
{
    struct bench bench;
    bench_init(&bench, 1, 500, 1);
    bench.policy.guardrail[SLI_REFUSAL].block_s = 3;
    const struct sli_counts ticks[3] = {
        {.strata = 1, .stratum = {{1, 0, 9, 1}}},
        {.strata = 3, .stratum = {{1, 0, 9, 0}, {0}, {2, 1, 3, 0}}},
        {.strata = 2, .stratum = {{1, 1, 9, 0}, {4, 0, 4, 0}}},
    };
    for (int t = 0; t < 3; t++)
        bench.count = evidence_tick(&bench.evidence, &bench.policy, &bench.plan, SLI_REFUSAL, QUALITY_COHORT,
                                    t, 1, &ticks[t], false, false, bench.closed);
    cr_assert_eq(bench.count, 1);
    const struct sli_counts *closed = &bench.closed[0].counts;
    cr_expect_eq(closed->strata, 3);
    cr_expect(closed->stratum[0].n_c == 3 && closed->stratum[0].k_c == 1 && closed->stratum[0].n_b == 27);
    cr_expect(closed->stratum[1].n_c == 4 && closed->stratum[2].n_c == 2 && closed->stratum[2].k_c == 1);
}

/* Strata that hold nothing change nothing, to the bit. */
Test(decision_strata, empty_strata_change_nothing)
{
    struct dice dice = dice_seeded(77);
    struct bench one, many;
    bench_init(&one, 1, 500, 1);
    one.policy.guardrail[SLI_REFUSAL].ceiling = 0.05;
    one.policy.guardrail[SLI_REFUSAL].allowed = 10;
    many = one;
    for (int t = 0; t < 200; t++) {
        struct sli_counts counts = sli_counts_of(
            (struct counts){20, dice_binomial(&dice, 20, .1), 80, dice_binomial(&dice, 80, .05)});
        evidence_tick(&one.evidence, &one.policy, &one.plan, SLI_REFUSAL, QUALITY_COHORT, t, 1, &counts, true,
                      false, one.closed);
        counts.strata = STRATA_MAX;
        evidence_tick(&many.evidence, &many.policy, &many.plan, SLI_REFUSAL, QUALITY_COHORT, t, 1, &counts,
                      true, false, many.closed);
    }
    cr_expect(same_blocks(&one.evidence.sli[0], &many.evidence.sli[0]));
}
