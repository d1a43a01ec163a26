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

/* An event that was committed. Lent for the call. */
struct event_told {
    char id[ID_MAX];
    const struct event *event; /* without its data */
    int64_t epoch;             /* of the route that the event's data name; 0 = none */
    int32_t weight;            /* of the canary, of its data, in 1/10,000; -1 = none */
    const char *phase;         /* of its data; NULL = none */
    bool page;
};
/* Calls `listener` for each event that this process has committed, after its transaction, on the thread that
   committed it: it must not wait. Events whose commit is not known are not told. Set once, before threads
   start. */
void events_listen(void (*listener)(void *argument, const struct event_told *told,
                                    const struct db_committed *times),
                   void *argument);

/* Appends `event` to its chain in the caller's transaction (locks the chain's head: take the service's lock
   before) and one outbox row for each webhook that is to hear of it. *id gets its id. */
enum status events_append(struct db *db, const struct event *event, char id[ID_MAX],
                          struct fault *fault) MUST_CHECK;

/* The event of the decision that wrote this epoch; "" if it is not among the newest events of the service. */
enum status events_decision(struct db *db, const char *service, int64_t epoch, char out[ID_MAX],
                            struct fault *fault) MUST_CHECK;
