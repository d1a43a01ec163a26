/* Reproducible random numbers: xoshiro256** (Blackman and Vigna), seeded through splitmix64. */
#include "base/random.h"

#include <math.h>

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

void random_seed(struct random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15u;
        uint64_t z = seed;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        random->state[i] = z ^ z >> 31;
    }
}

uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double random_unit(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1p-53;
}

uint64_t random_below(struct random *random, uint64_t limit)
{
    return (uint64_t)(random_unit(random) * (double)limit);
}

double random_exponential(struct random *random)
{
    return -log1p(-random_unit(random));
}

double random_log_normal(struct random *random, double median, double sigma)
{
    double radius = sqrt(2 * random_exponential(random));
    return median * exp(sigma * radius * cos(2 * M_PI * random_unit(random)));
}
