/* Block e-values by brute force: their expectation under the null is at most 1, and just beyond it is not. */
#include "decision_support.h"

#include "decision/budget.h"
#include "decision/ni.h"
#include "decision/recent.h"
#include "decision/split.h"

#include <criterion/criterion.h>
#include <math.h>

enum { N_MAX = 32 };

static const double none_above = 1 + 1e-9;
static const double ratios[EVIDENCE_GRID] = {1.2, 1.5, 2, 3, 5, 10, 25, 80};

static double choose(int n, int k)
{
    double c = 1;
    for (int i = 0; i < k; i++)
        c = c * (n - i) / (i + 1);
    return c;
}

/* P(k_c = x | k_c + k_b = bad) for x = 0 .. n_c under an odds ratio (Fisher's non-central hypergeometric
 * law). */
static void hypergeometric(int n_c, int n_b, int bad, double odds, double p[N_MAX])
{
    double sum = 0;
    for (int x = 0; x <= n_c; x++) {
        p[x] = x <= bad && bad - x <= n_b ? choose(n_c, x) * choose(n_b, bad - x) * pow(odds, x) : 0;
        sum += p[x];
    }
    for (int x = 0; x <= n_c; x++)
        p[x] /= sum;
}

static void binomial(int n, double share, double p[N_MAX])
{
    for (int k = 0; k <= n; k++)
        p[k] = choose(n, k) * pow(share, k) * pow(1 - share, n - k);
}

/* Largest expectation over the grid, given `bad`. */
static double relative_expected(int n_c, int n_b, int bad, double odds, double tolerance)
{
    double p[N_MAX], sum[EVIDENCE_GRID] = {0}, most = 0;
    hypergeometric(n_c, n_b, bad, odds, p);
    for (int x = 0; x <= n_c; x++) {
        double log_e[EVIDENCE_GRID];
        if (p[x] <= 0)
            continue;
        evalue_relative(&(struct counts){n_c, x, n_b, bad - x}, tolerance, log_e);
        for (int j = 0; j < EVIDENCE_GRID; j++)
            sum[j] += p[x] * exp(log_e[j]);
    }
    for (int j = 0; j < EVIDENCE_GRID; j++)
        most = sum[j] > most ? sum[j] : most;
    return most;
}

static double ratio_expected(int n_c, int n_b, int bad, double odds, double alt, double margin)
{
    double p[N_MAX], sum = 0;
    hypergeometric(n_c, n_b, bad, odds, p);
    for (int x = 0; x <= n_c; x++)
        if (p[x] > 0)
            sum += p[x] * exp(evalue_ni_ratio(&(struct counts){n_c, x, n_b, bad - x}, alt, margin));
    return sum;
}

Test(decision_evalue, relative_holds_under_its_null, .timeout = 20)
{
    static const double tolerances[] = {1.0, 1.1, 1.25, 1.5, 3.0};
    double most = 0;
    for (int n_c = 1; n_c <= 12; n_c++)
        for (int n_b = 1; n_b <= 18; n_b++)
            for (int bad = 0; bad <= n_c + n_b; bad++)
                for (int i = 0; i < 5; i++) {
                    most = fmax(most, relative_expected(n_c, n_b, bad, tolerances[i], tolerances[i]));
                    most = fmax(most, relative_expected(n_c, n_b, bad, 0.3 * tolerances[i], tolerances[i]));
                }
    cr_expect_leq(most, none_above, "%.12f", most);
    for (int i = 0; i < 5; i++) {
        /* the bound of the mean is wider at a wide tolerance */
        double beyond = relative_expected(12, 18, 8, (i < 3 ? 1.3 : 2) * tolerances[i], tolerances[i]);
        cr_expect_gt(beyond, 1, "the control at %g proves nothing: %.6f", tolerances[i], beyond);
    }
}

/* Two strata, each within the tolerance: E of the product of their e-values, and of the e-value of their sum.
 */
static void strata_expected(const int n[2][2], const int bad[2], double odds, double tolerance,
                            double *product, double *pooled)
{
    double p[2][N_MAX], sum[2][EVIDENCE_GRID] = {{0}};
    for (int s = 0; s < 2; s++)
        hypergeometric(n[s][0], n[s][1], bad[s], odds, p[s]);
    for (int x = 0; x <= n[0][0]; x++)
        for (int y = 0; y <= n[1][0]; y++) {
            if (p[0][x] <= 0 || p[1][y] <= 0)
                continue;
            struct bench bench;
            struct block block = {.sli = SLI_REFUSAL, .length_s = 1, .weight = 500};
            block.counts.strata = 2;
            block.counts.stratum[0] = (struct counts){n[0][0], x, n[0][1], bad[0] - x};
            block.counts.stratum[1] = (struct counts){n[1][0], y, n[1][1], bad[1] - y};
            for (int together = 0; together < 2; together++) {
                bench_init(&bench, 1, 500, 1);
                bench.policy.guardrail[SLI_REFUSAL].cap = 1000;
                bench.policy.guardrail[SLI_REFUSAL].tolerance = tolerance;
                if (together)
                    block.counts = sli_counts_of(sli_counts_total(&block.counts));
                evidence_block(&bench.evidence, &bench.policy, &bench.plan, &block);
                for (int j = 0; j < EVIDENCE_GRID;
                     j++) /* half of the prior mass is invested in the first block */
                    sum[together][j] += p[0][x] * p[1][y] * 2 * exp(bench.evidence.sli[0].relative.log_m[j]);
            }
        }
    *product = *pooled = 0;
    for (int j = 0; j < EVIDENCE_GRID; j++) {
        *product = fmax(*product, sum[0][j]);
        *pooled = fmax(*pooled, sum[1][j]);
    }
}

Test(decision_evalue, strata_multiply_under_their_null, .timeout = 20)
{
    /* canary has more of the stratum that is bad more often, then less */
    static const int sizes[4][2][2] = {
        {{2, 8}, {8, 2}}, {{8, 2}, {2, 8}}, {{5, 5}, {5, 5}}, {{1, 9}, {3, 0}}};
    static const double tolerances[] = {1.0, 1.1, 1.25};
    double most = 0, alone, pooled, simpson = 0;
    for (int size = 0; size < 4; size++)
        for (int one = 0; one <= 10; one++)
            for (int two = 0; two <= (size == 3 ? 3 : 10); two += 2)
                for (int i = 0; i < 3; i++) {
                    strata_expected(sizes[size], (int[]){one, two}, tolerances[i], tolerances[i], &alone,
                                    &pooled);
                    most = fmax(most, alone);
                    simpson = fmax(simpson, pooled);
                }
    cr_expect_leq(most, none_above, "%.12f", most);
    cr_expect_gt(simpson, 2, "pooled counts would not hold it: %.6f", simpson);
    strata_expected(sizes[2], (int[]){4, 4}, 1.3 * 1.1, 1.1, &alone, &pooled);
    cr_expect_gt(alone, 1, "the control proves nothing: %.6f", alone);
}

/* E of the component's e-value, where canary's share of n admissions is `share`. The first block invests half
   of the prior mass; the cap only takes away. */
static double split_expected(int n, double share, double w_lo, double w_hi, bool keyed, int component)
{
    double p[N_MAX], sum = 0;
    binomial(n, share, p);
    for (int n_c = 0; n_c <= n; n_c++) {
        struct split split;
        struct split_block block = {.n_c = n_c, .n = n, .w_lo = w_lo, .w_hi = w_hi};
        split_init(&split, 5);
        split_update(&split, &block, keyed, 1);
        sum += p[n_c] * 2 * exp(split.log_m[component]);
    }
    return sum;
}

static double with_odds(double w, double factor)
{
    double odds = factor * w / (1 - w);
    return odds / (1 + odds);
}

Test(decision_evalue, split_holds_inside_its_band)
{
    static const int sizes[] = {1, 6, 30};
    static const double lows[] = {.01, .05, .5, .9}, widths[] = {1, 1.1};
    enum { UP, DOWN = SPLIT_GRID / 2 };
    double most = 0, above = 0, below = 0;
    for (int i = 0; i < 3 * 4 * 2 * 2; i++) {
        int n = sizes[i % 3];
        double lo = lows[i / 3 % 4], hi = fmin(.99, lo * widths[i / 12 % 2]),
               band = i / 24 == 0 ? 1.05 : 1.25;
        bool keyed = i / 24 == 1;
        for (int j = 0; j < SPLIT_GRID; j++) {
            most = fmax(most, split_expected(n, with_odds(lo, 1 / band), lo, hi, keyed, j));
            most = fmax(most, split_expected(n, with_odds(hi, band), lo, hi, keyed, j));
            most = fmax(most, split_expected(n, (lo + hi) / 2, lo, hi, keyed, j));
        }
        if (n == 6 && lo > .02 && lo < .6) { /* small enough for the cap to take nothing from r = 1.2 */
            double up = split_expected(n, with_odds(hi, 1.1 * band), lo, hi, keyed, UP),
                   down = split_expected(n, with_odds(lo, 1 / (1.1 * band)), lo, hi, keyed, DOWN);
            cr_expect_gt(up, 1, "the control proves nothing: %.9f", up);
            cr_expect_gt(down, 1, "the control proves nothing: %.9f", down);
            above++;
            below++;
        }
    }
    cr_expect_leq(most, none_above, "%.12f", most);
    cr_expect(above > 4 && below > 4);
}

Test(decision_evalue, ni_ratio_holds_under_its_null, .timeout = 20)
{
    static const double margins[] = {1.2, 1.5, 2.0, 4.0}, alternatives[] = {1.0, 0.6};
    double most = 0;
    for (int n_c = 1; n_c <= 12; n_c++)
        for (int n_b = 1; n_b <= 18; n_b++)
            for (int bad = 0; bad <= n_c + n_b; bad++)
                for (int i = 0; i < 8; i++) {
                    double margin = margins[i / 2], alt = alternatives[i % 2];
                    most = fmax(most, ratio_expected(n_c, n_b, bad, margin, alt, margin));
                    most = fmax(most, ratio_expected(n_c, n_b, bad, 5 * margin, alt, margin));
                }
    cr_expect_leq(most, none_above, "%.12f", most);
    double beyond = ratio_expected(12, 18, 8, 1.0, 1.0, 2.0);
    cr_expect_gt(beyond, 1, "the control proves nothing: %.6f", beyond);
}

static double add_expected(int n_c, int n_b, double p_c, double p_b, double theta, double delta)
{
    double canary[N_MAX], stable[N_MAX], sum = 0;
    binomial(n_c, p_c, canary);
    binomial(n_b, p_b, stable);
    for (int i = 0; i <= n_c; i++)
        for (int j = 0; j <= n_b; j++)
            sum += canary[i] * stable[j] * exp(evalue_ni_add(&(struct counts){n_c, i, n_b, j}, theta, delta));
    return sum;
}

Test(decision_evalue, ni_add_holds_under_its_null)
{
    static const int arms[][2] = {{1, 1}, {1, 9}, {3, 7}, {6, 6}, {8, 3}};
    static const double deltas[] = {.01, .05, .2}, thetas[] = {.002, .02, .1, .5},
                        rates[] = {0, .01, .05, .3, .7};
    double most = 0;
    for (int a = 0; a < 5; a++)
        for (int i = 0; i < 3 * 4 * 5 * 2; i++) {
            double delta = deltas[i % 3], theta = thetas[i / 3 % 4], p_b = rates[i / 12 % 5];
            double p_c = p_b + delta + (i / 60 != 0 ? 0.05 : 0);
            most = fmax(most, add_expected(arms[a][0], arms[a][1], p_c, p_b, theta, delta));
        }
    cr_expect_leq(most, none_above, "%.12f", most);
    double beyond = add_expected(8, 3, 0.1, 0.1, 0.1, 0.2);
    cr_expect_gt(beyond, 1, "the control proves nothing: %.6f", beyond);
}

static double absolute_expected(int n, double share, double ceiling, int j)
{
    double p[N_MAX], sum = 0;
    binomial(n, share, p);
    for (int k = 0; k <= n; k++) {
        double log_e[EVIDENCE_GRID];
        evalue_absolute(n, k, ceiling, log_e);
        sum += p[k] * exp(log_e[j]);
    }
    return sum;
}

Test(decision_evalue, absolute_holds_under_its_null)
{
    static const int sizes[] = {1, 5, 20};
    static const double ceilings[] = {0.01, 0.1, 0.5, 0.95};
    for (int i = 0; i < 3 * 4 * EVIDENCE_GRID; i++) {
        int n = sizes[i % 3], j = i / 12;
        double c = ceilings[i / 3 % 4];
        cr_expect_leq(absolute_expected(n, c, c, j), none_above);
        cr_expect_leq(absolute_expected(n, c / 2, c, j), none_above);
        cr_expect_gt(absolute_expected(n, fmin(1, 1.2 * c), c, j), 1);
    }
}

/* Largest E e^{Y_i - x_i times `harm`} of one block over the grid. */
static double budget_expected(int n_c, int n_b, double p_c, double p_b, double harm)
{
    static const double grid[EVIDENCE_BUDGET_GRID] = {
        1e-4, 3.1622776601683794e-4, 1e-3, 3.1622776601683794e-3,
        1e-2, 3.1622776601683794e-2, 1e-1, 3.1622776601683794e-1};
    double canary[N_MAX], stable[N_MAX], sum[EVIDENCE_BUDGET_GRID] = {0}, most = 0;
    binomial(n_c, p_c, canary);
    binomial(n_b, p_b, stable);
    for (int i = 0; i <= n_c; i++)
        for (int k = 0; k <= n_b; k++) {
            struct sli_evidence sli;
            budget_init(&sli);
            budget_update(&sli, &(struct sli_counts){.strata = 1, .stratum = {{n_c, i, n_b, k}}}, 1);
            for (int x = 0; x < EVIDENCE_BUDGET_GRID; x++)
                sum[x] += canary[i] * stable[k] * exp(sli.budget_y[x] - grid[x] * harm);
        }
    for (int x = 0; x < EVIDENCE_BUDGET_GRID; x++)
        most = fmax(most, sum[x]);
    return most;
}

Test(decision_evalue, budget_holds_under_its_null)
{
    static const int arms[][2] = {{1, 1}, {3, 7}, {8, 3}, {6, 12}, {12, 2}};
    static const double stable[] = {0, .01, .1, .4}, canary[] = {0, .01, .1, .4, .7};
    double most = 0, beyond = 0;
    for (int i = 0; i < 5 * 4 * 5; i++) {
        int n_c = arms[i % 5][0], n_b = arms[i % 5][1];
        double p_b = stable[i / 5 % 4], p_c = canary[i / 20];
        double harm = p_c > p_b ? n_c * (p_c - p_b) : 0;
        most = fmax(most, budget_expected(n_c, n_b, p_c, p_b, harm));
        beyond = fmax(beyond, budget_expected(n_c, n_b, p_c, p_b, harm / 2));
    }
    cr_expect_leq(most, none_above, "%.12f", most);
    cr_expect_gt(beyond, 1, "the control proves nothing: %.6f", beyond);
}

/* The recent e-value at its boundary: mean at most 1 and rarely proven, at a fixed time. */
Test(decision_evalue, recent_holds_at_a_fixed_time)
{
    enum { RUNS = 4000 };
    struct dice dice = dice_seeded(5);
    double sum = 0;
    int proven = 0;
    for (int run = 0; run < RUNS; run++) {
        double log_r[EVIDENCE_GRID];
        recent_init(log_r);
        for (int block = 0; block < 12; block++) {
            double log_e[EVIDENCE_GRID];
            evalue_absolute(20, dice_binomial(&dice, 20, 0.05), 0.05, log_e);
            recent_update(log_r, 30, log_e);
        }
        sum += recent_value(log_r);
        proven += recent_proven(log_r);
    }
    cr_expect_lt(sum / RUNS, 1.2, "%.3f", sum / RUNS);
    cr_expect_leq(proven, RUNS / 20, "%d", proven);
}

Test(decision_evalue, constants)
{
    double log_e[EVIDENCE_GRID], log_r[EVIDENCE_GRID] = {0};
    evalue_absolute(1, 1, 1e-300, log_e);
    for (int j = 0; j < EVIDENCE_GRID; j++) {
        cr_expect(fabs(log_e[j] - log(ratios[j])) < 1e-15, "r_%d", j);
        log_e[j] = 100;
    }
    recent_update(log_r, 1, log_e);
    cr_expect(fabs(recent_value(log_r) - 320) < 1e-12);
}

Test(decision_evalue, one_block_proves_at_twenty)
{
    double log_e[EVIDENCE_GRID] = {0};
    log_e[3] = log(20.0 * EVIDENCE_GRID - (EVIDENCE_GRID - 1) - 0.01);
    cr_expect_not(recent_block_proves(log_e));
    log_e[3] = log(20.0 * EVIDENCE_GRID - (EVIDENCE_GRID - 1) + 0.01);
    cr_expect(recent_block_proves(log_e));
}

Test(decision_evalue, theta_keeps_off_its_ends)
{
    static const double guesses[] = {0, 1e-300, 1};
    static const struct counts blocks[] = {{50, 0, 50, 0}, {50, 50, 50, 50}, {50, 50, 50, 0}};
    for (int i = 0; i < 9; i++) {
        struct sli_evidence sli;
        evidence_sli_init(&sli, 5);
        ni_start(&sli, guesses[i / 3]);
        ni_update(&sli, &(struct sli_counts){.strata = 1, .stratum = {blocks[i % 3]}}, 2, 0.01, 1);
        cr_expect(isfinite(ni_log(&sli)) && ni_log(&sli) < 10, "%d: %g", i, ni_log(&sli));
    }
}

Test(decision_evalue, nothing_is_no_evidence)
{
    static const struct counts nothing[] = {{0, 0, 90, 3}, {9, 3, 0, 0}, {9, 0, 90, 0}, {0, 0, 0, 0}};
    for (int i = 0; i < 4; i++) {
        double log_e[EVIDENCE_GRID];
        evalue_relative(&nothing[i], 1.1, log_e);
        for (int j = 0; j < EVIDENCE_GRID; j++)
            cr_expect(log_e[j] == 0);
        cr_expect(evalue_ni_ratio(&nothing[i], 0.6, 2) == 0);
        if (i != 2)
            cr_expect(evalue_ni_add(&nothing[i], 0.02, 0.02) == 0);
    }
}

Test(decision_evalue, split_of_the_right_share_never_holds)
{
    struct dice dice = dice_seeded(11);
    int crossed = 0, wrong = 0;
    for (int run = 0; run < 200; run++) {
        struct split right, twice;
        split_init(&right, 5);
        split_init(&twice, 5);
        for (int minute = 0; minute < 60; minute++) {
            struct split_block block = {.start_s = 60 * minute, .n = 200, .w_lo = .05, .w_hi = .05};
            block.n_c = dice_binomial(&dice, block.n, .05);
            split_update(&right, &block, false, 1);
            block.n_c = dice_binomial(&dice, block.n, .10);
            split_update(&twice, &block, false, 1);
        }
        crossed += split_crossed(&right);
        wrong += split_crossed(&twice);
    }
    cr_expect_eq(crossed, 0);
    cr_expect_eq(wrong, 200);
    cr_expect(split_covers_keys(.05, 1e6, 1e7) && !split_covers_keys(.05, 100, 1000) &&
              !split_covers_keys(1, 1e6, 1e7));
}
