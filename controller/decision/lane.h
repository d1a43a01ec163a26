/* One lane of evidence: an e-process for a fault that begins at an unknown time. Copies of a block e-value's
   product are started all the time with prior mass that sums to 1 (Shiryaev-Roberts mixture; Shin, Ramdas,
   Rinaldo, "E-detectors"). At the close of the block that began at t:
       g = 0.5                                                        first block
         = 0.25 (S(t_prev) - S(t)) + [new step] 0.25/(S_n - 1)        otherwise, S(t) = 1/(1 + t/3600 s)
       U -= g;   ln M_j = logaddexp(ln M_j, ln g) + min(eta le_j, cap);   M = U + mean_j M_j
   Times count from the start of the lane's first block. E M <= 1 at all times under the null, so
   P(sup M >= x) <= 1/x (Ville 1939), however long it runs and however often one looks. eta <= 1 and the cap
   only make it smaller. */
#pragma once

#include "decision/evalue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The prior mass that is not yet invested. */
struct lane_mass {
    double u;
    double origin; /* start of the first block, s; -1 before it */
    double t_prev; /* start of the previous block, s; -1 before the first */
    int32_t steps_left;
};

struct evidence_lane {
    double log_m[EVIDENCE_GRID]; /* -inf before the first block */
    struct lane_mass mass;
};

struct lane_rules {
    double eta, cap;
    int32_t planned_weights; /* S_n, >= 1 */
};

void evidence_lane_init(struct evidence_lane *lane, int32_t planned_weights);
/* Closes the block that began at t_s with the block e-values `log_e`. */
void evidence_lane_update(struct evidence_lane *lane, const struct lane_rules *rules, double t_s,
                          bool new_step, const double log_e[EVIDENCE_GRID]);
/* Bounds each component from above: ln M_j = min(ln M_j, bound). The lane stays below its e-process. */
void evidence_lane_clip(struct evidence_lane *lane, double bound);
double evidence_lane_log(const struct evidence_lane *lane); /* ln M */

/* The same for any number of components (the split check has 10). */
void lane_components_init(struct lane_mass *mass, double *log_m, size_t count, int32_t planned_weights);
void lane_components_update(struct lane_mass *mass, double *log_m, size_t count,
                            const struct lane_rules *rules, double t_s, bool new_step, const double *log_e);
double lane_components_log(const struct lane_mass *mass, const double *log_m, size_t count);

/* ln(e^a + e^b) and ln(sum e^x); -inf is a sum of nothing. */
double ln_add(double a, double b);
double ln_sum(const double *x, size_t count);
