/* The control port's server: libmicrohttpd, a thread a connection, handlers as straight-line code. The same
   routes may also be served on a local socket with connections of its own, so that idle clients cannot lock
   on-call out. */
#pragma once

#include "base/fault.h"
#include "http/router.h"

#include <stdint.h>

struct http_server;

struct http_server_options {
    const char *address; /* IPv4 or IPv6 in digits; NULL: 127.0.0.1 */
    uint16_t port;       /* 0: one that is free, see http_server_port */
    const char *local;   /* path of the local socket, in a folder of mode 0700; NULL: none */

    unsigned connections_max; /* at once, on each of the two; more are closed unanswered; 0: 64 */
    size_t body_max;          /* bytes of a request body; 0: 1 MiB */
    unsigned idle_s;          /* seconds after which a silent connection is closed; 0: 30 */

    const struct http_route *routes; /* static */
    size_t route_count;
    void *context; /* for handlers and hooks */

    /* Sets request->principal and ->role, or says why not. Asked before the body is read; not asked for
       public routes. NULL: everyone is principal NULL, role 0. */
    enum status (*authenticate)(void *context, struct http_request *request, struct fault *fault);
    /* Called once when the request is over, after authenticate had set a principal. May be NULL. */
    void (*release)(void *context, void *principal);
    /* What a role is called, for messages. Static string. May be NULL. */
    const char *(*role_name)(int role);
    /* Called after each answer, for metrics; `pattern` is the route's, NULL if there was none. May be NULL.
     */
    void (*observe)(void *context, const struct http_request *request, const char *pattern, int http_status,
                    int64_t duration_us);
};

/* Binds, checks the table and serves; what the options point to must outlive the server. NULL if that fails,
   and `fault` says why. Hooks and handlers run on threads of the server, with all signals blocked. */
struct http_server *http_server_start(const struct http_server_options *options, struct fault *fault);
/* The TCP port that was bound. */
uint16_t http_server_port(const struct http_server *server);
/* Accepts no more connections, answers requests on the open ones with 503, waits at most `wait_ms` for
   requests that are being worked on, closes everything, frees. NULL is fine. Not from a handler. TIMEOUT if a
   handler still runs then: nothing is freed, as the handler's thread still uses it, and all that is left is
   to end the process. */
enum status http_server_stop(struct http_server *server, int64_t wait_ms) MUST_CHECK;
