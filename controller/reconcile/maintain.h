/* What must be done now and then: partitions, sums by minute, old keys. */
#pragma once

#include "store/db.h"

/* Does what is due, at most once a minute in all replicas together (an advisory lock decides who). Own
 * transactions. */
enum status maintain(struct db *db, struct fault *fault) MUST_CHECK;
