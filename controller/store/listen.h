/* Waiting for a NOTIFY of changed routes, on a connection of its own. A notification is a hint and may be
   missed: after listen_open() read the table first, then wait, and keep a poll. One thread at a time. */
#pragma once

#include "base/clock.h"
#include "base/fault.h"

struct listen;

/* Connects within `timeout_ms` and listens. On success *out is owned by the caller (listen_close). DATABASE
 * if not. */
enum status listen_open(const char *conninfo, int64_t timeout_ms, struct listen **out,
                        struct fault *fault) MUST_CHECK;
void listen_close(struct listen *listen); /* NULL is fine */

enum listen_heard {
    LISTEN_NOTHING, /* the time is over */
    LISTEN_NOTIFIED,
    LISTEN_WOKEN, /* wake_fd is readable; it was not read */
    LISTEN_LOST   /* the connection is gone: close it */
};
/* Waits at most `timeout_ms`. What had been notified before the call counts too; several are reported as one.
   `listen` may be NULL: then it only waits for the time or for `wake_fd`. */
enum listen_heard listen_wait(struct listen *listen, int wake_fd, int64_t timeout_ms);
