/* T3, T8: outcomes that come late. Requests one by one: refusals 2 % (log-normal, median 2 s), errors .5 %
   (0.3 s), the others 12 s (log-normal .6), cut by a timeout of 60 s. Weight 5 % from 0, 25 % from 300 s. */
#include "rollout.h"
#include "scenario.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TABLE = 10, SECONDS = 600, BEFORE = 120, RAISED_AT = 300, TIMEOUT = 60, KEPT = SECONDS + TIMEOUT + 2 };
enum kind { NORMAL, REFUSED, FAILED, TIMED_OUT };

static const double no_ceiling = .95;

/* Counts of one SLI by second: by completion, and by admission as known at two ages. */
struct seconds {
    struct counts completed[KEPT], at_8[KEPT], at_60[KEPT];
};

static void count(struct counts *counts, bool canary, bool bad)
{
    if (canary) {
        counts->n_c++;
        counts->k_c += bad;
    } else {
        counts->n_b++;
        counts->k_b += bad;
    }
}

/* One request admitted in second `at`, done `latency` seconds later. */
static void file(struct seconds *seconds, double at_s, bool canary, double latency_s, bool bad)
{
    double done = floor(at_s + latency_s);
    if (done >= 0 && done < KEPT)
        count(&seconds->completed[(int)done], canary, bad);
    if (at_s < 0)
        return;
    count(&seconds->at_8[(int)at_s], canary, bad && latency_s <= 8);
    count(&seconds->at_60[(int)at_s], canary, bad && latency_s <= TIMEOUT);
}

static void admit(struct seconds *seconds, double rps, double hangs, enum kind watched, struct draw *draw)
{
    memset(seconds, 0, sizeof *seconds);
    for (int second = -BEFORE; second < SECONDS; second++) {
        double w = second < 0 ? 0 : second < RAISED_AT ? .05 : .25;
        for (int64_t left = draw_poisson(draw, rps); left > 0; left--) {
            double u = draw_share(draw), z = draw_normal(draw), at = second + draw_share(draw);
            bool canary = draw_share(draw) < w;
            enum kind kind = u < .02 ? REFUSED : u < .025 ? FAILED : NORMAL;
            double latency = kind == REFUSED  ? 2 * exp(.5 * z)
                             : kind == FAILED ? .3 * exp(.5 * z)
                                              : 12 * exp(.6 * z);
            if (canary && hangs > 0 && draw_share(draw) < hangs)
                latency = INFINITY;
            if (latency > TIMEOUT) {
                latency = TIMEOUT;
                kind = TIMED_OUT;
            }
            file(seconds, at, canary, latency, kind == watched);
        }
    }
}

struct result {
    double rolled_back_s, proven_s; /* infinite = not */
};

/* The decision on these counts; `age_s` passes before a cohort counts. Weights are raised as the plan says.
 */
static struct result decide_on(const struct counts *counts, double age_s, enum data_quality quality,
                               int64_t blanking_s)
{
    struct rollout r;
    struct result result = {INFINITY, INFINITY};
    rollout_of_one(&r, SLI_REFUSAL, no_ceiling, 0, 1);
    r.quality = quality;
    r.policy.blanking_s = blanking_s;
    rollout_begin(&r);
    rollout_weight(&r, 500, true);
    for (int second = 0; second + age_s < SECONDS; second++) {
        if (second == RAISED_AT)
            rollout_weight(&r, 2500, true);
        rollout_feed(&r, 1, &counts[second]);
        if (rollout_ended(&r) && isinf(result.rolled_back_s))
            result.rolled_back_s = r.now_s + age_s;
        if (isinf(result.proven_s) &&
            evidence_ni(&r.evidence, SLI_REFUSAL) >= evidence_ni_threshold(&r.evidence, &r.policy))
            result.proven_s = r.now_s + age_s;
    }
    return result;
}

/* R6, nothing wrong with canary: a = rps. */
static void healthy(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    static _Thread_local struct seconds seconds;
    admit(&seconds, s->a, 0, REFUSED, draw);
    result[1] = isfinite(decide_on(seconds.at_8, 8, QUALITY_COHORT, 60).rolled_back_s);
    result[2] = isfinite(decide_on(seconds.at_60, TIMEOUT, QUALITY_COHORT, 60).rolled_back_s);
    result[3] = isfinite(decide_on(seconds.completed, 0, QUALITY_COMPLETION, 60).rolled_back_s);
    double at = decide_on(seconds.completed, 0, QUALITY_COMPLETION, 0).rolled_back_s;
    result[4] = at <= RAISED_AT;
    result[5] = isfinite(at);
    result[0] = result[1] > 0 || result[2] > 0 || result[3] > 0;
}

/* R6, 10 % of canary's requests hang until the timeout. */
static void hanging(const struct scenario *s, struct draw *draw, double out[RESULTS_MAX])
{
    static _Thread_local struct seconds seconds;
    struct counts first_byte[KEPT];
    admit(&seconds, s->a, .10, TIMED_OUT, draw);
    for (int i = 0; i < KEPT; i++) {
        struct arms arms = {s->a, i < RAISED_AT ? .05 : .25, .101, .001, 1};
        first_byte[i] = arms_draw(&arms, 1, draw);
    }
    struct result cohort = decide_on(seconds.at_60, TIMEOUT, QUALITY_COHORT, 60);
    struct result completion = decide_on(seconds.completed, 0, QUALITY_COMPLETION, 0);
    struct result blanked = decide_on(seconds.completed, 0, QUALITY_COMPLETION, 60);
    out[0] = cohort.proven_s < cohort.rolled_back_s;
    out[1] = blanked.proven_s < blanked.rolled_back_s;
    out[2] = completion.proven_s < completion.rolled_back_s;
    out[3] = decide_on(first_byte, 10, QUALITY_COHORT, 60).rolled_back_s;
    out[4] = cohort.rolled_back_s;
    out[5] = blanked.rolled_back_s;
}

/* From the first request to the rollback: 38 % refusals from the start, known `age_s` after admission at the
 * latest. */
static double whole_path(double age_s, double tolerance, struct draw *draw)
{
    struct rollout r;
    rollout_of_one(&r, SLI_REFUSAL, no_ceiling, 0, 1);
    r.policy.guardrail[SLI_REFUSAL].tolerance = tolerance;
    rollout_begin(&r);
    rollout_weight(&r, 500, true);
    while (r.now_s < SECONDS && !rollout_ended(&r)) {
        struct arms arms = {100, .05, .38, .02, 1};
        struct counts all = arms_draw(&arms, 1, draw), known = {.n_c = all.n_c, .n_b = all.n_b};
        for (int64_t i = 0; i < all.k_c; i++)
            known.k_c += 2 * exp(.5 * draw_normal(draw)) <= age_s;
        for (int64_t i = 0; i < all.k_b; i++)
            known.k_b += 2 * exp(.5 * draw_normal(draw)) <= age_s;
        rollout_feed(&r, 1, &known);
    }
    return rollout_ended(&r) ? r.now_s + age_s : INFINITY;
}

static void path(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    (void)s;
    result[0] = whole_path(10, 1.10, draw);
    result[1] = whole_path(8, 1.10, draw);
    result[2] = whole_path(4, 1.24, draw);
}

/* R5: a canary that starts cold: first bytes over the threshold 5 % x (1 + 2 exp(-t/40 s)); a: warm-up, s. */
static void cold(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    struct rollout r;
    rollout_of_one(&r, SLI_TTFT, no_ceiling, 0, 1);
    r.policy.warmup_s = (int64_t)s->a;
    rollout_begin(&r);
    rollout_weight(&r, 500, true);
    while (r.now_s < 7200 && !rollout_ended(&r)) {
        struct arms arms = {100, .05, .05 * (1 + 2 * exp(-r.now_s / 40)), .05, 1};
        struct counts counts = arms_draw(&arms, 1, draw);
        rollout_feed(&r, 1, &counts);
    }
    result[0] = rollout_ended(&r);
}

#define COMPLETION                                                                                           \
    {                                                                                                        \
        {RESULT_SHARE, "any guarded"}, {RESULT_SHARE, "cohorts 8 s"}, {RESULT_SHARE, "cohorts 60 s"},        \
            {RESULT_SHARE, "completion, 60 s blanked"}, {RESULT_SHARE, "completion, unguarded, by 300 s"},   \
            {RESULT_SHARE, "by 600 s"},                                                                      \
    }

static const struct scenario scenarios[] = {
    {"R5 cold start, warm-up 60 s (default)", cold, 60, 0, 0, 300, 8, {{RESULT_SHARE, "rolled back in 2 h"}}},
    {"R5 without warm-up", cold, 0, 0, 0, 300, 0, {{RESULT_SHARE, "rolled back in 2 h"}}},
    {"R6 healthy, refusals, 100 rps", healthy, 100, 0, 0, 300, 8, COMPLETION},
    {"R6 healthy, refusals, 1000 rps", healthy, 1000, 0, 0, 100, 8, COMPLETION},
    {"R6 10 % of canary's requests hang, 100 rps: proven not inferior before the rollback",
     hanging,
     100,
     0,
     0,
     200,
     8,
     {{RESULT_SHARE, "cohorts 60 s"},
      {RESULT_SHARE, "completion, 60 s blanked"},
      {RESULT_SHARE, "completion, unguarded"},
      {RESULT_SECONDS, "rolled back after: ttft 10 s"},
      {RESULT_SECONDS, "timeout cohorts"},
      {RESULT_SECONDS, "completion blanked"}}},
    {"2 % -> 38 % refusals, 100 rps, weight 5 %, from admission to rollback",
     path,
     0,
     0,
     0,
     500,
     0,
     {{RESULT_SECONDS, "maturity 10 s (default)"},
      {RESULT_SECONDS, "8 s"},
      {RESULT_SECONDS, "4 s (tolerance 1.24)"}}},
};
enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

void table_delay(const struct settings *settings)
{
    double values[SCENARIOS][RESULTS_MAX];
    printf(
        "\n## Outcomes that come late (T3, T8: R5, R6)\n\nRequests one by one; weight 5 %% from 0, 25 %% "
        "from 300 s; 10 min (R5: "
        "2 h). Cohorts: counted by admission at that age. Completion: counted when they are over, as "
        "Prometheus counters "
        "do.\n\n");
    scenarios_print(settings, TABLE, scenarios, SCENARIOS, values);
    double whole = values[SCENARIOS - 1][0];
    report_target(3, whole <= 15, "whole path, refusals known after a median of 2 s, maturity 10 s: %.0f s",
                  whole);
}
