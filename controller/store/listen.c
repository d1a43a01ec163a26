/* LISTEN on its own connection, under poll(2). */
#include "store/listen.h"

#include "base/log.h"

#include "listen.sql.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct listen {
    PGconn *connection;
};

static int left_ms(struct mono_time deadline)
{
    int64_t left = (deadline.us - clock_mono().us + 999) / 1000;
    return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

/* False at the deadline. */
static bool await(PGconn *connection, short events, struct mono_time deadline)
{
    for (;;) {
        struct pollfd waiting = {.fd = PQsocket(connection), .events = events};
        int left = left_ms(deadline);
        if (left == 0)
            return false;
        int ready = poll(&waiting, 1, left);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return true; /* what is wrong with the socket is for libpq to find out */
    }
}

static bool connected(PGconn *connection, struct mono_time deadline)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (PQstatus(connection) == CONNECTION_BAD || state == PGRES_POLLING_FAILED)
            return false;
        if (!await(connection, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline))
            return false;
        state = PQconnectPoll(connection); /* the socket may be another one afterwards */
    }
    return PQsetnonblocking(connection, 1) == 0;
}

static bool execute(PGconn *connection, const char *sql, struct mono_time deadline)
{
    int pending;
    bool good = true;
    if (!PQsendQuery(connection, sql))
        return false;
    while ((pending = PQflush(connection)) != 0) {
        if (pending < 0 || !await(connection, POLLIN | POLLOUT, deadline) || !PQconsumeInput(connection))
            return false;
    }
    for (;;) {
        while (PQisBusy(connection)) {
            if (!await(connection, POLLIN, deadline) || !PQconsumeInput(connection))
                return false;
        }
        PGresult *result = PQgetResult(connection);
        if (result == NULL)
            return good && PQstatus(connection) == CONNECTION_OK;
        good = good && PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
}

/* What the server says unasked ("terminating connection ..."): libpq would print it. */
static void on_notice(void *argument, const char *message)
{
    char line[512];
    (void)argument;
    snprintf(line, sizeof line, "%.*s", (int)strcspn(message, "\n"), message);
    log_event(LOG_DEBUG, "store", "Postgres says to the listener", "error", line, NULL);
}

enum status listen_open(const char *conninfo, int64_t timeout_ms, struct listen **out, struct fault *fault)
{
    struct mono_time deadline = clock_mono_after_ms(clock_mono(), timeout_ms);
    *out = NULL;
    struct listen *listen = calloc(1, sizeof *listen);
    if (listen == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    listen->connection = PQconnectStart(conninfo);
    if (listen->connection == NULL) {
        free(listen);
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    }
    PQsetNoticeProcessor(listen->connection, on_notice, NULL);
    if (!connected(listen->connection, deadline) ||
        !execute(listen->connection, sql_listen_routes.text, deadline)) {
        const char *message = PQerrorMessage(listen->connection);
        fault_set(fault, STATUS_DATABASE, "Cannot listen for changes: %.*s", (int)strcspn(message, "\n"),
                  message);
        listen_close(listen);
        return STATUS_DATABASE;
    }
    *out = listen;
    return STATUS_OK;
}

void listen_close(struct listen *listen)
{
    if (listen == NULL)
        return;
    PQfinish(listen->connection);
    free(listen);
}

static bool drain(PGconn *connection)
{
    PGnotify *notified;
    bool any = false;
    while ((notified = PQnotifies(connection)) != NULL) {
        any = true;
        PQfreemem(notified);
    }
    return any;
}

enum listen_heard listen_wait(struct listen *listen, int wake_fd, int64_t timeout_ms)
{
    struct mono_time deadline = clock_mono_after_ms(clock_mono(), timeout_ms);
    for (;;) {
        if (listen != NULL && drain(listen->connection))
            return LISTEN_NOTIFIED;
        struct pollfd waiting[2] = {{.fd = wake_fd, .events = POLLIN}, {.fd = -1}};
        if (listen != NULL)
            waiting[1] = (struct pollfd){.fd = PQsocket(listen->connection), .events = POLLIN};
        int left = left_ms(deadline);
        int ready = poll(waiting, 2, left);
        if (ready < 0 && errno != EINTR)
            return LISTEN_LOST;
        if (ready > 0 && waiting[0].revents != 0)
            return LISTEN_WOKEN;
        if (ready > 0 && waiting[1].revents != 0) {
            /* a lost backend shows at the first or the second of these; libpq then closes the socket by
             * itself */
            if (!PQconsumeInput(listen->connection) || PQstatus(listen->connection) == CONNECTION_BAD ||
                PQsocket(listen->connection) < 0)
                return drain(listen->connection) ? LISTEN_NOTIFIED : LISTEN_LOST;
            continue;
        }
        if (ready == 0 && left == 0)
            return LISTEN_NOTHING;
    }
}
