/* What to say of weights that a gateway cannot apply: it applies the next lower one that it can, and stays
   behind until the route has one that it can. */
#pragma once

#include "decision/policy.h"
#include "rollout/state.h"

enum { COARSE_LIVE_S = 60, COARSE_SAYS_MAX = 320 };

/* "edge-1 cannot apply 0.2 %: its weights are multiples of 0.5 %. It applies 0 %." False, and "", if every
   gateway can apply `weight` (1/10,000). */
bool coarse_says(const struct route_coarsest *coarsest, int32_t weight, char out[COARSE_SAYS_MAX]);
/* "A lower one is 4.5 %. ": a weight below `weight` that every gateway can apply; "" if there is none. */
void coarse_lower(const struct route_coarsest *coarsest, int32_t weight, char *out, size_t size);
/* What to do while the newest route has such a weight; false, and "", while it has not. */
bool coarse_next_step(const struct rollout_state *state, char *out, size_t size);
/* CONFLICT for a plan with such a weight, with the nearest that can be applied. */
enum status coarse_check_plan(const struct route_coarsest *coarsest, const struct plan *plan,
                              const struct policy *policy, struct fault *fault) MUST_CHECK;
