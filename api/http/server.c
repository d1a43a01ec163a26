/* The control port's server: start, doors, ordered stop. What happens to a request is in exchange.c. */
#include "http/server.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "http/exchange.h"
#include "http/listen.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 64, IDLE_S = 30, BODY_MAX = 1 << 20 };

struct door {
    struct exchange_door context;
    struct MHD_Daemon *daemon; /* NULL: not served */
};

struct http_server {
    struct exchange_shared shared;
    uint16_t port;
    struct listen_local local;
    struct door tcp, unix_socket;
};

/* libmicrohttpd reports clients that hang up and the like: nothing to wake anybody for. */
static void log_library(void *context, const char *format, va_list arguments)
{
    char line[512];
    (void)context;
    int length = vsnprintf(line, sizeof line, format, arguments);
    if (length > 0) {
        line[strcspn(line, "\n")] = '\0';
        log_event(LOG_DEBUG, "http", "libmicrohttpd says", "error", line, NULL);
    }
}

/* Paths and queries are decoded by us alone, strictly. */
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

/* Opens a door on a listening socket, which is the daemon's from then on. The threads inherit a mask with all
   signals blocked. */
static bool open_door(struct door *door, struct exchange_shared *shared, int fd, bool local)
{
    sigset_t all, before;
    door->context = (struct exchange_door){.shared = shared, .local = local};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    door->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, exchange_continue, &door->context, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, shared->options.connections_max,
        MHD_OPTION_CONNECTION_TIMEOUT, shared->options.idle_s, MHD_OPTION_URI_LOG_CALLBACK, exchange_begin,
        &door->context, MHD_OPTION_NOTIFY_COMPLETED, exchange_end, &door->context,
        MHD_OPTION_NOTIFY_CONNECTION, exchange_connection, &door->context, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escapes, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return door->daemon != NULL;
}

static void set_defaults(struct http_server_options *options)
{
    options->address = options->address != NULL ? options->address : "127.0.0.1";
    options->connections_max = options->connections_max > 0 ? options->connections_max : CONNECTIONS;
    options->body_max = options->body_max > 0 ? options->body_max : BODY_MAX;
    options->idle_s = options->idle_s > 0 ? options->idle_s : IDLE_S;
}

struct http_server *http_server_start(const struct http_server_options *options, struct fault *fault)
{
    int tcp = -1;
    pthread_condattr_t monotonic;
    if (http_routes_check(options->routes, options->route_count, fault) != STATUS_OK) {
        return NULL;
    }
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL || digest_start() != STATUS_OK) {
        fault_set(fault, STATUS_NO_MEMORY, "no memory for the server");
        goto free_server;
    }
    struct exchange_shared *shared = &server->shared;
    server->local.fd = -1;
    shared->options = *options;
    set_defaults(&shared->options);
    pthread_mutex_init(&shared->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&shared->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (listen_tcp(shared->options.address, options->port, &tcp, &server->port, fault) != STATUS_OK) {
        goto destroy;
    }
    if (options->local != NULL && listen_local(&server->local, options->local, fault) != STATUS_OK) {
        goto close_tcp;
    }
    if (!open_door(&server->tcp, shared, tcp, false)) {
        fault_set(fault, STATUS_INTERNAL, "the HTTP server does not start");
        goto close_local;
    }
    if (options->local != NULL && !open_door(&server->unix_socket, shared, server->local.fd, true)) {
        fault_set(fault, STATUS_INTERNAL, "the HTTP server does not start on the local socket");
        MHD_stop_daemon(server->tcp.daemon);
        tcp = -1;
        goto close_local;
    }
    return server;

close_local:
    if (server->local.fd >= 0) {
        listen_local_remove(&server->local);
        close(server->local.fd);
    }
close_tcp:
    if (tcp >= 0) {
        close(tcp);
    }
destroy:
    pthread_cond_destroy(&shared->changed);
    pthread_mutex_destroy(&shared->lock);
free_server:
    free(server);
    return NULL;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

static void close_door(struct door *door)
{
    if (door->daemon != NULL) {
        int fd = MHD_quiesce_daemon(door->daemon);
        if (fd >= 0) {
            close(fd);
        }
    }
}

/* Waits until no request is open, at most until the deadline. Returns the number of handlers that still run.
 */
static unsigned drain(struct exchange_shared *shared, struct mono_time deadline)
{
    struct timespec until = {.tv_sec = deadline.us / 1000000, .tv_nsec = deadline.us % 1000000 * 1000};
    int waited = 0;
    pthread_mutex_lock(&shared->lock);
    while (shared->open > 0 && waited == 0) {
        waited = pthread_cond_timedwait(&shared->changed, &shared->lock, &until);
    }
    unsigned handling = shared->handling;
    pthread_mutex_unlock(&shared->lock);
    return handling;
}

enum status http_server_stop(struct http_server *server, int64_t wait_ms)
{
    if (server == NULL) {
        return STATUS_OK;
    }
    struct exchange_shared *shared = &server->shared;
    pthread_mutex_lock(&shared->lock);
    shared->stopping = true;
    pthread_mutex_unlock(&shared->lock);
    if (server->unix_socket.daemon != NULL) {
        listen_local_remove(&server->local);
    }
    close_door(&server->tcp);
    close_door(&server->unix_socket);
    unsigned handling = drain(shared, clock_mono_after_ms(clock_mono(), wait_ms));
    if (handling > 0) {
        char count[24];
        snprintf(count, sizeof count, "%u", handling);
        log_event(LOG_WARN, "http", "requests did not end in time", "requests", count, NULL);
        return STATUS_TIMEOUT;
    }
    MHD_stop_daemon(server->tcp.daemon);
    if (server->unix_socket.daemon != NULL) {
        MHD_stop_daemon(server->unix_socket.daemon);
    }
    pthread_cond_destroy(&shared->changed);
    pthread_mutex_destroy(&shared->lock);
    free(server);
    return STATUS_OK;
}
