/* Giving ticks to the evidence of an observation, and keeping the blocks that they close. */
#pragma once

#include "reconcile/observe.h"

/* Evidence time (s) of the first tick that `sli` has not had. */
int64_t ticks_next(const struct rollout_state *state, enum sli sli);

/* One tick of one SLI (see evidence_tick); closed blocks are appended to result->blocks. */
enum status ticks_give(struct observe_result *result, enum sli sli, double t_s, double dt_s,
                       const struct sli_counts *counts, struct fault *fault) MUST_CHECK;
