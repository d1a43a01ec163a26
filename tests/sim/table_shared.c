/* Cases where both arms break a ceiling: outages, twelve a day, a quota, a mild breach. Nobody may be blamed,
   and the hold has to end with the outage. */
#include "breach.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TABLE = 12, RATES = 4, WEIGHTS = 4, PAIRS = 2, STARTS = 4, LENGTHS = 2, MILD = 3, MILD_WEIGHTS = 4 };
enum { OUTAGES = RATES * WEIGHTS * PAIRS * STARTS * LENGTHS, PER_ROW = PAIRS * STARTS * LENGTHS };
enum { MANY = RATES * WEIGHTS * PAIRS, MILDS = MILD * RATES * MILD_WEIGHTS };

static const double rates[RATES] = {1, 10, 100, 1000}, weights[WEIGHTS] = {.01, .05, .5, .98};
static const double pairs[PAIRS][2] = {{.02, .05}, {.0005, .015}}, starts[STARTS] = {5, 120, 900, 21600};
static const double lengths[LENGTHS] = {60, 300}, mild[MILD] = {.30, .15, .08};
static const double mild_weights[MILD_WEIGHTS] = {.05, .25, .5, .98}, after_s = 1500;

static struct breach_outcome *room(int count, int runs)
{
    return calloc((size_t)count * (size_t)runs, sizeof(struct breach_outcome));
}

static double worse_of(double a, double b)
{
    return b > a ? b : a;
}

/* Quantile of the seconds of HOLD after end_s, among rollouts that held and did not end; 0 if none. */
static double held_after(const struct breach_outcome *outcomes, int runs, double end_s, double q)
{
    double *x = malloc((size_t)runs * sizeof *x), value;
    size_t count = 0;
    if (x == NULL)
        return NAN;
    for (int i = 0; i < runs; i++)
        if (isinf(outcomes[i].rolled_back_s) && isinf(outcomes[i].returned_s) && outcomes[i].last_hold_s >= 0)
            x[count++] = worse_of(0, outcomes[i].last_hold_s - end_s);
    value = count > 0 ? quantile(x, count, q) : 0;
    free(x);
    return value;
}

static void outages(const struct settings *settings, int runs)
{
    static struct breach cells[OUTAGES];
    struct breach_outcome *outcomes = room(OUTAGES, runs);
    double all = 0, worst = 0;
    int at = 0;
    for (int r = 0; r < RATES; r++)
        for (int w = 0; w < WEIGHTS; w++)
            for (int p = 0; p < PAIRS; p++)
                for (int s = 0; s < STARTS; s++)
                    for (int l = 0; l < LENGTHS; l++) {
                        struct breach *cell = &cells[at++];
                        *cell = (struct breach){.rps = rates[r], .w = weights[w], .ceiling = pairs[p][1]};
                        breach_quiet(cell, starts[s], pairs[p][0]);
                        breach_add(cell, lengths[l], .5, .5, 1, 5);
                        breach_add(cell, after_s, pairs[p][0], pairs[p][0], 1, 5);
                    }
    if (outcomes == NULL)
        return;
    breach_run(settings, TABLE, cells, OUTAGES, runs, outcomes);
    printf(
        "\n### One shared outage: 50 %% bad in both arms for 60 or 300 s, from 5 s, 2 min, 15 min or 6 "
        "h\n\n(p0, ceiling) = (2 "
        "%%, 5 %%) and (.05 %%, 1.5 %%): 16 cells a row, %d rollouts a cell. HOLD after the outage: over the "
        "cells, the largest "
        "median and 95 %% quantile.\n\n| rps | weight | rolled back, mean | worst cell | returned, worst "
        "cell | hold after, median | "
        "95 %% |\n|---|---|---|---|---|---|---|\n",
        runs);
    for (int row = 0; row < RATES * WEIGHTS; row++) {
        double mean = 0, most = 0, returned = 0, median = 0, longest = 0;
        for (int i = row * PER_ROW; i < (row + 1) * PER_ROW; i++) {
            const struct breach_outcome *o = &outcomes[i * runs];
            double end_s = cells[i].phase[cells[i].phases - 2].until_s, blamed = breach_blamed(o, runs);
            mean += blamed / PER_ROW;
            most = worse_of(most, blamed);
            returned = worse_of(returned, breach_returned(o, runs));
            median = worse_of(median, held_after(o, runs, end_s, .5));
            longest = worse_of(longest, held_after(o, runs, end_s, .95));
        }
        all += mean / (RATES * WEIGHTS);
        worst = worse_of(worst, most);
        printf("| %g | %g %% | %s | %s | %s | %s | %s |\n", rates[row / WEIGHTS],
               100 * weights[row % WEIGHTS], percent(mean, 1), percent(most, 1), percent(returned, 1),
               duration(median), duration(longest));
    }
    printf("\nMean over all %d cells %s, worst cell %s.\n", OUTAGES, percent(all, 1), percent(worst, 1));
    free(outcomes);
}

static void many(const struct settings *settings, int runs)
{
    static struct breach cells[MANY];
    struct breach_outcome *outcomes = room(MANY, runs);
    int at = 0;
    for (int r = 0; r < RATES; r++)
        for (int w = 0; w < WEIGHTS; w++)
            for (int p = 0; p < PAIRS; p++) {
                struct breach *cell = &cells[at++];
                double p0 = pairs[p][0];
                *cell = (struct breach){.rps = rates[r], .w = weights[w], .ceiling = pairs[p][1]};
                for (int i = 0; i < 12; i++) {
                    breach_add(cell, 5, p0, p0, 1, 5);
                    breach_add(cell, 60, .5, .5, 1, 5);
                    breach_add(cell, 535, p0, p0, 1, 5);
                    breach_add(cell, 6600, p0, p0, 1, 60);
                }
            }
    if (outcomes == NULL)
        return;
    breach_run(settings, TABLE + 100, cells, MANY, runs, outcomes);
    printf(
        "\n### Twelve shared outages of 60 s a day, 24 h\n\nRolled back, the worse of the two pairs; %d "
        "rollouts a cell.\n\n| rps "
        "| weight 1 %% | 5 %% | 50 %% | 98 %% |\n|---|---|---|---|---|\n",
        runs);
    for (int r = 0; r < RATES; r++) {
        printf("| %g |", rates[r]);
        for (int w = 0; w < WEIGHTS; w++) {
            int i = (r * WEIGHTS + w) * PAIRS;
            double blamed = worse_of(breach_blamed(&outcomes[i * runs], runs),
                                     breach_blamed(&outcomes[(i + 1) * runs], runs));
            printf(" %s |", percent(blamed, 1));
        }
        printf("\n");
    }
    free(outcomes);
}

static void milder(const struct settings *settings, int runs)
{
    static struct breach cells[MILDS];
    struct breach_outcome *outcomes = room(MILDS, runs);
    int at = 0;
    for (int m = 0; m < MILD; m++)
        for (int r = 0; r < RATES; r++)
            for (int w = 0; w < MILD_WEIGHTS; w++) {
                struct breach *cell = &cells[at++];
                *cell = (struct breach){.rps = rates[r], .w = mild_weights[w], .ceiling = .05};
                breach_quiet(cell, 900, .02);
                breach_add(cell, 1800, mild[m], mild[m], 1, 5);
            }
    if (outcomes == NULL)
        return;
    breach_run(settings, TABLE + 200, cells, MILDS, runs, outcomes);
    printf(
        "\n### A shared quota or a mild shared breach: both arms bad for 30 min against a ceiling of 5 "
        "%%\n\nBlamed / returned "
        "without blame (median after); the rest is held. %d rollouts a cell.\n\n| bad | rps | weight 5 %% | "
        "25 %% | 50 %% | 98 %% "
        "|\n|---|---|---|---|---|---|\n",
        runs);
    for (int row = 0; row < MILD * RATES; row++) {
        printf("| %g %% | %g |", 100 * mild[row / RATES], rates[row % RATES]);
        for (int w = 0; w < MILD_WEIGHTS; w++) {
            const struct breach_outcome *o = &outcomes[(row * MILD_WEIGHTS + w) * runs];
            double x[2000];
            size_t count = 0;
            for (int i = 0; i < runs && count < 2000; i++)
                if (isfinite(o[i].returned_s))
                    x[count++] = o[i].returned_s - 900;
            printf(" %s / %s (%s) |", percent(breach_blamed(o, runs), 1),
                   percent(breach_returned(o, runs), 1), count > 0 ? duration(quantile(x, count, .5)) : "-");
        }
        printf("\n");
    }
    free(outcomes);
}

void table_shared(const struct settings *settings)
{
    printf(
        "\n## Breaches of both arms\n\nOne SLI at the share of one of eight, blocks of at least 5 "
        "s, all of the "
        "judgement.\n");
    outages(settings, settings_runs(settings, 400, 1));
    many(settings, settings_runs(settings, 400, 1));
    milder(settings, settings_runs(settings, 400, 1));
}
