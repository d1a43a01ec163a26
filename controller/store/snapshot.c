/* Reading what the gateway port serves. */
#include "store/snapshot.h"

#include "snapshot.sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACKS_MAX = 4 << 20 /* bytes of one array */, ACK_COLUMNS = 7 };

enum status snapshot_begin(struct db *db, struct fault *fault)
{
    enum status status = db_begin(db, fault);
    if (status != STATUS_OK)
        return status;
    status = db_run(db, &sql_snapshot_isolation, DB_NO_PARAMS, NULL, fault);
    if (status != STATUS_OK)
        db_rollback(db);
    return status;
}

enum status snapshot_read_marks(struct db *db, struct snapshot_marks *out, struct fault *fault)
{
    struct db_rows *rows;
    enum status status = db_run(db, &sql_snapshot_marks, DB_NO_PARAMS, &rows, fault);
    if (status != STATUS_OK)
        return status;
    if (db_rows_count(rows) != 1) {
        db_rows_free(rows);
        return fault_set(fault, STATUS_DATABASE, "The row of the route revision is missing");
    }
    out->rev = db_get_integer(rows, 0, 0);
    out->incarnation = db_get_integer(rows, 0, 1);
    out->now = db_get_time(rows, 0, 2);
    out->rate = db_get_number(rows, 0, 3);
    snprintf(out->else_hash, sizeof out->else_hash, "%s", db_get_text(rows, 0, 4));
    db_rows_free(rows);
    return STATUS_OK;
}

enum status snapshot_new_incarnation(struct db *db, int64_t served_incarnation, int64_t *incarnation,
                                     struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows;
    db_integer(&params, served_incarnation);
    enum status status = db_begin(db, fault);
    if (status != STATUS_OK)
        return status;
    status = db_run(db, &sql_snapshot_lock_incarnation, DB_NO_PARAMS, NULL, fault);
    if (status == STATUS_OK)
        status = db_run(db, &sql_snapshot_new_incarnation, &params, NULL, fault);
    if (status == STATUS_OK)
        status = db_commit(db, fault);
    else
        db_rollback(db);
    if (status != STATUS_OK || incarnation == NULL)
        return status;
    status = db_run(db, &sql_snapshot_incarnation, DB_NO_PARAMS, &rows, fault);
    if (status != STATUS_OK)
        return status;
    *incarnation = db_rows_count(rows) == 1 ? db_get_integer(rows, 0, 0) : 0;
    db_rows_free(rows);
    return STATUS_OK;
}

enum status snapshot_read_routes(struct db *db, int64_t since,
                                 enum status (*visit)(void *argument, const struct snapshot_route *route),
                                 void *argument, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows;
    db_integer(&params, since);
    enum status status = db_run(db, &sql_snapshot_routes, &params, &rows, fault);
    if (status != STATUS_OK)
        return status;
    for (int i = 0; i < db_rows_count(rows) && status == STATUS_OK; i++) {
        struct snapshot_route route = {
            .service = db_get_text(rows, i, 0),
            .epoch = db_get_integer(rows, i, 1),
            .stable = db_get_text(rows, i, 2),
            .canary = db_get_text(rows, i, 3),
            .canary_weight = (int32_t)db_get_integer(rows, i, 4),
            .rollout = db_get_text(rows, i, 5),
            .salt = db_get_text(rows, i, 6),
            .leased = !db_is_null(rows, i, 7),
            .valid_until = db_get_time(rows, i, 7),
            .valid_us = db_get_integer(rows, i, 8),
        };
        status = visit(argument, &route);
    }
    db_rows_free(rows);
    return status;
}

enum status snapshot_read_release(struct db *db, const char *service, const char *release,
                                  enum status (*visit)(void *argument,
                                                       const struct snapshot_release *release),
                                  void *argument, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows;
    db_text(&params, service);
    db_text(&params, release);
    enum status status = db_run(db, &sql_snapshot_release, &params, &rows, fault);
    if (status != STATUS_OK)
        return status;
    if (db_rows_count(rows) == 1) {
        struct snapshot_release found = {
            .digest = db_get_text(rows, 0, 0),
            .content = db_get_text(rows, 0, 1),
            .model = db_get_text(rows, 0, 2),
        };
        status = visit(argument, &found);
    } else {
        status = fault_set(fault, STATUS_NOT_FOUND, "Service %s has no release %s", service, release);
    }
    db_rows_free(rows);
    return status;
}

enum status snapshot_read_services(struct db *db,
                                   enum status (*visit)(void *argument,
                                                        const struct snapshot_service *service),
                                   void *argument, struct fault *fault)
{
    struct db_rows *rows;
    enum status status = db_run(db, &sql_snapshot_services, DB_NO_PARAMS, &rows, fault);
    if (status != STATUS_OK)
        return status;
    for (int i = 0; i < db_rows_count(rows) && status == STATUS_OK; i++) {
        struct snapshot_service service = {
            .name = db_get_text(rows, i, 0),
            .sticky = db_get_text(rows, i, 1),
            .slos = db_get_text(rows, i, 2),
            .policy = db_get_text(rows, i, 3),
        };
        status = visit(argument, &service);
    }
    db_rows_free(rows);
    return status;
}

enum status snapshot_read_names(struct db *db,
                                enum status (*visit)(void *argument, const char *service,
                                                     const char *release),
                                void *argument, struct fault *fault)
{
    struct db_rows *rows;
    enum status status = db_run(db, &sql_snapshot_names, DB_NO_PARAMS, &rows, fault);
    if (status != STATUS_OK)
        return status;
    for (int i = 0; i < db_rows_count(rows) && status == STATUS_OK; i++)
        status = visit(argument, db_get_text(rows, i, 0), db_get_text(rows, i, 1));
    db_rows_free(rows);
    return status;
}

enum status snapshot_read_tokens(struct db *db,
                                 enum status (*visit)(void *argument, const struct snapshot_token *token),
                                 void *argument, struct fault *fault)
{
    struct db_rows *rows;
    enum status status = db_run(db, &sql_snapshot_tokens, DB_NO_PARAMS, &rows, fault);
    if (status != STATUS_OK)
        return status;
    for (int i = 0; i < db_rows_count(rows) && status == STATUS_OK; i++) {
        struct snapshot_token token = {.name = db_get_text(rows, i, 0), .role = db_get_text(rows, i, 1)};
        if (db_get_bytes(rows, i, 2, token.secret.bytes, sizeof token.secret.bytes) !=
            sizeof token.secret.bytes)
            status = fault_set(fault, STATUS_DATABASE, "The hash of token %s is not one", token.name);
        else
            status = visit(argument, &token);
    }
    db_rows_free(rows);
    return status;
}

enum status snapshot_read_content(struct db *db, const struct digest *digest, struct text *out, bool *json,
                                  struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows;
    char hex[DIGEST_HEX];
    db_bytes(&params, digest->bytes, sizeof digest->bytes);
    enum status status = db_run(db, &sql_snapshot_content, &params, &rows, fault);
    if (status != STATUS_OK)
        return status;
    if (db_rows_count(rows) == 1) {
        size_t length = strlen(db_get_text(rows, 0, 1)) / 2;
        char *bytes = malloc(length + 1);
        if (bytes == NULL) {
            status = fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
        } else {
            length = db_get_bytes(rows, 0, 1, bytes, length);
            *json = db_get_bool(rows, 0, 0);
            text_add(out, bytes, length == (size_t)-1 ? 0 : length);
            free(bytes);
            status = text_status(out);
            if (status != STATUS_OK)
                fault_set(fault, status, "The content is too large to serve");
        }
    } else {
        status = fault_set(fault, STATUS_NOT_FOUND, "No artifact version has the digest %s",
                           digest_hex(digest, hex));
        fault_next(fault, "Take a digest from `artifacts` of a route or a release.");
    }
    db_rows_free(rows);
    return status;
}

enum status snapshot_write_acks(struct db *db, const struct snapshot_ack *acks, size_t count,
                                struct fault *fault)
{
    struct text column[ACK_COLUMNS];
    struct db_params params = {.count = 0};
    enum status status = STATUS_OK;
    if (count == 0)
        return STATUS_OK;
    for (size_t i = 0; i < ACK_COLUMNS; i++) {
        text_init(&column[i], ACKS_MAX);
        text_putc(&column[i], '{');
    }
    /* names hold nothing that needs escaping; the quotes keep a gateway called "null" a name */
    for (size_t i = 0; i < count; i++) {
        const char *comma = i == 0 ? "" : ",";
        text_printf(&column[0], "%s\"%s\"", comma, acks[i].service);
        text_printf(&column[1], "%s\"%s\"", comma, acks[i].instance);
        text_printf(&column[2], "%s%" PRId64, comma, acks[i].applied_epoch);
        text_printf(&column[3], "%s%" PRId64, comma, acks[i].age_ms);
        text_printf(&column[4], "%s%" PRId64, comma, acks[i].applied_ms);
        text_printf(&column[5], "%s%" PRId32, comma, acks[i].weight_step);
        text_printf(&column[6], "%s%" PRId64, comma, acks[i].incarnation);
    }
    for (size_t i = 0; i < ACK_COLUMNS; i++) {
        text_putc(&column[i], '}');
        if (status == STATUS_OK)
            status = text_status(&column[i]);
        db_text(&params, text_get(&column[i]));
    }
    if (status == STATUS_OK)
        status = db_run(db, &sql_snapshot_acks, &params, NULL, fault);
    else
        fault_set(fault, status, "What gateways have applied could not be written down");
    for (size_t i = 0; i < ACK_COLUMNS; i++)
        text_free(&column[i]);
    return status;
}
