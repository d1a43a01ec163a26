/* T6: how long does a healthy release need to 100 %, with all eight SLIs proven at every step? */
#include "pool.h"
#include "promotion.h"
#include "tables.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TABLE = 6, RATES = 4, PLANS = 3, CELLS = RATES * PLANS };

static const double rates[RATES] = {1, 10, 100, 1000}, patience_s = 3 * 86400;
static const int32_t six[] = {100, 500, 1000, 2500, 5000, 10000}, five[] = {100, 500, 2500, 5000, 10000};
static const struct {
    const char *name;
    const int32_t *weights;
    size_t steps;
    bool warms_up;
} plans[PLANS] = {{"1-5-10-25-50-100 %", six, 6, true},
                  {"1-5-25-50-100 % (default)", five, 5, true},
                  {"1-5-10-25-50-100 %, `warmup: 0s`", six, 6, false}};

struct job_list {
    const struct settings *settings;
    int runs;
    double *took_s; /* infinite: not in three days; negative: rolled back or returned */
};

static void job(void *context, size_t at)
{
    struct job_list *list = context;
    int cell = (int)at / list->runs, run = (int)at % list->runs;
    struct draw draw = draw_seeded(list->settings->seed, settings_stream(TABLE, cell, run));
    double rps = rates[cell % RATES], ceiling[SIM_SLIS], dt = rps < 5 ? 5 : 1;
    struct rollout r;
    struct promotion promotion;
    for (int i = 0; i < SIM_SLIS; i++)
        ceiling[i] = 1.5 * usual_bad[i];
    rollout_of_eight(&r, ceiling, dt);
    rollout_plan(&r, plans[cell / RATES].weights, plans[cell / RATES].steps);
    if (!plans[cell / RATES].warms_up)
        r.policy.warmup_s = 0;
    rollout_budget(&r, rps);
    rollout_begin(&r);
    promotion_begin(&promotion, &r);
    while (r.now_s < patience_s && !promotion.complete && !rollout_ended(&r)) {
        struct counts counts[SIM_SLIS];
        arms_draw_eight(rps, (double)r.weight / WEIGHT_FULL, dt, usual_bad, usual_bad, &draw, counts);
        promotion_tick(&promotion, dt, counts);
    }
    list->took_s[at] = promotion.complete ? r.now_s : rollout_ended(&r) ? -1 : INFINITY;
}

/* The limits of T6 are apart by seconds. */
static void print_time(double s)
{
    if (s < 600)
        printf(" %.0f s |", s);
    else
        printf(" %s |", duration(s));
}

void table_promotion(const struct settings *settings)
{
    struct job_list list = {settings, settings_runs(settings, 100, 1), NULL};
    list.took_s = calloc((size_t)(CELLS * list.runs), sizeof *list.took_s);
    static const double limit_s[RATES] = {INFINITY, 3 * 3600, 15 * 60, 5.5 * 60};
    if (list.took_s == NULL)
        return;
    pool_run(settings->threads, (size_t)(CELLS * list.runs), job, &list);
    printf(
        "\n## A healthy release to 100 %% (T6)\n\nEight SLIs, ceilings 1.5 times their bad shares, all "
        "lanes; a step advances "
        "after 60 s, when every SLI is proven and nothing holds. %d rollouts a row.\n\n| plan | rps | 10 %% "
        "| median | 90 %% | "
        "rolled back |\n|---|---|---|---|---|---|\n",
        list.runs);
    for (int cell = 0; cell < CELLS; cell++) {
        double took[1000];
        size_t count = 0;
        for (int run = 0; run < list.runs && count < 1000; run++)
            if (list.took_s[cell * list.runs + run] >= 0)
                took[count++] = list.took_s[cell * list.runs + run];
        double median = quantile(took, count, .5);
        printf("| %s | %g |", plans[cell / RATES].name, rates[cell % RATES]);
        print_time(quantile(took, count, .1));
        print_time(median);
        print_time(quantile(took, count, .9));
        printf(" %d |\n", list.runs - (int)count);
        if (cell < RATES && isfinite(limit_s[cell]))
            report_target(6, median <= limit_s[cell], "%g rps: median %.0f s", rates[cell], median);
    }
    free(list.took_s);
}
