/* Events: append-only, one hash chain for each service and one for the system; with each event its outbox
 * rows. */
#pragma once

#include "base/id.h"
#include "store/db.h"

#include <json-c/json_object.h>

struct event {
    const char *type;                     /* "rollout.advanced" */
    const char *service;                  /* NULL: of the system */
    const char *rollout, *release, *rule; /* NULL = none */
    const char *actor;                    /* name of the token, or "serin" */
    const char *reason;                   /* in words, "" = none */
    struct json_object *data;             /* an object, lent; NULL = {} */
};

/* Appends `event` to its chain in the caller's transaction (locks the chain's head: take the service's lock
   before) and one outbox row for each webhook that is to hear of it. *id gets its id. */
enum status events_append(struct db *db, const struct event *event, char id[ID_MAX],
                          struct fault *fault) MUST_CHECK;
