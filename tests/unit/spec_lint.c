/* Lint: that each piece of advice is given when it should be, and the times against the formula. */
#include "spec/forecast.h"
#include "spec/lint.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

TestSuite(spec_lint, .timeout = 10);

enum { MAX = 64 };

struct bench {
    struct slos slos;
    struct spec_policy policy;
    struct spec_finding found[MAX];
    size_t count;
};

static void start(struct bench *bench)
{
    memset(bench, 0, sizeof *bench);
    bench->slos.of[SLI_ERROR] = (struct slo){.used = true, .objective_ppm = 990000, .window_s = 2592000};
    policy_default(&bench->slos, &bench->policy.policy);
    plan_default(&bench->policy.plan);
}

static void lint(struct bench *bench, double rps)
{
    bench->count = spec_lint(&bench->slos, &bench->policy, &bench->policy.plan, rps, bench->found, MAX);
}

static const struct spec_finding *find(const struct bench *bench, enum spec_level level, const char *pointer,
                                       const char *text)
{
    for (size_t i = 0; i < bench->count; i++) {
        if (bench->found[i].level == level && strcmp(bench->found[i].pointer, pointer) == 0 &&
            strstr(bench->found[i].text, text) != NULL) {
            return &bench->found[i];
        }
    }
    return NULL;
}

Test(spec_lint, default_is_clean_and_timed)
{
    static struct bench bench;
    start(&bench);
    lint(&bench, 100);
    cr_assert(bench.count > 0);
    for (size_t i = 0; i < bench.count; i++) {
        cr_assert_eq(bench.found[i].level, LEVEL_NOTE, "%s", bench.found[i].text);
    }
    cr_assert_not_null(find(&bench, LEVEL_NOTE, "/plan", "in all"));
    lint(&bench, 0);
    cr_assert_eq(bench.count, 0, "no rate, no times");
    bench.policy.policy.rps_milli = 100000;
    lint(&bench, 0);
    cr_assert_not_null(find(&bench, LEVEL_NOTE, "/plan", "at 100 requests"));
}

/* 5 steps, alpha 0.05, w 1 %, p 0.5 %, d = clamp(.005/.05) = 5 points: nearly all of the information of a
   canary request is KL(p || p + d), since stable's side is known well. */
Test(spec_lint, requests_needed)
{
    static struct bench bench;
    start(&bench);
    double p = 0.005, d = 0.05;
    double kl = p * log(p / (p + d)) + (1 - p) * log((1 - p) / (1 - p - d));
    double want = log(2 * 5 / 0.05) / kl;
    double got = spec_requests_needed(&bench.slos, &bench.policy.policy, &bench.policy.plan, 0, SLI_ERROR);
    cr_assert(got > want && got < 1.1 * want, "%g, a little more than %g", got, want);
    bench.policy.policy.holdback = 0;
    cr_assert(
        isinf(spec_requests_needed(&bench.slos, &bench.policy.policy, &bench.policy.plan, 4, SLI_ERROR)));
}

Test(spec_lint, ceilings)
{
    static struct bench bench;
    start(&bench);
    struct guardrail *guardrail = &bench.policy.policy.guardrail[SLI_ERROR];
    guardrail->ceiling = 0.009;
    lint(&bench, 0);
    cr_assert_not_null(find(&bench, LEVEL_ERROR, "/guardrails/error/ceiling", "below what the SLO allows"));
    guardrail->ceiling = 0.012;
    lint(&bench, 0);
    cr_assert_not_null(find(&bench, LEVEL_WARNING, "/guardrails/error/ceiling", "1.3 x"));
    guardrail->ceiling = 0;
    lint(&bench, 0);
    cr_assert_not_null(find(&bench, LEVEL_WARNING, "/guardrails/error/ceiling", "first release"));
}

Test(spec_lint, plan_and_policy)
{
    static struct bench bench;
    start(&bench);
    bench.policy.policy.holdback = 0;
    bench.policy.policy.pace = PACE_TIME;
    bench.policy.policy.alpha = 0.1;
    bench.policy.plan.step[1].weight = 2400;
    bench.policy.policy.guardrail[SLI_ERROR].action = ACTION_NOTIFY;
    lint(&bench, 0);
    cr_assert_not_null(find(&bench, LEVEL_WARNING, "/holdback", "nothing is left to compare"));
    cr_assert_not_null(find(&bench, LEVEL_WARNING, "/pace", "nothing is proven"));
    cr_assert_not_null(find(&bench, LEVEL_NOTE, "/plan/steps/1/weight", "24 times"));
    cr_assert_not_null(find(&bench, LEVEL_NOTE, "/alpha", "one healthy rollout in 10"));
    cr_assert_not_null(find(&bench, LEVEL_WARNING, "/guardrails", "until a person acts"));
}

Test(spec_lint, slow_step_says_what_helps)
{
    static struct bench bench;
    start(&bench);
    bench.policy.plan.step[0].deadline_s = 600;
    lint(&bench, 5);
    const struct spec_finding *finding =
        find(&bench, LEVEL_WARNING, "/plan/steps/0", "longer than the deadline");
    cr_assert_not_null(finding);
    cr_assert_not_null(strstr(finding->mend, "a weight of"), "%s", finding->mend);
    cr_assert_not_null(strstr(finding->mend, "pace time"), "%s", finding->mend);
    cr_assert_eq(bench.found[0].level, LEVEL_WARNING, "worst first");
}

Test(spec_lint, source_without_a_counter)
{
    static struct bench bench;
    start(&bench);
    bench.policy.source.kind = SOURCE_PROMETHEUS;
    lint(&bench, 0);
    cr_assert_not_null(find(&bench, LEVEL_ERROR, "/source/prometheus/bad", "error"));
}

Test(spec_lint, nothing_watched_and_no_room)
{
    static struct bench bench;
    start(&bench);
    memset(&bench.slos, 0, sizeof bench.slos);
    policy_default(&bench.slos, &bench.policy.policy);
    lint(&bench, 10);
    cr_assert_not_null(find(&bench, LEVEL_ERROR, "/guardrails", "nothing is watched"));
    cr_assert_eq(spec_lint(&bench.slos, &bench.policy, &bench.policy.plan, 10, bench.found, 2), 2);
    cr_assert_eq(spec_lint(&bench.slos, &bench.policy, &bench.policy.plan, 10, bench.found, 0), 0);
}

/* Whatever the objective and the traffic: the defaults are never refused. */
Test(spec_lint, the_default_plan_is_never_refused)
{
    static const double rates[] = {0, 0.01, 0.1, 1, 10, 100, 1000, 10000};
    static const int32_t objectives[] = {500000, 600000, 700000, 800000, 900000, 930000, 950000,
                                         970000, 980000, 990000, 995000, 999000, 999500, 999900};
    static struct bench bench;
    for (size_t i = 0; i < sizeof objectives / sizeof objectives[0]; i++) {
        for (size_t j = 0; j < sizeof rates / sizeof rates[0]; j++) {
            start(&bench);
            for (enum sli sli = 0; sli < SLI_COUNT; sli++) { /* one, and all of them */
                bench.slos.of[sli] = (struct slo){.used = sli == SLI_ERROR || j % 2 == 1,
                                                  .objective_ppm = objectives[i],
                                                  .threshold_ms = sli_deadline(sli) ? 3000 : 0,
                                                  .window_s = 2592000};
            }
            policy_default(&bench.slos, &bench.policy.policy);
            lint(&bench, rates[j]);
            for (size_t at = 0; at < bench.count; at++) {
                cr_expect_neq(bench.found[at].level, LEVEL_ERROR, "objective %d ppm, %g rps: %s: %s",
                              (int)objectives[i], rates[j], bench.found[at].pointer, bench.found[at].text);
            }
        }
    }
}

Test(spec_lint, too_little_traffic_is_said_with_what_helps)
{
    static struct bench bench;
    start(&bench);
    lint(&bench, 0.01);
    cr_assert_not_null(find(&bench, LEVEL_WARNING, "/plan", "does not finish by itself"));
    const struct spec_finding *finding =
        find(&bench, LEVEL_WARNING, "/plan/steps/0", "longer than the deadline");
    cr_assert_not_null(finding);
    cr_expect_not_null(strstr(finding->mend, "no weight or margin proves it"), "%s", finding->mend);
    cr_expect_not_null(strstr(finding->mend, "pace time"), "%s", finding->mend);
    bench.policy.policy.pace = PACE_TIME;
    lint(&bench, 0.1);
    cr_expect_not_null(find(&bench, LEVEL_NOTE, "/plan", "in all"), "by time it finishes");
}

Test(spec_lint, a_thin_stable_arm)
{
    static struct bench bench;
    start(&bench);
    lint(&bench, 1000); /* 2 % of it are 20 */
    cr_expect_null(find(&bench, LEVEL_NOTE, "/holdback", "blamed"));
    lint(&bench, 400);
    const struct spec_finding *finding = find(&bench, LEVEL_NOTE, "/holdback", "blamed on the canary");
    cr_assert_not_null(finding);
    cr_expect_str_eq(finding->mend, "set holdback to 5%");
    lint(&bench, 10); /* 50 % would not do; the step of 50 % leaves 49 */
    finding = find(&bench, LEVEL_NOTE, "/holdback", "blamed on the canary");
    cr_assert_not_null(finding);
    cr_expect_not_null(strstr(finding->mend, "set holdback to 49%, the most"), "%s", finding->mend);
    bench.policy.policy.holdback = 4900;
    cr_expect_eq(spec_lint(&bench.slos, &bench.policy, &bench.policy.plan, 0, bench.found, MAX), 0,
                 "what is advised is accepted");
    bench.policy.policy.holdback = 0;
    lint(&bench, 10);
    cr_expect_null(find(&bench, LEVEL_NOTE, "/holdback", "blamed"));
}

Test(spec_lint, a_bake_that_is_over_before_anything_counts)
{
    static struct bench bench;
    struct spec_forecast forecast;
    start(&bench);
    bench.policy.plan.step[4].bake_s = 4; /* maturity 10 s, settling 3 s */
    lint(&bench, 100);
    const struct spec_finding *finding =
        find(&bench, LEVEL_WARNING, "/plan/steps/4/bake",
             "the bake of step 5, 4 s, is over before a request in it counts for error: that takes 13 s");
    cr_assert_not_null(finding);
    cr_expect_str_eq(finding->mend, "set bake to 26 s or more, or a shorter maturity");
    spec_forecast(&bench.slos, &bench.policy, &bench.policy.plan, 100, &forecast);
    cr_expect(forecast.step[4].seconds > 13 && forecast.step[4].seconds < 14, "%g", forecast.step[4].seconds);
    bench.policy.plan.step[4].bake_s = 14;
    lint(&bench, 100);
    cr_expect_null(find(&bench, LEVEL_WARNING, "/plan/steps/4/bake", ""));
    bench.policy.plan.step[4].bake_s = 600;
    bench.policy.policy.guardrail[SLI_ERROR].maturity_s = 3000;
    lint(&bench, 100);
    cr_expect_not_null(find(&bench, LEVEL_WARNING, "/plan/steps/4/bake", "that takes 50 min 3 s"));
    spec_forecast(&bench.slos, &bench.policy, &bench.policy.plan, 100, &forecast);
    cr_expect(forecast.step[4].seconds > 3003 && forecast.step[4].seconds < 3004);
    cr_expect_null(find(&bench, LEVEL_WARNING, "/plan/steps/0/bake", ""), "a step waits for its proof");
    bench.policy.policy.pace = PACE_TIME;
    lint(&bench, 100);
    cr_expect_not_null(find(&bench, LEVEL_WARNING, "/plan/steps/0/bake", "advances unwatched"));
}

Test(spec_lint, burn_factors_that_cannot_be)
{
    static struct bench bench;
    start(&bench);
    bench.slos.of[SLI_ERROR].objective_ppm = 900000;
    policy_default(&bench.slos, &bench.policy.policy);
    lint(&bench, 0);
    cr_expect_not_null(find(&bench, LEVEL_NOTE, "/burn/0/factor", "with a factor above 5 are used with 5"));
    bench.policy.policy.burn[0].window.factor = 14.4;
    lint(&bench, 0);
    const struct spec_finding *finding = find(&bench, LEVEL_ERROR, "/burn/0/factor",
                                              "the factor 14.4 is too large for error: its objective allows "
                                              "10 % to be bad, and 14.4 times that is 144 %");
    cr_assert_not_null(finding);
    cr_expect_str_eq(finding->mend, "set the factor to 5 or less");
    bench.policy.policy.burn[0].window.factor = 5;
    lint(&bench, 0);
    cr_expect_null(find(&bench, LEVEL_ERROR, "/burn/0/factor", "too large"));
}
