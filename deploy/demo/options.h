/* The command line of serin-demo-gateway. */
#pragma once

#include "demo/arrivals.h"
#include "demo/connection.h"
#include "demo/replay.h"
#include "demo/service.h"

enum { OPTIONS_SERVICES_MAX = 1000, OPTIONS_OVERRIDES_MAX = 64 };

struct options {
    struct connection connection;
    char (*service)[ROUTE_NAME]; /* owned */
    size_t services;
    double rps, clock_scale;
    uint64_t users, seed;
    struct trace trace;
    struct override override[OPTIONS_OVERRIDES_MAX];
    struct replay replay[OPTIONS_OVERRIDES_MAX]; /* of the override of the same index, if it has one */
    size_t overrides;
    long wait_ms, poll_ms, report_ms, duration_ms; /* duration: 0 = until a signal */
    size_t buffer;
    bool fetch_content, show;
    const char *status_file, *arrivals_file, *arrivals_column; /* lent from argv; NULL = none */
};

enum options_result {
    OPTIONS_RUN,
    OPTIONS_DONE /* help was shown */,
    OPTIONS_WRONG /* said on standard error */
};

enum options_result options_read(int argc, char **argv, struct options *out);
void options_free(struct options *options);
