/* Many rows in one statement: each column travels as one array, in Postgres' text form. */
#include "store/observations.h"

#include "base/text.h"

#include "observations.sql.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = 15, COLUMN_MAX = 8 << 20 };

#define EXACT_MAX 9007199254740992.0 /* below it a whole double is an integer */

/* Opens an array, or goes on to its next element. */
static void next_element(struct text *array)
{
    text_putc(array, array->length == 0 ? '{' : ',');
}

/* Always quoted: bare NULL would be SQL's. */
static void put_element(struct text *array, const char *value)
{
    next_element(array);
    text_putc(array, '"');
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\')
            text_putc(array, '\\');
        text_putc(array, *value);
    }
    text_putc(array, '"');
}

static void put_integer(struct text *array, int64_t value)
{
    next_element(array);
    text_integer(array, value);
}

/* An array as an element: quoted, since unnest() would flatten two dimensions into one. */
static void put_integers(struct text *array, const int64_t *values, size_t count)
{
    next_element(array);
    for (size_t i = 0; i < count; i++) {
        text_puts(array, i == 0 ? "\"{" : ",");
        text_integer(array, values[i]);
    }
    text_puts(array, "}\"");
}

static void put_numbers(struct text *array, const double *values, size_t count)
{
    next_element(array);
    for (size_t i = 0; i < count; i++) {
        double value = values[i];
        text_puts(array, i == 0 ? "\"{" : ",");
        if (fabs(value) < EXACT_MAX && value == floor(value)) /* as good as always */
            text_integer(array, (int64_t)value);
        else
            text_printf(array, "%.17g", value);
    }
    text_puts(array, "}\"");
}

/* Closes the arrays, runs the statement with them as its parameters and frees them. */
static enum status run(struct db *db, const struct statement *statement, struct text *columns, size_t count,
                       struct db_rows **out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count; i++) {
        text_putc(&columns[i], '}');
        if (status == STATUS_OK)
            status = text_status(&columns[i]);
        db_text(&params, text_get(&columns[i]));
    }
    if (status == STATUS_OK)
        status = db_run(db, statement, &params, out, fault);
    else
        fault_set(fault, status, "The counts could not be written down");
    for (size_t i = 0; i < count; i++)
        text_free(&columns[i]);
    return status;
}

enum status observations_add(struct db *db, const struct observation_row *rows, size_t count,
                             struct fault *fault)
{
    struct text column[COLUMNS];
    if (count == 0)
        return STATUS_OK;
    for (size_t i = 0; i < COLUMNS; i++)
        text_init(&column[i], COLUMN_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct observation_row *row = &rows[i];
        put_element(&column[0], row->service);
        put_integer(&column[1], row->bucket_s);
        put_element(&column[2], row->release);
        put_element(&column[3], row->gateway);
        put_integer(&column[4], row->admissions);
        put_integer(&column[5], row->outcomes);
        put_integer(&column[6], row->late_outcomes);
        put_integers(&column[7], row->n, SLI_COUNT);
        put_integers(&column[8], row->k, SLI_COUNT);
        put_integers(&column[9], row->late, SLI_COUNT);
        put_numbers(&column[10], row->sums, OBSERVATION_SUMS);
        put_integers(&column[11], row->summed, OBSERVATION_SUMS);
        put_element(&column[12], row->stratum);
        put_integers(&column[13], row->absent, SLI_COUNT);
        put_integer(&column[14], row->interval_s);
    }
    return run(db, &sql_observations_add, column, COLUMNS, NULL, fault);
}

static struct ingest_key *find_key(struct ingest_key *keys, size_t count, const char *gateway,
                                   const char *key)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(keys[middle].gateway, gateway);
        if (order == 0)
            order = strcmp(keys[middle].key, key);
        if (order == 0)
            return &keys[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

enum status observations_claim(struct db *db, struct ingest_key *keys, size_t count, struct fault *fault)
{
    struct text column[2];
    struct db_rows *fresh = NULL;
    if (count == 0)
        return STATUS_OK;
    text_init(&column[0], COLUMN_MAX);
    text_init(&column[1], COLUMN_MAX);
    for (size_t i = 0; i < count; i++) {
        keys[i].fresh = false;
        put_element(&column[0], keys[i].gateway);
        put_element(&column[1], keys[i].key);
    }
    enum status status = run(db, &sql_observations_claim, column, 2, &fresh, fault);
    if (status != STATUS_OK)
        return status;
    for (int i = 0; i < db_rows_count(fresh); i++) {
        struct ingest_key *key = find_key(keys, count, db_get_text(fresh, i, 0), db_get_text(fresh, i, 1));
        if (key != NULL)
            key->fresh = true;
    }
    db_rows_free(fresh);
    return STATUS_OK;
}

enum status observations_reported(struct db *db, const struct ingest_reporter *reporters, size_t count,
                                  struct fault *fault)
{
    struct text column[2];
    if (count == 0)
        return STATUS_OK;
    text_init(&column[0], COLUMN_MAX);
    text_init(&column[1], COLUMN_MAX);
    for (size_t i = 0; i < count; i++) {
        put_element(&column[0], reporters[i].service);
        put_element(&column[1], reporters[i].instance);
    }
    return run(db, &sql_observations_reported, column, 2, NULL, fault);
}
