/* Cases where canary is bad alone, stable is unseen, nothing is bad for a day, or a little is bad for
   days (budget lane). */
#include "breach.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TABLE = 13, RATES = 4, BADS = 3, WEIGHTS = 3, STARTS = 2, ALONE = RATES * BADS * WEIGHTS * STARTS };
enum { SEEN_WEIGHTS = 4, UNSEEN = RATES * SEEN_WEIGHTS, NULL_RATES = 5, NULLS = NULL_RATES * WEIGHTS * 2 };
enum { BUDGETS = RATES * WEIGHTS * 2 };

static const double rates[RATES] = {1, 10, 100, 1000}, bads[BADS] = {.08, .15, .38},
                    weights[WEIGHTS] = {.05, .5, .98};
static const double starts[STARTS] = {5, 900}, seen_weights[SEEN_WEIGHTS] = {.01, .05, .5, .98};
static const double null_rates[NULL_RATES] = {.1, 1, 10, 100, 1000}, day_s = 86400;

static double median_of(const struct breach_outcome *o, int runs, double from_s, bool page)
{
    double x[2000];
    size_t count = 0;
    for (int i = 0; i < runs && count < 2000; i++)
        x[count++] = (page ? o[i].page_s : o[i].rolled_back_s) - from_s;
    return quantile(x, count, .5);
}

static void alone(const struct settings *settings, int runs, struct breach_outcome *outcomes)
{
    static struct breach cells[ALONE];
    int at = 0;
    for (int r = 0; r < RATES; r++)
        for (int b = 0; b < BADS; b++)
            for (int w = 0; w < WEIGHTS; w++)
                for (int s = 0; s < STARTS; s++) {
                    struct breach *cell = &cells[at++];
                    *cell = (struct breach){.rps = rates[r], .w = weights[w], .ceiling = .05};
                    breach_quiet(cell, starts[s], .02);
                    breach_add(cell, 7200, bads[b], .02, 1, 5);
                }
    breach_run(settings, TABLE, cells, ALONE, runs, outcomes);
    printf(
        "\n### Canary alone above the ceiling (2 %% before, ceiling 5 %%): median to rollback\n\nFrom 5 s / "
        "from 15 min; %d "
        "rollouts a cell.\n\n| rps | bad | weight 5 %% | 50 %% | 98 %% |\n|---|---|---|---|---|\n",
        runs);
    for (int row = 0; row < RATES * BADS; row++) {
        printf("| %g | %g %% |", rates[row / BADS], 100 * bads[row % BADS]);
        for (int w = 0; w < WEIGHTS; w++) {
            const struct breach_outcome *o = &outcomes[(row * WEIGHTS + w) * STARTS * runs];
            printf(" %s / %s |", duration(median_of(o, runs, starts[0], false)),
                   duration(median_of(o + runs, runs, starts[1], false)));
        }
        printf("\n");
    }
}

static void unseen(const struct settings *settings, int runs, struct breach_outcome *outcomes)
{
    static struct breach cells[UNSEEN];
    for (int i = 0; i < UNSEEN; i++) {
        cells[i] = (struct breach){
            .rps = rates[i / SEEN_WEIGHTS], .w = seen_weights[i % SEEN_WEIGHTS], .ceiling = .05};
        breach_quiet(&cells[i], 3600, .02);
        breach_add(&cells[i], 7200, .38, .02, 0, 5);
    }
    breach_run(settings, TABLE + 100, cells, UNSEEN, runs, outcomes);
    printf(
        "\n### Stable's outcomes stop arriving after an hour, and canary is 38 %% bad: median to "
        "rollback\n\n| rps | weight 1 %% "
        "| 5 %% | 50 %% | 98 %% |\n|---|---|---|---|---|\n");
    for (int i = 0; i < UNSEEN; i++) {
        if (i % SEEN_WEIGHTS == 0)
            printf("| %g |", rates[i / SEEN_WEIGHTS]);
        printf(" %s |%s", duration(median_of(&outcomes[i * runs], runs, 3600, false)),
               i % SEEN_WEIGHTS == SEEN_WEIGHTS - 1 ? "\n" : "");
    }
}

static void nulls(const struct settings *settings, int runs, struct breach_outcome *outcomes)
{
    static struct breach cells[NULLS];
    for (int i = 0; i < NULLS; i++) {
        bool boundary = i % 2 == 1;
        double p0 = .005, p = boundary ? bad_at_odds(p0, 1.1) : p0;
        cells[i] = (struct breach){.rps = null_rates[i / 2 / WEIGHTS],
                                   .w = weights[i / 2 % WEIGHTS],
                                   .ceiling = boundary ? p : .015,
                                   .budget_rate = .01};
        breach_add(&cells[i], day_s, p, p0, 1, 30);
    }
    breach_run(settings, TABLE + 200, cells, NULLS, runs, outcomes);
    printf(
        "\n### Nothing wrong for 24 h (p0 .5 %%, ceiling 1.5 %%), and at the boundary (odds 1.10, ceiling at "
        "canary's share)\n\nRolled "
        "back / returned / by the budget lane / held at some time; budget lane on; %d rollouts a cell.\n\n| "
        "rps | weight | healthy | "
        "boundary |\n|---|---|---|---|\n",
        runs);
    for (int i = 0; i < NULLS; i++) {
        const struct breach_outcome *o = &outcomes[i * runs];
        int budget = 0, held = 0;
        for (int run = 0; run < runs; run++) {
            budget += o[run].by_budget;
            held += isfinite(o[run].first_hold_s);
        }
        if (i % 2 == 0)
            printf("| %g | %g %% |", null_rates[i / 2 / WEIGHTS], 100 * weights[i / 2 % WEIGHTS]);
        printf(" %s / %s / %s / %s |%s", percent(breach_blamed(o, runs), 1),
               percent(breach_returned(o, runs), 1), percent(budget, runs), percent(held, runs),
               i % 2 == 1 ? "\n" : "");
    }
}

static void budget(const struct settings *settings, int runs, struct breach_outcome *outcomes)
{
    static struct breach cells[BUDGETS];
    static const double odds[] = {1.10, 1.25};
    for (int i = 0; i < BUDGETS; i++) {
        double p = bad_at_odds(.005, odds[i % 2]);
        cells[i] = (struct breach){.rps = rates[i / 2 / WEIGHTS],
                                   .w = weights[i / 2 % WEIGHTS],
                                   .ceiling = .015,
                                   .budget_rate = .01};
        breach_add(&cells[i], 10 * day_s, p, .005, 1, 300);
    }
    breach_run(settings, TABLE + 300, cells, BUDGETS, runs, outcomes);
    printf(
        "\n### A little worse for ten days (p0 .5 %%, SLO 99 %%, allowed .2 %% of the month's budget): "
        "median until\n\nTruly spent; "
        "page (HOLD); rollback by any lane, with the share of rollouts in which the budget lane alone "
        "sufficed. %d rollouts a "
        "cell.\n\n| rps | weight | odds 1.10: spent | page | rollback | odds 1.25: spent | page | rollback "
        "|\n|---|---|---|---|---|---|---|---|\n",
        runs);
    for (int i = 0; i < BUDGETS; i++) {
        const struct breach_outcome *o = &outcomes[i * runs];
        double w = cells[i].w, p = cells[i].phase[0].bad_c, spent_s = .002 * .01 * 2.592e6 / (w * (p - .005));
        int alone_enough = 0;
        for (int run = 0; run < runs; run++)
            alone_enough += o[run].by_budget;
        if (i % 2 == 0)
            printf("| %g | %g %% |", cells[i].rps, 100 * w);
        printf(" %s | %s | %s (%s) |%s", duration(spent_s), duration(median_of(o, runs, 0, true)),
               duration(median_of(o, runs, 0, false)), percent(alone_enough, runs), i % 2 == 1 ? "\n" : "");
    }
}

void table_alone(const struct settings *settings)
{
    int runs = settings_runs(settings, 400, 1);
    struct breach_outcome *outcomes = calloc((size_t)ALONE * (size_t)runs, sizeof *outcomes);
    if (outcomes == NULL)
        return;
    printf(
        "\n## Canary alone, stable unseen, nothing at all, the budget\n\nOne SLI at the share of "
        "one of eight, blocks of "
        "at least 5 s.\n");
    alone(settings, settings_runs(settings, 200, 1), outcomes);
    unseen(settings, settings_runs(settings, 200, 1), outcomes);
    nulls(settings, runs, outcomes);
    budget(settings, settings_runs(settings, 60, 1), outcomes);
    free(outcomes);
}
