/* The group commit of counts: many batches, one transaction. Every source that pushes (outcomes, OTLP) turns
   a request into a delta and hands it over here; it is answered when its transaction has ended. */
#pragma once

#include "base/fault.h"
#include "base/id.h"
#include "decision/sli.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    COUNTS_KEY_MAX = 129, /* with NUL */
    COUNTS_SUMS = 6       /* latency_ms, ttft_ms, input tokens, output tokens, cost in 1/1,000,000, score */
};
enum counts_sum {
    SUM_LATENCY_MS,
    SUM_TTFT_MS,
    SUM_INPUT_TOKENS,
    SUM_OUTPUT_TOKENS,
    SUM_COST_MICROS,
    SUM_SCORE
};

struct counts_entry {
    char release[NAME_MAX_LENGTH + 1], stratum[NAME_MAX_LENGTH + 1] /* "" = not declared */;
    int64_t bucket_s; /* second of admission, of the database's clock, since 1970 */
    int64_t admissions, outcomes, late_outcomes;
    int64_t n[SLI_COUNT], k[SLI_COUNT], late[SLI_COUNT], absent[SLI_COUNT];
    double sums[COUNTS_SUMS];
    int64_t summed[COUNTS_SUMS];
    int64_t interval_s; /* up to bucket_s, in which they ended; 0 = counted by admission */
};

/* How the requests of a point count. */
enum counts_verdict {
    COUNTS_NOTHING,
    COUNTS_GOOD,
    COUNTS_BAD,
    COUNTS_ABSENT,
    COUNTS_BAD_ALONE, /* another point says of how many */
    COUNTS_OVER_FIRST,
    COUNTS_OVER_SECOND /* those over a threshold are bad, the others good */
};

struct counts_effect {
    char release[NAME_MAX_LENGTH + 1], stratum[NAME_MAX_LENGTH + 1];
    int64_t bucket_s;
    bool outcomes;              /* they are requests, and not only measured ones */
    bool in_time;               /* else late in every SLI */
    uint32_t mature;            /* bit of each SLI whose bad ones are late */
    uint8_t verdict[SLI_COUNT]; /* enum counts_verdict */
    int sum;                    /* enum counts_sum; -1 = none */
    double scale;               /* of that sum */
};

enum { COUNTS_VALUES = 3 };
/* A point of a counter or histogram that was pushed: of requests that ended between start_ns and time_ns, or,
   if it is cumulative, since the point before, which is known where it is committed. */
struct counts_point {
    uint64_t target[2], series[2]; /* the process; what it counts */
    bool cumulative;
    int64_t start_ns, time_ns;    /* by the sender's clock */
    int64_t shape;                /* another one begins anew */
    int64_t value[COUNTS_VALUES]; /* requests; those over the first, over the second threshold */
    double sum;                   /* NAN = not given */
    struct counts_effect effect;
};

/* What one batch adds. */
struct counts_delta {
    char gateway[NAME_MAX_LENGTH + 1];
    char key[COUNTS_KEY_MAX]; /* "" = none: it may count twice */
    char service[NAME_MAX_LENGTH + 1];
    size_t entries, capacity;
    struct counts_entry *entry; /* owned */
    size_t *slot;               /* owned: hash of (release, stratum, bucket) to entry + 1 */
    size_t slots;
    struct counts_point *point; /* owned */
    size_t points, points_capacity;
    struct counts_delta *ended; /* owned: what the points come to, made in each attempt to commit; or NULL */
};

/* A delta without entries, owned by the caller. `key` may be NULL. NULL on no memory. */
struct counts_delta *counts_delta_new(const char *gateway, const char *key, const char *service);
void counts_delta_free(struct counts_delta *delta); /* NULL is fine */
/* The entry of this release, stratum and second, made with zeros when it is new; lent until the next call.
 * NULL on no memory. */
struct counts_entry *counts_delta_entry(struct counts_delta *delta, const char *release, const char *stratum,
                                        int64_t bucket_s);

/* A point at the end, for the caller to fill in; lent until the next call. NULL on no memory. */
struct counts_point *counts_delta_point(struct counts_delta *delta);

enum counts_result {
    COUNTS_COMMITTED, /* kept, with synchronous_commit=on */
    COUNTS_DUPLICATE, /* its key was counted before; nothing was counted now */
    COUNTS_UNKNOWN    /* not known to be kept: the sender repeats it with the same key */
};

struct counts_writer;
struct counts_options {
    const char *conninfo; /* copied */
    int64_t wait_ms;      /* a batch is answered within this; 0 = 2000 */
    size_t queue_bytes;   /* 0 = 64 MiB */
};

/* Starts the writer. It connects when there is something to write, so that it starts without a database.
   NO_MEMORY or INTERNAL. On success *out is the caller's (counts_stop). */
enum status counts_start(const struct counts_options *options, struct counts_writer **out,
                         struct fault *fault) MUST_CHECK;

/* Hands over a batch, from any thread, without waiting. OK: `delta` now belongs to the writer, and `on_done`
   will be called exactly once, from its thread; it must not block. UNAVAILABLE if the queue is full or the
   writer is stopping: then `delta` stays the caller's and `on_done` is not called. */
enum status counts_submit(struct counts_writer *counts, struct counts_delta *delta,
                          void (*on_done)(void *argument, enum counts_result result),
                          void *argument) MUST_CHECK;

enum { COUNTS_BUCKETS = 12 };
struct counts_stats {
    int64_t flushes[COUNTS_BUCKETS + 1]; /* how many took at most counts_bucket_s[i]; the last: longer */
    double flush_s;                      /* sum */
    int64_t
        waits[COUNTS_BUCKETS + 1]; /* the same of batches: from arrival to the begin of their transaction */
    double wait_s;                 /* sum */
    int64_t committed, duplicate, unknown, refused; /* batches */
    size_t queued_bytes;
};
extern const double counts_bucket_s[COUNTS_BUCKETS];
void counts_read_stats(struct counts_writer *counts, struct counts_stats *out); /* any thread */

/* Flushes what is queued (every on_done is called), joins the writer and frees. Nobody may call
   counts_submit() any more: stop those who do first, and let them wait for their batches. NULL is fine. */
void counts_stop(struct counts_writer *counts);
