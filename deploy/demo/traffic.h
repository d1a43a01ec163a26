/* The traffic: users' requests to all services, each assigned to a release, answered by the simulated model,
   and reported. One thread; everything is in virtual time. */
#pragma once

#include "demo/arrivals.h"
#include "demo/heap.h"
#include "demo/reporter.h"

#include <pthread.h>
#include <stdatomic.h>

/* One service's source of requests. */
struct traffic_source {
    struct service *service; /* lent */
    struct arrivals arrivals;
    struct random arrival_random, user_random, model_random; /* apart, so that a route changes no arrival */
};

struct traffic {
    const struct vclock *clock;    /* lent */
    struct reporter *reporter;     /* lent */
    struct traffic_source *source; /* owned */
    size_t sources;
    uint64_t users;
    struct heap heap;
    pthread_t thread;
    bool running;
    atomic_bool closing, stopping; /* no new requests; stop now */
    _Atomic uint64_t open,
        late_ms; /* requests that have not ended; how far the simulation was behind at worst */
};

/* Starts the thread. Each service has `rps` requests a virtual second of `users` different users. NO_MEMORY;
   traffic_stop() is fine then too. */
enum status traffic_start(struct traffic *traffic, const struct vclock *clock, struct reporter *reporter,
                          struct service *const *services, size_t count, const struct trace *trace,
                          double rps, uint64_t users, uint64_t seed) MUST_CHECK;
/* Takes no new requests; those that are open may end for `within_ms` of real time; the rest are forgotten. */
void traffic_stop(struct traffic *traffic, long within_ms);
