/* Giving ticks to the evidence of an observation, and keeping the blocks that they close. */
#pragma once

#include "reconcile/observe.h"

/* Evidence time (s) of the first tick that `sli` has not had. */
int64_t ticks_next(const struct rollout_state *state, enum sli sli);

/* Admissions of one tick (see evidence_admissions); a closed block is appended to result->split_blocks. */
enum status ticks_admissions(struct observe_result *result, double t_s, double dt_s, int64_t canary,
                             int64_t stable, struct fault *fault) MUST_CHECK;

/* One tick of one SLI (see evidence_tick); closed blocks are appended to result->blocks. */
enum status ticks_give(struct observe_result *result, enum sli sli, double t_s, double dt_s,
                       const struct sli_counts *counts, struct fault *fault) MUST_CHECK;
