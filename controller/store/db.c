/* Postgres connections: libpq's non-blocking calls under a poll(2) that ends at the deadline. */
#include "store/db.h"

#include "base/log.h"
#include "store/db_rows.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PREPARED_SLOTS = 512 };

struct db {
    PGconn *connection;
    struct mono_time deadline;
    bool healthy, in_transaction;
    char constraint[64], sqlstate[6];
    const struct statement *prepared[PREPARED_SLOTS]; /* open addressing by name */
    size_t prepared_count;
    struct db_committed times; /* of the open transaction */
    struct {
        void (*then)(void *argument, const struct db_committed *committed);
        void *argument;
    } after[DB_AFTER_MAX];
    size_t after_count;
};

static const char *first_line(const char *message, char *out, size_t size)
{
    size_t length = strcspn(message, "\n");
    snprintf(out, size, "%.*s", (int)length, message);
    return out;
}

static enum status lost(struct db *db, struct fault *fault)
{
    char line[256];
    db->healthy = false;
    fault_set(fault, STATUS_DATABASE, "The database connection was lost: %s",
              first_line(PQerrorMessage(db->connection), line, sizeof line));
    fault_next(fault, "Try again; if it goes on, look at the state of Postgres.");
    return STATUS_DATABASE;
}

static enum status out_of_time(struct db *db, struct fault *fault)
{
    db->healthy = false;
    fault_set(fault, STATUS_TIMEOUT, "The database did not answer in time");
    fault_next(fault, "Try again; if it goes on, look at the load and the locks of Postgres.");
    return STATUS_TIMEOUT;
}

/* Waits for `events` on the socket until the deadline. 1 = ready, 0 = deadline. */
static int await(struct db *db, short events)
{
    for (;;) {
        int64_t left_us = db->deadline.us - clock_mono().us;
        if (left_us <= 0)
            return 0;
        int64_t left_ms = left_us / 1000 + 1;
        struct pollfd waiting = {.fd = PQsocket(db->connection), .events = events};
        int ready = poll(&waiting, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        if (ready > 0)
            return 1;
        if (ready < 0 && errno != EINTR)
            return 1; /* let libpq find out what is wrong with its socket */
    }
}

static enum status flush_out(struct db *db, struct fault *fault)
{
    for (;;) {
        int pending = PQflush(db->connection);
        if (pending == 0)
            return STATUS_OK;
        if (pending < 0)
            return lost(db, fault);
        if (!await(db, POLLIN | POLLOUT))
            return out_of_time(db, fault);
        if (!PQconsumeInput(db->connection))
            return lost(db, fault);
    }
}

/* Collects the last result of what was sent; earlier ones are dropped unless they are errors. */
static enum status collect(struct db *db, PGresult **out, struct fault *fault)
{
    PGresult *last = NULL;
    enum status status = flush_out(db, fault);
    if (status != STATUS_OK)
        return status;
    for (;;) {
        while (PQisBusy(db->connection)) {
            if (!await(db, POLLIN)) {
                PQclear(last);
                return out_of_time(db, fault);
            }
            if (!PQconsumeInput(db->connection)) {
                PQclear(last);
                return lost(db, fault);
            }
        }
        PGresult *next = PQgetResult(db->connection);
        if (next == NULL)
            break;
        if (last != NULL && PQresultStatus(last) == PGRES_FATAL_ERROR) {
            PQclear(next);
            continue;
        }
        PQclear(last);
        last = next;
    }
    if (last == NULL || PQstatus(db->connection) == CONNECTION_BAD) {
        PQclear(last);
        return lost(db, fault);
    }
    *out = last;
    return STATUS_OK;
}

static bool state_in(const char *state, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strncmp(state, *list, strlen(*list)) == 0)
            return true;
    return false;
}

/* Turns a server error into a status. Class 23 = integrity; 40 = repeat the transaction. */
static enum status server_error(struct db *db, const PGresult *result, const char *what, struct fault *fault)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    snprintf(db->sqlstate, sizeof db->sqlstate, "%s", state != NULL ? state : "");
    snprintf(db->constraint, sizeof db->constraint, "%s", constraint != NULL ? constraint : "");
    if (message == NULL)
        message = "no message";
    if (state_in(db->sqlstate, (const char *const[]){"23", NULL}))
        return fault_set(fault, STATUS_CONFLICT, "The database refused %s: %s", what, message);
    if (state_in(db->sqlstate, (const char *const[]){"40", "55P03", NULL})) {
        fault_set(fault, STATUS_IN_PROGRESS, "Another transaction was in the way of %s", what);
        fault_next(fault, "Try again.");
        return STATUS_IN_PROGRESS;
    }
    if (state_in(db->sqlstate, (const char *const[]){"57P", "08", NULL}))
        db->healthy = false;
    log_event(LOG_ERROR, "store", "statement failed", "statement", what, "sqlstate", db->sqlstate, "error",
              message, NULL);
    fault_set(fault, STATUS_DATABASE, "The database failed on %s: %s (SQLSTATE %s)", what, message,
              db->sqlstate);
    fault_next(fault, "Try again; if it goes on, look at the logs of serind and Postgres.");
    return STATUS_DATABASE;
}

static enum status finish(struct db *db, const char *what, PGresult *result, struct db_rows **out,
                          struct fault *fault)
{
    ExecStatusType kind = PQresultStatus(result);
    if (kind != PGRES_TUPLES_OK && kind != PGRES_COMMAND_OK && kind != PGRES_EMPTY_QUERY) {
        enum status status = server_error(db, result, what, fault);
        PQclear(result);
        return status;
    }
    if (out == NULL) {
        PQclear(result);
        return STATUS_OK;
    }
    *out = malloc(sizeof **out);
    if (*out == NULL) {
        PQclear(result);
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    }
    (*out)->result = result;
    return STATUS_OK;
}

enum status db_script(struct db *db, const char *sql, struct fault *fault)
{
    PGresult *result = NULL;
    if (!db->healthy)
        return lost(db, fault);
    if (!PQsendQuery(db->connection, sql))
        return lost(db, fault);
    enum status status = collect(db, &result, fault);
    if (status != STATUS_OK)
        return status;
    return finish(db, "a script", result, NULL, fault);
}

enum status db_run_once(struct db *db, const char *sql, struct db_rows **out, struct fault *fault)
{
    PGresult *result = NULL;
    if (!db->healthy || !PQsendQuery(db->connection, sql))
        return lost(db, fault);
    enum status status = collect(db, &result, fault);
    return status == STATUS_OK ? finish(db, "a statement", result, out, fault) : status;
}

/* Slot of a statement on this connection: its own if prepared, else the free one it may take. */
static const struct statement **slot_of(struct db *db, const struct statement *statement)
{
    size_t hash = 5381;
    for (const char *c = statement->name; *c != '\0'; c++)
        hash = hash * 33 + (unsigned char)*c;
    size_t at = hash % PREPARED_SLOTS;
    while (db->prepared[at] != NULL && strcmp(db->prepared[at]->name, statement->name) != 0)
        at = (at + 1) % PREPARED_SLOTS;
    return &db->prepared[at];
}

static enum status prepare(struct db *db, const struct statement *statement, char name[80],
                           struct fault *fault)
{
    const struct statement **slot = slot_of(db, statement);
    snprintf(name, 80, "%s", statement->name);
    if (*slot != NULL)
        return STATUS_OK;
    /* a quarter stays free, so that a search always ends */
    if (db->prepared_count >= PREPARED_SLOTS * 3 / 4) {
        name[0] = '\0';
        return STATUS_OK;
    }
    PGresult *result = NULL;
    if (!PQsendPrepare(db->connection, name, statement->text, 0, NULL))
        return lost(db, fault);
    enum status status = collect(db, &result, fault);
    if (status == STATUS_OK)
        status = finish(db, statement->name, result, NULL, fault);
    if (status == STATUS_OK) {
        *slot = statement;
        db->prepared_count++;
    }
    return status;
}

enum status db_run(struct db *db, const struct statement *statement, const struct db_params *params,
                   struct db_rows **out, struct fault *fault)
{
    char name[80];
    PGresult *result = NULL;
    int sent;
    db->constraint[0] = db->sqlstate[0] = '\0';
    if (!db->healthy)
        return lost(db, fault);
    enum status status = prepare(db, statement, name, fault);
    if (status != STATUS_OK)
        return status;
    if (name[0] != '\0')
        sent = PQsendQueryPrepared(db->connection, name, params->count, params->value, params->length,
                                   params->format, 0);
    else
        sent = PQsendQueryParams(db->connection, statement->text, params->count, NULL, params->value,
                                 params->length, params->format, 0);
    if (!sent)
        return lost(db, fault);
    status = collect(db, &result, fault);
    if (status != STATUS_OK)
        return status;
    return finish(db, statement->name, result, out, fault);
}

static enum status connect_now(struct db *db, const char *conninfo, struct fault *fault)
{
    db->connection = PQconnectStart(conninfo);
    if (db->connection == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
        if (PQstatus(db->connection) == CONNECTION_BAD)
            break;
        if (!await(db, state == PGRES_POLLING_READING ? POLLIN : POLLOUT))
            return out_of_time(db, fault);
        state = PQconnectPoll(db->connection); /* the socket may be another one afterwards */
    }
    if (state != PGRES_POLLING_OK) {
        char line[256];
        fault_set(fault, STATUS_DATABASE, "Cannot connect to Postgres: %s",
                  first_line(PQerrorMessage(db->connection), line, sizeof line));
        fault_next(fault, "Check that Postgres runs and that SERIN_DATABASE_URL is right.");
        return STATUS_DATABASE;
    }
    PQsetnonblocking(db->connection, 1);
    return STATUS_OK;
}

/* synchronous_commit: what is acknowledged is kept (law 9). */
static const char session[] =
    "SET synchronous_commit = on; SET TimeZone = 'UTC'; SET DateStyle = 'ISO';"
    "SET application_name = 'serind'; SET statement_timeout = '30s';"
    "SET idle_in_transaction_session_timeout = '10s'; SET client_min_messages = warning;"
    "SET bytea_output = 'hex'; SET extra_float_digits = 3; SET IntervalStyle = 'iso_8601'";

enum status db_check_conninfo(const char *conninfo, struct fault *fault)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &message);
    bool good = options != NULL;
    PQconninfoFree(options);
    PQfreemem(message);
    if (good)
        return STATUS_OK;
    fault_set(fault, STATUS_INVALID, "The address of the database cannot be read");
    fault_next(
        fault,
        "Write SERIN_DATABASE_URL as postgresql://user@host/dbname or as 'host=... dbname=... user=...'; "
        "quote and escape a password as libpq wants it.");
    return STATUS_INVALID;
}

enum status db_open(const char *conninfo, int64_t timeout_ms, struct db **out, struct fault *fault)
{
    struct db *db = calloc(1, sizeof *db);
    *out = NULL;
    if (db == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    db->healthy = true;
    db->deadline = clock_mono_after_ms(clock_mono(), timeout_ms);
    enum status status = db_check_conninfo(conninfo, fault);
    if (status == STATUS_OK)
        status = connect_now(db, conninfo, fault);
    if (status == STATUS_OK)
        status = db_script(db, session, fault);
    if (status != STATUS_OK) {
        db_close(db);
        return status;
    }
    *out = db;
    return STATUS_OK;
}

/* The open transaction, if there is one, is over. */
static void ended(struct db *db, bool committed)
{
    size_t count = db->after_count;
    db->after_count = 0;
    db->in_transaction = false;
    db->times.done = clock_wall();
    for (size_t i = 0; i < count; i++)
        db->after[i].then(db->after[i].argument, committed ? &db->times : NULL);
    db->times = (struct db_committed){.observed = {0}};
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    ended(db, false);
    PQfinish(db->connection);
    free(db);
}

bool db_healthy(const struct db *db)
{
    return db->healthy;
}

void db_deadline(struct db *db, struct mono_time deadline)
{
    db->deadline = deadline;
}

const char *db_constraint(const struct db *db)
{
    return db->constraint;
}

const char *db_sqlstate(const struct db *db)
{
    return db->sqlstate;
}

/* --- transactions
 * ------------------------------------------------------------------------------------------------- */

void db_observed(struct db *db, struct wall_time from)
{
    db->times.observed = from;
}

bool db_after(struct db *db, void (*then)(void *argument, const struct db_committed *committed),
              void *argument)
{
    if (!db->in_transaction || db->after_count == DB_AFTER_MAX)
        return false;
    db->after[db->after_count].then = then;
    db->after[db->after_count++].argument = argument;
    return true;
}

enum status db_begin(struct db *db, struct fault *fault)
{
    db->times.began = clock_wall();
    enum status status = db_script(db, "BEGIN", fault);
    db->in_transaction = status == STATUS_OK;
    return status;
}

/* The server answers COMMIT of a transaction that has failed with ROLLBACK, and no error. */
static enum status commit(struct db *db, struct fault *fault)
{
    PGresult *result = NULL;
    if (!db->healthy || !PQsendQuery(db->connection, "COMMIT"))
        return lost(db, fault);
    enum status status = collect(db, &result, fault);
    if (status != STATUS_OK)
        return status;
    bool committed = strcmp(PQcmdStatus(result), "COMMIT") == 0;
    status = finish(db, "COMMIT", result, NULL, fault);
    if (status == STATUS_OK && !committed) {
        status = fault_set(fault, STATUS_DATABASE, "The transaction was rolled back by the database");
        fault_next(fault, "Nothing was changed. Try again.");
    }
    return status;
}

enum status db_commit(struct db *db, struct fault *fault)
{
    db->times.asked = clock_wall();
    enum status status = commit(db, fault);
    ended(db, status == STATUS_OK);
    return status;
}

void db_rollback(struct db *db)
{
    struct fault ignored = {.status = STATUS_OK};
    if (!db->in_transaction)
        return;
    ended(db, false);
    /* a rollback must have a moment even if the caller's time is over */
    struct mono_time grace = clock_mono_after_ms(clock_mono(), 1000);
    if (db->deadline.us < grace.us)
        db->deadline = grace;
    if (db->healthy && db_script(db, "ROLLBACK", &ignored) != STATUS_OK)
        db->healthy = false;
}
