/* A database of its own for a test. */
#include "support/database.h"

#include "store/migrate.h"

#include <criterion/criterion.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 60000 };

/* Appends " key='value'" with the quoting of libpq. */
static void put_setting(char *out, size_t size, const char *key, const char *value)
{
    size_t at = strlen(out);
    at += (size_t)snprintf(out + at, size - at, " %s='", key);
    for (; *value != '\0' && at + 4 < size; value++) {
        if (*value == '\'' || *value == '\\')
            out[at++] = '\\';
        out[at++] = *value;
    }
    cr_assert(at + 2 < size, "SERIN_TEST_DATABASE_URL is too long");
    out[at++] = '\'';
    out[at] = '\0';
}

/* The server's conninfo with another database name. */
static void conninfo_of(const char *name, char out[1024])
{
    const char *url = getenv("SERIN_TEST_DATABASE_URL");
    char *error = NULL;
    cr_assert_not_null(url, "SERIN_TEST_DATABASE_URL must name a Postgres server for tests");
    PQconninfoOption *options = PQconninfoParse(url, &error);
    cr_assert_not_null(options, "SERIN_TEST_DATABASE_URL: %s", error != NULL ? error : "unreadable");
    out[0] = '\0';
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++)
        if (option->val != NULL && strcmp(option->keyword, "dbname") != 0)
            put_setting(out, 1024, option->keyword, option->val);
    if (name != NULL)
        put_setting(out, 1024, "dbname", name);
    PQconninfoFree(options);
}

/* A plain libpq connection: to the server's own database for `name` NULL. */
static PGconn *plain(const char *name)
{
    char conninfo[1024];
    const char *url = getenv("SERIN_TEST_DATABASE_URL");
    if (name != NULL)
        conninfo_of(name, conninfo);
    else
        snprintf(conninfo, sizeof conninfo, "%s", url != NULL ? url : "");
    return PQconnectdb(conninfo);
}

struct db *database_connect(const struct database *database)
{
    struct fault fault = {.detail = ""};
    struct db *db = NULL;
    cr_assert_eq(db_open(database->url, TIMEOUT_MS, &db, &fault), STATUS_OK, "%s", fault.detail);
    return db;
}

void database_make(struct database *database)
{
    unsigned char random[8];
    char sql[128];
    memset(database, 0, sizeof *database);
    cr_assert_not_null(getenv("SERIN_TEST_DATABASE_URL"),
                       "SERIN_TEST_DATABASE_URL must name a Postgres server for tests");
    cr_assert_eq(digest_start(), STATUS_OK);
    digest_random(random, sizeof random);
    size_t at = (size_t)snprintf(database->name, sizeof database->name, "serin_test_");
    for (size_t i = 0; i < sizeof random; i++)
        at += (size_t)snprintf(database->name + at, sizeof database->name - at, "%02x", random[i]);
    PGconn *server = plain(NULL);
    cr_assert_eq(PQstatus(server), CONNECTION_OK, "%s", PQerrorMessage(server));
    snprintf(sql, sizeof sql, "CREATE DATABASE %s TEMPLATE template0", database->name);
    PGresult *result = PQexec(server, sql);
    cr_assert_eq(PQresultStatus(result), PGRES_COMMAND_OK, "%s", PQerrorMessage(server));
    PQclear(result);
    PQfinish(server);
    conninfo_of(database->name, database->url);
    database->db = database_connect(database);
}

void database_make_migrated(struct database *database)
{
    struct fault fault = {.detail = ""};
    database_make(database);
    cr_assert_eq(migrate_run(database->db, NULL, &fault), STATUS_OK, "%s", fault.detail);
}

void database_drop(struct database *database)
{
    char sql[128];
    db_close(database->db);
    database->db = NULL;
    if (database->name[0] == '\0')
        return;
    PGconn *server = plain(NULL);
    snprintf(sql, sizeof sql, "DROP DATABASE IF EXISTS %s WITH (FORCE)", database->name);
    PQclear(PQexec(server, sql));
    PQfinish(server);
}

void database_do(struct db *db, const char *sql)
{
    struct fault fault = {.detail = ""};
    db_deadline(db, clock_mono_after_ms(clock_mono(), TIMEOUT_MS));
    cr_assert_eq(db_script(db, sql, &fault), STATUS_OK, "%s: %s", sql, fault.detail);
}

void database_refuses(struct db *db, const char *sqlstate, const char *sql)
{
    struct fault fault = {.detail = ""};
    db_deadline(db, clock_mono_after_ms(clock_mono(), TIMEOUT_MS));
    cr_assert_neq(db_script(db, sql, &fault), STATUS_OK, "accepted: %s", sql);
    cr_assert_str_eq(db_sqlstate(db), sqlstate, "%s: %s", sql, fault.detail);
}

const char *database_text(const struct database *database, const char *sql)
{
    static char text[65536];
    PGconn *connection = plain(database->name);
    PGresult *result = PQexec(connection, sql);
    cr_assert_eq(PQresultStatus(result), PGRES_TUPLES_OK, "%s: %s", sql, PQerrorMessage(connection));
    text[0] = '\0';
    if (PQntuples(result) > 0)
        snprintf(text, sizeof text, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    PQfinish(connection);
    return text;
}

long long database_number(const struct database *database, const char *sql)
{
    return strtoll(database_text(database, sql), NULL, 10);
}
