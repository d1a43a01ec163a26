/* Reproducible random numbers: xoshiro256**, seeded through splitmix64. Not for secrets. */
#pragma once

#include <stdint.h>

struct random {
    uint64_t state[4];
};

void random_seed(struct random *random, uint64_t seed);
uint64_t random_next(struct random *random);
/* 0 <= x < 1. */
double random_unit(struct random *random);
/* 0 <= x < limit, limit > 0; even for limits up to 2^32. */
uint64_t random_below(struct random *random, uint64_t limit);
/* Mean 1. */
double random_exponential(struct random *random);
/* Median and standard deviation of the logarithm. */
double random_log_normal(struct random *random, double median, double sigma);
