/* Connections that are parked until their route changes or their time is over. One list a gateway thread;
   nothing here is shared. */
#pragma once

#include "base/clock.h"
#include "base/id.h"

#include <stdbool.h>
#include <stddef.h>

struct waiter {
    struct waiter *next, *previous;
    struct mono_time deadline;
    int fd; /* of its connection: to notice that the client has left */
    bool parked;
};

struct waiters {
    struct waiter *first;
    size_t count, maximum;
};

/* At most `maximum` wait at a time: parked connections fill up the connection limit, and others must get
 * through. */
void waiters_init(struct waiters *waiters, size_t maximum);
/* Parks `waiter`, whose deadline and fd are set. False if there is no room. */
bool waiters_park(struct waiters *waiters, struct waiter *waiter);
/* Takes it out of the list; one that is not parked is fine. */
void waiters_leave(struct waiters *waiters, struct waiter *waiter);
/* The first deadline; false if nobody waits. */
bool waiters_earliest(const struct waiters *waiters, struct mono_time *out);
/* Takes out every waiter for which `due` is true, and calls `wake` for it. Returns how many. */
size_t waiters_wake(struct waiters *waiters, bool (*due)(void *argument, struct waiter *waiter),
                    void (*wake)(void *argument, struct waiter *waiter), void *argument);
/* Takes out those whose client has closed its side, and calls `wake`. Returns how many. */
size_t waiters_wake_gone(struct waiters *waiters, void (*wake)(void *argument, struct waiter *waiter),
                         void *argument);
