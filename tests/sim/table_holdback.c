/* The thin stable arm: how often is a shared breach blamed on canary, by what the holdback leaves to stable?
 */
#include "breach.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TABLE = 14, HOLDBACKS = 5, RATES = 4, BADS = 4, LENGTHS = 3, PER_ROW = BADS * LENGTHS };
enum { CELLS = RATES * HOLDBACKS * PER_ROW };

static const double holdbacks[HOLDBACKS] = {.02, .05, .10, .20, .50}, rates[RATES] = {1, 10, 100, 1000};
static const double bads[BADS] = {.08, .15, .30, .50}, lengths[LENGTHS] = {60, 300, 1800};

static double worst_of(const struct breach_outcome *outcomes, int runs, int row, int bad)
{
    double worst = 0;
    for (int l = 0; l < LENGTHS; l++) {
        double blamed = breach_blamed(&outcomes[(row * PER_ROW + bad * LENGTHS + l) * runs], runs);
        worst = blamed > worst ? blamed : worst;
    }
    return worst;
}

/* Rows in the order of stable's rate. */
static void by_rate(const struct breach_outcome *outcomes, int runs)
{
    int order[RATES * HOLDBACKS];
    for (int i = 0; i < RATES * HOLDBACKS; i++) {
        int at = i;
        for (; at > 0; at--) {
            int before = order[at - 1];
            if (rates[before / HOLDBACKS] * holdbacks[before % HOLDBACKS] <=
                rates[i / HOLDBACKS] * holdbacks[i % HOLDBACKS])
                break;
            order[at] = before;
        }
        order[at] = i;
    }
    printf(
        "\n### By what stable gets\n\nThe worst of the three durations.\n\n| stable's requests/s | rps, "
        "holdback | 8 %% | 15 %% | "
        "30 %% | 50 %% |\n|---|---|---|---|---|---|\n");
    for (int i = 0; i < RATES * HOLDBACKS; i++) {
        int row = order[i];
        double rps = rates[row / HOLDBACKS], holdback = holdbacks[row % HOLDBACKS];
        printf("| %g | %g, %g %% |", rps * holdback, rps, 100 * holdback);
        for (int b = 0; b < BADS; b++)
            printf(" %s |", percent(worst_of(outcomes, runs, row, b), 1));
        printf("\n");
    }
}

void table_holdback(const struct settings *settings)
{
    static struct breach cells[CELLS];
    int runs = settings_runs(settings, 400, 1);
    struct breach_outcome *outcomes = calloc((size_t)CELLS * (size_t)runs, sizeof *outcomes);
    if (outcomes == NULL)
        return;
    for (int i = 0; i < CELLS; i++) {
        double bad = bads[i / LENGTHS % BADS];
        cells[i] = (struct breach){.rps = rates[i / PER_ROW / HOLDBACKS],
                                   .w = 1 - holdbacks[i / PER_ROW % HOLDBACKS],
                                   .ceiling = .05};
        breach_quiet(&cells[i], 900, .02);
        breach_add(&cells[i], lengths[i % LENGTHS], bad, bad, 1, 5);
        breach_add(&cells[i], 1500, .02, .02, 1, 5);
    }
    breach_run(settings, TABLE, cells, CELLS, runs, outcomes);
    printf(
        "\n## The thin stable arm: a shared breach during the bake\n\nBoth arms rise from 2 %% to 8, 15, 30 "
        "or 50 %% against a "
        "ceiling of 5 %%, after 15 min, for 60 s, 5 min or 30 min. Share blamed on canary (rolled back); one "
        "SLI at the share of "
        "one of eight, blocks of at least 5 s; %d rollouts a cell.\n\n| rps | holdback | 8 %%: 60 s | 5 min "
        "| 30 min | 15 %%: 60 s | 5 "
        "min | 30 min | 30 %%: 60 s | 5 min | 30 min | 50 %%: 60 s | 5 min | 30 min "
        "|\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
        runs);
    for (int row = 0; row < RATES * HOLDBACKS; row++) {
        printf("| %g | %g %% |", rates[row / HOLDBACKS], 100 * holdbacks[row % HOLDBACKS]);
        for (int i = 0; i < PER_ROW; i++)
            printf(" %s |", percent(breach_blamed(&outcomes[(row * PER_ROW + i) * runs], runs), 1));
        printf("\n");
    }
    by_rate(outcomes, runs);
    free(outcomes);
}
