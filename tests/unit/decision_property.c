/* What holds for any sequence of ticks, in strata, with coverage, burn windows and admissions: monotone,
   finite, replayed and restored to the bit. */
#include "decision_support.h"

#include "decision/budget.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { SLIS = 3, BLOCKS_MAX = 4096 };

static const double tick_lengths[] = {1, 1, 5, 15};

/* A rollout with random guardrails and changes of the weight. */
static void random_bench(struct dice *dice, struct bench *bench)
{
    static const double tolerances[] = {1, 1.1, 1.25, 3}, ceilings[] = {0, .02, .05, .3}, etas[] = {1, 1, .4},
                        rates[] = {0, .02, .1};
    memset(bench, 0, sizeof *bench);
    support_policy(&bench->policy, SLIS);
    support_plan(&bench->plan, 2 + (size_t)dice_below(dice, 6));
    for (int i = 0; i < SLIS; i++) {
        struct guardrail *guardrail = &bench->policy.guardrail[i];
        guardrail->tolerance = tolerances[dice_below(dice, 4)];
        guardrail->ceiling = ceilings[dice_below(dice, 4)];
        guardrail->eta = etas[dice_below(dice, 3)];
        guardrail->allowed = dice_below(dice, 2) == 0 ? 0 : 1 + dice_share(dice) * 300;
        guardrail->cap = dice_below(dice, 2) == 0 ? 0 : 3.5;
        guardrail->block_s = dice_below(dice, 3) * 4;
        guardrail->budget_rate = rates[dice_below(dice, 3)];
    }
    for (int i = 0; i < BURN_WINDOWS; i++) {
        int64_t short_s = 10 + 10 * dice_below(dice, 6);
        bench->policy.burn[i] = (struct burn_rule){
            {1 + (double)dice_below(dice, 10), short_s * (1 + dice_below(dice, BURN_RATIO_MAX)), short_s},
            (enum guardrail_action)dice_below(dice, 3)};
    }
    bench->policy.keyed = dice_below(dice, 3) == 0;
    bench->policy.key_effect = 1 + (double)dice_below(dice, 3);
    evidence_init(&bench->evidence, &bench->policy, &bench->plan, tick_lengths[dice_below(dice, 4)]);
}

struct flow {
    double rate, shared_from, shared_to, p_b, p_c;
    int32_t weight;
    size_t step;
    int32_t strata;
    bool draining;
};

static struct flow random_flow(struct dice *dice)
{
    double rate = exp(dice_share(dice) * 6), from = dice_share(dice) * 200,
           p = 0.003 + 0.05 * dice_share(dice);
    return (struct flow){.rate = rate,
                         .shared_from = from,
                         .shared_to = from + 100,
                         .strata = 1 + (int32_t)dice_below(dice, 4),
                         .p_b = p,
                         .p_c = dice_below(dice, 2) == 0 ? p : p * 6};
}

static struct sli_counts draw(struct dice *dice, const struct flow *flow, double t_s, double dt_s)
{
    bool shared = dice_below(dice, 4) > 0 && t_s > flow->shared_from && t_s < flow->shared_to;
    struct sli_counts all = {.strata = flow->strata};
    for (int32_t i = 0; i < flow->strata; i++) {
        int64_t n = dice_below(dice, (int64_t)(2 * flow->rate * dt_s) + 2) / flow->strata;
        struct counts *counts = &all.stratum[i];
        counts->n_c = dice_binomial(dice, n, flow->weight / 1e4);
        counts->n_b = n - counts->n_c;
        counts->k_c = dice_binomial(dice, counts->n_c, shared ? 0.5 : flow->p_c * (1 + i));
        counts->k_b = dice_binomial(dice, counts->n_b, shared ? 0.5 : flow->p_b * (1 + i));
    }
    for (int32_t i = 0; i < flow->strata; i++) {
        int64_t k_c = dice_below(dice, 4), k_b = dice_below(dice, 4);
        all.coverage[i] = (struct counts){all.stratum[i].n_c + k_c, k_c, all.stratum[i].n_b + k_b, k_b};
    }
    return all;
}

/* Now and then a change of the weight, from t_s on or a little later. */
static void maybe_change(struct dice *dice, struct bench *bench, struct flow *flow, double t_s)
{
    if (dice_below(dice, 40) > 0)
        return;
    bool raise = flow->weight <= 1 || dice_below(dice, 4) > 0;
    if (raise && flow->step >= bench->plan.steps)
        return;
    flow->weight = raise ? plan_weight(&bench->plan, &bench->policy, flow->step++) : flow->weight / 2;
    evidence_weight(&bench->evidence, t_s + (double)dice_below(dice, 3) * 0.5, flow->weight, raise);
}

/* Blocks of the split check that were closed. */
struct splits {
    struct split_block block[BLOCKS_MAX];
    int count;
};

static void admit(struct dice *dice, struct bench *bench, const struct flow *flow, double t_s,
                  struct splits *out)
{
    int64_t n = (int64_t)(flow->rate * bench->evidence.tick_s),
            n_c = dice_binomial(dice, n, flow->weight / 5e3);
    struct admissions tick = {t_s, bench->evidence.tick_s, n_c, n - n_c, flow->weight / 2, flow->weight};
    struct split_block closed;
    if (evidence_admissions(&bench->evidence, &bench->policy, &tick, &closed) && out != NULL)
        out->block[out->count++] = closed;
}

/* Every tick of `ticks`, all SLIs; the blocks that close go to `blocks`. */
static int run(struct dice *dice, struct bench *bench, struct flow *flow, int first, int ticks,
               struct block *blocks, struct splits *splits)
{
    int count = 0;
    double dt_s = bench->evidence.tick_s;
    for (int t = first; t < first + ticks; t++) {
        maybe_change(dice, bench, flow, t * dt_s);
        flow->draining = dice_below(dice, 30) == 0;
        for (int i = 0; i < SLIS; i++) {
            struct block closed[2];
            struct sli_counts counts = draw(dice, flow, t * dt_s, dt_s);
            enum data_quality quality = i == 2 ? QUALITY_COMPLETION : QUALITY_COHORT;
            if (dice_below(dice, 50) == 0)
                continue;
            int n = evidence_tick(&bench->evidence, &bench->policy, &bench->plan, (enum sli)i, quality,
                                  t * dt_s, dt_s, &counts, i == 0, flow->draining, closed);
            for (int b = 0; b < n; b++, count++)
                if (blocks != NULL && count < BLOCKS_MAX)
                    blocks[count] = closed[b];
        }
        admit(dice, bench, flow, t * dt_s, splits);
        evidence_judge(&bench->evidence, &bench->policy, 0, false);
    }
    return count;
}

Test(decision_property, replay_of_blocks_has_the_same_bits, .timeout = 60)
{
    static struct block blocks[BLOCKS_MAX];
    static struct splits splits;
    int other_step = 0; /* without the changes of the weight, several between two blocks can hide a step */
    for (uint64_t seed = 1; seed <= 150; seed++) {
        struct dice dice = dice_seeded(seed);
        struct bench bench;
        random_bench(&dice, &bench);
        struct flow flow = random_flow(&dice);
        splits.count = 0;
        int count = run(&dice, &bench, &flow, 0, 300, blocks, &splits);
        cr_assert_lt(count, BLOCKS_MAX);
        cr_assert_gt(count, 10);
        for (int with_weights = 0; with_weights < 2; with_weights++) {
            struct evidence again;
            evidence_init(&again, &bench.policy, &bench.plan, bench.evidence.tick_s);
            for (int i = 0; with_weights == 1 && i < bench.evidence.weights; i++)
                evidence_weight(&again, bench.evidence.weight[i].at_s, bench.evidence.weight[i].weight,
                                bench.evidence.weight[i].raised);
            for (int i = 0; i < count; i++)
                evidence_block(&again, &bench.policy, &bench.plan, &blocks[i]);
            for (int i = 0; i < splits.count; i++)
                evidence_split_block(&again, &bench.policy, &splits.block[i]);
            cr_assert(memcmp(again.split.split.log_m, bench.evidence.split.split.log_m,
                             sizeof again.split.split.log_m) == 0 &&
                          again.split.split.mass.u == bench.evidence.split.split.mass.u &&
                          again.split.crossed == bench.evidence.split.crossed &&
                          again.split.blocks == bench.evidence.split.blocks,
                      "seed %d", (int)seed);
            cr_assert_eq(again.coverage_crossed, bench.evidence.coverage_crossed, "seed %d", (int)seed);
            for (int i = 0; i < SLIS; i++) {
                struct sli_evidence now = bench.evidence.sli[i];
                if (now.step_pending || now.open_step) /* a raise that no closed block has shown yet */
                    continue;
                if (with_weights == 0 && now.step != again.sli[i].step) {
                    other_step++;
                    continue;
                }
                cr_assert(same_blocks(&now, &again.sli[i]), "seed %d, SLI %d, %d", (int)seed, i,
                          with_weights);
                cr_assert_eq(evidence_burning(&bench.evidence, &bench.policy, (enum sli)i),
                             evidence_burning(&again, &bench.policy, (enum sli)i), "seed %d, SLI %d",
                             (int)seed, i);
            }
        }
    }
    cr_expect_lt(other_step, 15, "%d", other_step);
}

Test(decision_property, restored_evidence_goes_on_with_the_same_bits, .timeout = 60)
{
    static unsigned char bytes[EVIDENCE_CODEC_MAX];
    for (uint64_t seed = 1; seed <= 150; seed++) {
        struct dice dice = dice_seeded(1000 + seed);
        struct bench bench, other;
        random_bench(&dice, &bench);
        struct flow flow = random_flow(&dice);
        int first = (int)dice_below(&dice, 120);
        run(&dice, &bench, &flow, 0, first, NULL, NULL);
        other = bench;
        memset(&other.evidence, 0xa5, sizeof other.evidence);
        cr_assert(evidence_decode(bytes, evidence_encode(&bench.evidence, bytes), &other.evidence));
        struct dice same_dice = dice;
        struct flow same_flow = flow;
        run(&dice, &bench, &flow, first, 120, NULL, NULL);
        run(&same_dice, &other, &same_flow, first, 120, NULL, NULL);
        cr_assert(same_evidence(&bench.evidence, &other.evidence), "seed %d", (int)seed);
    }
}

/* Everything that a bad outcome of canary should raise. */
struct alarm {
    double relative[SLIS], absolute[SLIS], budget[SLIS], coverage[SLIS], g_rel, g_all;
    uint32_t burning[SLIS];
};

static struct alarm alarm_of(struct bench *bench)
{
    struct alarm alarm;
    struct evidence copy = bench->evidence;
    copy.latched.action = JUDGE_CONTINUE;
    struct judgement judgement = evidence_judge(&copy, &bench->policy, 0, false);
    for (int i = 0; i < SLIS; i++) {
        const struct guardrail *guardrail = &bench->policy.guardrail[i];
        alarm.relative[i] = evidence_lane_log(&copy.sli[i].relative);
        alarm.absolute[i] = evidence_lane_log(&copy.sli[i].absolute);
        alarm.coverage[i] = evidence_lane_log(&copy.sli[i].coverage);
        alarm.burning[i] = evidence_burning(&copy, &bench->policy, (enum sli)i);
        alarm.budget[i] = budget_log(&copy.sli[i], guardrail->allowed, guardrail->eta);
    }
    alarm.g_rel = judgement.log_g_rel;
    alarm.g_all = judgement.log_g_all;
    return alarm;
}

static bool not_below(double a, double b)
{
    return a >= b - 1e-9 * (1 + fabs(b));
}

static void feed(struct bench *bench, enum sli sli, double t_s, const struct sli_counts *counts)
{
    evidence_tick(&bench->evidence, &bench->policy, &bench->plan, sli, QUALITY_COHORT, t_s,
                  bench->evidence.tick_s, counts, true, false, bench->closed);
}

/* One more bad outcome (or one that is not measured) of canary, anywhere, never lowers any evidence against
   it, then or later. */
Test(decision_property, a_bad_outcome_never_helps, .timeout = 60)
{
    int burning = 0, more_burning = 0;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        struct dice dice = dice_seeded(2000 + seed);
        struct bench bench, worse;
        random_bench(&dice, &bench);
        struct flow flow = random_flow(&dice);
        double dt_s = bench.evidence.tick_s;
        int at = (int)dice_below(&dice, 60), sli = (int)dice_below(&dice, SLIS);
        int32_t stratum = (int32_t)dice_below(&dice, flow.strata);
        bool measured = dice_below(&dice, 4) > 0;
        evidence_weight(&bench.evidence, 0, flow.weight = 500 + (int32_t)dice_below(&dice, 9500), true);
        worse = bench;
        for (int t = 0; t < 60; t++) {
            for (int i = 0; i < SLIS; i++) {
                struct sli_counts counts = draw(&dice, &flow, t * dt_s, dt_s), more = counts;
                struct counts *there = measured ? &more.stratum[stratum] : &more.coverage[stratum];
                if (t >= at && i == sli && there->k_c < there->n_c) {
                    there->k_c++;
                    at = 1000;
                }
                feed(&bench, (enum sli)i, t * dt_s, &counts);
                feed(&worse, (enum sli)i, t * dt_s, &more);
            }
            struct alarm a = alarm_of(&bench), b = alarm_of(&worse);
            bool ordered = not_below(b.g_rel, a.g_rel) && not_below(b.g_all, a.g_all);
            for (int i = 0; i < SLIS; i++) {
                ordered = ordered && not_below(b.relative[i], a.relative[i]) &&
                          not_below(b.absolute[i], a.absolute[i]) && not_below(b.budget[i], a.budget[i]) &&
                          not_below(b.coverage[i], a.coverage[i]) && (a.burning[i] & ~b.burning[i]) == 0;
                burning += a.burning[i] != 0;
                more_burning += a.burning[i] != b.burning[i];
            }
            cr_assert(ordered, "seed %d, tick %d", (int)seed, t);
        }
    }
    cr_expect(burning > 1000 && more_burning > 5, "%d, %d", burning, more_burning);
}

static bool finite_sli(const struct sli_evidence *sli)
{
    double sum = evidence_lane_log(&sli->relative) + evidence_lane_log(&sli->absolute) + sli->budget_x +
                 sli->ni_add + sli->ni_ratio[0] + sli->ni_ratio[1] + sli->ni_bad[0] + sli->ni_seen[0] +
                 sli->stable_bad + sli->stable_seen + evidence_lane_log(&sli->coverage) +
                 sli->ni_bad[STRATA_MAX - 1] + sli->ni_seen[STRATA_MAX - 1];
    for (int i = 0; i < BURN_WINDOWS; i++)
        for (int b = 0; b < BURN_BUCKETS; b++)
            if (sli->burn[i].k[b] < 0 || sli->burn[i].k[b] > sli->burn[i].n[b])
                return false;
    for (int j = 0; j < EVIDENCE_GRID; j++)
        sum += sli->stable[j] + sli->canary[j] + sli->worse[j] + sli->budget_y[j];
    return isfinite(sum);
}

static int64_t extreme(struct dice *dice, int64_t most)
{
    int64_t edges[] = {0, 0, 1, most / 2, most - 1, most};
    int64_t n = edges[dice_below(dice, 6)];
    return n < 0 ? 0 : n > most ? most : n;
}

static struct counts extreme_counts(struct dice *dice)
{
    int64_t most = dice_below(dice, 3) == 0 ? (int64_t)1 << 53 : 3;
    struct counts counts = {.n_c = extreme(dice, most), .n_b = extreme(dice, most)};
    counts.k_c = extreme(dice, counts.n_c);
    counts.k_b = extreme(dice, counts.n_b);
    return counts;
}

static void extreme_admissions(struct dice *dice, struct bench *bench, double t_s)
{
    struct counts counts = extreme_counts(dice);
    int32_t edges[] = {0, 1, 5000, WEIGHT_FULL - 1, WEIGHT_FULL};
    int64_t lo = dice_below(dice, 5), hi = lo + dice_below(dice, 5 - lo);
    struct admissions tick = {t_s, 300, counts.n_c, counts.n_b, edges[lo], edges[hi]};
    struct split_block closed;
    evidence_admissions(&bench->evidence, &bench->policy, &tick, &closed);
}

static void expect_finite(struct bench *bench, uint64_t seed, int t)
{
    struct judgement judgement = evidence_judge(&bench->evidence, &bench->policy, 0, false);
    cr_assert(isfinite(judgement.log_g_rel) && isfinite(judgement.log_g_all) &&
                  isfinite(split_log(&bench->evidence.split.split)),
              "seed %d, tick %d", (int)seed, t);
    for (int i = 0; i < SLIS; i++) {
        double eta_s = evidence_eta_s(&bench->evidence, &bench->policy, &bench->plan, 0, (enum sli)i);
        cr_assert(finite_sli(&bench->evidence.sli[i]) && isfinite(eta_s) &&
                      isfinite(evidence_ni(&bench->evidence, (enum sli)i)),
                  "seed %d, tick %d, SLI %d", (int)seed, t, i);
        evidence_burning(&bench->evidence, &bench->policy, (enum sli)i);
        cr_assert_eq(bench->evidence.sli[i].invalid_ticks, 0);
    }
}

/* A year of 300 s ticks with counts at the ends of their range, in all strata and in the coverage. */
Test(decision_property, extremes_stay_finite, .timeout = 120)
{
    static unsigned char bytes[EVIDENCE_CODEC_MAX];
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct dice dice = dice_seeded(3000 + seed);
        struct bench bench;
        random_bench(&dice, &bench);
        bench.evidence.tick_s = 300;
        for (int i = 0; i < SLIS; i++) {
            bench.policy.guardrail[i].tolerance = i == 0 ? 10 : 1;
            bench.policy.guardrail[i].ceiling = i == 1 ? 1 : 0.05;
            bench.policy.guardrail[i].margin_add = i == 2 ? 1 : 0;
            bench.policy.guardrail[i].allowed = 1e-3;
            bench.policy.guardrail[i].budget_rate = i == 0 ? 1 : 1e-6;
        }
        evidence_weight(&bench.evidence, 0, seed == 3 ? 10000 : 1, true);
        for (int t = 0; t < 105120; t++) {
            for (int i = 0; i < SLIS; i++) {
                struct sli_counts counts = {.strata = t % 50 == 0 ? STRATA_MAX : 1 + t % 2};
                for (int32_t j = 0; j < counts.strata; j++) {
                    counts.stratum[j] = extreme_counts(&dice);
                    counts.coverage[j] = extreme_counts(&dice);
                }
                feed(&bench, (enum sli)i, 300.0 * t, &counts);
            }
            extreme_admissions(&dice, &bench, 300.0 * t);
            if (t % 500 == 0 || t == 105119)
                expect_finite(&bench, seed, t);
        }
        struct evidence copy;
        cr_assert(evidence_decode(bytes, evidence_encode(&bench.evidence, bytes), &copy));
        cr_assert(same_evidence(&bench.evidence, &copy));
    }
}

/* The order of the SLIs inside a tick changes nothing. */
Test(decision_property, order_of_slis_changes_nothing)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct dice dice = dice_seeded(4000 + seed);
        struct bench up, down;
        random_bench(&dice, &up);
        struct flow flow = random_flow(&dice);
        evidence_weight(&up.evidence, 0, flow.weight = 1000, true);
        down = up;
        double dt_s = up.evidence.tick_s;
        for (int t = 0; t < 100; t++) {
            struct sli_counts counts[SLIS];
            for (int i = 0; i < SLIS; i++)
                counts[i] = draw(&dice, &flow, t * dt_s, dt_s);
            for (int i = 0; i < SLIS; i++) {
                feed(&up, (enum sli)i, t * dt_s, &counts[i]);
                feed(&down, (enum sli)(SLIS - 1 - i), t * dt_s, &counts[SLIS - 1 - i]);
            }
        }
        cr_assert(same_evidence(&up.evidence, &down.evidence), "seed %d", (int)seed);
    }
}
