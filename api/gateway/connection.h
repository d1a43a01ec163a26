/* What a gateway thread keeps of each connection beside what MHD keeps: the token that was verified on it and
   the request that is under way; and the search for clients that hung up in the middle of a request.

   libmicrohttpd 0.9.75 reads once for each event of its edge-triggered epoll. Where the end of a client's
   data came with the data, it does not see it before the idle time-out. One thread. */
#pragma once

#include <microhttpd.h>

struct gateway_thread;
struct request;
struct verified;

struct connection {
    struct connection *next, *previous; /* of its thread */
    int fd;
    struct verified *verified; /* owned by auth.c; NULL = nothing yet */
    struct request *request;   /* lent; NULL: none, or its header has not come */
};

/* MHD_OPTION_NOTIFY_CONNECTION, with the thread: makes and frees it. */
void connection_notify(void *argument, struct MHD_Connection *connection, void **socket_context,
                       enum MHD_ConnectionNotificationCode code);
/* NULL: there was no memory for it. */
struct connection *connection_of(struct MHD_Connection *connection);
/* Shuts down the connections whose client has closed its side before a request was whole: nothing more will
   come. Only while MHD has nothing left to do. Who closes its side and waits for an answer is served. */
void connections_cut(struct gateway_thread *thread);
