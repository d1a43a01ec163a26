/* Observing a rollout: counts that have matured since the last tick become evidence. Takes no locks. */
#pragma once

#include "rollout/tick.h"
#include "sources/desk.h"

struct observe_result {
    struct rollout_state *state;      /* as read; owned */
    struct block *blocks;             /* owned */
    struct split_block *split_blocks; /* owned */
    struct observation observation;   /* borrows from the two above */
    int32_t weight_step; /* of the gateway that can apply the fewest weights, 1/10,000; 1 = every weight */
    int64_t blanking_more_s; /* beside the policy's: how long before their second the counts may be of */
};

/* How long (real ms) a batch may take from its arrival to its commit; counts are read after that. Set once
   before threads start; 3000 by default. */
void observe_set_settle(int64_t ms);

/* Reads rollout `id` and what its source has to say, and advances the evidence in memory. Sources that are
   polled are asked by `desk` (NULL where there are none). `lease_epoch` is the claim's. On success *out is
   the caller's (observe_free). A source that fails is no error here: it is said in the observation. */
enum status observe_rollout(struct db *db, struct desk *desk, const char *id, int64_t lease_epoch,
                            struct observe_result *out, struct fault *fault) MUST_CHECK;
void observe_free(struct observe_result *result);
