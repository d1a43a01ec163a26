/* Cumulative series in the database. */
#include "store/series.h"

#include "base/text.h"

#include "series.sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 7, COLUMN_MAX = 8 << 20 };

int series_order(const struct series_row *a, const struct series_row *b)
{
    int order = strcmp(a->target, b->target);
    if (order == 0)
        order = strcmp(a->series, b->series);
    return order != 0 ? order : (a->start_ns > b->start_ns) - (a->start_ns < b->start_ns);
}

static enum status run(struct db *db, const struct statement *statement, struct text *columns, size_t count,
                       struct db_rows **out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count; i++) {
        text_puts(&columns[i], columns[i].length == 0 ? "{}" : "}");
        if (status == STATUS_OK)
            status = text_status(&columns[i]);
        db_text(&params, text_get(&columns[i]));
    }
    if (status == STATUS_OK)
        status = db_run(db, statement, &params, out, fault);
    else
        fault_set(fault, status, "The series could not be written down");
    return status;
}

static void read_row(const struct db_rows *rows, int at, struct series_row *out)
{
    snprintf(out->target, sizeof out->target, "%s", db_get_text(rows, at, 0));
    snprintf(out->series, sizeof out->series, "%s", db_get_text(rows, at, 1));
    out->start_ns = db_get_integer(rows, at, 2);
    out->time_ns = db_get_integer(rows, at, 3);
    out->shape = db_get_integer(rows, at, 4);
    db_get_integers(rows, at, 5, out->value, SERIES_VALUES);
    out->sum = db_get_number(rows, at, 6);
}

enum status series_take(struct db *db, const char *const *targets, size_t count, struct series_row **out,
                        size_t *rows, struct fault *fault)
{
    struct text list;
    struct db_rows *result = NULL;
    struct db_params params = {.count = 0};
    *out = NULL;
    *rows = 0;
    text_init(&list, COLUMN_MAX);
    for (size_t i = 0; i < count; i++)
        text_printf(&list, "%c%s", i == 0 ? '{' : ',', targets[i]);
    enum status status = run(db, &sql_series_lock, &list, 1, NULL, fault);
    if (status == STATUS_OK) {
        db_text(&params, text_get(&list));
        status = db_run(db, &sql_series_read, &params, &result, fault);
    }
    text_free(&list);
    if (status != STATUS_OK)
        return status;
    *rows = (size_t)db_rows_count(result);
    *out = calloc(*rows + 1, sizeof **out);
    for (size_t i = 0; i < *rows && *out != NULL; i++)
        read_row(result, (int)i, &(*out)[i]);
    db_rows_free(result);
    return *out != NULL ? STATUS_OK : fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
}

enum status series_room(struct db *db, int64_t *out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_integer(&params, SERIES_MAX);
    enum status status = db_run(db, &sql_series_room, &params, &rows, fault);
    if (status == STATUS_OK)
        *out = SERIES_MAX - db_get_integer(rows, 0, 0);
    db_rows_free(rows);
    return status;
}

enum status series_put(struct db *db, const struct series_row *rows, size_t count, struct fault *fault)
{
    struct text column[COLUMNS];
    if (count == 0)
        return STATUS_OK;
    for (size_t i = 0; i < COLUMNS; i++)
        text_init(&column[i], COLUMN_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct series_row *row = &rows[i];
        for (size_t at = 0; at < COLUMNS; at++)
            text_putc(&column[at], i == 0 ? '{' : ',');
        text_puts(&column[0], row->target);
        text_puts(&column[1], row->series);
        text_printf(&column[2], "%" PRId64, row->start_ns);
        text_printf(&column[3], "%" PRId64, row->time_ns);
        text_printf(&column[4], "%" PRId64, row->shape);
        text_printf(&column[5], "\"{%" PRId64 ",%" PRId64 ",%" PRId64 "}\"", row->value[0], row->value[1],
                    row->value[2]);
        text_printf(&column[6], "%.17g", row->sum);
    }
    enum status status = run(db, &sql_series_put, column, COLUMNS, NULL, fault);
    for (size_t i = 0; i < COLUMNS; i++)
        text_free(&column[i]);
    return status;
}
