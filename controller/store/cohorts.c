/* Counts read for evidence. */
#include "store/cohorts.h"

#include "cohorts.sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status cohorts_read(struct db *db, const char *service, const char *canary, const char *stable,
                         int64_t from_s, int64_t to_s, struct cohort **out, size_t *count,
                         struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    *out = NULL;
    *count = 0;
    db_text(&params, service);
    db_integer(&params, from_s);
    db_integer(&params, to_s);
    db_text(&params, canary);
    db_text(&params, stable);
    enum status status = db_run(db, &sql_cohorts_read, &params, &rows, fault);
    if (status != STATUS_OK)
        return status;
    *out = calloc((size_t)db_rows_count(rows) + 1, sizeof **out);
    if (*out == NULL)
        status = fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    for (int i = 0; status == STATUS_OK && i < db_rows_count(rows); i++) {
        struct cohort *cohort = &(*out)[(*count)++];
        cohort->second = db_get_integer(rows, i, 0);
        cohort->canary = strcmp(db_get_text(rows, i, 1), canary) == 0;
        cohort->admissions = db_get_integer(rows, i, 2);
        cohort->outcomes = db_get_integer(rows, i, 3);
        db_get_integers(rows, i, 4, cohort->n, SLI_COUNT);
        db_get_integers(rows, i, 5, cohort->k, SLI_COUNT);
        cohort->reported_at = db_get_integer(rows, i, 6);
        cohort->absences = db_get_bool(rows, i, 7);
        cohort->late_outcomes = db_get_integer(rows, i, 8);
        db_get_integers(rows, i, 9, cohort->late, SLI_COUNT);
        snprintf(cohort->stratum, sizeof cohort->stratum, "%s", db_get_text(rows, i, 10));
        db_get_integers(rows, i, 11, cohort->absent, SLI_COUNT);
        cohort->interval_s = db_get_integer(rows, i, 12);
    }
    db_rows_free(rows);
    return status;
}

enum status cohorts_window(struct db *db, const char *service, int64_t from_s, int64_t to_s,
                           int64_t maturity_s, struct cohort_window *out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    db_integer(&params, from_s);
    db_integer(&params, to_s);
    db_integer(&params, maturity_s);
    enum status status = db_run(db, &sql_cohorts_window, &params, &rows, fault);
    if (status == STATUS_OK) {
        out->reported_at = db_get_integer(rows, 0, 0);
        out->admissions = db_get_integer(rows, 0, 1);
        out->blind = db_get_integer(rows, 0, 2);
    }
    db_rows_free(rows);
    return status;
}

static void put_window(struct db_params *params, const char *service, int64_t from_s, int64_t to_s,
                       const char *canary, const char *stable)
{
    db_text(params, service);
    db_integer(params, from_s);
    db_integer(params, to_s);
    db_text(params, canary);
    db_text(params, stable);
}

enum status cohorts_late(struct db *db, const char *service, const char *canary, const char *stable,
                         int64_t from_s, int64_t to_s, struct cohort_late *out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    memset(out, 0, sizeof *out);
    put_window(&params, service, from_s, to_s, canary, stable);
    enum status status = db_run(db, &sql_cohorts_late, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 1) {
        db_get_integers(rows, 0, 0, out->bad, SLI_COUNT);
        db_get_integers(rows, 0, 1, out->late, SLI_COUNT);
    }
    db_rows_free(rows);
    return status;
}

enum status cohorts_unmatched(struct db *db, const char *service, const char *canary, const char *stable,
                              int64_t from_s, int64_t to_s, struct cohort_unmatched *out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    memset(out, 0, sizeof *out);
    put_window(&params, service, from_s, to_s, canary, stable);
    enum status status = db_run(db, &sql_cohorts_unmatched, &params, &rows, fault);
    if (status == STATUS_OK)
        *out = (struct cohort_unmatched){db_get_integer(rows, 0, 0), db_get_integer(rows, 0, 1),
                                         db_get_integer(rows, 0, 2), db_get_integer(rows, 0, 3),
                                         db_get_integer(rows, 0, 4)};
    db_rows_free(rows);
    return status;
}

enum status cohorts_strays(struct db *db, const char *service, const char *canary, const char *stable,
                           int64_t from_s, int64_t to_s, int64_t *requests, char release[NAME_MAX_LENGTH + 1],
                           struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    *requests = 0;
    release[0] = '\0';
    put_window(&params, service, from_s, to_s, canary, stable);
    enum status status = db_run(db, &sql_cohorts_strays, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 1) {
        *requests = db_get_integer(rows, 0, 0);
        snprintf(release, NAME_MAX_LENGTH + 1, "%s", db_get_text(rows, 0, 1));
    }
    db_rows_free(rows);
    return status;
}
