/* The whole gateway. */
#include "demo/gateway.h"

#include "base/id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { END_MS = 2000, DRAIN_MS = 5000 };

static enum status make_services(struct gateway *gateway)
{
    const struct options *options = gateway->options;
    gateway->service = calloc(options->services, sizeof *gateway->service);
    if (gateway->service == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (; gateway->services < options->services; gateway->services++) {
        struct service *service = calloc(1, sizeof *service);
        if (service == NULL) {
            return STATUS_NO_MEMORY;
        }
        service_init(service, options->service[gateway->services], options->override, options->overrides);
        gateway->service[gateway->services] = service;
    }
    return STATUS_OK;
}

enum status gateway_start(struct gateway *gateway, const struct options *options)
{
    *gateway =
        (struct gateway){.options = options, .connection = options->connection, .started_at = clock_wall()};
    enum status status = make_services(gateway);
    vclock_start(&gateway->clock, options->clock_scale);
    if (status == STATUS_OK) {
        status =
            route_client_start(&gateway->routes, &gateway->connection, gateway->service, gateway->services,
                               options->wait_ms, options->poll_ms, options->fetch_content);
    }
    if (status == STATUS_OK) {
        status = reporter_start(&gateway->reporter, &gateway->connection, &gateway->clock, gateway->service,
                                gateway->services, options->report_ms, options->buffer);
    }
    if (status == STATUS_OK) {
        status =
            traffic_start(&gateway->traffic, &gateway->clock, &gateway->reporter, gateway->service,
                          gateway->services, &options->trace, options->rps, options->users, options->seed);
    }
    return status;
}

void gateway_stop(struct gateway *gateway)
{
    traffic_stop(&gateway->traffic, END_MS);
    reporter_stop(&gateway->reporter, DRAIN_MS);
    route_client_stop(&gateway->routes);
}

void gateway_free(struct gateway *gateway)
{
    for (size_t i = 0; i < gateway->services; i++) {
        service_free(gateway->service[i]);
        free(gateway->service[i]);
    }
    free(gateway->service);
    gateway->service = NULL;
    gateway->services = 0;
}
