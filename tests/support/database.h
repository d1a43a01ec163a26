/* A database of its own for a test. SERIN_TEST_DATABASE_URL names a server where databases can be made;
   without it a test fails, because a test that is silently left out looks green. */
#pragma once

#include "store/db.h"

struct database {
    char name[64];
    char url[1024]; /* conninfo of this database */
    struct db *db;  /* a connection to it; owned */
};

/* Makes an empty database and connects to it. Asserts. */
void database_make(struct database *database);
/* The same, migrated. */
void database_make_migrated(struct database *database);
/* Closes database->db and drops the database, whoever is connected. Does not assert (it runs in .fini). */
void database_drop(struct database *database);
/* Another connection; the caller closes it (db_close). Asserts. */
struct db *database_connect(const struct database *database);

/* Runs statements without parameters on `db` and asserts that they succeed. */
void database_do(struct db *db, const char *sql);
/* Runs them and asserts that the database refuses with this SQLSTATE. If a transaction was open it must be
   rolled back. */
void database_refuses(struct db *db, const char *sqlstate, const char *sql);
/* First column of the first row of a query, as text ("" for NULL or no row), over a connection of its own.
   Lent until the next call. */
const char *database_text(const struct database *database, const char *sql);
long long database_number(const struct database *database, const char *sql);
