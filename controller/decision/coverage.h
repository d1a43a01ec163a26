/* Coverage: is an SLI measured less often for canary than for stable? A canary that breaks the judge would
   else look healthy. Per SLI one relative lane with n = outcomes that arrived, k = those of them without the
   SLI, in each stratum for itself, at a tolerance of 1.25; all SLIs together have an alpha of 0.1 % of their
   own: C = sum_s v_s M_s >= 1000 It holds and pages, and never rolls back. Derivation: "Coverage". */
#pragma once

#include "decision/evidence.h"

/* Takes over a block of a canary with weight; latches evidence->coverage_crossed. */
void coverage_update(struct evidence *evidence, const struct policy *policy, const struct block *block);
/* ln C, and the SLI with the largest term in *lead (may be NULL). */
double coverage_log(const struct evidence *evidence, const struct policy *policy, enum sli *lead);
