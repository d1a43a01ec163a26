/* Serin's own metrics of the gateway port. Counters are written by one thread each and read by any. */
#pragma once

#include "base/text.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum metric_path {
    METRIC_ROUTES,
    METRIC_OFREP,
    METRIC_OUTCOMES,
    METRIC_CONTENT,
    METRIC_TRACES,
    METRIC_POINTS, /* OTLP's metrics */
    METRIC_LOGS,
    METRIC_LIVEZ,
    METRIC_READYZ,
    METRIC_METRICS,
    METRIC_OTHER,
    METRIC_PATHS
};

enum { METRIC_CODES = 16 };
extern const unsigned metric_code[METRIC_CODES]; /* the last one is 0: any other */

struct metric_thread {
    atomic_llong requests[METRIC_PATHS][METRIC_CODES];
    atomic_llong parked;
};

enum { METRIC_REASONS = 64 };

struct metric_shared {
    atomic_llong outcomes_accepted, outcomes_rejected; /* items */
    /* Why OTLP was not counted, as the log said it: the digest of a reason, and below it the second of the
       monotonic clock (32 bits each); 0 = none. */
    _Atomic uint64_t otlp_said[METRIC_REASONS];
};

void metric_request(struct metric_thread *metrics, enum metric_path path, unsigned code);

struct gateway;
struct snapshot;
/* Appends everything in Prometheus' text format. `snapshot` may be NULL. */
void metrics_write(struct gateway *gateway, const struct snapshot *snapshot, struct text *out);
