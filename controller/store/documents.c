/* Objectives and policies in versions. */
#include "store/documents.h"

#include "store/note.h"

#include "documents.sql.h"

static const struct {
    const char *words, *path, *event;
    const struct statement *newest, *append;
} kinds[] = {
    [DOCUMENT_SLOS] = {"objectives", "slos", "slos.changed", &sql_slos_newest, &sql_slos_append},
    [DOCUMENT_POLICY] = {"policy", "policy", "policy.changed", &sql_policy_newest, &sql_policy_append},
};

enum status documents_put(struct db *db, enum document_kind kind, const char *service, const char *document,
                          int64_t if_version, const char *actor, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    int64_t version = 0;
    enum status status = services_lock(db, service, fault);
    if (status == STATUS_OK)
        status = documents_get(db, kind, service, NULL, NULL, &version, fault);
    if (status != STATUS_OK)
        return status;
    if (if_version != STORE_ANY_VERSION && if_version != version) {
        fault_set(fault, STATUS_STALE_VERSION, "The %s of %s are at version %lld now", kinds[kind].words,
                  service, (long long)version);
        fault_next(fault,
                   "Read it again with 'serin service %s %s' (GET /v1/services/%s/%s), and repeat the change "
                   "with the ETag "
                   "that it has now.",
                   kinds[kind].path, service, service, kinds[kind].path);
        return STATUS_STALE_VERSION;
    }
    db_text(&params, service);
    db_integer(&params, version);
    db_text(&params, document);
    db_text(&params, actor);
    status = db_run(db, kinds[kind].append, &params, &rows, fault);
    bool added = status == STATUS_OK && db_rows_count(rows) > 0;
    db_rows_free(rows);
    if (!added)
        return status;
    return note_append(
        db, &(struct event){.type = kinds[kind].event, .service = service, .actor = actor, .reason = ""},
        (const struct note_field[]){{"version", NOTE_INTEGER, NULL, version + 1}, {NULL, NOTE_TEXT, NULL, 0}},
        fault);
}

enum status documents_get(struct db *db, enum document_kind kind, const char *service, struct text *whole,
                          struct text *document, int64_t *version, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    *version = 0;
    db_text(&params, service);
    enum status status = db_run(db, kinds[kind].newest, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) > 0) {
        *version = db_get_integer(rows, 0, 1);
        if (whole != NULL)
            text_puts(whole, db_get_text(rows, 0, 0));
        if (document != NULL)
            text_puts(document, db_get_text(rows, 0, 2));
    }
    db_rows_free(rows);
    return status;
}
