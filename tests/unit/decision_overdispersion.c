/* Overdispersion from two halves: chance gives about 1, noise of the halves more, and too little data
 * nothing. */
#include "decision_support.h"

#include "decision/overdispersion.h"

#include <criterion/criterion.h>
#include <math.h>

/* `blocks` of 100 requests, half in each half. `swing`: how far each half's rate moves by itself from block
 * to block. */
static struct overdispersion measure(uint64_t seed, int blocks, double swing)
{
    struct dice dice = dice_seeded(seed);
    struct overdispersion sum = {0};
    for (int i = 0; i < blocks; i++) {
        double common = 0.05 + 0.05 * dice_share(&dice); /* what both halves share is no overdispersion */
        double one = common * (1 + swing * (2 * dice_share(&dice) - 1));
        double other = common * (1 + swing * (2 * dice_share(&dice) - 1));
        overdispersion_add(&sum, 50, dice_binomial(&dice, 50, one), 50, dice_binomial(&dice, 50, other));
    }
    return sum;
}

Test(decision_overdispersion, chance_is_about_one)
{
    double phi = 0;
    struct overdispersion sum = measure(1, 20000, 0);
    cr_assert(overdispersion_phi(&sum, &phi));
    cr_expect(phi >= 1 && phi < 1.06, "%g", phi);
}

Test(decision_overdispersion, noise_of_each_half_is_found)
{
    double phi = 0;
    struct overdispersion sum = measure(2, 20000, 1);
    cr_assert(overdispersion_phi(&sum, &phi));
    /* the rate's own variance, (0.075/sqrt 3)^2 and a little, on 50 requests, over p (1 - p) */
    cr_expect(phi > 2.0 && phi < 2.8, "%g", phi);
}

Test(decision_overdispersion, too_little_says_nothing)
{
    double phi = -1;
    struct overdispersion sum = measure(3, OVERDISPERSION_BLOCKS_MIN - 1, 0);
    cr_expect_leq(sum.blocks, OVERDISPERSION_BLOCKS_MIN - 1);
    cr_expect_not(overdispersion_phi(&sum, &phi));
    struct overdispersion empty = {0};
    overdispersion_add(&empty, 0, 0, 50, 1);
    overdispersion_add(&empty, 50, 0, 50, 0);
    overdispersion_add(&empty, 50, 50, 50, 50);
    overdispersion_add(&empty, 1, 1, 0, 0);
    cr_expect_eq(empty.blocks, 0);
    cr_expect_eq(phi, -1);
}
