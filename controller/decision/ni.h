/* Non-inferiority of one SLI in one step: an e-process against "canary is worse than both margins", so proof
   of either margin is enough. With theta = bad/seen of the step's earlier blocks and a prior of 100 requests:
       E = (mean over alternatives 1, 0.6 of E_ratio + E_add)/2
   each the product of its block e-values to the power eta. Proven at E >= S_n/alpha_NI. Promotion needs all
   SLIs at once (intersection-union: no further correction). */
#pragma once

#include "decision/evidence.h"

/* Starts the step's evidence anew. theta0: a guess of the common bad share, from what was seen before. */
void ni_start(struct sli_evidence *sli, double theta0);
/* Block e-values of strata multiply, each with a theta of its own. margin_ratio > 1, margin_add in (0, 1]. */
void ni_update(struct sli_evidence *sli, const struct sli_counts *counts, double margin_ratio,
               double margin_add, double eta);
double ni_log(const struct sli_evidence *sli); /* ln E */
