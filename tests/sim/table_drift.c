/* T8: bad shares that move, outages of both arms, different mixes, and gradual faults. */
#include "rivals.h"
#include "rollout.h"
#include "scenario.h"

#include <math.h>
#include <stdio.h>

enum { TABLE = 8 };

static const double day_s = 86400, pi = 3.14159265358979323846, no_ceiling = .95;

static int32_t weight_of(double w)
{
    return (int32_t)lround(w * WEIGHT_FULL);
}

static void begin(struct rollout *r, double ceiling, double tick_s, double w)
{
    rollout_of_one(r, SLI_REFUSAL, ceiling, 0, tick_s);
    rollout_begin(r);
    rollout_weight(r, weight_of(w), true);
}

/* R1: a day's wave of +-a in the bad share, and of traffic; b: the weight ramps through it. */
static void diurnal(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    static const double ramp[] = {.01, .05, .10, .25, .50};
    struct rollout r, strict;
    struct rivals rivals;
    struct arms arms = {100, .10, 0, 0, 1};
    int step = -1;
    rollout_of_one(&r, SLI_REFUSAL, no_ceiling, 0, 15);
    rollout_of_one(&strict, SLI_REFUSAL, no_ceiling, 0, 15);
    strict.policy.guardrail[SLI_REFUSAL].tolerance = 1;
    rollout_begin(&r);
    rollout_begin(&strict);
    rivals_begin(&rivals, .02);
    for (double t = 0; t < day_s; t += 15) {
        double wave = sin(2 * pi * t / day_s - pi / 2);
        int now = s->b > 0 ? (int)(t / 17280) : 0;
        if (now != step) {
            arms.w = s->b > 0 ? ramp[now] : .10;
            rollout_weight(&r, weight_of(arms.w), true);
            rollout_weight(&strict, weight_of(arms.w), true);
            step = now;
        }
        arms.rps = 100 * (1 + .7 * wave);
        arms.bad_c = arms.bad_b = .02 * (1 + s->a * wave);
        struct counts counts = arms_draw(&arms, 15, draw);
        rollout_feed(&r, 15, &counts);
        rollout_feed(&strict, 15, &counts);
        rivals_tick(&rivals, t, 15, &counts);
    }
    result[0] = rollout_ended(&r);
    result[1] = rollout_ended(&strict);
    result[2] = isfinite(rivals.fired_s[RIVAL_Z]);
    result[3] = isfinite(rivals.fired_s[RIVAL_GROWTHBOOK]);
}

/* R2: 12 outages a day of both arms, exponential with mean 60 s, 50 % bad. */
static void outages(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    (void)s;
    struct rollout r;
    struct rivals rivals;
    struct arms arms = {100, .05, 0, 0, 1};
    double next = draw_exponential(draw, day_s / 12), until = 0, last_end = -1e9;
    begin(&r, .05, 5, .05);
    rivals_begin(&rivals, .02);
    result[6] = 0;
    for (double t = 0; t < day_s; t += 5) {
        if (t >= next && t >= until) {
            until = t + draw_exponential(draw, 60);
            next = until + draw_exponential(draw, day_s / 12);
        }
        arms.bad_c = arms.bad_b = t < until ? .5 : .02;
        if (t < until)
            last_end = t + 5;
        struct counts counts = arms_draw(&arms, 5, draw);
        if (rollout_feed(&r, 5, &counts).action == JUDGE_HOLD && t > last_end)
            result[6] += 5;
        rivals_tick(&rivals, t, 5, &counts);
    }
    result[0] = r.last.action == JUDGE_ROLLBACK;
    result[1] = r.last.action == JUDGE_RETURN;
    result[2] = isfinite(rivals.fired_s[RIVAL_ARGO95_0]);
    result[3] = isfinite(rivals.fired_s[RIVAL_ARGO95_3]);
    result[4] = isfinite(rivals.fired_s[RIVAL_FLAGGER99]);
    result[5] = isfinite(rivals.fired_s[RIVAL_FLAGGER_TUNED]);
}

/* R2b: a 3x fault 60 s after an outage of 5 min; a: ceiling. */
static void after_outage(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    struct rollout r;
    struct arms arms = {100, .05, 0, 0, 1};
    begin(&r, s->a, 1, .05);
    while (r.now_s < 1800 + 7200 && !rollout_ended(&r)) {
        double t = r.now_s;
        arms.bad_b = t >= 1440 && t < 1740 ? .5 : .02;
        arms.bad_c = t >= 1800 ? .06 : arms.bad_b;
        struct counts counts = arms_draw(&arms, 1, draw);
        rollout_feed(&r, 1, &counts);
    }
    result[0] = r.last.action == JUDGE_ROLLBACK ? r.now_s - 1800 : INFINITY;
    result[1] = r.last.action == JUDGE_ROLLBACK && r.now_s < 1800;
}

/* R4: true odds ratio a, from another mix of requests. */
static void other_mix(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    static const double tolerances[] = {1.10, 1.0, 1.25};
    struct rollout r[3];
    struct arms arms = {1000, .5, bad_at_odds(.02, s->a), .02, 1};
    for (int i = 0; i < 3; i++) {
        rollout_of_one(&r[i], SLI_REFUSAL, no_ceiling, 0, 15);
        r[i].policy.guardrail[SLI_REFUSAL].tolerance = tolerances[i];
        rollout_begin(&r[i]);
        rollout_weight(&r[i], 5000, true);
    }
    for (double t = 0; t < day_s; t += 15) {
        struct counts counts = arms_draw(&arms, 15, draw);
        for (int i = 0; i < 3; i++)
            if (!rollout_ended(&r[i]))
                rollout_feed(&r[i], 15, &counts);
    }
    for (int i = 0; i < 3; i++)
        result[i] = rollout_ended(&r[i]);
}

/* R4b: two strata, 1 % and 6 % bad; canary gets 70 % of the worse, stable 50 %. */
static void strata(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    (void)s;
    struct rollout pooled, split;
    begin(&pooled, no_ceiling, 15, .25);
    begin(&split, no_ceiling, 15, .25);
    split.policy.strata = 2;
    while (pooled.now_s < day_s / 4) {
        struct sli_counts counts = {.strata = 2}, sum;
        for (int i = 0; i < 2; i++) {
            double share_c = i == 1 ? .7 : .3, bad = i == 1 ? .06 : .01;
            counts.stratum[i].n_c = draw_poisson(draw, 1000 * .25 * 15 * share_c);
            counts.stratum[i].n_b = draw_poisson(draw, 1000 * .75 * 15 * .5);
            counts.stratum[i].k_c = draw_binomial(draw, counts.stratum[i].n_c, bad);
            counts.stratum[i].k_b = draw_binomial(draw, counts.stratum[i].n_b, bad);
        }
        sum = sli_counts_of(sli_counts_total(&counts));
        rollout_feed_full(&split, 15, &counts);
        rollout_feed_full(&pooled, 15, &sum);
    }
    result[0] = rollout_ended(&split);
    result[1] = rollout_ended(&pooled);
}

/* R8: canary a bad, with 1 s and 15 s ticks, at the start and late. */
static double delay(double bad, double tick_s, double late_s, struct draw *draw)
{
    struct rollout r;
    struct arms arms = {100, .05, .02, .02, 1};
    begin(&r, no_ceiling, tick_s, .05);
    while (r.now_s < 4 * 3600 && !rollout_ended(&r)) {
        arms.bad_c = r.now_s >= late_s ? bad : .02;
        struct counts counts = arms_draw(&arms, tick_s, draw);
        rollout_feed(&r, tick_s, &counts);
    }
    return rollout_ended(&r) ? r.now_s - late_s : INFINITY;
}

static void ticks(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    result[0] = delay(s->a, 1, 0, draw);
    result[1] = delay(s->a, 1, 1800, draw);
    result[2] = delay(s->a, 15, 0, draw);
    result[3] = delay(s->a, 15, 1800, draw);
}

/* R9: from 2 % to 6 % within a seconds, from 30 min on. */
static void gradual(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    struct rollout r;
    struct arms arms = {100, .05, .02, .02, 1};
    begin(&r, no_ceiling, 1, .05);
    while (r.now_s < 1800 + s->a + 7200 && !rollout_ended(&r)) {
        double done = (r.now_s - 1800) / s->a;
        arms.bad_c = .02 + .04 * (done < 0 ? 0 : done > 1 ? 1 : done);
        struct counts counts = arms_draw(&arms, 1, draw);
        rollout_feed(&r, 1, &counts);
    }
    result[0] = rollout_ended(&r) ? r.now_s - 1800 : INFINITY;
    result[1] = arms.bad_c / .02;
}

#define NULLS                                                                                                \
    {                                                                                                        \
        {RESULT_SHARE, "Serin"}, {RESULT_SHARE, "tolerance 1.0"}, {RESULT_SHARE, "z"},                       \
        {                                                                                                    \
            RESULT_SHARE, "GrowthBook .05"                                                                   \
        }                                                                                                    \
    }
#define DELAYS                                                                                               \
    {                                                                                                        \
        {RESULT_SECONDS, "1 s ticks, start"}, {RESULT_SECONDS, "late"},                                      \
            {RESULT_SECONDS, "15 s ticks, start"},                                                           \
        {                                                                                                    \
            RESULT_SECONDS, "late"                                                                           \
        }                                                                                                    \
    }
#define MIXES                                                                                                \
    {                                                                                                        \
        {RESULT_SHARE, "Serin (tolerance 1.10)"}, {RESULT_SHARE, "1.0"},                                     \
        {                                                                                                    \
            RESULT_SHARE, "1.25"                                                                             \
        }                                                                                                    \
    }

static const struct scenario scenarios[] = {
    {"R1 day's wave, p0 2 % +-60 %, 30..170 rps, weight 10 %", diurnal, .6, 0, 0, 1000, 8, NULLS},
    {"R1 same, weight ramps 1-50 %", diurnal, .6, 1, 0, 1000, 8, NULLS},
    {"R1 +-30 %, weight ramps 1-50 %", diurnal, .3, 1, 0, 1000, 8, NULLS},
    {"R2 12 shared outages a day, mean 60 s, 50 % bad, 100 rps, weight 5 %, ceiling 5 %",
     outages,
     0,
     0,
     0,
     400,
     8,
     {{RESULT_SHARE, "Serin"},
      {RESULT_SHARE, "returned"},
      {RESULT_SHARE, "Argo 95 % limit 0"},
      {RESULT_SHARE, "limit 3"},
      {RESULT_SHARE, "Flagger 99 %"},
      {RESULT_SHARE, "Flagger 1-2p0"},
      {RESULT_SECONDS, "held outside outages, a day"}}},
    {"R2b 3x fault 60 s after a shared outage of 5 min, no ceiling",
     after_outage,
     .95,
     0,
     0,
     200,
     0,
     {{RESULT_SECONDS, "found after"}, {RESULT_SHARE, "blamed for the outage"}}},
    {"R2b same, ceiling 5 %",
     after_outage,
     .05,
     0,
     0,
     200,
     0,
     {{RESULT_SECONDS, "found after"}, {RESULT_SHARE, "blamed for the outage"}}},
    {"R4 another mix, true odds 1.00, 1000 rps, weight 50 %", other_mix, 1.0, 0, 0, 200, 8, MIXES},
    {"R4 true odds 1.05", other_mix, 1.05, 0, 0, 200, 8, MIXES},
    {"R4 true odds 1.10", other_mix, 1.10, 0, 0, 200, 8, MIXES},
    {"R4 true odds 1.15", other_mix, 1.15, 0, 0, 200, 0, MIXES},
    {"R4 true odds 1.20", other_mix, 1.20, 0, 0, 200, 0, MIXES},
    {"R4b two strata, 1 % and 6 % bad, mix 70/30 against 50/50, 1000 rps, weight 25 %, 6 h",
     strata,
     0,
     0,
     0,
     300,
     8,
     {{RESULT_SHARE, "stratified"}, {RESULT_SHARE, "pooled"}}},
    {"R8 2 % -> 3 %, 100 rps, weight 5 %", ticks, .03, 0, 0, 200, 0, DELAYS},
    {"R8 2 % -> 6 %", ticks, .06, 0, 0, 200, 0, DELAYS},
    {"R8 2 % -> 20 %", ticks, .20, 0, 0, 200, 0, DELAYS},
    {"R8 2 % -> 38 %", ticks, .38, 0, 0, 200, 0, DELAYS},
    {"R9 gradual, 2 -> 6 % within 10 min",
     gradual,
     600,
     0,
     0,
     200,
     0,
     {{RESULT_SECONDS, "found after"}, {RESULT_NUMBER, "at odds "}}},
    {"R9 within 30 min",
     gradual,
     1800,
     0,
     0,
     200,
     0,
     {{RESULT_SECONDS, "found after"}, {RESULT_NUMBER, "at odds "}}},
    {"R9 within 2 h",
     gradual,
     7200,
     0,
     0,
     200,
     0,
     {{RESULT_SECONDS, "found after"}, {RESULT_NUMBER, "at odds "}}},
};
enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0], GROSS_FAULT = 15 };

void table_drift(const struct settings *settings)
{
    double values[SCENARIOS][RESULTS_MAX];
    printf(
        "\n## Drift, shared outages, other mixes, gradual faults (T8: R1, R2, R4; R8, R9)\n\nShare of "
        "rollouts of 24 h rolled "
        "back; one SLI at the share of one of eight; 15 s ticks for R1 and R4, 5 s for R2, else 1 s.\n\n");
    scenarios_print(settings, TABLE, scenarios, SCENARIOS, values);
    report_target(3, values[GROSS_FAULT][2] <= 45 && values[GROSS_FAULT][3] <= 75,
                  "15 s ticks: median %.0f s at the start, %.0f s late", values[GROSS_FAULT][2],
                  values[GROSS_FAULT][3]);
}
