/* Are the random numbers what they are said to be? Chi-square of 100,000 draws against the exact
   probabilities, around both sides of the change of method (a mean of 10). Ends the program if one is
   impossible by chance. */
#include "draw.h"
#include "tables.h"

#include <math.h>
#include <stdio.h>

enum { DRAWS = 100000, VALUES = 4000 };

static const double impossible = 6.5; /* standard deviations of the chi-square */

static double log_binomial(double n, double p, double k)
{
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p);
}

static double log_poisson(double mean, double k)
{
    return k * log(mean) - mean - lgamma(k + 1);
}

/* (chi-square - its mean)/its standard deviation; values that are expected less than 20 times are put
 * together. */
static double excess(const int *seen, const double *expected)
{
    double chi = 0, e = 0, o = 0;
    int cells = 0;
    for (int k = 0; k < VALUES; k++) {
        e += expected[k];
        o += seen[k];
        if (e >= 20) {
            chi += (o - e) * (o - e) / e;
            cells++;
            e = o = 0;
        }
    }
    double freedom = cells - 1;
    return freedom > 0 ? (chi - freedom) / sqrt(2 * freedom) : 0;
}

static void check(const struct settings *settings, double n, double p, int cell)
{
    static int seen[VALUES];
    static double expected[VALUES];
    struct draw draw = draw_seeded(settings->seed, settings_stream(1, cell, 0));
    bool poisson = !(p > 0);
    for (int k = 0; k < VALUES; k++) {
        seen[k] = 0;
        expected[k] = poisson  ? DRAWS * exp(log_poisson(n, k))
                      : k <= n ? DRAWS * exp(log_binomial(n, p, k))
                               : 0;
    }
    for (int i = 0; i < DRAWS; i++) {
        int64_t k = poisson ? draw_poisson(&draw, n) : draw_binomial(&draw, (int64_t)n, p);
        if (k >= 0 && k < VALUES)
            seen[k]++;
    }
    double off = excess(seen, expected);
    printf(poisson ? "| Poisson, mean %g | %.1f |\n" : "| binomial, n %g, p %g | %.1f |\n", n,
           poisson ? off : p, off);
    if (off > impossible)
        report_broken("the random numbers do not have their distribution");
}

void table_draws(const struct settings *settings)
{
    static const double cases[][2] = {
        {0.3, 0},     {9.9, 0},   {10.1, 0},    {60, 0},    {1500, 0}, {20, .3},  {1000, .0099},
        {1000, .011}, {150, .02}, {1e6, .0005}, {4000, .2}, {300, .5}, {300, .9}, {50000, .02},
    };
    printf(
        "\n## Random numbers\n\nStandard deviations by which chi-square exceeds its mean, %d draws.\n\n"
        "| what | excess |\n|---|---|\n",
        DRAWS);
    for (int i = 0; i < (int)(sizeof cases / sizeof cases[0]); i++)
        check(settings, cases[i][0], cases[i][1], i);
}
