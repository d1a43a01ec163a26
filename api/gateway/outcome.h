/* One outcome, however it was reported, and how it counts.

   An SLI of an outcome is true (bad), false (good) or absent: absent counts nowhere. It counts in the second
   in which its request was admitted, as long as the request is not older than that SLI's maturity. Later bad
   ones are noted apart, since the second may have been judged already; the request itself still counts until
   it is late in every SLI. Pure. */
#pragma once

#include "base/clock.h"
#include "gateway/rules.h"
#include "sources/counts.h"

#include <stdbool.h>
#include <stdint.h>

enum { OUTCOME_AGE_MAX_MS = 86400000 };

enum outcome_judged { OUTCOME_ABSENT, OUTCOME_GOOD, OUTCOME_BAD };

struct outcome {
    const char *release, *stratum; /* lent */
    int64_t age_ms;                /* of its admission, when the batch was made */
    enum outcome_judged sli[SLI_COUNT];
    bool has[COUNTS_SUMS];
    double value[COUNTS_SUMS];
    int64_t ttft_ms, latency_ms; /* -1 = absent */
};

/* Second of the database's clock in which something happened `age_ms` before `now`. */
int64_t outcome_bucket(struct wall_time now, int64_t age_ms);
/* Holds what was measured against the thresholds; what the sender has judged itself stays. */
void outcome_judge(struct outcome *outcome, const struct rules *rules);
/* Adds it to the entry of its release, stratum and second. `lag_ms`: from when the batch was made until it
   arrived. */
void outcome_count(const struct outcome *outcome, const struct rules *rules, int64_t lag_ms,
                   struct counts_entry *entry);
