/* A list of parked connections. A suspended connection is not watched by the server, so that a client which
   has left is found by asking the sockets now and then. */
#include "gateway/waiters.h"

#include <poll.h>

enum { POLL_AT_ONCE = 512 };

void waiters_init(struct waiters *waiters, size_t maximum)
{
    *waiters = (struct waiters){.maximum = maximum};
}

bool waiters_park(struct waiters *waiters, struct waiter *waiter)
{
    if (waiters->count >= waiters->maximum)
        return false;
    waiter->previous = NULL;
    waiter->next = waiters->first;
    if (waiters->first != NULL)
        waiters->first->previous = waiter;
    waiters->first = waiter;
    waiters->count++;
    waiter->parked = true;
    return true;
}

void waiters_leave(struct waiters *waiters, struct waiter *waiter)
{
    if (!waiter->parked)
        return;
    if (waiter->previous != NULL)
        waiter->previous->next = waiter->next;
    else
        waiters->first = waiter->next;
    if (waiter->next != NULL)
        waiter->next->previous = waiter->previous;
    waiter->next = waiter->previous = NULL;
    waiter->parked = false;
    waiters->count--;
}

bool waiters_earliest(const struct waiters *waiters, struct mono_time *out)
{
    if (waiters->first == NULL)
        return false;
    *out = waiters->first->deadline;
    for (const struct waiter *at = waiters->first->next; at != NULL; at = at->next) {
        if (at->deadline.us < out->us)
            *out = at->deadline;
    }
    return true;
}

size_t waiters_wake(struct waiters *waiters, bool (*due)(void *argument, struct waiter *waiter),
                    void (*wake)(void *argument, struct waiter *waiter), void *argument)
{
    size_t woken = 0;
    for (struct waiter *at = waiters->first, *next; at != NULL; at = next) {
        next = at->next;
        if (!due(argument, at))
            continue;
        waiters_leave(waiters, at);
        wake(argument, at);
        woken++;
    }
    return woken;
}

size_t waiters_wake_gone(struct waiters *waiters, void (*wake)(void *argument, struct waiter *waiter),
                         void *argument)
{
    struct pollfd asked[POLL_AT_ONCE];
    struct waiter *who[POLL_AT_ONCE];
    size_t woken = 0;
    struct waiter *at = waiters->first;
    while (at != NULL) {
        nfds_t count = 0;
        for (; at != NULL && count < POLL_AT_ONCE; at = at->next) {
            asked[count] = (struct pollfd){.fd = at->fd, .events = POLLRDHUP};
            who[count++] = at;
        }
        if (poll(asked, count, 0) <= 0)
            continue;
        for (nfds_t i = 0; i < count; i++) {
            if (asked[i].revents == 0)
                continue;
            waiters_leave(waiters, who[i]);
            wake(argument, who[i]);
            woken++;
        }
    }
    return woken;
}
