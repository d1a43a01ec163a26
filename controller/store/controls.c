/* Freezes and quarantines. */
#include "store/controls.h"

#include "controls.sql.h"

/* Runs a statement that returns a row if it changed something. */
static enum status change(struct db *db, const struct statement *statement, const struct db_params *params,
                          bool *changed, struct fault *fault)
{
    struct db_rows *rows = NULL;
    enum status status = db_run(db, statement, params, &rows, fault);
    *changed = status == STATUS_OK && db_rows_count(rows) > 0;
    db_rows_free(rows);
    return status;
}

enum status controls_freeze(struct db *db, const char *reason, const char *by, bool *changed,
                            struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, reason);
    db_text(&params, by);
    return change(db, &sql_freeze_insert, &params, changed, fault);
}

enum status controls_unfreeze(struct db *db, const char *by, bool *changed, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, by);
    return change(db, &sql_freeze_lift, &params, changed, fault);
}

enum status controls_lift_quarantine(struct db *db, const char *service, const char *release, const char *by,
                                     const char *reason, bool *changed, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, service);
    db_text(&params, release);
    db_text(&params, by);
    db_text(&params, reason);
    return change(db, &sql_quarantine_lift, &params, changed, fault);
}

enum status controls_release(struct db *db, const char *service, const char *release,
                             struct controls_release *out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    db_text(&params, release);
    enum status status = db_run(db, &sql_release_state, &params, &rows, fault);
    out->exists = status == STATUS_OK && db_rows_count(rows) > 0;
    out->quarantined = out->exists && db_get_bool(rows, 0, 0);
    out->baked = out->exists && db_get_bool(rows, 0, 1);
    db_rows_free(rows);
    return status;
}
