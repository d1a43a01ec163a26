/* What the loop tells /metrics, so that nobody else has to ask Postgres for it. */
#pragma once

#include "base/clock.h"
#include "reconcile/observe.h"

/* Publishes where everything stands, at most every 5 s; `next` (0 at first) is the caller's memory of when it
   is due. In one thread at a time. */
enum status numbers_publish(struct db *db, struct mono_time *next, struct fault *fault) MUST_CHECK;

/* A turn of the loop has ended, begun at `began`. */
void numbers_turn(enum status status, struct mono_time began);
/* A tick has ended. `result` holds the evidence that it has committed, NULL if it has none. */
void numbers_tick(enum status status, struct mono_time began, struct observe_result *result);
