/* Non-inferiority; formulas in the header. */
#include "decision/ni.h"

#include <math.h>

static const double kappa = 100;           /* requests that theta0 is worth */
static const double theta_edge = 1e-6;     /* theta keeps this far from its ends */
static const double margin_add_max = 0.99; /* the null of a smaller margin holds that of a larger one */
static const double alternatives[2] = {1.0, 0.6};

void ni_start(struct sli_evidence *sli, double theta0)
{
    sli->ni_ratio[0] = sli->ni_ratio[1] = sli->ni_add = 0;
    for (int i = 0; i < STRATA_MAX; i++) {
        sli->ni_bad[i] = theta0 * kappa;
        sli->ni_seen[i] = kappa;
    }
}

static void update(struct sli_evidence *sli, int32_t stratum, const struct counts *counts,
                   double margin_ratio, double margin, double eta)
{
    double *bad = &sli->ni_bad[stratum], *seen = &sli->ni_seen[stratum], theta = *bad / *seen;
    theta = theta > theta_edge ? theta : theta_edge;
    theta = theta < 1 - margin - theta_edge ? theta : 1 - margin - theta_edge;
    for (int i = 0; i < 2; i++)
        sli->ni_ratio[i] += eta * evalue_ni_ratio(counts, alternatives[i], margin_ratio);
    sli->ni_add += eta * evalue_ni_add(counts, theta, margin);
    *bad += (double)counts->k_c + (double)counts->k_b;
    *seen += (double)counts->n_c + (double)counts->n_b;
}

void ni_update(struct sli_evidence *sli, const struct sli_counts *counts, double margin_ratio,
               double margin_add, double eta)
{
    double margin = margin_add < margin_add_max ? margin_add : margin_add_max;
    for (int32_t i = 0; i < counts->strata; i++)
        update(sli, i, &counts->stratum[i], margin_ratio, margin, eta);
}

double ni_log(const struct sli_evidence *sli)
{
    double ratio = ln_add(sli->ni_ratio[0], sli->ni_ratio[1]) - log(2);
    return ln_add(ratio, sli->ni_add) - log(2);
}
