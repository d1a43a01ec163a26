/* Read-only listings. */
#include "store/views.h"

#include "views.sql.h"

static enum status no_rollout(const char *id, struct fault *fault)
{
    fault_set(fault, STATUS_NOT_FOUND, "There is no rollout %.64s", id);
    fault_next(fault,
               "List those of a service with 'serin rollout list SERVICE' (GET "
               "/v1/services/{service}/rollouts).");
    return STATUS_NOT_FOUND;
}

enum status views_rollout(struct db *db, const char *id, struct text *out, int64_t *row_version,
                          struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_null(&params);
    db_text(&params, id);
    db_null(&params);
    db_integer(&params, 1);
    enum status status = db_run(db, &sql_view_rollouts, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 0) {
        status = no_rollout(id, fault);
    } else if (status == STATUS_OK) {
        text_puts(out, db_get_text(rows, 0, 0));
        *row_version = db_get_integer(rows, 0, 2);
    }
    db_rows_free(rows);
    return status;
}

enum status views_rollouts(struct db *db, const char *service, struct page *page, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, service);
    db_null(&params);
    return page_read(db, &sql_view_rollouts, &params, PAGE_KEY_TEXT, page, fault);
}

/* A listing of what belongs to a rollout; an empty one may mean that there is no such rollout. */
static enum status of_rollout(struct db *db, const struct statement *statement, const char *rollout,
                              struct page *page, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, rollout);
    enum status status = db_run(db, &sql_view_rollout_exists, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 0)
        status = no_rollout(rollout, fault);
    db_rows_free(rows);
    return status == STATUS_OK ? page_read(db, statement, &params, PAGE_KEY_INTEGER, page, fault) : status;
}

enum status views_verdicts(struct db *db, const char *rollout, struct page *page, struct fault *fault)
{
    return of_rollout(db, &sql_view_verdicts, rollout, page, fault);
}

enum status views_blocks(struct db *db, const char *rollout, struct page *page, struct fault *fault)
{
    return of_rollout(db, &sql_view_blocks, rollout, page, fault);
}

enum status views_events(struct db *db, const char *service, const char *rollout, struct page *page,
                         struct fault *fault)
{
    struct db_params params = {.count = 0};
    const struct statement *statement = &sql_view_events;
    if (rollout != NULL) {
        statement = &sql_view_events_of_rollout;
        db_text(&params, rollout);
        db_text(&params, service);
    } else if (service != NULL) {
        statement = &sql_view_events_of_service;
        db_text(&params, service);
    }
    return page_read(db, statement, &params, PAGE_KEY_TEXT, page, fault);
}

enum status views_routes(struct db *db, struct page *page, struct fault *fault)
{
    struct db_params params = {.count = 0};
    return page_read(db, &sql_view_routes, &params, PAGE_KEY_TEXT, page, fault);
}

enum status views_gateways(struct db *db, const char *service, int64_t lease_s, struct page *page,
                           struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, service);
    db_integer(&params, lease_s);
    return page_read(db, &sql_view_gateways, &params, PAGE_KEY_TEXT, page, fault);
}

enum status views_freeze(struct db *db, struct text *out, struct fault *fault)
{
    struct db_rows *rows = NULL;
    enum status status = db_run(db, &sql_view_freeze, DB_NO_PARAMS, &rows, fault);
    if (status == STATUS_OK)
        text_puts(out, db_get_text(rows, 0, 0));
    db_rows_free(rows);
    return status;
}

enum status views_rollback(struct db *db, const char *service, const char *left, const char *rollout,
                           struct text *out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    db_text(&params, left);
    db_text(&params, rollout);
    enum status status = db_run(db, &sql_view_rollback, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 0)
        status = fault_set(fault, STATUS_INTERNAL, "Service %s is gone after its rollback", service);
    else if (status == STATUS_OK)
        text_puts(out, db_get_text(rows, 0, 0));
    db_rows_free(rows);
    return status;
}
