/* T4: false rollbacks of all methods on the same healthy counts. One SLI at constant weight for 24 h: 48
 * cells. */
#include "pool.h"
#include "rivals.h"
#include "rollout.h"
#include "tables.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TABLE = 3,
    SHARES = 3,
    RATES = 4,
    WEIGHTS = 4,
    CELLS = SHARES * RATES * WEIGHTS,
    METHODS = RIVAL_COUNT + 1
};
enum { OURS = RIVAL_COUNT };

static const double shares[SHARES] = {.005, .02, .05}, rates[RATES] = {1, 10, 100, 1000};
static const double weights[WEIGHTS] = {.01, .05, .25, .5}, day_s = 86400, tick_s = 15;

struct job_list {
    const struct settings *settings;
    int runs;
    bool (*fired)[METHODS];
};

static void job(void *context, size_t at)
{
    struct job_list *list = context;
    int cell = (int)at / list->runs, run = (int)at % list->runs;
    struct draw draw = draw_seeded(list->settings->seed, settings_stream(TABLE, cell, run));
    double p0 = shares[cell / (RATES * WEIGHTS)];
    struct arms arms = {rates[cell / WEIGHTS % RATES], weights[cell % WEIGHTS], p0, p0, 1};
    struct rollout r;
    struct rivals rivals;
    rollout_of_one(&r, SLI_REFUSAL, 1.5 * p0, 0, tick_s);
    rollout_budget(&r, arms.rps);
    rollout_begin(&r);
    rollout_weight(&r, (int32_t)lround(arms.w * WEIGHT_FULL), true);
    rivals_begin(&rivals, p0);
    for (double t = 0; t < day_s; t += tick_s) {
        struct counts counts = arms_draw(&arms, tick_s, &draw);
        rollout_feed(&r, tick_s, &counts);
        rivals_tick(&rivals, t, tick_s, &counts);
    }
    for (int i = 0; i < RIVAL_COUNT; i++)
        list->fired[at][i] = isfinite(rivals.fired_s[i]);
    list->fired[at][OURS] = rollout_ended(&r);
}

void table_null_rivals(const struct settings *settings)
{
    struct job_list list = {.settings = settings, .runs = settings_runs(settings, 200, 1)};
    size_t jobs = (size_t)(CELLS * list.runs);
    int sums[SHARES][METHODS] = {{0}}, least[METHODS], most[METHODS];
    list.fired = calloc(jobs, sizeof *list.fired);
    if (list.fired == NULL)
        return;
    pool_run(settings->threads, jobs, job, &list);
    for (int m = 0; m < METHODS; m++) {
        least[m] = list.runs;
        most[m] = 0;
        for (int cell = 0; cell < CELLS; cell++) {
            int count = 0;
            for (int run = 0; run < list.runs; run++)
                count += list.fired[cell * list.runs + run][m];
            sums[cell / (RATES * WEIGHTS)][m] += count;
            least[m] = count < least[m] ? count : least[m];
            most[m] = count > most[m] ? count : most[m];
        }
    }
    free(list.fired);
    printf(
        "\n## False rollbacks of one SLI, everybody on the same counts (T4)\n\n24 h healthy at constant "
        "weight (1, 5, 25, "
        "50 %%), 1, 10, 100, 1000 rps, 15 s ticks: 48 cells x %d rollouts. Means over 16 cells each, and the "
        "least and "
        "the most of any cell. Kayenta: two judgements; the others run all day. Ours with all lanes at the "
        "share of one "
        "SLI of eight.\n\n| method | p0 0.5 %% | 2 %% | 5 %% | least cell | most "
        "|\n|---|---|---|---|---|---|\n",
        list.runs);
    double cells = RATES * WEIGHTS * list.runs, argo = 1, flagger = 1;
    for (int m = METHODS - 1, n = 0; n < METHODS; n++, m = n - 1) {
        double all = 0;
        for (int s = 0; s < SHARES; s++)
            all += sums[s][m] / (cells * SHARES);
        if (m >= RIVAL_ARGO95_0 && m <= RIVAL_ARGO_TUNED_3)
            argo = all < argo ? all : argo;
        if (m == RIVAL_FLAGGER99 || m == RIVAL_FLAGGER_TUNED)
            flagger = all < flagger ? all : flagger;
        printf("| %s | %s | %s | %s | %s | %s |\n", m == OURS ? "**Serin**" : rival_name((enum rival)m),
               percent(sums[0][m], cells), percent(sums[1][m], cells), percent(sums[2][m], cells),
               percent(least[m], list.runs), percent(most[m], list.runs));
    }
    double ours = (sums[0][OURS] + sums[1][OURS] + sums[2][OURS]) / (cells * SHARES);
    report_target(4, ours < argo && ours < flagger,
                  "false rollbacks, mean of 48 cells: Serin %s; the best Argo %s, the best Flagger %s",
                  percent(ours, 1), percent(argo, 1), percent(flagger, 1));
}
