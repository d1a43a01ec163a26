/* The gateway port: routing weights out, outcomes in. It answers from memory, and keeps doing so without a
 * database. */
#pragma once

#include "base/fault.h"

#include <stddef.h>
#include <stdint.h>

struct counts_writer;

struct gateway_options {
    const char *listen;           /* "127.0.0.1:8081", "[::]:8081"; port 0 = a free one. Copied */
    const char *conninfo;         /* copied */
    const char *state_dir;        /* where the last known good routes are kept; NULL = nowhere. Copied */
    struct counts_writer *counts; /* takes the outcomes; lent until gateway_stop() has returned */
    size_t threads;               /* 1..16; 0 = 1 */
    size_t connections;           /* of all threads; 0 = as many as file descriptors allow, at most 19000 */
    int64_t poll_ms;              /* the database is asked for changes at least this often; 0 = 1000 */
    int64_t stale_after_ms; /* answers not checked for this long are marked stale, and not ready; 0 = 10000 */
    int64_t database_wait_ms; /* longest call to the database; 0 = 2000 */
    /* Attributes of spans that name service, release and stratum; NULL = serin.service, serin.release,
       serin.stratum. Copied */
    const char *otlp_service, *otlp_release, *otlp_stratum;
    const char *otlp_counters; /* as genai_counters_read() reads it; NULL = none */
};

struct gateway;

/* Listens, loads the last known good routes, and starts the publisher and the threads. It does not need the
   database to be there. On success *out is the caller's (gateway_stop). INVALID for an address that is none,
   UNAVAILABLE if it is in use, NO_MEMORY, INTERNAL. */
enum status gateway_start(const struct gateway_options *options, struct gateway **out,
                          struct fault *fault) MUST_CHECK;
/* Where it listens: "127.0.0.1:43127". Lent. */
const char *gateway_addr(const struct gateway *gateway);
/* First step of a shutdown: /readyz says 503, parked connections are answered, and none is parked any more.
   Everything else goes on. Any thread; twice is fine. */
void gateway_quiesce(struct gateway *gateway);
/* Stops: no new connections, running jobs end, batches that `counts` has taken are waited for, every request
   that was begun is answered; then all is freed. NULL is fine. */
void gateway_stop(struct gateway *gateway);
