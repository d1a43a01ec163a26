/* T5: how often is a canary exactly at the margin "proven" not inferior, and what does a healthy one need? */
#include "pool.h"
#include "rollout.h"
#include "tables.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TABLE = 5, MARGINS = 5, HEALTHY = 15 };

static const double day_s = 86400, tick_s = 15;
/* ln E below which a proof is given up: it would come back with probability < e^-12/100 */
static const double hopeless = -12;
static const int32_t weights[] = {100, 500, 2500, 5000, 10000};

struct cell {
    double p0, rps, w, margin_add, margin_ratio;
    bool harmful;
};

static const struct cell cells[MARGINS + HEALTHY] = {
    {.02, 100, .05, .02, 2, true},    {.02, 100, .5, .01, 1.5, true},  {.005, 100, .05, .01, 2, true},
    {.05, 10, .10, .05, 2, true},     {.02, 10, .05, .05, 2, true},    {.02, 1, .10, .05, 2, false},
    {.02, 1, .10, .02, 2, false},     {.02, 10, .05, .05, 2, false},   {.02, 10, .05, .02, 2, false},
    {.02, 100, .05, .05, 2, false},   {.02, 100, .05, .02, 2, false},  {.02, 100, .05, .01, 2, false},
    {.02, 100, .05, .01, 1.5, false}, {.005, 100, .05, .05, 2, false}, {.005, 100, .05, .02, 2, false},
    {.005, 100, .05, .01, 2, false},  {.05, 100, .05, .05, 2, false},  {.05, 100, .05, .02, 2, false},
    {.05, 100, .05, .01, 2, false},   {.02, 100, .25, .01, 2, false},
};

struct job_list {
    const struct settings *settings;
    int margin_runs, healthy_runs;
    double (*outcome)[2]; /* s and canary requests until the proof; infinite = none in 24 h */
};

static int runs_of(const struct job_list *list, int cell)
{
    return cells[cell].harmful ? list->margin_runs : list->healthy_runs;
}

static size_t first_of(const struct job_list *list, int cell)
{
    size_t first = 0;
    for (int i = 0; i < cell; i++)
        first += (size_t)runs_of(list, i);
    return first;
}

static void job(void *context, size_t at)
{
    struct job_list *list = context;
    int i = 0;
    while (i + 1 < MARGINS + HEALTHY && at >= first_of(list, i + 1))
        i++;
    const struct cell *cell = &cells[i];
    struct draw draw =
        draw_seeded(list->settings->seed, settings_stream(TABLE, i, (int)(at - first_of(list, i))));
    struct arms arms = {cell->rps, cell->w, cell->p0, cell->p0, 1};
    struct rollout r;
    double requests = 0, by_ratio = bad_at_odds(cell->p0, cell->margin_ratio),
           by_difference = cell->p0 + cell->margin_add;
    if (cell->harmful)
        arms.bad_c = by_ratio > by_difference ? by_ratio : by_difference;
    rollout_of_one(&r, SLI_REFUSAL, .95, 0, 1);
    rollout_plan(&r, weights, sizeof weights / sizeof weights[0]);
    r.policy.guardrail[SLI_REFUSAL].margin_add = cell->margin_add;
    r.policy.guardrail[SLI_REFUSAL].margin_ratio = cell->margin_ratio;
    rollout_begin(&r);
    rollout_weight(&r, (int32_t)lround(cell->w * WEIGHT_FULL), true);
    double dt = cell->harmful ? tick_s : 5, need = evidence_ni_threshold(&r.evidence, &r.policy), have = 0;
    while (r.now_s < day_s && have < need && have > hopeless) {
        struct counts counts = arms_draw(&arms, dt, &draw);
        requests += (double)counts.n_c;
        rollout_feed(&r, dt, &counts);
        have = evidence_ni(&r.evidence, SLI_REFUSAL);
    }
    list->outcome[at][0] = have >= need ? r.now_s : INFINITY;
    list->outcome[at][1] = have >= need ? requests : INFINITY;
}

static void print_margins(const struct job_list *list)
{
    double worst = 0;
    printf(
        "\n## False proofs (T5)\n\nCanary exactly at the margin that is harder to break, 24 h, 15 s ticks, 5 "
        "steps (1 %% a "
        "step), %d rollouts a cell.\n\n| p0 | rps | weight | margin | proven | at most (95 %%) "
        "|\n|---|---|---|---|---|---|\n",
        list->margin_runs);
    for (int i = 0; i < MARGINS; i++) {
        int proven = 0;
        for (int run = 0; run < list->margin_runs; run++)
            proven += isfinite(list->outcome[first_of(list, i) + (size_t)run][0]);
        printf("| %g | %g | %g | %g or %gx | %s | %s |\n", cells[i].p0, cells[i].rps, cells[i].w,
               cells[i].margin_add, cells[i].margin_ratio, percent(proven, list->margin_runs),
               percent(share_at_most(proven, list->margin_runs), 1));
        worst = fmax(worst, (double)proven / list->margin_runs);
    }
    report_target(5, worst <= .01, "worst of %d cells %s (%d rollouts a cell)", MARGINS, percent(worst, 1),
                  list->margin_runs);
}

void table_proof(const struct settings *settings)
{
    struct job_list list = {settings, settings_runs(settings, 2000, 4), settings_runs(settings, 200, 2),
                            NULL};
    size_t jobs = first_of(&list, MARGINS + HEALTHY);
    list.outcome = calloc(jobs, sizeof *list.outcome);
    if (list.outcome == NULL)
        return;
    pool_run(settings->threads, jobs, job, &list);
    print_margins(&list);
    printf(
        "\n### What a healthy canary needs for one step's proof of one SLI\n\n| p0 | rps | weight | margin | "
        "median | 90 %% | "
        "median canary requests |\n|---|---|---|---|---|---|---|\n");
    for (int i = MARGINS; i < MARGINS + HEALTHY; i++) {
        double s[2000], requests[2000];
        size_t count = (size_t)list.healthy_runs < 2000 ? (size_t)list.healthy_runs : 2000;
        for (size_t run = 0; run < count; run++) {
            s[run] = list.outcome[first_of(&list, i) + run][0];
            requests[run] = list.outcome[first_of(&list, i) + run][1];
        }
        printf("| %g | %g | %g | %g or %gx | %s | %s | %.0f |\n", cells[i].p0, cells[i].rps, cells[i].w,
               cells[i].margin_add, cells[i].margin_ratio, duration(quantile(s, count, .5)),
               duration(quantile(s, count, .9)), quantile(requests, count, .5));
    }
    free(list.outcome);
}
