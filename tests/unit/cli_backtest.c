/* The parts of a backtest: who is drawn, how a rollout ends, how many are summed up. */
#include "cli/backtest.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(cli_backtest, .timeout = 120);

/* `n` rows of a release, k of them refused, one every `gap` seconds from `from` on, keys of `keys` users. */
static size_t rows(char *text, size_t size, const char *release, int n, int k, double from, double gap,
                   int keys)
{
    size_t used = 0;
    for (int i = 0; i < n; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s,%.3f,%d,", release, from + gap * i, i < k);
        used +=
            (size_t)snprintf(text + used, size - used, keys > 0 ? "u%d\n" : "\n", keys > 0 ? i % keys : 0);
    }
    return used;
}

struct made {
    struct outcomes outcomes;
    struct backtest_setup setup;
    char text[1 << 20];
};

static struct made made;

/* Arms a and b with that many refused of 200, a row a second in turn. */
static void make(int stable_bad, int canary_bad, int keys)
{
    struct fault fault = {0};
    size_t used = (size_t)snprintf(made.text, sizeof made.text, "release,arrival,refusal,key\n");
    used += rows(made.text + used, sizeof made.text - used, "a", 200, stable_bad, 0, 1, keys);
    rows(made.text + used, sizeof made.text - used, "b", 200, canary_bad, .5, 1, keys);
    cr_assert_eq(outcomes_read(made.text, strlen(made.text), "f", NULL, &made.outcomes, &fault), STATUS_OK,
                 "%s", fault.detail);
    memset(&made.setup, 0, sizeof made.setup);
    made.setup.slos.of[SLI_REFUSAL] = (struct slo){.used = true, .objective_ppm = 900000};
    policy_default(&made.setup.slos, &made.setup.spec.policy);
    plan_default(&made.setup.plan);
    made.setup.until_s = 3600;
    made.setup.settle_s = 3;
    made.setup.apply_s = 1;
    cr_assert_eq(
        traffic_init(&made.setup.traffic, &made.outcomes, 0, 1, 1u << SLI_REFUSAL, &made.setup.spec, &fault),
        STATUS_OK);
}

static void free_made(void)
{
    traffic_free(&made.setup.traffic);
    outcomes_free(&made.outcomes);
}

static struct backtest_result run(uint64_t seed, bool keep)
{
    struct backtest_result result;
    struct fault fault = {0};
    cr_assert_eq(backtest_run(&made.setup, seed, keep, &result, &fault), STATUS_OK, "%s", fault.detail);
    return result;
}

Test(cli_backtest, arms_are_counted_by_release, .fini = free_made)
{
    make(3, 41, 0);
    cr_expect_eq(made.setup.traffic.stable.count, 200);
    cr_expect_eq(made.setup.traffic.stable.k[SLI_REFUSAL], 3);
    cr_expect_eq(made.setup.traffic.canary.k[SLI_REFUSAL], 41);
    cr_expect_eq(backtest_compare(&made.setup, SLI_REFUSAL), TRUTH_HARMFUL);
    cr_expect_float_eq(backtest_odds(&made.setup, SLI_REFUSAL), 41.0 / 159 / (3.0 / 197), 1e-12);
}

Test(cli_backtest, the_same_seed_gives_the_same_bytes, .fini = free_made)
{
    make(3, 12, 0);
    traffic_at_random(&made.setup.traffic, 40);
    struct backtest_result one = run(7, true), two = run(7, true), other = run(8, true);
    cr_assert_eq(one.decisions, two.decisions);
    cr_assert_gt(one.decisions, 1);
    for (size_t i = 0; i < one.decisions; i++) {
        const struct snapshot *a = &one.decision[i].decision.snapshot,
                              *b = &two.decision[i].decision.snapshot;
#define X(type, name) cr_assert(a->name == b->name, #name);
        SNAPSHOT_TABLE(X)
#undef X
        cr_assert_eq(one.decision[i].decision.rule, two.decision[i].decision.rule);
        cr_assert_eq(decide(a, VERB_TICK).rule, one.decision[i].decision.rule, "its inputs give it again");
    }
    cr_expect_eq(one.canary, two.canary);
    cr_expect(one.harm == two.harm);
    cr_expect(one.canary != other.canary || one.at_s != other.at_s, "another seed is another run");
    backtest_result_free(&one);
    backtest_result_free(&two);
    backtest_result_free(&other);
}

Test(cli_backtest, a_bad_canary_is_rolled_back_and_its_harm_is_counted, .fini = free_made)
{
    make(3, 90, 0);
    traffic_at_random(&made.setup.traffic, 100);
    made.setup.plan.step[0].weight = 200;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct backtest_result result = run(seed, false);
        cr_assert_eq(result.phase, PHASE_ROLLED_BACK);
        cr_assert_eq(result.lead, SLI_REFUSAL);
        cr_assert_gt(result.canary, result.counted, "what has not matured hurts all the same");
        cr_expect_float_eq(result.harm, (double)result.canary_bad - .015 * (double)result.canary, 1e-9);
        backtest_result_free(&result);
    }
}

Test(cli_backtest, stable_against_itself_is_not_blamed, .fini = free_made)
{
    make(12, 12, 0);
    traffic_at_random(&made.setup.traffic, 60);
    struct backtest_result results[60];
    struct backtest_summary summary;
    struct fault fault = {0};
    for (size_t i = 0; i < 60; i++) {
        results[i] = run(i, false);
    }
    cr_assert_eq(backtest_sum_up(results, 60, &summary, &fault), STATUS_OK);
    cr_expect_leq(summary.blamed, 2, "alpha is 1 %%");
    cr_expect_geq(summary.completed, 55);
    cr_expect_eq(summary.completed + summary.rolled_back + summary.paused + summary.open, 60);
    size_t grouped = 0;
    for (size_t i = 0; i < summary.groups; i++) {
        grouped += summary.group[i].seeds;
        cr_expect(i == 0 || summary.group[i].seeds <= summary.group[i - 1].seeds);
    }
    cr_expect_eq(grouped, 60);
    cr_expect_leq(summary.at_s.low, summary.at_s.median);
    cr_expect_leq(summary.at_s.median, summary.at_s.high);
}

Test(cli_backtest, as_recorded_draws_nothing, .fini = free_made)
{
    struct fault fault = {0};
    make(3, 150, 0);
    cr_assert_eq(traffic_as_recorded(&made.setup.traffic, "f", &fault), STATUS_OK);
    cr_expect_eq(made.setup.traffic.arrivals, 400);
    made.setup.spec.policy.split_check = false;
    struct backtest_result one = run(1, false), two = run(2, false);
    cr_expect_eq(one.canary, two.canary);
    cr_expect_eq(one.at_s, two.at_s);
    cr_expect_eq(one.phase, PHASE_ROLLED_BACK);
    backtest_result_free(&one);
    backtest_result_free(&two);
}

Test(cli_backtest, a_key_keeps_to_one_arm, .fini = free_made)
{
    struct fault fault = {0};
    make(100, 100, 10);
    traffic_at_random(&made.setup.traffic, 50);
    made.setup.plan = (struct plan){.steps = 2, .step = {{5000, 60, 0, 0}, {10000, 60, 0, 0}}};
    struct traffic_stream stream;
    static struct offline offline;
    struct offline_options options = {.tick_s = 1, .has_stable = true};
    offline_init(&offline, &made.setup.spec.policy, &made.setup.plan, &options);
    offline_decide(&offline, 0, false);
    cr_assert_eq(offline_weight_at(&offline, 0), 5000);
    cr_assert_eq(traffic_start(&stream, &made.setup.traffic, 3, &fault), STATUS_OK);
    int64_t canary = 0, all = 0;
    for (int second = 0; second < 400; second++) {
        struct backtest_second now;
        traffic_second(&stream, second, &offline, &now);
        canary += now.canary;
        all += now.canary + now.stable;
    }
    /* ten users with a tenth of the requests each: the canary has as many tenths as users */
    int own = 0;
    for (int i = 0; i < 10; i++) {
        own += stream.bucket[i] >= 0 && stream.bucket[i] < 5000;
    }
    cr_expect_float_eq((double)canary / (double)all, own / 10.0, .01);
    traffic_stop(&stream);
}

Test(cli_backtest, arrivals_begin_anew_when_they_are_over, .fini = free_made)
{
    struct fault fault = {0};
    make(3, 3, 0);
    cr_assert_eq(traffic_like(&made.setup.traffic, &made.outcomes, -1, -1, "f", &fault), STATUS_OK);
    cr_expect_float_eq(made.setup.traffic.span_s, 200, .01);
    struct traffic_stream stream;
    static struct offline offline;
    struct offline_options options = {.tick_s = 1, .has_stable = true};
    offline_init(&offline, &made.setup.spec.policy, &made.setup.plan, &options);
    cr_assert_eq(traffic_start(&stream, &made.setup.traffic, 1, &fault), STATUS_OK);
    for (int second = 0; second < 1000; second++) {
        struct backtest_second now;
        traffic_second(&stream, second, &offline, &now);
        cr_assert_eq(now.canary, 0);
        cr_assert_eq(now.stable, 2, "second %d: %d", second, (int)now.stable);
    }
    traffic_stop(&stream);
}

Test(cli_backtest, one_release_in_both_arms_has_one_order, .fini = free_made)
{
    struct fault fault = {0};
    make(100, 3, 0); /* the first half of a is bad */
    traffic_free(&made.setup.traffic);
    cr_assert_eq(
        traffic_init(&made.setup.traffic, &made.outcomes, 0, 0, 1u << SLI_REFUSAL, &made.setup.spec, &fault),
        STATUS_OK);
    cr_assert_eq(traffic_like(&made.setup.traffic, &made.outcomes, 0, 0, "f", &fault), STATUS_OK);
    made.setup.traffic.in_order = true;
    made.setup.plan = (struct plan){.steps = 2, .step = {{5000, 60, 0, 0}, {10000, 60, 0, 0}}};
    struct traffic_stream stream;
    static struct offline offline;
    struct offline_options options = {.tick_s = 1, .has_stable = true};
    offline_init(&offline, &made.setup.spec.policy, &made.setup.plan, &options);
    offline_decide(&offline, 0, false);
    cr_assert_eq(traffic_start(&stream, &made.setup.traffic, 1, &fault), STATUS_OK);
    for (int second = 0; second < 200; second++) {
        struct backtest_second now;
        traffic_second(&stream, second, &offline, &now);
        cr_assert_eq(now.canary_bad + now.stable_bad, second < 100, "second %d", second);
    }
    traffic_stop(&stream);
}

Test(cli_backtest, a_confidence_bound_is_that_of_clopper_and_pearson)
{
    cr_expect_float_eq(backtest_at_most(0, 100), 1 - pow(.05, .01), 1e-9);
    cr_expect_float_eq(backtest_at_most(100, 100), 1, 0);
    cr_expect_float_eq(backtest_at_most(2, 100), .0616, 1e-4); /* from tables */
}
