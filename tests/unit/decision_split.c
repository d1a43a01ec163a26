/* Admissions of ticks become blocks of the split check: weights that change in a block, keys, what latches.
 */
#include "decision_support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

struct split_bench {
    struct bench bench;
    struct split_block closed;
};

static void start(struct split_bench *split, int32_t weight)
{
    bench_init(&split->bench, 1, weight, 1);
    split->bench.policy.split_check = true;
    split->bench.policy.keyed = false;
}

static bool admit(struct split_bench *split, double t_s, int64_t n_c, int64_t n_b, int32_t w_lo, int32_t w_hi)
{
    const struct admissions tick = {t_s, 1, n_c, n_b, w_lo, w_hi};
    return evidence_admissions(&split->bench.evidence, &split->bench.policy, &tick, &split->closed);
}

/* A minute of 100 admissions a second. */
static bool minute(struct split_bench *split, int at, int64_t n_c, int32_t weight)
{
    bool closed = false;
    for (int i = 0; i < 60; i++)
        closed = admit(split, 60 * at + i, n_c, 100 - n_c, weight, weight);
    return closed;
}

static struct judgement judge(struct split_bench *split, uint32_t muted)
{
    return evidence_judge(&split->bench.evidence, &split->bench.policy, muted, false);
}

Test(decision_split, a_block_is_a_minute_of_admissions)
{
    struct split_bench split;
    start(&split, 500);
    for (int t = 10; t < 69; t++)
        cr_expect_not(admit(&split, t, 5, 95, 500, 500));
    cr_expect(admit(&split, 69, 6, 94, 500, 500));
    cr_expect(split.closed.start_s == 10 && split.closed.n_c == 59 * 5 + 6 && split.closed.n == 6000);
    cr_expect(split.closed.w_lo == .05 && split.closed.w_hi == .05);
    const struct split_watch *watch = &split.bench.evidence.split;
    cr_expect(watch->blocks == 1 && near(watch->share, 301 / 6000.0) && watch->block_start == -1);
    /* seconds that are missing make a block longer, not two of them */
    admit(&split, 100, 5, 95, 500, 500);
    cr_expect(admit(&split, 400, 5, 95, 500, 500) && split.closed.start_s == 100 && split.closed.n == 200);
}

/* During a change some gateways have the old weight, some the new: no share between them is a finding. */
Test(decision_split, a_change_needs_no_blanking)
{
    struct split_bench split;
    start(&split, 500);
    for (int i = 0; i < 60; i++)
        admit(&split, i, i < 20 ? 5 : 10, 90, i < 10 ? 500 : i < 40 ? 500 : 1000, i < 10 ? 500 : 1000);
    cr_expect(split.closed.w_lo == .05 && split.closed.w_hi == .10);
    cr_expect_eq(split.bench.evidence.split.blocks, 1);
    int64_t shares[] = {5, 7, 10};
    for (int s = 0; s < 3; s++) {
        start(&split, 500);
        for (int t = 0; t < 3600; t++)
            admit(&split, t, shares[s], 100 - shares[s], 500, 1000);
        cr_expect_not(split.bench.evidence.split.crossed, "share %d %%", (int)shares[s]);
    }
    start(&split, 500);
    for (int t = 0; t < 3600; t++)
        admit(&split, t, 15, 85, 500, 1000);
    cr_expect(split.bench.evidence.split.crossed, "above both");
    start(&split, 500);
    for (int t = 0; t < 3600; t++)
        admit(&split, t, 2, 98, 500, 1000);
    cr_expect(split.bench.evidence.split.crossed, "below both");
}

/* The first block after a raise has the prior mass of a step. */
Test(decision_split, a_raise_is_a_likely_moment_of_a_fault)
{
    struct split_bench split;
    start(&split, 500);
    const struct lane_mass *mass = &split.bench.evidence.split.split.mass;
    minute(&split, 0, 5, 500);
    cr_expect(mass->u == 0.5 && mass->steps_left == 4 && split.closed.new_step);
    minute(&split, 1, 5, 500);
    cr_expect(mass->steps_left == 4 && !split.closed.new_step);
    evidence_weight(&split.bench.evidence, 130, 1000,
                    true); /* in the midst of a block: the next is the first */
    minute(&split, 2, 5, 500);
    cr_expect(mass->steps_left == 4 && !split.closed.new_step);
    minute(&split, 3, 10, 1000);
    cr_expect(mass->steps_left == 3 && split.closed.new_step);
    evidence_weight(&split.bench.evidence, 240, 500, false); /* lowered: no step */
    minute(&split, 4, 5, 500);
    cr_expect(mass->steps_left == 3 && !split.closed.new_step);
    double background = 0.25 * (1 - 1 / (1 + 240 / 3600.0));
    cr_expect(near(mass->u, 0.5 - background - 0.25 / 4));
}

Test(decision_split, at_least_three_blocks_and_then_it_stays)
{
    struct split_bench split;
    start(&split, 500);
    int at = 0;
    for (; !split.bench.evidence.split.crossed && at < 20; at++)
        minute(&split, at, 50, 500);
    cr_expect_eq(at, 3, "%d", at);
    struct judgement judgement = judge(&split, 0);
    cr_expect(judgement.action == JUDGE_HOLD && judgement.reason == REASON_SPLIT);
    for (; at < 300; at++)
        minute(&split, at, 5, 500);
    cr_expect_lt(split_log(&split.bench.evidence.split.split), log(1000), "the evidence has gone");
    judgement = judge(&split, 0);
    cr_expect(judgement.action == JUDGE_HOLD && judgement.reason == REASON_SPLIT, "the finding has not");
    cr_expect_eq(judge(&split, 1u << WATCH_SPLIT).action, JUDGE_CONTINUE);
    cr_expect_eq(judge(&split, 1u << WATCH_COVERAGE | 1u << WATCH_LATE).reason, REASON_SPLIT);
    cr_expect_eq(judge(&split, 0).reason, REASON_SPLIT, "a mute ends");
    cr_expect_eq(split.bench.evidence.latched.action, JUDGE_CONTINUE, "it never rolls back");
}

Test(decision_split, nobody_of_canary_is_found)
{
    struct split_bench split;
    start(&split, 500);
    int at = 0;
    for (; !split.bench.evidence.split.crossed && at < 20; at++)
        minute(&split, at, 0, 500);
    cr_expect_eq(at, 3, "%d", at);
}

/* Few or heavy keys: the check is off for that weight, and says so. */
Test(decision_split, keys_too_few_are_not_covered)
{
    struct split_bench split;
    start(&split, 500);
    split.bench.policy.keyed = true;
    split.bench.policy.key_effect = 20;
    /* 360,000 an hour: 3 sqrt(.95 x 20 / (.05 x 360,000)) = 0.097 */
    cr_expect(minute(&split, 0, 5, 500));
    cr_expect_not(split.bench.evidence.split.uncovered);
    split.bench.policy.key_effect = 200; /* 0.308 */
    cr_expect_not(minute(&split, 1, 90, 500));
    cr_expect(split.bench.evidence.split.uncovered);
    cr_expect_eq(split.bench.evidence.split.blocks, 1);
    split.bench.policy.key_effect = 20;
    minute(&split, 2, 5, 500);
    cr_expect_not(split.bench.evidence.split.uncovered);
    /* the rate that is known counts, not that of the block: 3 sqrt(.95 x 20 / (.05 x 3,600)) = 0.97 */
    split.bench.evidence.rps = 1;
    minute(&split, 3, 5, 500);
    cr_expect(split.bench.evidence.split.uncovered);
    split.bench.policy.keyed = false;
    minute(&split, 4, 5, 500);
    cr_expect_not(split.bench.evidence.split.uncovered, "draws have no keys");
}

/* Keys widen the band to 1.25, and weaken the evidence by their effect. */
Test(decision_split, keys_are_given_more_room)
{
    double log_m[3];
    for (int i = 0; i < 3; i++) {
        struct split_bench split;
        start(&split, 5000);
        split.bench.policy.keyed = i > 0;
        split.bench.policy.key_effect = i > 1 ? 10 : 1;
        for (int at = 0; at < 2; at++)
            minute(&split, at, 60, 5000);
        log_m[i] = split_log(&split.bench.evidence.split.split);
    }
    cr_expect(log_m[0] > log_m[1] + 0.01 && log_m[1] > log_m[2] + 0.01, "%g %g %g", log_m[0], log_m[1],
              log_m[2]);
}

Test(decision_split, what_cannot_be_is_ignored)
{
    struct split_bench split;
    start(&split, 500);
    const struct split_watch *watch = &split.bench.evidence.split;
    admit(&split, 100, 5, 95, 500, 500);
    admit(&split, 50, 5, 95, 500, 500); /* before */
    admit(&split, 101, -1, 95, 500, 500);
    admit(&split, 101, 5, -1, 500, 500);
    admit(&split, 101, ((int64_t)1 << 53) + 1, 0, 500, 500);
    admit(&split, 101, 5, 95, 600, 500);
    admit(&split, 101, 5, 95, -1, 500);
    admit(&split, 101, 5, 95, 500, 10001);
    admit(&split, NAN, 5, 95, 500, 500);
    admit(&split, -1, 5, 95, 500, 500);
    cr_expect(watch->n == 100 && watch->n_c == 5 && watch->last_tick == 101);
    admit(&split, 102, 5, 95, 0, 0);
    cr_expect_eq(watch->n, 100, "canary has no weight");
    split.bench.policy.split_check = false;
    admit(&split, 103, 5, 95, 500, 500);
    cr_expect_eq(watch->n, 100);
}

/* A stored block gives the same evidence, to the bit. */
Test(decision_split, replay_of_blocks_has_the_same_bits)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct dice dice = dice_seeded(9000 + seed);
        struct split_bench split, again;
        start(&split, 500);
        split.bench.policy.keyed = dice_below(&dice, 2) == 1;
        split.bench.policy.key_effect = 1 + (double)dice_below(&dice, 10);
        again = split;
        int32_t weight = 500;
        for (int t = 0; t < 3600; t++) {
            if (dice_below(&dice, 500) == 0) {
                weight = 100 + (int32_t)dice_below(&dice, 9000);
                evidence_weight(&split.bench.evidence, t, weight, dice_below(&dice, 2) == 1);
            }
            if (admit(&split, t, dice_below(&dice, 20), 50 + dice_below(&dice, 100), weight / 2, weight))
                evidence_split_block(&again.bench.evidence, &again.bench.policy, &split.closed);
        }
        const struct split_watch *a = &split.bench.evidence.split, *b = &again.bench.evidence.split;
        cr_assert(memcmp(a->split.log_m, b->split.log_m, sizeof a->split.log_m) == 0 &&
                      a->split.mass.u == b->split.mass.u && a->split.mass.t_prev == b->split.mass.t_prev &&
                      a->split.mass.steps_left == b->split.mass.steps_left && a->crossed == b->crossed &&
                      a->blocks == b->blocks && a->share == b->share,
                  "seed %d", (int)seed);
    }
}

/* Counts up to 2^53 in every tick of a minute, whatever the length of a tick. */
Test(decision_split, counts_do_not_overflow)
{
    struct split_bench split;
    const int64_t most = (int64_t)1 << 53;
    start(&split, 500);
    for (int i = 0; i < 4000; i++) {
        const struct admissions tick = {i * 0.05, 0.05, i % 2 ? most : 0, most, 500, 500};
        evidence_admissions(&split.bench.evidence, &split.bench.policy, &tick, &split.closed);
        cr_assert(split.bench.evidence.split.n >= split.bench.evidence.split.n_c &&
                      split.bench.evidence.split.n_c >= 0,
                  "tick %d", i);
    }
    cr_expect(isfinite(split_log(&split.bench.evidence.split.split)));
    cr_expect(split.bench.evidence.split.share >= 0 && split.bench.evidence.split.share <= 1);
}
