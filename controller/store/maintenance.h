/* Sums by minute, partitions, and what may be forgotten. */
#pragma once

#include "store/db.h"

/* Whether minutes are due to be summed. */
enum status maintenance_due(struct db *db, bool *due, struct fault *fault) MUST_CHECK;
/* Sums the complete minutes, makes and drops partitions, forgets old keys, in the caller's transaction. Does
   nothing if another replica is at it. */
enum status maintenance_run(struct db *db, struct fault *fault) MUST_CHECK;
