/* Webhooks. */
#include "store/webhooks.h"

#include "store/note.h"
#include "store/services.h"

#include "webhooks.sql.h"

#include <string.h>

enum { SECRET_BYTES = 32 };

enum status webhooks_create(struct db *db, const char *url, const char *service, const char *actor,
                            char id[ID_MAX], char secret[WEBHOOK_SECRET_MAX], struct fault *fault)
{
    struct db_params params = {.count = 0};
    unsigned char random[SECRET_BYTES];
    enum status status = service != NULL ? services_exists(db, service, fault) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    digest_random(random, sizeof random);
    memcpy(secret, "whsec_", 6);
    digest_base64(random, sizeof random, secret + 6, WEBHOOK_SECRET_MAX - 6);
    id_new("wh", id);
    db_text(&params, id);
    db_text(&params, url);
    db_text(&params, service);
    db_text(&params, secret);
    status = db_run(db, &sql_webhook_insert, &params, NULL, fault);
    if (status != STATUS_OK)
        return status;
    return note_append(db, &(struct event){.type = "webhook.created", .actor = actor, .reason = ""},
                       (const struct note_field[]){{"id", NOTE_TEXT, id, 0},
                                                   {"url", NOTE_TEXT, url, 0},
                                                   {"service", NOTE_TEXT, service, 0},
                                                   {NULL, NOTE_TEXT, NULL, 0}},
                       fault);
}

enum status webhooks_delete(struct db *db, const char *id, const char *actor, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    struct text ignored;
    text_init(&ignored, 1 << 16);
    db_text(&params, id);
    enum status status = db_run(db, &sql_webhook_disable, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 0) {
        status = webhooks_get(db, id, &ignored, fault); /* NOT_FOUND, unless it was stopped before */
        goto out;
    }
    if (status == STATUS_OK)
        status = db_run(db, &sql_webhook_drop_pending, &params, NULL, fault);
    if (status == STATUS_OK)
        status = note_append(db, &(struct event){.type = "webhook.deleted", .actor = actor, .reason = ""},
                             (const struct note_field[]){{"id", NOTE_TEXT, id, 0},
                                                         {"url", NOTE_TEXT, db_get_text(rows, 0, 0), 0},
                                                         {NULL, NOTE_TEXT, NULL, 0}},
                             fault);
out:
    db_rows_free(rows);
    text_free(&ignored);
    return status;
}

enum status webhooks_get(struct db *db, const char *id, struct text *out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, id);
    db_null(&params);
    db_integer(&params, 1);
    enum status status = db_run(db, &sql_webhook_list, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 0) {
        status = fault_set(fault, STATUS_NOT_FOUND, "There is no webhook %.64s", id);
        fault_next(fault,
                   "List them with 'serin webhook list' (GET /v1/webhooks); a webhook is named by its id.");
    } else if (status == STATUS_OK) {
        text_puts(out, db_get_text(rows, 0, 0));
    }
    db_rows_free(rows);
    return status;
}

enum status webhooks_list(struct db *db, struct page *page, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_null(&params);
    return page_read(db, &sql_webhook_list, &params, PAGE_KEY_TEXT, page, fault);
}
