/* With a tolerance of 1 nothing is assumed of the outcomes: whatever they are, and however they hang
   together, the mean of the evidence over all ways of giving the requests to the arms is at most 1. */
#include "decision_support.h"

#include <criterion/criterion.h>
#include <math.h>

enum { REQUESTS_MAX = 14 };

static const double none_above = 1 + 1e-9;

/* Outcomes that come in bursts: each is like the one before with probability `like`. */
static unsigned bursts(struct dice *dice, int n, double p, double like)
{
    unsigned bad = 0, last = dice_share(dice) < p;
    for (int i = 0; i < n; i++) {
        if (dice_share(dice) >= like)
            last = dice_share(dice) < p;
        bad |= last << i;
    }
    return bad;
}

/* The arms of a block whose canary has the requests in `canary`. */
static struct counts split_up(unsigned bad, unsigned canary, int n)
{
    unsigned all = (1u << n) - 1, stable = all & ~canary;
    return (struct counts){__builtin_popcount(canary), __builtin_popcount(bad & canary),
                           __builtin_popcount(stable), __builtin_popcount(bad & stable)};
}

Test(decision_exchange, mean_over_all_assignments_is_at_most_one, .timeout = 60)
{
    struct dice dice = dice_seeded(81);
    double most = 0, least = 2;
    for (int run = 0; run < 300; run++) {
        int n = 2 + (int)dice_below(&dice, REQUESTS_MAX - 1), n_c = 1 + (int)dice_below(&dice, n - 1);
        unsigned bad = bursts(&dice, n, dice_share(&dice), dice_share(&dice));
        double sum[EVIDENCE_GRID] = {0}, count = 0;
        for (unsigned canary = 0; canary < 1u << n; canary++) {
            double log_e[EVIDENCE_GRID];
            if (__builtin_popcount(canary) != n_c)
                continue;
            struct counts counts = split_up(bad, canary, n);
            evalue_relative(&counts, 1, log_e);
            for (int j = 0; j < EVIDENCE_GRID; j++)
                sum[j] += exp(log_e[j]);
            count++;
        }
        for (int j = 0; j < EVIDENCE_GRID; j++) {
            most = fmax(most, sum[j] / count);
            least = fmin(least, sum[j] / count);
        }
    }
    cr_expect_leq(most, none_above, "%.12f", most);
    cr_expect(most > 0.999 && least < 0.9, "the bound is met, and not everywhere: %.6f, %.6f", least, most);
}

/* The same for bursts that were given to an arm as a whole: then it does not hold, and eta is needed. */
Test(decision_exchange, bursts_that_stay_together_need_eta)
{
    double plain = 0, damped = 0;
    for (int side = 0; side < 2; side++) { /* six requests of one user, all bad, on one side */
        double log_e[EVIDENCE_GRID];
        evalue_relative(&(struct counts){6, side == 0 ? 6 : 0, 6, side == 0 ? 0 : 6}, 1, log_e);
        plain += exp(log_e[3]) / 2;
        damped += exp(log_e[3] / 6) / 2;
    }
    cr_expect_gt(plain, 2, "the control proves nothing: %.6f", plain);
    cr_expect_leq(damped, none_above, "%.12f", damped);
}

/* A whole lane, over strata and three blocks of which the later ones hang on the earlier: again all
 * assignments. */
Test(decision_exchange, lanes_keep_it_over_blocks_and_strata, .timeout = 60)
{
    enum { BLOCKS = 3, N = 5 };
    static const int canaries[2] = {2, 1}; /* in stratum 0, in stratum 1 */
    struct dice dice = dice_seeded(82);
    double most = 0;
    for (int run = 0; run < 12; run++) {
        unsigned bad[BLOCKS][2];
        for (int b = 0; b < BLOCKS; b++)
            for (int s = 0; s < 2; s++)
                bad[b][s] = bursts(&dice, N, 0.4, 0.7);
        double sum = 0, count = 0;
        unsigned ways[2][10], found[2] = {0, 0};
        for (int s = 0; s < 2; s++)
            for (unsigned canary = 0; canary < 1u << N; canary++)
                if (__builtin_popcount(canary) == canaries[s])
                    ways[s][found[s]++] = canary;
        unsigned each = found[0] * found[1];
        for (unsigned way = 0; way < each * each * each; way++) {
            struct evidence_lane lane;
            struct lane_rules rules = {.eta = 1, .cap = 1000, .planned_weights = 5};
            evidence_lane_init(&lane, 5);
            unsigned left = way;
            for (int b = 0; b < BLOCKS; b++, left /= each) {
                double log_e[EVIDENCE_GRID] = {0};
                for (int s = 0; s < 2; s++) {
                    double one[EVIDENCE_GRID];
                    unsigned which = s == 0 ? left % each / found[1] : left % each % found[1];
                    struct counts counts = split_up(bad[b][s], ways[s][which], N);
                    evalue_relative(&counts, 1, one);
                    for (int j = 0; j < EVIDENCE_GRID; j++)
                        log_e[j] += one[j];
                }
                evidence_lane_update(&lane, &rules, 100.0 * b, b == 1, log_e);
            }
            sum += exp(evidence_lane_log(&lane));
            count++;
        }
        most = fmax(most, sum / count);
    }
    cr_expect_leq(most, none_above, "%.12f", most);
    cr_expect_gt(most, 0.9, "%.12f", most);
}

/* Which arm is called canary does not matter to what is known of both: with equal arms the evidence of either
   side has the same law. */
Test(decision_exchange, equal_arms_may_be_swapped)
{
    struct dice dice = dice_seeded(83);
    for (int run = 0; run < 200; run++) {
        int n = 2 * (1 + (int)dice_below(&dice, 5));
        unsigned bad = bursts(&dice, n, 0.5, 0.5), all = (1u << n) - 1;
        double one = 0, other = 0;
        for (unsigned canary = 0; canary <= all; canary++) {
            double log_e[EVIDENCE_GRID], swapped[EVIDENCE_GRID];
            if (__builtin_popcount(canary) * 2 != n)
                continue;
            struct counts a = split_up(bad, canary, n), b = split_up(bad, all & ~canary, n);
            evalue_relative(&a, 1, log_e);
            evalue_relative(&b, 1, swapped);
            one += exp(log_e[4]);
            other += exp(swapped[4]);
        }
        cr_assert(near(one, other), "run %d: %g, %g", run, one, other);
    }
}
