/* Recent e-values: is something true lately? A mean of e-values restarted at all past blocks, weights
   exponential in their age and summing to 1. At the close of a block of length L:
       g = exp(-L/300 s);   R_j = min((g R_j + 1 - g) e^{le_j}, 320);   R = mean_j R_j
   E R <= 1 at every fixed time; without data it drifts to 1; the bound (twice what one component needs to
   prove alone) lets it fall at once. Neither eta nor the cap applies. Derivation: "Attribution of a ceiling
   breach". */
#pragma once

#include "decision/evalue.h"

#include <stdbool.h>

void recent_init(double log_r[EVIDENCE_GRID]); /* R = 1 */
void recent_update(double log_r[EVIDENCE_GRID], double length_s, const double log_e[EVIDENCE_GRID]);
double recent_value(const double log_r[EVIDENCE_GRID]); /* R, 0..320 */
bool recent_proven(const double log_r[EVIDENCE_GRID]);  /* R >= 20 */
/* One block proves it by itself: mean_j e^{le_j} >= 20. */
bool recent_block_proves(const double log_e[EVIDENCE_GRID]);
