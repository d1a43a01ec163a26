/* Counts of requests on their way into Postgres: keys of batches that were counted, rows of counts, and who
   reported. All three belong to one transaction of the caller's; each locks its rows in the order it is
   given, so the caller sorts, and several writers never wait for each other in a circle. */
#pragma once

#include "decision/sli.h"
#include "store/db.h"

enum {
    OBSERVATION_SUMS = 6 /* latency_ms, ttft_ms, input tokens, output tokens, cost in 1/1,000,000, score */
};

/* One second of admissions of one release and stratum at one gateway. Text is lent. */
struct observation_row {
    const char *service, *release, *gateway, *stratum;
    int64_t bucket_s; /* seconds since 1970 of serin_now() */
    int64_t admissions, outcomes, late_outcomes;
    int64_t n[SLI_COUNT], k[SLI_COUNT], late[SLI_COUNT], absent[SLI_COUNT];
    double sums[OBSERVATION_SUMS];
    int64_t summed[OBSERVATION_SUMS];
    int64_t interval_s; /* up to bucket_s, in which they ended; 0 = counted by admission */
};

/* Adds the counts to the rows of the same key, or makes them. `rows` are sorted by (service, bucket_s,
   release, gateway, stratum) and no key occurs twice. The caller's transaction. */
enum status observations_add(struct db *db, const struct observation_row *rows, size_t count,
                             struct fault *fault) MUST_CHECK;

struct ingest_key {
    const char *gateway, *key; /* lent */
    bool fresh;                /* out: nobody had counted it */
};

/* Notes that these batches are counted, and sets `fresh` of those that were not before. Sorted by (gateway,
   key), none twice. Waits for another transaction that is just counting one of them. The caller's
   transaction. */
enum status observations_claim(struct db *db, struct ingest_key *keys, size_t count,
                               struct fault *fault) MUST_CHECK;

struct ingest_reporter {
    const char *service, *instance; /* lent */
};

/* Notes that these gateways have reported now. One that also asks for routes counts as heard by it; one that
   only reports holds no canary weight, and nobody waits for it. Sorted by (service, instance), none twice. */
enum status observations_reported(struct db *db, const struct ingest_reporter *reporters, size_t count,
                                  struct fault *fault) MUST_CHECK;
