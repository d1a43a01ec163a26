/* The trace of a decision: the spans of what this process did of it. Names and attributes are in the handbook
   (observing.md). */
#pragma once

#include "store/events.h"
#include "store/routes.h"

/* A decision that was committed here: root, observe, decide, commit. Events without a rule are none. Does not
 * wait. */
void decision_trace(const struct event_told *told, const struct db_committed *times);

struct decision_applied {
    const char *decision; /* the event that wrote the route; "" = not known, and nothing is said */
    const char *service, *rollout;
    int64_t epoch;
    struct wall_time written_at, applied_at; /* of the database's clock */
    struct wall_time now;                    /* of the same, now */
    double rate;                             /* of that clock */
    const struct route_applier *applier;     /* gateways that have acknowledged it */
    size_t appliers;
    const char *silent; /* as in struct route_unapplied */
};
/* Its route is applied: one span for that, and in it one for each gateway. Does not wait. */
void decision_trace_applied(const struct decision_applied *applied);
