/* The sentence of a rule, filled in for the operator. */
#pragma once

#include "rollout/state.h"

struct reason_context {
    const struct rollout_state *state;
    const struct snapshot *snapshot;
    const char *said;  /* what the actor gave as a reason; NULL = nothing */
    const char *muted; /* names for {muted} and {until} of a mute command; NULL otherwise */
    const char *until;
};

/* Replaces {release}, {lead}, {weight} ... in `sentence` and appends what the actor said. Truncates at
 * `size`. */
void reason_fill(const char *sentence, const struct reason_context *context, char *out, size_t size);

/* A weight in 1/10,000 as "5 %" or "0.25 %". */
void reason_weight(int64_t weight, char *out, size_t size);

/* How each SLI of `set` (1 << sli) is reported, as a sentence without its full stop: "Report ttft (...)". */
void reason_report_as(int64_t set, char *out, size_t size);
/* Of SLIs (1 << sli) that the canary is without in this step: stable had requests, and is without each of
   them too. False where nothing is known of stable: then the canary's reporting alone may be broken. */
bool reason_by_nobody(const struct rollout_state *state, int64_t set);

/* "canary 19 of 120 (15.8 %), stable 31 of 2,280 (1.4 %)". */
void reason_counts(const struct counts *counts, char *out, size_t size);

/* "a healthy canary would look this bad in fewer than 1 of 3,400 rollouts", or "" while the evidence says
 * nothing. */
void reason_odds(double log_g, char *out, size_t size);
