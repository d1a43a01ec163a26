/* Keeps the routes of all services: polls each with its ETag and the name of this gateway, holds the poll
   open until something changes, and applies what comes. While Serin does not answer, what was applied last
   goes on; its lease ends it. One thread for any number of services. */
#pragma once

#include "demo/content.h"
#include "demo/service.h"

#include <pthread.h>
#include <stdatomic.h>

struct route_poll {
    struct service *service; /* lent */
    struct call call;
    char etag[200]; /* of the route that is applied; "" = none */
    bool in_flight;
    unsigned failures; /* in a row */
    struct mono_time due;
};

struct route_client {
    const struct connection *connection; /* lent */
    struct route_poll *poll;             /* owned */
    size_t polls;
    long wait_ms; /* real; 0 = short polls every `every_ms` */
    long every_ms;
    bool fetch_content;
    struct content content;
    struct call written; /* asks the control port when a route was written */
    bool written_in_flight, written_wanted;
    CURLM *multi;
    pthread_t thread;
    bool running;
    atomic_bool stopping;
};

/* Starts the thread. NO_MEMORY; route_client_stop() is fine then too. */
enum status route_client_start(struct route_client *client, const struct connection *connection,
                               struct service *const *services, size_t count, long wait_ms, long every_ms,
                               bool fetch_content) MUST_CHECK;
void route_client_stop(struct route_client *client);
