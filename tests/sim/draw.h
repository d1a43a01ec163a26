/* Seeded random numbers for the simulations: exact in distribution, and the same on every machine of one
 * libm. */
#pragma once

#include <stdint.h>

struct draw {
    uint64_t state[4]; /* xoshiro256++ (Blackman, Vigna) */
};

/* One stream for each (seed, stream). */
struct draw draw_seeded(uint64_t seed, uint64_t stream);
double draw_share(struct draw *draw);                          /* (0, 1) */
double draw_normal(struct draw *draw);                         /* mean 0, variance 1 */
double draw_exponential(struct draw *draw, double mean);       /* mean >= 0 */
double draw_beta(struct draw *draw, double a, double b);       /* a, b > 0 */
int64_t draw_poisson(struct draw *draw, double mean);          /* mean >= 0 */
int64_t draw_binomial(struct draw *draw, int64_t n, double p); /* n >= 0, 0 <= p <= 1 */
