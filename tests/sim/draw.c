/* Seeded random numbers for the simulations. */
#include "draw.h"

#include <math.h>
#include <stdbool.h>

static const double few = 10; /* means below it are drawn by inversion, above it by transformed rejection */

static uint64_t rotate(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static uint64_t bits(struct draw *draw)
{
    uint64_t *s = draw->state, result = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

struct draw draw_seeded(uint64_t seed, uint64_t stream)
{
    struct draw draw;
    uint64_t x = seed * 0x9e3779b97f4a7c15u ^ stream * 0xd1342543de82ef95u;
    for (int i = 0; i < 4; i++) { /* splitmix64 */
        uint64_t z = x += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        draw.state[i] = z ^ z >> 31;
    }
    return draw;
}

double draw_share(struct draw *draw)
{
    return ((double)(bits(draw) >> 11) + 0.5) / 9007199254740992.0;
}

double draw_normal(struct draw *draw)
{
    for (;;) { /* Marsaglia's polar method */
        double x = 2 * draw_share(draw) - 1, y = 2 * draw_share(draw) - 1, r = x * x + y * y;
        if (r > 0 && r < 1)
            return x * sqrt(-2 * log(r) / r);
    }
}

double draw_exponential(struct draw *draw, double mean)
{
    return -mean * log(draw_share(draw));
}

/* Marsaglia, Tsang; for shape < 1 by their power of a uniform. */
static double gamma_of(struct draw *draw, double shape)
{
    if (shape < 1)
        return gamma_of(draw, shape + 1) * pow(draw_share(draw), 1 / shape);
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = draw_normal(draw), v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(draw_share(draw)) < x * x / 2 + d - d * v + d * log(v))
            return d * v;
    }
}

double draw_beta(struct draw *draw, double a, double b)
{
    double x = gamma_of(draw, a), y = gamma_of(draw, b);
    return x + y > 0 ? x / (x + y) : a / (a + b);
}

/* ln k! - ((k + 1/2) ln(k + 1) - (k + 1) + ln(2 pi)/2), by its asymptotic series; exact below 10. */
static double stirling(double k)
{
    static const double exact[10] = {
        0.0810614667953272582, 0.0413406959554092941, 0.0276779256849983391, 0.0207906721037650931,
        0.0166446911898211922, 0.0138761288230707480, 0.0118967099458917701, 0.0104112652619720965,
        0.0092554621827127329, 0.0083305634333631260,
    };
    if (k < 10)
        return exact[(int)k];
    double x = k + 1, y = x * x;
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / y) / y) / x;
}

static int64_t poisson_by_inversion(struct draw *draw, double mean)
{
    double u = draw_share(draw), p = exp(-mean);
    int64_t k = 0;
    while (u > p && p > 0) {
        u -= p;
        p *= mean / (double)++k;
    }
    return k;
}

/* Hoermann 1993, "The transformed rejection method for generating Poisson random variables" (PTRS). */
int64_t draw_poisson(struct draw *draw, double mean)
{
    if (mean < few)
        return poisson_by_inversion(draw, mean);
    double b = 0.931 + 2.53 * sqrt(mean), a = -0.059 + 0.02483 * b, inverse = 1.1239 + 1.1328 / (b - 3.4);
    double sure = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        double u = draw_share(draw) - 0.5, v = draw_share(draw), us = 0.5 - fabs(u);
        double k = floor((2 * a / us + b) * u + mean + 0.43);
        if (us >= 0.07 && v <= sure)
            return (int64_t)k;
        if (k < 0 || (us < 0.013 && v > us))
            continue;
        double log_factorial = (k + 0.5) * log(k + 1) - (k + 1) + 0.91893853320467274178 + stirling(k);
        if (log(v * inverse / (a / (us * us) + b)) <= -mean + k * log(mean) - log_factorial)
            return (int64_t)k;
    }
}

static int64_t binomial_by_inversion(struct draw *draw, int64_t n, double p)
{
    double u = draw_share(draw), odds = p / (1 - p), step = odds * ((double)n + 1);
    double at = exp((double)n * log1p(-p));
    int64_t k = 0;
    while (u > at && k < n && at > 0) {
        u -= at;
        k++;
        at *= step / (double)k - odds;
    }
    return k;
}

/* Hoermann 1993, "The generation of binomial random variates" (BTRS). 0 < p <= 1/2, n p >= 10. */
static int64_t binomial_by_rejection(struct draw *draw, double n, double p)
{
    double sd = sqrt(n * p * (1 - p)), b = 1.15 + 2.53 * sd, a = -0.0873 + 0.0248 * b + 0.01 * p;
    double centre = n * p + 0.5, sure = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * sd;
    double odds = p / (1 - p), mode = floor((n + 1) * p);
    for (;;) {
        double u = draw_share(draw) - 0.5, v = draw_share(draw), us = 0.5 - fabs(u);
        double k = floor((2 * a / us + b) * u + centre);
        if (us >= 0.07 && v <= sure)
            return (int64_t)k;
        if (k < 0 || k > n)
            continue;
        double most = (mode + 0.5) * log((mode + 1) / (odds * (n - mode + 1))) +
                      (n + 1) * log((n - mode + 1) / (n - k + 1)) +
                      (k + 0.5) * log(odds * (n - k + 1) / (k + 1)) + stirling(mode) + stirling(n - mode) -
                      stirling(k) - stirling(n - k);
        if (log(v * alpha / (a / (us * us) + b)) <= most)
            return (int64_t)k;
    }
}

int64_t draw_binomial(struct draw *draw, int64_t n, double p)
{
    if (n <= 0 || p <= 0)
        return 0;
    if (p >= 1)
        return n;
    bool many = p > 0.5;
    double q = many ? 1 - p : p;
    int64_t k =
        (double)n * q < few ? binomial_by_inversion(draw, n, q) : binomial_by_rejection(draw, (double)n, q);
    return many ? n - k : k;
}
