/* From points of counters and histograms that were pushed to counts, in the transaction that commits them.

   Prometheus is asked for all series of a release at once, and one rollout keeps one cursor; here each
   process sends its own series, whenever it likes and to any replica. So the last value of each series is a
   row of its own, and it moves with the counts that were made of it, or not at all. */
#pragma once

#include "sources/counts.h"
#include "store/series.h"

/* What a cumulative point has grown by. */
struct counts_growth {
    bool counts; /* false: a baseline, or nothing new */
    bool keep;   /* the point is the new last value */
    int64_t value[COUNTS_VALUES];
    double sum;          /* NAN = not known */
    int64_t interval_ns; /* in which these requests ended */
};

/* Pure. `last`: the same series with the same start; NULL = none. `known`: the series has been there with
   another start. `heard_ns`: newest point of its process before this request; 0 = never.
   - it has grown since at most DELTA_KNOWN_S: counts the difference;
   - new, and began at most DELTA_KNOWN_S ago and not before the process was last heard (a new process, a
     restart): counts from 0;
   - new in a process that was heard at most DELTA_KNOWN_S ago (the first error): counts from 0;
   - else a baseline: unseen for longer, fallen, made with other thresholds, or new with an old start. */
struct counts_growth counts_points_grow(const struct counts_point *point, const struct series_row *last,
                                        bool known, int64_t heard_ns);

/* Makes delta->ended of each delta, anew. An SLI of which more requests were bad than there were is dropped
   from its second. The caller's transaction, which must be rolled back if this fails. */
enum status counts_points_end(struct db *db, struct counts_delta *const *deltas, size_t count,
                              struct fault *fault) MUST_CHECK;
