/* Cumulative series in the database. */
#include "store/series.h"

#include "store/columns.h"

#include "series.sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 7 };

int series_order(const struct series_row *a, const struct series_row *b)
{
    int order = strcmp(a->target, b->target);
    if (order == 0)
        order = strcmp(a->series, b->series);
    return order != 0 ? order : (a->start_ns > b->start_ns) - (a->start_ns < b->start_ns);
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
    struct text list[2];
    struct db_rows *result = NULL;
    *out = NULL;
    *rows = 0;
    for (size_t i = 0; i < 2; i++) {
        columns_begin(&list[i]);
        for (size_t at = 0; at < count; at++)
            columns_text(&list[i], targets[at]);
    }
    enum status status = columns_run(db, &sql_series_lock, &list[0], 1, NULL, fault);
    if (status == STATUS_OK)
        status = columns_run(db, &sql_series_read, &list[1], 1, &result, fault);
    else
        text_free(&list[1]);
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
        columns_begin(&column[i]);
    for (size_t i = 0; i < count; i++) {
        const struct series_row *row = &rows[i];
        columns_text(&column[0], row->target);
        columns_text(&column[1], row->series);
        columns_integer(&column[2], row->start_ns);
        columns_integer(&column[3], row->time_ns);
        columns_integer(&column[4], row->shape);
        columns_integers(&column[5], row->value, SERIES_VALUES);
        columns_numbers(&column[6], &row->sum, 1);
    }
    return columns_run(db, &sql_series_put, column, COLUMNS, NULL, fault);
}
