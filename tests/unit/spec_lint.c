/* Lint: that each piece of advice is given when it should be, and the times against the formula. */
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

/* 5 steps, alpha 0.05, w 1 %, p 0.5 %, W 2, d = clamp(.005/.05) = 5 points, by hand. */
Test(spec_lint, requests_needed)
{
    static struct bench bench;
    start(&bench);
    double p = 0.005, d = 0.05;
    double kl = p * log(p / (p + d)) + (1 - p) * log((1 - p) / (1 - p - d));
    double want = log(2 * 5 / 0.05) / (0.99 * fmax(kl, p * (2 - 1 - log(2))));
    double got = spec_requests_needed(&bench.slos, &bench.policy.policy, &bench.policy.plan, 0, SLI_ERROR);
    cr_assert_float_eq(got, want, 1e-9 * want);
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
