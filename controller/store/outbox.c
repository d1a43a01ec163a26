/* The outbox: claims and outcomes, a statement each. */
#include "store/outbox.h"

#include "base/text.h"
#include "base/utf8.h"

#include "outbox.sql.h"

#include <stdio.h>
#include <stdlib.h>

enum { ERROR_MAX = 501, IDS_MAX = 1 << 20 };

struct outbox_batch {
    struct db_rows *rows;
    size_t count;
};

/* Ids hold no character that an array would have to quote, but nothing here depends on it. */
static void put_id(struct text *array, const char *id)
{
    text_putc(array, array->length == 0 ? '{' : ',');
    text_putc(array, '"');
    for (; *id != '\0'; id++) {
        if (*id == '"' || *id == '\\')
            text_putc(array, '\\');
        text_putc(array, *id);
    }
    text_putc(array, '"');
}

enum status outbox_claim(struct db *db, int max, const char *const *without, size_t without_count,
                         struct outbox_batch **out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct outbox_batch *batch = calloc(1, sizeof *batch);
    struct text ids;
    *out = NULL;
    if (batch == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    text_init(&ids, IDS_MAX);
    for (size_t i = 0; i < without_count; i++)
        put_id(&ids, without[i]);
    text_puts(&ids, ids.length == 0 ? "{}" : "}");
    enum status status = text_status(&ids);
    if (status != STATUS_OK) {
        fault_set(fault, status, "Too many webhooks are left out");
    } else {
        db_integer(&params, max);
        db_text(&params, text_get(&ids));
        db_integer(&params, OUTBOX_LEASE_S);
        status = db_run(db, &sql_outbox_claim, &params, &batch->rows, fault);
    }
    text_free(&ids);
    if (status != STATUS_OK) {
        free(batch);
        return status;
    }
    batch->count = (size_t)db_rows_count(batch->rows);
    *out = batch;
    return STATUS_OK;
}

void outbox_batch_free(struct outbox_batch *batch)
{
    if (batch == NULL)
        return;
    db_rows_free(batch->rows);
    free(batch);
}

size_t outbox_batch_count(const struct outbox_batch *batch)
{
    return batch->count;
}

struct outbox_delivery outbox_batch_get(const struct outbox_batch *batch, size_t at)
{
    const struct db_rows *rows = batch->rows;
    int row = (int)at;
    return (struct outbox_delivery){.event = db_get_text(rows, row, 0),
                                    .webhook = db_get_text(rows, row, 1),
                                    .attempts = db_get_integer(rows, row, 2),
                                    .type = db_get_text(rows, row, 3),
                                    .at = db_get_text(rows, row, 4),
                                    .body = db_get_text(rows, row, 5),
                                    .url = db_get_text(rows, row, 6),
                                    .secret = db_get_text(rows, row, 7),
                                    .turn = db_get_integer(rows, row, 8),
                                    .decision = db_get_text(rows, row, 9)};
}

static void put_delivery(struct db_params *params, const struct outbox_delivery *delivery)
{
    db_text(params, delivery->event);
    db_text(params, delivery->webhook);
}

enum status outbox_delivered(struct db *db, const struct outbox_delivery *delivery, struct fault *fault)
{
    struct db_params params = {.count = 0};
    put_delivery(&params, delivery);
    return db_run(db, &sql_outbox_delivered, &params, NULL, fault);
}

enum status outbox_failed(struct db *db, const struct outbox_delivery *delivery, double delay_s,
                          const char *error, struct fault *fault)
{
    struct db_params params = {.count = 0};
    char cut[ERROR_MAX];
    snprintf(cut, sizeof cut, "%s", error);
    utf8_trim(cut);
    put_delivery(&params, delivery);
    db_integer(&params, delivery->attempts);
    db_number(&params, delay_s);
    db_text(&params, cut);
    return db_run(db, &sql_outbox_failed, &params, NULL, fault);
}

enum status outbox_given_up(struct db *db, const struct outbox_delivery *delivery, const char *error,
                            struct fault *fault)
{
    struct db_params params = {.count = 0};
    char cut[ERROR_MAX];
    snprintf(cut, sizeof cut, "%s", error);
    utf8_trim(cut);
    put_delivery(&params, delivery);
    db_integer(&params, delivery->attempts);
    db_text(&params, cut);
    return db_run(db, &sql_outbox_given_up, &params, NULL, fault);
}

enum status outbox_put_back(struct db *db, const struct outbox_delivery *delivery, struct fault *fault)
{
    struct db_params params = {.count = 0};
    put_delivery(&params, delivery);
    db_integer(&params, delivery->attempts);
    return db_run(db, &sql_outbox_put_back, &params, NULL, fault);
}

enum status outbox_disable(struct db *db, const char *webhook, const char *error, struct fault *fault)
{
    struct db_params params = {.count = 0};
    char cut[ERROR_MAX];
    snprintf(cut, sizeof cut, "%s", error);
    utf8_trim(cut);
    db_text(&params, webhook);
    db_text(&params, cut);
    return db_run(db, &sql_outbox_disable, &params, NULL, fault);
}

enum status outbox_expire(struct db *db, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_integer(&params, OUTBOX_DAYS);
    return db_run(db, &sql_outbox_expire, &params, NULL, fault);
}
