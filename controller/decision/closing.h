/* What a closed block does to the evidence of its SLI; ticks and replay both come through here. */
#pragma once

#include "decision/evidence.h"

/* Lanes, recent e-values, budget, burn windows, coverage, non-inferiority, totals. The guardrail is used. */
void closing_apply(struct evidence *evidence, const struct policy *policy, const struct plan *plan,
                   const struct block *block);
