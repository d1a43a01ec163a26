/* Block e-values; formulas in the header. */
#include "decision/evalue.h"

#include <math.h>

static const double odds[EVIDENCE_GRID] = {1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 25.0, 80.0};
static const double log_odds[EVIDENCE_GRID] = {
    0.18232155679395462621, 0.40546510810816438198, 0.69314718055994530942, 1.0986122886681096914,
    1.6094379124341003746,  2.3025850929940456840,  3.2188758248682007492,  4.3820266346738816123,
};

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

void evalue_relative(const struct counts *counts, double w, double log_e[EVIDENCE_GRID])
{
    double n_c = (double)counts->n_c, k_c = (double)counts->k_c, n_b = (double)counts->n_b;
    double bad = k_c + (double)counts->k_b;
    if (n_c <= 0 || n_b <= 0 || bad <= 0) {
        for (int j = 0; j < EVIDENCE_GRID; j++)
            log_e[j] = 0;
        return;
    }
    double good = n_c + n_b - bad, m = smaller(bad, n_c);
    double mu = smaller(bad * (w * n_c) / (w * n_c + n_b), n_c * (w * bad) / (w * bad + good));
    for (int j = 0; j < EVIDENCE_GRID; j++)
        log_e[j] = k_c * log_odds[j] - m * log1p(mu / m * (odds[j] - 1));
}

void evalue_relative_strata(const struct counts *strata, int32_t count, double w, double log_e[EVIDENCE_GRID])
{
    for (int j = 0; j < EVIDENCE_GRID; j++)
        log_e[j] = 0;
    for (int32_t i = 0; i < count; i++) {
        double one[EVIDENCE_GRID];
        evalue_relative(&strata[i], w, one);
        for (int j = 0; j < EVIDENCE_GRID; j++)
            log_e[j] += one[j];
    }
}

void evalue_absolute(int64_t n, int64_t k, double c, double log_e[EVIDENCE_GRID])
{
    for (int j = 0; j < EVIDENCE_GRID; j++)
        log_e[j] = n > 0 ? (double)k * log_odds[j] - (double)n * log1p(c * (odds[j] - 1)) : 0;
}

double evalue_ni_ratio(const struct counts *counts, double alt, double w)
{
    double n_c = (double)counts->n_c, k_c = (double)counts->k_c, n_b = (double)counts->n_b;
    double bad = k_c + (double)counts->k_b;
    if (n_c <= 0 || n_b <= 0 || bad <= 0)
        return 0;
    double b = n_b + w * n_c + (w - 1) * bad, under = b * b - 4 * (w - 1) * w * n_c * bad;
    double mu = 2 * w * n_c * bad / (b + sqrt(under > 0 ? under : 0)); /* below 0 only by rounding */
    double m = smaller(bad, n_c), r = alt / w;
    return k_c * log(r) - m * log1p(smaller(mu, m) / m * (r - 1));
}

double evalue_ripr(double n_c, double n_b, double theta, double delta)
{
    double low = theta > delta ? theta - delta : 0, high = smaller(theta, 1 - delta);
    for (int i = 0; i < 80; i++) {
        double x = 0.5 * (low + high), y = x + delta;
        /* the derivative times x(1-x)y(1-y) > 0: negative below the root */
        if (n_c * (y - theta) * x * (1 - x) + n_b * (x - theta) * y * (1 - y) > 0)
            high = x;
        else
            low = x;
    }
    return 0.5 * (low + high);
}

/* ln of (theta/p)^k ((1-theta)/(1-p))^(n-k) */
static double ratio(int64_t n, int64_t k, double theta, double p)
{
    return (double)k * log(theta / p) + (double)(n - k) * (log1p(-theta) - log1p(-p));
}

double evalue_ni_add(const struct counts *counts, double theta, double delta)
{
    if (counts->n_c <= 0 || counts->n_b <= 0)
        return 0;
    double x = evalue_ripr((double)counts->n_c, (double)counts->n_b, theta, delta);
    return ratio(counts->n_c, counts->k_c, theta, x + delta) + ratio(counts->n_b, counts->k_b, theta, x);
}
