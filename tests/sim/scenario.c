/* A table of scenarios. */
#include "scenario.h"

#include "pool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SCENARIOS_MAX = 96 };

struct job_list {
    const struct settings *settings;
    const struct scenario *list;
    int count, table;
    int first[SCENARIOS_MAX + 1];
    double (*result)[RESULTS_MAX];
};

static void job(void *context, size_t at)
{
    struct job_list *jobs = context;
    int i = 0;
    while ((int)at >= jobs->first[i + 1])
        i++;
    struct draw draw =
        draw_seeded(jobs->settings->seed, settings_stream(jobs->table, i, (int)at - jobs->first[i]));
    jobs->list[i].run(&jobs->list[i], &draw, jobs->result[at]);
}

static double value_of(const struct job_list *jobs, int i, int k)
{
    int runs = jobs->first[i + 1] - jobs->first[i];
    double *x = malloc((size_t)runs * sizeof *x), value = 0;
    if (x == NULL)
        return NAN;
    for (int run = 0; run < runs; run++)
        x[run] = jobs->result[jobs->first[i] + run][k];
    if (jobs->list[i].result[k].kind == RESULT_SHARE)
        for (int run = 0; run < runs; run++)
            value += x[run] / runs;
    else
        value = quantile(x, (size_t)runs, .5);
    free(x);
    return value;
}

static void print(const struct job_list *jobs, int i, double (*medians)[RESULTS_MAX])
{
    const struct scenario *s = &jobs->list[i];
    int runs = jobs->first[i + 1] - jobs->first[i];
    printf("| %s%s | %d |", s->text, s->target > 0 ? " **(T8)**" : "", runs);
    for (int k = 0; k < RESULTS_MAX && s->result[k].kind != RESULT_NONE; k++) {
        double value = value_of(jobs, i, k);
        printf("%s %s %s", k > 0 ? ";" : "", s->result[k].name,
               s->result[k].kind == RESULT_SHARE     ? percent(value, 1)
               : s->result[k].kind == RESULT_SECONDS ? duration(value)
                                                     : "");
        if (s->result[k].kind == RESULT_NUMBER)
            printf("%.2f", value);
        if (medians != NULL)
            medians[i][k] = value;
        if (k == 0 && s->target > 0)
            report_target(s->target, value <= .01, "%s: %s of %d", s->text, percent(value, 1), runs);
    }
    printf(" |\n");
}

void scenarios_print(const struct settings *settings, int table, const struct scenario *list, int count,
                     double (*medians)[RESULTS_MAX])
{
    struct job_list jobs = {.settings = settings, .list = list, .table = table};
    jobs.count = count < SCENARIOS_MAX ? count : SCENARIOS_MAX;
    for (int i = 0; i < jobs.count; i++)
        jobs.first[i + 1] = jobs.first[i] + settings_runs(settings, list[i].runs, 1);
    size_t all = (size_t)jobs.first[jobs.count];
    jobs.result = calloc(all, sizeof *jobs.result);
    if (jobs.result == NULL)
        return;
    pool_run(settings->threads, all, job, &jobs);
    printf("| case | rollouts | results |\n|---|---|---|\n");
    for (int i = 0; i < jobs.count; i++)
        print(&jobs, i, medians);
    free(jobs.result);
}
