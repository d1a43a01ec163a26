/* GET /v1/routes: the routes of all services in one answer, prepared once for each revision.

   A service whose lease has run out is in it with stable alone, so that another one is needed when the next
   lease ends; leases that end within OVERVIEW_EARLY_MS are taken as ended, so that this is not more often
   than once in that time. */
#pragma once

#include "gateway/snapshot.h"

enum { OVERVIEW_EARLY_MS = 1000 };

struct overview {
    struct route_form form;
    bool leased; /* some lease in it has yet to end: it is good only before both of these */
    struct wall_time lapse_wall;
    struct mono_time lapse_mono;
};

/* Of a sealed snapshot, as it is to be served at these times. NULL on no memory. */
struct overview *overview_new(const struct snapshot *snapshot, struct wall_time wall, struct mono_time mono);
void overview_free(struct overview *overview); /* NULL is fine */
/* A lease in it has ended: it must not be served any more. */
bool overview_has_lapsed(const struct overview *overview, struct wall_time wall, struct mono_time mono);
