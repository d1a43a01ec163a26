/* T7: how many requests are bad because of the fault before it is rolled back? From the first request of the
   rollout to its end, each method by its own plan. */
#include "pool.h"
#include "promotion.h"
#include "tables.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TABLE = 7,
    RATES = 3,
    FAULTS = 8,
    CELLS = RATES * FAULTS,
    SLI_OF_FAULT = 7,
    REFUSALS = 0,
    MINUTES = 40
};

static const double rates[RATES] = {10, 100, 1000}, patience_s = 86400;
static const struct fault {
    int sli;
    double bad, from_weight; /* the fault shows once canary has this weight */
} faults[FAULTS] = {
    {SLI_OF_FAULT, .005, 0}, {SLI_OF_FAULT, .015, 0}, {SLI_OF_FAULT, .05, 0}, {SLI_OF_FAULT, .38, 0},
    {REFUSALS, .06, 0},      {REFUSALS, .20, 0},      {REFUSALS, .38, 0},     {SLI_OF_FAULT, .05, .25},
};

enum method { OURS, ARGO, FLAGGER, METHODS };

struct outcome {
    bool ended[METHODS];
    double s[METHODS], excess[METHODS];
};

struct job_list {
    const struct settings *settings;
    int runs;
    struct outcome *outcomes;
};

static void ours(double rps, const struct fault *fault, struct draw *draw, struct outcome *outcome)
{
    static const double no_ceiling[SIM_SLIS] = {.95, .95, .95, .95, .95, .95, .95, .95};
    struct rollout r;
    struct promotion promotion;
    rollout_of_eight(&r, no_ceiling, 1);
    rollout_begin(&r);
    promotion_begin(&promotion, &r);
    while (r.now_s < patience_s && !promotion.complete && !rollout_ended(&r)) {
        double w = (double)r.weight / WEIGHT_FULL, canary[SIM_SLIS];
        struct counts counts[SIM_SLIS];
        for (int i = 0; i < SIM_SLIS; i++)
            canary[i] = i == fault->sli && w >= fault->from_weight ? fault->bad : usual_bad[i];
        arms_draw_eight(rps, w, 1, canary, usual_bad, draw, counts);
        outcome->excess[OURS] += (double)counts[0].n_c * (canary[fault->sli] - usual_bad[fault->sli]);
        promotion_tick(&promotion, 1, counts);
    }
    outcome->ended[OURS] = r.last.action == JUDGE_ROLLBACK;
    outcome->s[OURS] = outcome->ended[OURS] ? r.now_s : INFINITY;
}

/* The documentation's example: 20 % every 10 min, success >= 95 % over 5 min, failureLimit 3. */
static void argo(double rps, const struct fault *fault, struct draw *draw, struct outcome *outcome)
{
    double n[MINUTES], k[MINUTES];
    int failed = 0;
    outcome->s[ARGO] = INFINITY;
    for (int m = 0; m < MINUTES && !outcome->ended[ARGO]; m++) {
        double w = .2 * (m / 10 + 1), p0 = usual_bad[fault->sli],
               bad = w >= fault->from_weight ? fault->bad : p0;
        double all = 0, wrong = 0;
        int64_t requests = draw_poisson(draw, rps * 60 * w);
        n[m] = (double)requests;
        k[m] = (double)draw_binomial(draw, requests, bad);
        outcome->excess[ARGO] += n[m] * (bad - p0);
        for (int i = m - 4 < 0 ? 0 : m - 4; i <= m; i++) {
            all += n[i];
            wrong += k[i];
        }
        failed += all > 0 && wrong > .05 * all;
        outcome->ended[ARGO] = failed > 3;
        if (outcome->ended[ARGO])
            outcome->s[ARGO] = 60 * (m + 1);
    }
}

/* The documentation's example: 10 % a minute to 50 %, success >= 99 % in the last minute, threshold 5; a
   failed check holds the weight, and the rollback comes with the check after the fifth. */
static void flagger(double rps, const struct fault *fault, struct draw *draw, struct outcome *outcome)
{
    double w = .1, p0 = usual_bad[fault->sli];
    int failed = 0;
    bool done = false;
    outcome->s[FLAGGER] = INFINITY;
    for (int m = 0; m < MINUTES && !done; m++) {
        double bad = w >= fault->from_weight ? fault->bad : p0;
        int64_t n = draw_poisson(draw, rps * 60 * w), k = draw_binomial(draw, n, bad);
        outcome->excess[FLAGGER] += (double)n * (bad - p0);
        if (failed >= 5) {
            outcome->ended[FLAGGER] = done = true;
            outcome->s[FLAGGER] = 60 * (m + 1);
        } else if ((double)k > .01 * (double)n) {
            failed++;
        } else {
            done = w >= .5 - 1e-9;
            w = w + .1 > .5 ? .5 : w + .1;
        }
    }
}

static void job(void *context, size_t at)
{
    struct job_list *list = context;
    int cell = (int)at / list->runs, run = (int)at % list->runs;
    struct draw draw = draw_seeded(list->settings->seed, settings_stream(TABLE, cell, run));
    const struct fault *fault = &faults[cell / RATES];
    ours(rates[cell % RATES], fault, &draw, &list->outcomes[at]);
    argo(rates[cell % RATES], fault, &draw, &list->outcomes[at]);
    flagger(rates[cell % RATES], fault, &draw, &list->outcomes[at]);
}

static double print_cell(const struct job_list *list, int cell)
{
    const struct fault *fault = &faults[cell / RATES];
    double mean[METHODS] = {0};
    printf("| %.1f %% -> %.1f %%%s | %g |", 100 * usual_bad[fault->sli], 100 * fault->bad,
           fault->from_weight > 0 ? " from weight 25 %" : "", rates[cell % RATES]);
    for (int m = 0; m < METHODS; m++) {
        double s[1000];
        size_t count = 0;
        int ended = 0;
        for (int run = 0; run < list->runs && run < 1000; run++) {
            const struct outcome *outcome = &list->outcomes[cell * list->runs + run];
            s[count++] = outcome->s[m];
            ended += outcome->ended[m];
            mean[m] += outcome->excess[m] / list->runs;
        }
        printf(" %s | %s | %.1f |", percent(ended, list->runs), duration(quantile(s, count, .5)), mean[m]);
    }
    printf("\n");
    return mean[OURS];
}

void table_harm(const struct settings *settings)
{
    struct job_list list = {settings, settings_runs(settings, 200, 1), NULL};
    list.outcomes = calloc((size_t)(CELLS * list.runs), sizeof *list.outcomes);
    double most = 0, least = INFINITY;
    if (list.outcomes == NULL)
        return;
    pool_run(settings->threads, (size_t)(CELLS * list.runs), job, &list);
    printf(
        "\n## Harm before the rollback (T7)\n\nEight SLIs, one bad on canary, relative lanes only (no "
        "ceiling helps), plan "
        "1-5-10-25-50-100 %% by evidence, dwell 60 s, 1 s ticks, matured counts (add the maturity age). "
        "Argo: 20 %% every 10 min, "
        "95 %% over 5 min, limit 3. Flagger: 10 %% a minute from 10 to 50 %%, 99 %%, threshold 5. Rolled "
        "back, median time, mean "
        "excess bad requests; %d rollouts a row. \"Healthy\" rows: what is rolled back there is false.\n\n"
        "| fault | rps | Serin | time | excess | Argo docs | time | excess | Flagger docs | time | excess |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|\n",
        list.runs);
    for (int cell = 0; cell < CELLS; cell++) {
        double mean = print_cell(&list, cell);
        const struct fault *fault = &faults[cell / RATES];
        if (fault->from_weight > 0 || fault->bad <= usual_bad[fault->sli])
            continue;
        most = mean > most ? mean : most;
        least = mean < least ? mean : least;
    }
    report_target(7, most <= 25, "mean excess %.1f to %.1f in %d cells", least, most, CELLS - 2 * RATES);
    free(list.outcomes);
}
