/* The budget lane; formulas in the header. */
#include "decision/budget.h"

#include <math.h>

static const double grid[EVIDENCE_BUDGET_GRID] = {
    1e-4, 3.1622776601683794e-4, 1e-3, 3.1622776601683794e-3,
    1e-2, 3.1622776601683794e-2, 1e-1, 3.1622776601683794e-1,
};

void budget_init(struct sli_evidence *sli)
{
    sli->budget_x = 0;
    for (int i = 0; i < EVIDENCE_BUDGET_GRID; i++)
        sli->budget_y[i] = 0;
}

static void update(struct sli_evidence *sli, const struct counts *counts, double eta)
{
    if (counts->n_b <= 0)
        return;
    double k_c = (double)counts->k_c, k_b = (double)counts->k_b,
           rho = (double)counts->n_c / (double)counts->n_b;
    sli->budget_x += k_c - rho * k_b;
    for (int i = 0; i < EVIDENCE_BUDGET_GRID; i++)
        if (rho * grid[i] <= 0.5)
            sli->budget_y[i] += eta * (k_c * log1p(grid[i]) + k_b * log1p(-rho * grid[i]));
}

void budget_update(struct sli_evidence *sli, const struct sli_counts *counts, double eta)
{
    for (int32_t i = 0; i < counts->strata; i++)
        update(sli, &counts->stratum[i], eta);
}

double budget_log(const struct sli_evidence *sli, double harm, double eta)
{
    double x[EVIDENCE_BUDGET_GRID];
    for (int i = 0; i < EVIDENCE_BUDGET_GRID; i++)
        x[i] = sli->budget_y[i] - eta * grid[i] * harm;
    return ln_sum(x, EVIDENCE_BUDGET_GRID) - log((double)EVIDENCE_BUDGET_GRID);
}
