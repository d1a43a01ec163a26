/* Answers kept under an Idempotency-Key. */
#include "store/idempotency.h"

#include "idempotency.sql.h"

#include <stdio.h>

enum { BODY_MAX = 8 << 20 };

void idempotency_answer_init(struct idempotent_answer *answer)
{
    *answer = (struct idempotent_answer){.http_status = 0};
    text_init(&answer->body, BODY_MAX);
}

void idempotency_answer_free(struct idempotent_answer *answer)
{
    text_free(&answer->body);
}

static enum status lock(struct db *db, const struct db_params *params, struct fault *fault)
{
    struct db_rows *rows = NULL;
    enum status status = db_run(db, &sql_idempotency_lock, params, &rows, fault);
    if (status == STATUS_OK && !db_get_bool(rows, 0, 0)) {
        status =
            fault_set(fault, STATUS_IN_PROGRESS, "The request with this Idempotency-Key is being worked on");
        fault_next(fault, "Wait a moment and repeat it with the same key: you will get its answer.");
    }
    db_rows_free(rows);
    return status;
}

enum status idempotency_begin(struct db *db, const char *token, const char *key, const struct digest *request,
                              struct idempotent_answer *answer, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    struct digest stored;
    answer->http_status = 0;
    db_text(&params, token);
    db_text(&params, key);
    enum status status = lock(db, &params, fault);
    if (status == STATUS_OK)
        status = db_run(db, &sql_idempotency_find, &params, &rows, fault);
    if (status != STATUS_OK || db_rows_count(rows) == 0)
        goto out;
    if (db_get_bytes(rows, 0, 0, stored.bytes, sizeof stored.bytes) != sizeof stored.bytes ||
        !digest_equal(&stored, request)) {
        status = fault_set(fault, STATUS_KEY_REUSED, "This Idempotency-Key was used for another request");
        fault_next(fault, "Use a new key for a new request; the old key repeats only the old request.");
        goto out;
    }
    answer->http_status = (int)db_get_integer(rows, 0, 1);
    text_puts(&answer->body, db_get_text(rows, 0, 2));
    snprintf(answer->etag, sizeof answer->etag, "%s", db_get_text(rows, 0, 3));
    status = text_status(&answer->body);
    if (status != STATUS_OK)
        fault_set(fault, status, "The stored answer cannot be given again");
out:
    db_rows_free(rows);
    return status;
}

enum status idempotency_store(struct db *db, const char *token, const char *key, const struct digest *request,
                              const struct idempotent_answer *answer, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, token);
    db_text(&params, key);
    db_bytes(&params, request->bytes, sizeof request->bytes);
    db_integer(&params, answer->http_status);
    db_text(&params, text_get(&answer->body));
    db_text(&params, answer->etag);
    return db_run(db, &sql_idempotency_store, &params, NULL, fault);
}
