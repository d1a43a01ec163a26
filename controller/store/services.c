/* Services. */
#include "store/services.h"

#include "store/note.h"

#include "services.sql.h"

#include <string.h>

static enum status no_service(const char *name, struct fault *fault)
{
    fault_set(fault, STATUS_NOT_FOUND, "There is no service %s", name);
    fault_next(fault,
               "List them with 'serin service list' (GET /v1/services), or make it with 'serin service "
               "create %s' (PUT "
               "/v1/services/%s).",
               name, name);
    return STATUS_NOT_FOUND;
}

struct held {
    int64_t row_version;
    char sticky[16];
    bool live;
};

static enum status hold(struct db *db, const char *name, struct held *held, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, name);
    enum status status = db_run(db, &sql_service_hold, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 0) {
        status = no_service(name, fault);
    } else if (status == STATUS_OK) {
        held->row_version = db_get_integer(rows, 0, 0);
        strncpy(held->sticky, db_get_text(rows, 0, 1), sizeof held->sticky - 1);
        held->live = db_get_bool(rows, 0, 2);
    }
    db_rows_free(rows);
    return status;
}

static enum status stale(const char *name, struct fault *fault)
{
    fault_set(fault, STATUS_STALE_VERSION, "Service %s is not at the version that If-Match names", name);
    fault_next(fault,
               "Read it again with 'serin service show %s' (GET /v1/services/%s), and repeat the change if "
               "you still want "
               "it, with the ETag that it has now.",
               name, name);
    return STATUS_STALE_VERSION;
}

static enum status announce(struct db *db, const char *name, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, name);
    return db_run(db, &sql_service_notify, &params, NULL, fault);
}

enum status services_put(struct db *db, const char *name, const char *description, const char *sticky,
                         int64_t if_version, const char *actor, bool *created, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    struct held held = {.row_version = 0};
    bool changed = false;
    *created = false;
    db_text(&params, name);
    db_text(&params, description);
    db_text(&params, sticky);
    enum status status = STATUS_OK;
    if (if_version == STORE_ANY_VERSION) {
        status = db_run(db, &sql_service_insert, &params, &rows, fault);
        *created = status == STATUS_OK && db_rows_count(rows) > 0;
        db_rows_free(rows);
        rows = NULL;
        if (*created)
            status = announce(db, name, fault);
    }
    if (status == STATUS_OK && !*created) {
        status = hold(db, name, &held, fault);
        if (status == STATUS_NOT_FOUND ||
            (status == STATUS_OK && if_version != STORE_ANY_VERSION && held.row_version != if_version))
            return stale(name, fault);
        if (status == STATUS_OK && held.live && sticky != NULL && strcmp(sticky, held.sticky) != 0) {
            fault_set(fault, STATUS_CONFLICT, "The sticky key of %s cannot change while a rollout is live",
                      name);
            fault_next(fault, "Wait until the rollout has ended, or abort it first.");
            return STATUS_CONFLICT;
        }
        if (status == STATUS_OK)
            status = db_run(db, &sql_service_change, &params, &rows, fault);
        changed = status == STATUS_OK && db_rows_count(rows) > 0;
        db_rows_free(rows);
    }
    if (status != STATUS_OK || (!*created && !changed))
        return status;
    return note_append(db,
                       &(struct event){.type = *created ? "service.created" : "service.changed",
                                       .service = name,
                                       .actor = actor,
                                       .reason = ""},
                       (const struct note_field[]){{"description", NOTE_TEXT, description, 0},
                                                   {"sticky", NOTE_TEXT, sticky, 0},
                                                   {NULL, NOTE_TEXT, NULL, 0}},
                       fault);
}

enum status services_get(struct db *db, const char *name, struct text *out, int64_t *row_version,
                         struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, name);
    db_null(&params);
    db_integer(&params, 1);
    enum status status = db_run(db, &sql_service_list, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 0) {
        status = no_service(name, fault);
    } else if (status == STATUS_OK) {
        text_puts(out, db_get_text(rows, 0, 0));
        *row_version = db_get_integer(rows, 0, 2);
    }
    db_rows_free(rows);
    return status;
}

enum status services_list(struct db *db, struct page *page, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_null(&params);
    return page_read(db, &sql_service_list, &params, PAGE_KEY_TEXT, page, fault);
}

enum status services_exists(struct db *db, const char *name, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, name);
    enum status status = db_run(db, &sql_service_exists, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 0)
        status = no_service(name, fault);
    db_rows_free(rows);
    return status;
}

enum status services_lock(struct db *db, const char *name, struct fault *fault)
{
    struct held held = {.row_version = 0};
    return hold(db, name, &held, fault);
}
