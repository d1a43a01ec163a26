/* Other ways to weigh the same blocks, tried beside the production lane. Each is an e-process under the same
   null, so its false alarms keep the same bound; what differs is the speed. */
#pragma once

#include "decision/evalue.h"

#include <stdbool.h>

enum { VARIANT_GRID_MAX = 12 };

struct variant {
    const char *name;
    bool exact;                /* Fisher's noncentral hypergeometric ratio instead of its Hoeffding bound */
    double start, step, later; /* prior mass: fault at the start, at a step, at any other time */
    double plan_s;             /* time scale of the last */
    int odds;                  /* how many alternatives */
    double odd[VARIANT_GRID_MAX],
        prior[VARIANT_GRID_MAX]; /* odds ratios beyond the tolerance; the priors sum to 1 */
};

struct variant_lane {
    double log_m[VARIANT_GRID_MAX], u, t_prev, origin;
};

void variant_begin(struct variant_lane *lane);
/* Closes the block that began at t_s. No weight is raised after the start here, so the step mass stays
 * unused. */
void variant_update(struct variant_lane *lane, const struct variant *variant, double tolerance, double cap,
                    double t_s, const struct counts *counts);
double variant_log(const struct variant_lane *lane, const struct variant *variant);
