/* Last values of cumulative series that are pushed to us, as a point of OTLP has them. They are kept with the
   counts that were made of them, so that an export counts once, whichever replica it comes to. */
#pragma once

#include "store/db.h"

enum {
    SERIES_VALUES = 3,
    SERIES_ID = 33,           /* 32 hex digits, with NUL */
    SERIES_TARGET_MAX = 2000, /* of one process */
    SERIES_MAX = 200000       /* of all; a process is forgotten after an hour */
};

struct series_row {
    char target[SERIES_ID], series[SERIES_ID]; /* the process; what it counts */
    int64_t start_ns, time_ns, shape;
    int64_t value[SERIES_VALUES];
    double sum;
};

/* Sorts as the table is read. */
int series_order(const struct series_row *a, const struct series_row *b);
/* Locks the processes until the end of the transaction and reads all that is known of them, in order. *out is
   malloc'ed, the caller's. */
enum status series_take(struct db *db, const char *const *targets, size_t count, struct series_row **out,
                        size_t *rows, struct fault *fault) MUST_CHECK;
/* How many more may be remembered. */
enum status series_room(struct db *db, int64_t *out, struct fault *fault) MUST_CHECK;
/* Remembers; none twice. The caller's transaction. */
enum status series_put(struct db *db, const struct series_row *rows, size_t count,
                       struct fault *fault) MUST_CHECK;
