/* One connection to Postgres, used by one thread at a time, straight-line, with deadlines kept on this side:
   a backend that has stopped ignores statement_timeout. */
#pragma once

#include "base/clock.h"
#include "base/digest.h"
#include "base/fault.h"
#include "store/statement.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;

/* Can the address be read at all? INVALID with a next step, and never with any of it in words: it may hold a
 * password. */
enum status db_check_conninfo(const char *conninfo, struct fault *fault) MUST_CHECK;
/* Connects within `timeout_ms` and sets the session: synchronous_commit=on, UTC, application_name, timeouts.
 *On success out is owned by the caller. DATABASE or TIMEOUT with a next step (is it running? is the URL
 *right?). */
enum status db_open(const char *conninfo, int64_t timeout_ms, struct db **out,
                    struct fault *fault) MUST_CHECK;
/* Closes. NULL is fine. An open transaction is rolled back by the server. */
void db_close(struct db *db);
/* False once a statement ran into its deadline or the connection was lost: then only db_close helps. */
bool db_healthy(const struct db *db);
/* Every statement from now on must have ended by `deadline`. */
void db_deadline(struct db *db, struct mono_time deadline);

/* Parameters of one call. Text is lent until the call returns. */
enum { DB_PARAMS_MAX = 40 };
struct db_params {
    int count;
    const char *value[DB_PARAMS_MAX];
    int length[DB_PARAMS_MAX];
    int format[DB_PARAMS_MAX];
    char number[DB_PARAMS_MAX][32];
};
#define DB_NO_PARAMS (&(struct db_params){.count = 0})
void db_params_clear(struct db_params *params);
void db_text(struct db_params *params, const char *value); /* NULL = SQL NULL */
void db_integer(struct db_params *params, int64_t value);
void db_number(struct db_params *params, double value); /* exactly, 17 digits; infinities too */
void db_bool(struct db_params *params, bool value);
void db_bytes(struct db_params *params, const void *data, size_t length); /* bytea */
void db_time(struct db_params *params, struct wall_time time);
void db_null(struct db_params *params);

struct db_rows;
/* Runs one statement (prepared at first use on a connection). On success *out holds the rows, owned by the
   caller (db_rows_free); `out` may be NULL when they do not matter. Errors: unique violation, foreign key and
   checks are CONFLICT with the constraint's name in db_constraint(); serialisation and deadlock are
   IN_PROGRESS (repeat the transaction); everything else DATABASE, or TIMEOUT. */
enum status db_run(struct db *db, const struct statement *statement, const struct db_params *params,
                   struct db_rows **out, struct fault *fault) MUST_CHECK;
/* One statement that is not worth preparing, without parameters. */
enum status db_run_once(struct db *db, const char *sql, struct db_rows **out, struct fault *fault) MUST_CHECK;
/* Several statements without parameters, as one string (migrations). */
enum status db_script(struct db *db, const char *sql, struct fault *fault) MUST_CHECK;
/* Name of the constraint that the last failed statement broke, or "". Lent until the next statement. */
const char *db_constraint(const struct db *db);
/* SQLSTATE of the last failed statement, or "". */
const char *db_sqlstate(const struct db *db);

enum status db_begin(struct db *db, struct fault *fault) MUST_CHECK;
/* OK means committed. DATABASE or TIMEOUT from here means unknown: it may be committed. */
enum status db_commit(struct db *db, struct fault *fault) MUST_CHECK;
/* Ends the transaction if one is open. Never fails: at worst the connection is unhealthy afterwards. */
void db_rollback(struct db *db);

/* What the process itself saw of a transaction that was committed. */
struct db_committed {
    struct wall_time observed;           /* what was told by db_observed(); 0 = nothing */
    struct wall_time began, asked, done; /* BEGIN, COMMIT sent, its answer */
};
/* The next transaction rests on what was read since `from`. */
void db_observed(struct db *db, struct wall_time from);
enum { DB_AFTER_MAX = 32 };
/* Calls `then` exactly once, when the open transaction has ended: with its times if it was committed, with
   NULL if it was not, or if that is not known. It must not use `db`. At most DB_AFTER_MAX a transaction;
   false: there is no room or no transaction, and it will not be called. */
bool db_after(struct db *db, void (*then)(void *argument, const struct db_committed *committed),
              void *argument);

void db_rows_free(struct db_rows *rows); /* NULL is fine */
int db_rows_count(const struct db_rows *rows);
/* How many rows an INSERT, UPDATE or DELETE touched. */
int64_t db_rows_affected(const struct db_rows *rows);
bool db_is_null(const struct db_rows *rows, int row, int column);
/* Values are lent until db_rows_free. NULL reads as "", 0, false. Column numbers begin with 0. */
const char *db_get_text(const struct db_rows *rows, int row, int column);
int64_t db_get_integer(const struct db_rows *rows, int row, int column);
double db_get_number(const struct db_rows *rows, int row, int column);
bool db_get_bool(const struct db_rows *rows, int row, int column);
/* timestamptz (as text, ISO) -> time; 0 for NULL. */
struct wall_time db_get_time(const struct db_rows *rows, int row, int column);
/* bytea: decoded into a buffer of `max`; returns the length, or (size_t)-1 if it is larger or NULL. */
size_t db_get_bytes(const struct db_rows *rows, int row, int column, void *out, size_t max);
/* bigint[] or double precision[] without NULLs: returns how many of at most `max` were read. */
size_t db_get_integers(const struct db_rows *rows, int row, int column, int64_t *out, size_t max);

/* --- the pool
 * -------------------------------------------------------------------------------------------------- */
struct db_pool;
/* Up to `size` connections, opened when they are needed. Copies `conninfo`. NULL on no memory. */
struct db_pool *db_pool_new(const char *conninfo, size_t size);
/* Closes all; all must have been given back. NULL is fine. */
void db_pool_free(struct db_pool *pool);
/* Waits at most `timeout_ms` for a connection; what is left of it is the deadline of its statements. */
enum status db_pool_take(struct db_pool *pool, int64_t timeout_ms, struct db **out,
                         struct fault *fault) MUST_CHECK;
struct db_pool_stats {
    size_t size, used, idle;
    int64_t served, refused; /* takes that found all connections in use: got one in time, or did not */
};
void db_pool_read_stats(struct db_pool *pool,
                        struct db_pool_stats *out); /* any thread; does not wait for one */
/* Gives back; an open transaction is rolled back, an unhealthy connection closed. NULL is fine. */
void db_pool_give(struct db_pool *pool, struct db *db);
