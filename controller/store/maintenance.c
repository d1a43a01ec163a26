/* Maintenance of the counts. */
#include "store/maintenance.h"

#include "maintenance.sql.h"

enum status maintenance_due(struct db *db, bool *due, struct fault *fault)
{
    struct db_rows *rows = NULL;
    enum status status = db_run(db, &sql_minutes_due, DB_NO_PARAMS, &rows, fault);
    *due = status == STATUS_OK && db_get_integer(rows, 0, 1) > db_get_integer(rows, 0, 0);
    db_rows_free(rows);
    return status;
}

static enum status sum_minutes(struct db *db, int64_t from, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    enum status status = db_run(db, &sql_minutes_due, DB_NO_PARAMS, &rows, fault);
    if (status != STATUS_OK)
        return status;
    int64_t to = db_get_integer(rows, 0, 1);
    db_rows_free(rows);
    db_integer(&params, from);
    db_integer(&params, to);
    status = db_run(db, &sql_minutes_sum, &params, NULL, fault);
    if (status != STATUS_OK)
        return status;
    db_params_clear(&params);
    db_integer(&params, to);
    return db_run(db, &sql_minutes_advance, &params, NULL, fault);
}

enum status maintenance_run(struct db *db, struct fault *fault)
{
    struct db_rows *rows = NULL;
    enum status status = db_run(db, &sql_minutes_lock, DB_NO_PARAMS, &rows, fault);
    bool ours = status == STATUS_OK && db_rows_count(rows) == 1;
    int64_t from = ours ? db_get_integer(rows, 0, 0) : 0;
    db_rows_free(rows);
    if (!ours)
        return status;
    status = sum_minutes(db, from, fault);
    const struct statement *const chores[] = {&sql_minutes_expire, &sql_partitions_make, &sql_keys_expire,
                                              &sql_idempotency_expire, &sql_series_expire};
    for (size_t i = 0; status == STATUS_OK && i < sizeof chores / sizeof chores[0]; i++)
        status = db_run(db, chores[i], DB_NO_PARAMS, NULL, fault);
    return status;
}
