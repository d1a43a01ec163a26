/* What the gateway has seen, as JSON for programs and as lines for people. */
#pragma once

#include "demo/gateway.h"

/* Writes the JSON file anew (under another name first, so that a reader never sees half of one). False if
 * that fails. */
bool summary_write(const struct gateway *gateway, const char *path);

enum { SUMMARY_SERVICES_MAX = 3 /* lines are printed of these */ };

/* What was counted when the lines were last printed. */
struct summary_lines {
    uint64_t requests[SUMMARY_SERVICES_MAX][SERVICE_RELEASES_MAX],
        finished[SUMMARY_SERVICES_MAX][SERVICE_RELEASES_MAX], bad[SUMMARY_SERVICES_MAX][SERVICE_RELEASES_MAX];
};

/* Prints a line for each of the first services: the route, and the requests since the last call. */
void summary_show(const struct gateway *gateway, struct summary_lines *before);
