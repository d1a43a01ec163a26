/* Other ways to weigh the same blocks. */
#include "variant.h"

#include "decision/lane.h"

#include <math.h>

/* Supports wider than this are left to the bound: it is as good there, and sums would be long. */
static const double support_most = 100;

void variant_begin(struct variant_lane *lane)
{
    for (int j = 0; j < VARIANT_GRID_MAX; j++)
        lane->log_m[j] = -INFINITY;
    lane->u = 1;
    lane->t_prev = lane->origin = -1;
}

/* ln P(k_c | K) when the odds ratio is `odds`: Fisher's noncentral
   hypergeometric law, by the ratios of neighbouring terms. */
static double log_share(const struct counts *counts, double odds)
{
    double n_c = (double)counts->n_c, n_b = (double)counts->n_b, bad = (double)(counts->k_c + counts->k_b);
    double low = bad > n_b ? bad - n_b : 0, high = bad < n_c ? bad : n_c, k_c = (double)counts->k_c;
    double term = 1, sum = 1, unit = 0, at = low < k_c ? 0 : 1, at_unit = 0;
    for (double k = low; k < high; k++) {
        term *= odds * (n_c - k) * (bad - k) / ((k + 1) * (n_b - bad + k + 1));
        sum += term;
        if (k + 1 <= k_c) {
            at = term;
            at_unit = unit;
        }
        if (sum > 1e200) {
            term *= 1e-200;
            sum *= 1e-200;
            unit += 460.51701859880916; /* ln 1e200 */
        }
    }
    return (log(at) + at_unit) - (log(sum) + unit);
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
    double support = fmin((double)(counts->k_c + counts->k_b), (double)counts->n_c), null = 0;
    bool exact = variant->exact && support <= support_most && !nothing;
    if (exact)
        null = log_share(counts, tolerance);
    for (int j = 0; j < variant->odds; j++) {
        double r = variant->odd[j], log_e = 0;
        if (!nothing)
            log_e = exact ? log_share(counts, tolerance * r) - null : bound(counts, tolerance, r);
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
