/* Forward-only migrations, compiled in. */
#pragma once

#include "store/db.h"

/* Brings the database to this program's schema: each migration in a transaction with its row in
   schema_migrations, all under one advisory lock, so that it is safe twice and by two at once. CONFLICT if
   the database is newer than this program or a migration that was applied has changed. *applied (may be NULL)
   is how many were run. Afterwards the session has no statement_timeout. */
enum status migrate_run(struct db *db, int *applied, struct fault *fault) MUST_CHECK;
/* OK if the database is exactly at this program's schema, else CONFLICT with a next step. Also CONFLICT if
   the server runs without fsync and `durable` is asked for. */
enum status migrate_check(struct db *db, bool durable, struct fault *fault) MUST_CHECK;
/* Number of the newest migration this program knows. */
int migrate_newest(void);
