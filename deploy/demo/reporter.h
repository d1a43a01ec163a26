/* Reports to Serin what came of requests: collects, sends a batch for each service at an interval, and
   repeats it under the same key until it is known to be kept. Bounded: while Serin does not answer, the
   oldest reports are dropped in the end, and said to be. One thread. */
#pragma once

#include "demo/connection.h"
#include "demo/ring.h"
#include "demo/service.h"
#include "demo/vclock.h"

#include <pthread.h>
#include <stdatomic.h>

/* One service's reports: `ring` waits, `batch` is being sent. */
struct report_lane {
    struct service *service; /* lent */
    pthread_mutex_t lock;    /* guards the ring */
    struct ring ring;
    struct call call;
    struct text body;
    struct report *batch; /* owned; BATCH_MAX */
    size_t batch_count;   /* 0 = nothing is being sent */
    char key[ID_MAX];
    unsigned attempt;
    bool in_flight;
    struct mono_time due, started; /* when to send (again) */
};

struct reporter_counts {
    _Atomic uint64_t batches, repeated, accepted, duplicates, rejected, refused, failures, dropped, waiting;
    _Atomic uint64_t longest_ms; /* a batch from its first attempt to its acknowledgement */
};

struct reporter {
    const struct connection *connection; /* lent */
    const struct vclock *clock;          /* lent */
    struct report_lane *lane;            /* owned; in the order of the services */
    size_t lanes;
    long every_ms; /* real */
    CURLM *multi;
    pthread_t thread;
    bool running;
    atomic_bool draining;
    struct mono_time give_up; /* when draining */
    struct mono_time told;    /* of dropped reports, last */
    struct reporter_counts counts;
};

/* Starts the thread. `buffer` reports a service wait at most. NO_MEMORY; reporter_stop() is fine then too. */
enum status reporter_start(struct reporter *reporter, const struct connection *connection,
                           const struct vclock *clock, struct service *const *services, size_t count,
                           long every_ms, size_t buffer) MUST_CHECK;
/* One request was assigned to a release; later, it ended. `service` is the index. Any thread; never blocks on
 * Serin. */
void reporter_admitted(struct reporter *reporter, size_t service, uint16_t release, int64_t admitted_us);
void reporter_ended(struct reporter *reporter, size_t service, uint16_t release, int64_t admitted_us,
                    const struct outcome *outcome);
/* Sends what waits, for at most `within_ms`, then ends the thread and frees all but the counts. */
void reporter_stop(struct reporter *reporter, long within_ms);
