/* Counts, the keys of batches and who reported them, many rows in one statement. */
#include "store/observations.h"

#include "store/columns.h"

#include "observations.sql.h"

#include <string.h>

enum { COLUMNS = 15 };

enum status observations_add(struct db *db, const struct observation_row *rows, size_t count,
                             struct fault *fault)
{
    struct text column[COLUMNS];
    if (count == 0)
        return STATUS_OK;
    for (size_t i = 0; i < COLUMNS; i++)
        columns_begin(&column[i]);
    for (size_t i = 0; i < count; i++) {
        const struct observation_row *row = &rows[i];
        columns_text(&column[0], row->service);
        columns_integer(&column[1], row->bucket_s);
        columns_text(&column[2], row->release);
        columns_text(&column[3], row->gateway);
        columns_integer(&column[4], row->admissions);
        columns_integer(&column[5], row->outcomes);
        columns_integer(&column[6], row->late_outcomes);
        columns_integers(&column[7], row->n, SLI_COUNT);
        columns_integers(&column[8], row->k, SLI_COUNT);
        columns_integers(&column[9], row->late, SLI_COUNT);
        columns_numbers(&column[10], row->sums, OBSERVATION_SUMS);
        columns_integers(&column[11], row->summed, OBSERVATION_SUMS);
        columns_text(&column[12], row->stratum);
        columns_integers(&column[13], row->absent, SLI_COUNT);
        columns_integer(&column[14], row->interval_s);
    }
    return columns_run(db, &sql_observations_add, column, COLUMNS, NULL, fault);
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
    columns_begin(&column[0]);
    columns_begin(&column[1]);
    for (size_t i = 0; i < count; i++) {
        keys[i].fresh = false;
        columns_text(&column[0], keys[i].gateway);
        columns_text(&column[1], keys[i].key);
    }
    enum status status = columns_run(db, &sql_observations_claim, column, 2, &fresh, fault);
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
    columns_begin(&column[0]);
    columns_begin(&column[1]);
    for (size_t i = 0; i < count; i++) {
        columns_text(&column[0], reporters[i].service);
        columns_text(&column[1], reporters[i].instance);
    }
    return columns_run(db, &sql_observations_reported, column, 2, NULL, fault);
}
