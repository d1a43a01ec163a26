/* The loop: claim, observe, decide, commit, announce. Each rollout is a straight-line job in a lane; a turn
   of the loop starts the jobs and never blocks. */
#pragma once

#include "store/db.h"

struct reconcile;

struct reconcile_options {
    struct db_pool *pool; /* lent */
    size_t threads;       /* jobs at the same time, 1..16 */
    int64_t lease_s;      /* of a claim on a rollout (real seconds) */
};

/* NULL on no memory or threads. */
struct reconcile *reconcile_new(const struct reconcile_options *options);
/* Begins a turn unless the one before is still being claimed. Never blocks; main thread. */
void reconcile_turn(struct reconcile *reconcile);
/* Stops claiming, waits for the jobs under way, gives the leases back, frees. NULL is fine. */
void reconcile_stop(struct reconcile *reconcile);
