/* Seeded random numbers for the simulations. */
#include "draw.h"

#include <math.h>

static const double few = 40; /* means below it are drawn event by event */

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

static double normal(struct draw *draw)
{
    for (;;) { /* Marsaglia's polar method */
        double x = 2 * draw_share(draw) - 1, y = 2 * draw_share(draw) - 1, r = x * x + y * y;
        if (r > 0 && r < 1)
            return x * sqrt(-2 * log(r) / r);
    }
}

/* Marsaglia, Tsang; shape >= 1. */
static double gamma_of(struct draw *draw, double shape)
{
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = normal(draw), v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(draw_share(draw)) < x * x / 2 + d - d * v + d * log(v))
            return d * v;
    }
}

/* n p small: from one bad outcome to the next. */
static int64_t binomial_by_gaps(struct draw *draw, int64_t n, double p)
{
    int64_t k = 0;
    double at = 0, step = log1p(-p);
    if (p <= 0)
        return 0;
    for (;;) {
        at += ceil(log(draw_share(draw)) / step);
        if (at > (double)n)
            return k;
        k++;
    }
}

/* Splits the n uniforms at one of their order statistics, a beta variable (Devroye, X.4). */
int64_t draw_binomial(struct draw *draw, int64_t n, double p)
{
    if (p > 0.5)
        return n - draw_binomial(draw, n, 1 - p);
    int64_t k = 0;
    while ((double)n * (p < 0.5 ? p : 1 - p) > few) {
        int64_t a = 1 + n / 2, b = n + 1 - a;
        double x = gamma_of(draw, (double)a), y = gamma_of(draw, (double)b), middle = x / (x + y);
        if (middle >= p) {
            n = a - 1;
            p = p / middle;
        } else {
            k += a;
            n = b - 1;
            p = (p - middle) / (1 - middle);
        }
    }
    return k + (p > 0.5 ? n - binomial_by_gaps(draw, n, 1 - p) : binomial_by_gaps(draw, n, p));
}

/* Goes to the time of the m-th arrival, a gamma variable (Ahrens, Dieter). */
int64_t draw_poisson(struct draw *draw, double mean)
{
    int64_t k = 0;
    while (mean > few) {
        int64_t m = (int64_t)(mean * 7 / 8);
        double x = gamma_of(draw, (double)m);
        if (x > mean)
            return k + draw_binomial(draw, m - 1, mean / x);
        k += m;
        mean -= x;
    }
    for (double product = draw_share(draw), floor_of = exp(-mean); product > floor_of;
         product *= draw_share(draw))
        k++;
    return k;
}
