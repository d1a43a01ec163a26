/* Which release a request is assigned to. */
#pragma once

#include "demo/route.h"

struct choice {
    const struct route_release *release; /* lent by the route */
    bool canary;
    bool lease_over; /* the canary got nothing because its lease has run out */
};

/* `now` is wall time. `key` is what the service declares to be sticky (a user, a conversation), NULL if the
   request has none; then, and for a service that is not sticky, `draw` decides: a random number 0..9999. */
struct choice chooser_choose(const struct route *route, struct wall_time now, const char *key,
                             size_t key_length, int draw);
