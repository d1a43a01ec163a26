/* Other ways to weigh the same blocks. */
#include "variant.h"

#include "decision/lane.h"

#include <math.h>

/* Supports wider than this are left to the bound: it is as good there, and sums would be long. */
static const double support_most = 400;

void variant_begin(struct variant_lane *lane)
{
    for (int j = 0; j < VARIANT_GRID_MAX; j++)
        lane->log_m[j] = -INFINITY;
    lane->u = 1;
    lane->t_prev = lane->origin = -1;
}

/* ln sum_k C(n_c, k) C(n_b, K - k) o^k, by the ratio of neighbours, in units of its largest term. `at`: ln of
   the term of k_c in the same unit. */
static double log_sum(const struct counts *counts, double odds, double *at)
{
    double n_c = (double)counts->n_c, n_b = (double)counts->n_b, bad = (double)(counts->k_c + counts->k_b);
    double low = bad > n_b ? bad - n_b : 0, high = bad < n_c ? bad : n_c, term = 1, sum = 1, unit = 0;
    *at = 0;
    for (double k = low; k < high; k++) {
        if (k <= (double)counts->k_c && k + 1 > (double)counts->k_c)
            *at = log(term) + unit;
        term *= odds * (n_c - k) * (bad - k) / ((k + 1) * (n_b - bad + k + 1));
        sum += term;
        if (sum > 1e200) {
            term *= 1e-200;
            sum *= 1e-200;
            unit += 200 * log(10);
        }
    }
    if ((double)counts->k_c >= high)
        *at = log(term) + unit;
    return log(sum) + unit;
}

double variant_exact(const struct counts *counts, double w, double r)
{
    double at_null, at_other, null = log_sum(counts, w, &at_null), other = log_sum(counts, w * r, &at_other);
    return (at_other - other) - (at_null - null);
}

static double bound(const struct counts *counts, double w, double r)
{
    double n_c = (double)counts->n_c, k_c = (double)counts->k_c, n_b = (double)counts->n_b;
    double bad = k_c + (double)counts->k_b, good = n_c + n_b - bad, m = fmin(bad, n_c);
    double mu = fmin(bad * w * n_c / (w * n_c + n_b), n_c * w * bad / (w * bad + good));
    return k_c * log(r) - m * log1p(mu / m * (r - 1));
}

static double survival(double t, double plan_s)
{
    return 1 / (1 + t / plan_s);
}

void variant_update(struct variant_lane *lane, const struct variant *variant, double tolerance, double cap,
                    double t_s, const struct counts *counts)
{
    double g = variant->start;
    if (lane->t_prev < 0)
        lane->origin = t_s;
    else
        g = variant->later * (survival(lane->t_prev - lane->origin, variant->plan_s) -
                              survival(t_s - lane->origin, variant->plan_s));
    lane->t_prev = t_s;
    lane->u -= g;
    bool nothing = counts->n_c <= 0 || counts->n_b <= 0 || counts->k_c + counts->k_b <= 0;
    double support = fmin((double)(counts->k_c + counts->k_b), (double)counts->n_c);
    for (int j = 0; j < variant->odds; j++) {
        double r = variant->odd[j], log_e = 0;
        if (!nothing)
            log_e = variant->exact && support <= support_most ? variant_exact(counts, tolerance, r)
                                                              : bound(counts, tolerance, r);
        lane->log_m[j] = ln_add(lane->log_m[j], log(g)) + (log_e < cap ? log_e : cap);
    }
}

double variant_log(const struct variant_lane *lane, const struct variant *variant)
{
    double x[VARIANT_GRID_MAX];
    for (int j = 0; j < variant->odds; j++)
        x[j] = lane->log_m[j] + log(variant->prior[j]);
    return ln_add(log(lane->u), ln_sum(x, (size_t)variant->odds));
}
