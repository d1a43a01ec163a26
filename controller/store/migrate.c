/* Migrations: one transaction each, under an advisory lock that lasts as long as the session. */
#include "store/migrate.h"

#include "base/log.h"

#include "migrate.sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct migration {
    int version;
    const char *name, *sql;
};

#include "migrations.h"

enum { MIGRATIONS = sizeof migrations / sizeof migrations[0] };

int migrate_newest(void)
{
    return migrations[MIGRATIONS - 1].version;
}

/* Holds what is in the database against what this program knows; *done is the newest version applied. */
static enum status compare(struct db *db, int *done, struct fault *fault)
{
    struct db_rows *rows = NULL;
    enum status status = db_run(db, &sql_migrate_applied, DB_NO_PARAMS, &rows, fault);
    *done = 0;
    for (int i = 0; status == STATUS_OK && i < db_rows_count(rows); i++) {
        int version = (int)db_get_integer(rows, i, 0);
        struct digest stored;
        if (i >= MIGRATIONS || migrations[i].version != version) {
            status = fault_set(fault, STATUS_CONFLICT,
                               "The database has migration %d (%s), which this serind does not know", version,
                               db_get_text(rows, i, 1));
            fault_next(fault, "Run a serind at least as new as the one that migrated this database.");
            break;
        }
        struct digest ours = digest_sha256(migrations[i].sql, strlen(migrations[i].sql));
        if (db_get_bytes(rows, i, 2, stored.bytes, sizeof stored.bytes) != sizeof stored.bytes ||
            !digest_equal(&stored, &ours)) {
            status = fault_set(fault, STATUS_CONFLICT, "Migration %s was applied with another text",
                               migrations[i].name);
            fault_next(fault, "An applied migration must not be edited: restore it and add a new one.");
            break;
        }
        *done = version;
    }
    db_rows_free(rows);
    return status;
}

static enum status apply_one(struct db *db, const struct migration *migration, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct digest digest = digest_sha256(migration->sql, strlen(migration->sql));
    enum status status = db_begin(db, fault);
    if (status == STATUS_OK)
        status = db_script(db, migration->sql, fault);
    if (status == STATUS_OK) {
        db_integer(&params, migration->version);
        db_text(&params, migration->name);
        db_bytes(&params, digest.bytes, sizeof digest.bytes);
        status = db_run(db, &sql_migrate_record, &params, NULL, fault);
    }
    if (status == STATUS_OK)
        return db_commit(db, fault);
    db_rollback(db);
    return status;
}

enum status migrate_run(struct db *db, int *applied, struct fault *fault)
{
    int done = 0, count = 0;
    enum status status = db_run(db, &sql_migrate_lock, DB_NO_PARAMS, NULL, fault);
    if (status != STATUS_OK)
        return status;
    status = db_run(db, &sql_migrate_patience, DB_NO_PARAMS, NULL, fault);
    if (status == STATUS_OK)
        status = db_run(db, &sql_migrate_table, DB_NO_PARAMS, NULL, fault);
    if (status == STATUS_OK)
        status = compare(db, &done, fault);
    for (int i = 0; status == STATUS_OK && i < MIGRATIONS; i++) {
        if (migrations[i].version <= done)
            continue;
        status = apply_one(db, &migrations[i], fault);
        if (status == STATUS_OK) {
            count++;
            log_event(LOG_INFO, "store", "migration applied", "name", migrations[i].name, NULL);
        }
    }
    struct fault ignored = {.status = STATUS_OK};
    if (db_healthy(db) && db_run(db, &sql_migrate_unlock, DB_NO_PARAMS, NULL, &ignored) != STATUS_OK)
        log_event(LOG_WARN, "store", "migration lock not released; it ends with the connection", NULL);
    if (applied != NULL)
        *applied = count;
    return status;
}

static enum status check_server(struct db *db, bool durable, struct fault *fault)
{
    struct db_rows *rows = NULL;
    enum status status = db_run(db, &sql_migrate_fsync, DB_NO_PARAMS, &rows, fault);
    if (status == STATUS_OK && durable && !db_get_bool(rows, 0, 0)) {
        status = fault_set(fault, STATUS_CONFLICT,
                           "Postgres runs with fsync=off: what Serin acknowledges could be lost");
        fault_next(fault, "Turn fsync on, or set SERIN_ALLOW_NO_FSYNC=1 for a test database.");
    }
    db_rows_free(rows);
    return status;
}

enum status migrate_check(struct db *db, bool durable, struct fault *fault)
{
    struct db_rows *rows = NULL;
    int done = 0;
    enum status status = db_run(db, &sql_migrate_exists, DB_NO_PARAMS, &rows, fault);
    bool exists = status == STATUS_OK && db_get_bool(rows, 0, 0);
    db_rows_free(rows);
    if (status == STATUS_OK && exists)
        status = compare(db, &done, fault);
    if (status == STATUS_OK && done < migrate_newest()) {
        status = fault_set(fault, STATUS_CONFLICT, "The database is at migration %d, this serind needs %d",
                           done, migrate_newest());
        fault_next(fault, "Run 'serind migrate' first.");
    }
    return status == STATUS_OK ? check_server(db, durable, fault) : status;
}
