/* Recent e-values; formulas in the header. */
#include "decision/recent.h"

#include "decision/lane.h"

#include <math.h>

static const double memory_s = 300, proof = 20;
static const double most = 5.7683209957937725; /* ln(2 x 8 x proof) */

void recent_init(double log_r[EVIDENCE_GRID])
{
    for (int j = 0; j < EVIDENCE_GRID; j++)
        log_r[j] = 0;
}

void recent_update(double log_r[EVIDENCE_GRID], double length_s, const double log_e[EVIDENCE_GRID])
{
    double log_kept = -length_s / memory_s, log_new = log(-expm1(log_kept));
    for (int j = 0; j < EVIDENCE_GRID; j++) {
        double r = ln_add(log_r[j] + log_kept, log_new) + log_e[j];
        log_r[j] = r < most ? r : most;
    }
}

double recent_value(const double log_r[EVIDENCE_GRID])
{
    double sum = 0;
    for (int j = 0; j < EVIDENCE_GRID; j++)
        sum += exp(log_r[j]);
    return sum / EVIDENCE_GRID;
}

bool recent_proven(const double log_r[EVIDENCE_GRID])
{
    return recent_value(log_r) >= proof;
}

bool recent_block_proves(const double log_e[EVIDENCE_GRID])
{
    return ln_sum(log_e, EVIDENCE_GRID) >= log(proof * EVIDENCE_GRID);
}
