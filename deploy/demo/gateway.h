/* The whole gateway: its parts, and the order in which they start and stop. */
#pragma once

#include "demo/options.h"
#include "demo/route_client.h"
#include "demo/traffic.h"

struct gateway {
    const struct options *options; /* lent */
    struct connection connection;
    struct vclock clock;
    struct service **service; /* owned */
    size_t services;
    struct route_client routes;
    struct reporter reporter;
    struct traffic traffic;
    struct wall_time started_at;
};

/* Starts everything. The options must outlive the gateway. */
enum status gateway_start(struct gateway *gateway, const struct options *options) MUST_CHECK;
/* Stops the traffic, lets open requests end, sends the reports that wait, stops the rest. The services and
   counts stay readable until gateway_free(). */
void gateway_stop(struct gateway *gateway);
void gateway_free(struct gateway *gateway);
