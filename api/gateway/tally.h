/* From a batch of outcomes (schema OutcomeBatch) to counts. Pure: no clock, no threads. */
#pragma once

#include "base/clock.h"
#include "base/fault.h"
#include "base/text.h"
#include "gateway/clocks.h"
#include "gateway/snapshot.h"
#include "sources/counts.h"

enum { TALLY_REJECTED_MAX = 100 };

struct tally_rejected {
    char pointer[48], release[NAME_MAX_LENGTH + 1];
};

struct tally {
    struct counts_delta *delta; /* owned */
    int64_t accepted, rejected; /* items */
    int64_t lag_ms;             /* from when the batch was made until it arrived: it counts for maturity */
    size_t listed;              /* used entries of `first` */
    struct tally_rejected first[TALLY_REJECTED_MAX];
};

/* Reads `body`, which arrived when serin_now() was `now`; `clocks` (may be NULL) says when a batch with
   clock_ms was made. `gateway` and `key` ("" = none) go into the delta. Items of an unknown release are
   rejected one by one; anything else that breaks the schema refuses the whole batch. NOT_FOUND (no such
   service), MALFORMED, INVALID, NO_MEMORY. On success the caller frees with tally_free(); on failure *out
   owns nothing. */
enum status tally_read(const char *body, size_t length, const struct snapshot *snapshot, struct wall_time now,
                       struct clocks *clocks, const char *gateway, const char *key, struct tally *out,
                       struct fault *fault) MUST_CHECK;
void tally_free(struct tally *tally);

/* Appends the answer (schema OutcomeResult). A duplicate says that nothing was counted now. */
void tally_put_result(const struct tally *tally, bool duplicate, struct text *out);
