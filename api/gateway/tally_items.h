/* What both readers of a batch do with an item that they have read: count it, or list its release as unknown.
 */
#pragma once

#include "gateway/outcome.h"
#include "gateway/tally.h"

enum { TALLY_ITEMS_MAX = 10000, TALLY_COUNT_MAX = 1000000 };
#define TALLY_NUMBER_MAX 9007199254740991 /* 2^53 - 1 */
#define TALLY_SCORE_MAX  1000000.0

struct admission {
    const char *release, *stratum; /* lent; stratum "" = none */
    int64_t count, age_ms;
};

/* What items are counted with. */
struct tally_setting {
    const struct rules *rules;
    struct wall_time now; /* when the batch was made */
    const char *array;    /* name of the member that the items stand in */
};

/* Item `index` of the array. OK or NO_MEMORY. */
enum status tally_count_admission(struct tally *tally, const struct tally_setting *setting, size_t index,
                                  const struct admission *admission) MUST_CHECK;
/* The same. `rescued`: another release answered instead; what was measured may be changed by that. */
enum status tally_count_outcome(struct tally *tally, const struct tally_setting *setting, size_t index,
                                struct outcome *outcome, bool rescued) MUST_CHECK;
/* When a batch that says so was made; notes in *tally how long it was on its way. `clocks` may be NULL. */
struct wall_time tally_place(struct tally *tally, struct clocks *clocks, const char *gateway,
                             int64_t clock_ms, struct wall_time now);
/* tally_read() without tally_scan(). */
enum status tally_read_any(const char *body, size_t length, const struct snapshot *snapshot,
                           struct wall_time now, struct clocks *clocks, const char *gateway, const char *key,
                           struct tally *out, struct fault *fault) MUST_CHECK;
