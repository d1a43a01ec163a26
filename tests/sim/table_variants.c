/* The stretch: could the same blocks say it sooner? Variants of the relative lane on the same counts as the
   production lane: efficiency over the two-sample bound, and false crossings at the boundary. */
#include "bound.h"
#include "pool.h"
#include "rollout.h"
#include "tables.h"
#include "variant.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TABLE = 17, SHARES = 3, EFFECTS = 5, RATES = 4, WEIGHTS = 3, LATES = 2, RUNS = 40 };
enum { CELLS = SHARES * EFFECTS * RATES * WEIGHTS * LATES, NULL_CELLS = 8 };

static const double shares[SHARES] = {.005, .02, .05}, rates[RATES] = {1, 10, 100, 1000};
static const double weights[WEIGHTS] = {.01, .05, .25}, lates[LATES] = {0, 1800};
static const double effects[EFFECTS] = {1.5, 2, 3, 10, 0}; /* 0: 38 % */
static const char *const effect_names[EFFECTS] = {"1.5x", "2x", "3x", "10x", "38 %"};
static const double day_s = 86400, tolerance = 1.10, alpha = 0.01 / SIM_SLIS;
static const double needed = 6.972606; /* ln(1/(alpha .75)) */

#define EIGHT                                                                                                \
    8, {1.2, 1.5, 2, 3, 5, 10, 25, 80},                                                                      \
    {                                                                                                        \
        .125, .125, .125, .125, .125, .125, .125, .125                                                       \
    }
#define SIX                                                                                                  \
    6, {1.35, 1.8, 3, 7, 20, 80},                                                                            \
    {                                                                                                        \
        1 / 6., 1 / 6., 1 / 6., 1 / 6., 1 / 6., 1 / 6.                                                       \
    }
#define FIVE                                                                                                 \
    5, {1.4, 2.2, 5, 15, 60},                                                                                \
    {                                                                                                        \
        .2, .2, .2, .2, .2                                                                                   \
    }

static const struct variant variants[] = {
    {"as in production", false, .5, .25, .25, 3600, EIGHT},
    {"exact ratio", true, .5, .25, .25, 3600, EIGHT},
    {"mass .5/.1/.4", false, .5, .1, .4, 3600, EIGHT},
    {"mass .45/.1/.45", false, .45, .1, .45, 3600, EIGHT},
    {"mass .4/.1/.5", false, .4, .1, .5, 3600, EIGHT},
    {"time scale 1800 s", false, .5, .25, .25, 1800, EIGHT},
    {"time scale 7200 s", false, .5, .25, .25, 7200, EIGHT},
    {"six odds", false, .5, .25, .25, 3600, SIX},
    {"five odds", false, .5, .25, .25, 3600, FIVE},
    {"exact, mass .5/.1/.4", true, .5, .1, .4, 3600, EIGHT},
    {"exact, mass .45/.1/.45, six odds", true, .45, .1, .45, 3600, SIX},
    {"exact, mass .45/.1/.45, five odds", true, .45, .1, .45, 3600, FIVE},
};
enum { VARIANTS = sizeof variants / sizeof variants[0] };

struct cell {
    double p0, p1, rps, w, late_s, bound;
    int effect, runs, first;
};

struct outcome {
    float requests[VARIANTS]; /* from the fault; infinite = not in 24 h; < 0: before it */
};

struct job_list {
    const struct settings *settings;
    const struct cell *cells;
    int count;
    struct outcome *outcomes;
};

/* Runs the production blocks through every variant until all have crossed or the time is over. */
static void roll_out(const struct cell *cell, double tick_s, double end_s, struct draw draw,
                     struct outcome *outcome)
{
    struct rollout r;
    struct variant_lane lanes[VARIANTS];
    struct arms arms = {cell->rps, cell->w, cell->p0, cell->p0, 1};
    double requests = 0, cap = needed / 2;
    int left = VARIANTS;
    rollout_of_one(&r, SLI_REFUSAL, 0, 0, tick_s);
    r.policy.guardrail[SLI_REFUSAL].margin_ratio = 2;
    rollout_begin(&r);
    rollout_weight(&r, (int32_t)lround(cell->w * WEIGHT_FULL), true);
    for (int v = 0; v < VARIANTS; v++) {
        variant_begin(&lanes[v]);
        outcome->requests[v] = INFINITY;
    }
    for (double t = 0; t < end_s && left > 0; t += tick_s) {
        struct block closed[2];
        arms.bad_c = t >= cell->late_s ? cell->p1 : cell->p0;
        struct sli_counts counts = sli_counts_of(arms_draw(&arms, tick_s, &draw));
        if (t >= cell->late_s)
            requests += (double)counts.stratum[0].n_c;
        int blocks = evidence_tick(&r.evidence, &r.policy, &r.plan, SLI_REFUSAL, QUALITY_COHORT, t, tick_s,
                                   &counts, true, false, closed);
        for (int b = 0; b < blocks; b++)
            for (int v = 0; v < VARIANTS; v++) {
                if (isfinite(outcome->requests[v]))
                    continue;
                struct counts total = sli_counts_total(&closed[b].counts);
                variant_update(&lanes[v], &variants[v], tolerance, cap, closed[b].start_s, &total);
                if (variant_log(&lanes[v], &variants[v]) < needed)
                    continue;
                outcome->requests[v] = t < cell->late_s ? -1.0F : (float)requests;
                left--;
            }
    }
}

static void job(void *context, size_t at)
{
    struct job_list *list = context;
    int i = 0;
    while (i + 1 < list->count && (int)at >= list->cells[i + 1].first)
        i++;
    const struct cell *cell = &list->cells[i];
    bool null = !(cell->bound > 0);
    struct draw draw = draw_seeded(list->settings->seed,
                                   settings_stream(null ? TABLE + 100 : TABLE, i, (int)at - cell->first));
    roll_out(cell, null ? 15 : 1, null ? day_s : day_s + cell->late_s, draw, &list->outcomes[at]);
}

/* Those whose bound is at least 10 blocks, and that end within a day. */
static int plan(const struct settings *settings, struct cell cells[CELLS], int *jobs)
{
    int count = 0;
    *jobs = 0;
    for (int i = 0; i < CELLS; i++) {
        double p0 = shares[i / (EFFECTS * RATES * WEIGHTS * LATES)],
               rps = rates[i / (WEIGHTS * LATES) % RATES];
        double w = weights[i / LATES % WEIGHTS], late = lates[i % LATES];
        int e = i / (RATES * WEIGHTS * LATES) % EFFECTS;
        double p1 = effects[e] > 0 ? effects[e] * p0 : .38, need = fmax(16, 3 / (1 - w));
        double block_s = ceil(fmin(300, need / rps) - 1e-9),
               bound = bound_two_sample(p0, p1, w, alpha, tolerance);
        if (bound < 10 * rps * w * block_s || 2.5 * bound / (rps * w) > day_s)
            continue;
        int runs = bound / (rps * w) > 7200 ? RUNS / 4 : RUNS;
        cells[count] = (struct cell){p0, p1, rps, w, late, bound, e, settings_runs(settings, runs, 1), *jobs};
        *jobs += cells[count++].runs;
    }
    return count;
}

static double median_requests(const struct cell *cell, const struct outcome *outcomes, int variant)
{
    double x[RUNS];
    size_t count = 0;
    for (int run = 0; run < cell->runs && run < RUNS; run++)
        if (outcomes[cell->first + run].requests[variant] >= 0)
            x[count++] = outcomes[cell->first + run].requests[variant];
    return quantile(x, count, .5);
}

static void efficiency(const struct settings *settings)
{
    static struct cell cells[CELLS];
    int jobs, count = plan(settings, cells, &jobs);
    struct job_list list = {settings, cells, count, calloc((size_t)jobs, sizeof *list.outcomes)};
    if (list.outcomes == NULL)
        return;
    pool_run(settings->threads, (size_t)jobs, job, &list);
    printf(
        "\nMedian canary requests over the two-sample bound, median of the cells (worst cell); %d "
        "cells.\n\n| variant |",
        count);
    for (int late = 0; late < LATES; late++)
        for (int e = 0; e < EFFECTS; e++)
            printf(" %s %s |", late ? "late" : "start", effect_names[e]);
    printf("\n|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (int v = 0; v < VARIANTS; v++) {
        printf("| %s |", variants[v].name);
        for (int late = 0; late < LATES; late++)
            for (int e = 0; e < EFFECTS; e++) {
                double x[CELLS], worst = 0;
                size_t n = 0;
                for (int i = 0; i < count; i++)
                    if (cells[i].effect == e && (cells[i].late_s > 0) == (late > 0)) {
                        x[n] = median_requests(&cells[i], list.outcomes, v) / cells[i].bound;
                        worst = fmax(worst, x[n++]);
                    }
                printf(" %.2f (%.2f) |", quantile(x, n, .5), worst);
            }
        printf("\n");
    }
    free(list.outcomes);
}

static void boundary(const struct settings *settings)
{
    struct cell cells[NULL_CELLS];
    int runs = settings_runs(settings, 200, 1);
    struct job_list list = {settings, cells, NULL_CELLS,
                            calloc((size_t)(NULL_CELLS * runs), sizeof *list.outcomes)};
    if (list.outcomes == NULL)
        return;
    for (int i = 0; i < NULL_CELLS; i++)
        cells[i] = (struct cell){
            .02, bad_at_odds(.02, 1.1), rates[i / 2], i % 2 == 0 ? .05 : .5, 0, 0, 0, runs, i * runs};
    pool_run(settings->threads, (size_t)(NULL_CELLS * runs), job, &list);
    printf(
        "\nFalse crossings at the boundary (odds 1.10 for 24 h, 15 s ticks, %d rollouts; the bound is 0.094 "
        "%%).\n\n| variant | "
        "crossed |\n|---|---|\n",
        NULL_CELLS * runs);
    for (int v = 0; v < VARIANTS; v++) {
        int crossed = 0;
        for (int at = 0; at < NULL_CELLS * runs; at++)
            crossed += isfinite(list.outcomes[at].requests[v]);
        printf("| %s | %d |\n", variants[v].name, crossed);
    }
    free(list.outcomes);
}

void table_variants(const struct settings *settings)
{
    printf(
        "\n## Variants of the relative lane\n\nThe blocks of the production code through other lanes. Mass: "
        "of a fault at the "
        "start / at a step / at any other time. Six odds: 1.35 1.8 3 7 20 80; five: 1.4 2.2 5 15 60; eight "
        "as in production.\n");
    efficiency(settings);
    boundary(settings);
}
