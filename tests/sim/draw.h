/* Seeded random numbers for the simulations: exact, and the same on every machine. */
#pragma once

#include <stdint.h>

struct draw {
    uint64_t state[4]; /* xoshiro256++ (Blackman, Vigna) */
};

/* One stream for each (seed, stream). */
struct draw draw_seeded(uint64_t seed, uint64_t stream);
double draw_share(struct draw *draw);                          /* (0, 1) */
int64_t draw_poisson(struct draw *draw, double mean);          /* mean >= 0 */
int64_t draw_binomial(struct draw *draw, int64_t n, double p); /* n >= 0, 0 <= p <= 1 */
