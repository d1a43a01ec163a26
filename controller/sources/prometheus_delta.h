/* From two readings of raw counters to what happened in between. Pure. */
#pragma once

#include "base/text.h"
#include "sources/prometheus_vector.h"

struct prometheus_reading {
    double at_s;       /* unix seconds; taken to the millisecond */
    const char *asked; /* what was asked: a cursor of something else counts as none */
    const struct prometheus_answer *requests;
    const struct prometheus_answer *bad[SLI_COUNT]; /* NULL = not measured */
};

enum {
    DELTA_KNOWN_S = 300,   /* a series or release unseen for longer begins anew with a baseline */
    DELTA_FORGET_S = 3600, /* a series that has vanished is remembered this long */
    DELTA_SERIES_MAX = 2 * PROMETHEUS_SERIES_MAX /* in a cursor, of all selectors, vanished ones included */
};

/* Sets *out and *new_cursor (cleared first) as the take of a source_driver describes. The rules, for each
   series of the two releases:
   - known and not below its last value: counts the difference; a baseline if it was unseen for DELTA_KNOWN_S;
   - below its last value: a reset. The tick is dropped: of this SLI, or of all if it counts requests;
   - new: counts from 0 if a read at most DELTA_KNOWN_S ago saw requests of its release (a new instance, the
   first error), else a baseline;
   - vanished together with all requests of its target (job and instance): remembered, it may come back;
   - vanished while its target still counts requests: the process began anew, which is a reset. Absent in two
   reads it is forgotten, so that its first error afterwards counts from 0. A warned answer or a time that is
   not later than the cursor's gives an unusable tick and the cursor as it was (one more than DELTA_KNOWN_S
   behind: a new baseline). PEER if there is too much to remember or a sum is no count, NO_MEMORY; then
   *new_cursor is empty. */
enum status prometheus_delta(const char *cursor_json, const struct prometheus_reading *reading,
                             struct source_tick *out, struct text *new_cursor,
                             struct fault *fault) MUST_CHECK;
