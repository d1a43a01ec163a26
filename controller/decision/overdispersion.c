/* Overdispersion; formulas in the header. */
#include "decision/overdispersion.h"

#include <math.h>

void overdispersion_add(struct overdispersion *sum, int64_t n_1, int64_t k_1, int64_t n_2, int64_t k_2)
{
    double a = (double)n_1, b = (double)n_2, n = a + b, k = (double)k_1 + (double)k_2;
    if (n_1 <= 0 || n_2 <= 0 || n < 2 || k <= 0 || k >= n)
        return;
    double off = (double)k_1 - a * k / n;
    sum->squares += off * off;
    sum->expected += a * b * k * (n - k) / (n * n * (n - 1));
    sum->blocks++;
}

bool overdispersion_phi(const struct overdispersion *sum, double *phi)
{
    if (sum->blocks < OVERDISPERSION_BLOCKS_MIN || !(sum->expected > 0))
        return false;
    double raw = sum->squares / sum->expected;
    *phi = (raw > 1 ? raw : 1) * (1 + 2 * sqrt(2 / (double)sum->blocks));
    return true;
}
