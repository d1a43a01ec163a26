/* Reads before a start. */
#include "store/preconditions.h"

#include "preconditions.sql.h"

#include <string.h>

enum {
    RATE_ROWS = 50000,    /* a thousand gateways write them in a minute */
    REPORTED_ROWS = 20000 /* each of them is wider to read */
};

enum status preconditions_documents(struct db *db, const char *service, struct text *slos,
                                    struct text *policy, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    enum status status = db_run(db, &sql_start_documents, &params, &rows, fault);
    if (status == STATUS_OK) {
        text_puts(slos, db_get_text(rows, 0, 0));
        text_puts(policy, db_get_text(rows, 0, 1));
        if (text_status(slos) != STATUS_OK || text_status(policy) != STATUS_OK)
            status = fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    }
    db_rows_free(rows);
    return status;
}

enum status preconditions_rate(struct db *db, const char *service, double *rps, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    db_integer(&params, RATE_ROWS);
    enum status status = db_run(db, &sql_rate_measured, &params, &rows, fault);
    if (status == STATUS_OK)
        *rps = db_get_number(rows, 0, 0);
    db_rows_free(rows);
    return status;
}

enum status preconditions_spent(struct db *db, const char *service, enum sli sli, int64_t window_s,
                                double *requests, double *bad, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    db_integer(&params, sli);
    db_integer(&params, window_s);
    enum status status = db_run(db, &sql_budget_spent, &params, &rows, fault);
    if (status == STATUS_OK) {
        *requests = db_get_number(rows, 0, 0);
        *bad = db_get_number(rows, 0, 1);
    }
    db_rows_free(rows);
    return status;
}

enum status preconditions_reported(struct db *db, const char *service, const char *release, int64_t *outcomes,
                                   int64_t known[SLI_COUNT], struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    db_text(&params, release);
    db_integer(&params, REPORTED_ROWS);
    memset(known, 0, SLI_COUNT * sizeof *known);
    *outcomes = 0;
    enum status status = db_run(db, &sql_reported_slis, &params, &rows, fault);
    if (status == STATUS_OK && db_get_integer(rows, 0, 0) > 0) {
        *outcomes = db_get_integer(rows, 0, 0);
        db_get_integers(rows, 0, 1, known, SLI_COUNT);
    }
    db_rows_free(rows);
    return status;
}

enum status preconditions_keyed(struct db *db, const char *service, bool *keyed, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    enum status status = db_run(db, &sql_precondition_keyed, &params, &rows, fault);
    if (status == STATUS_OK)
        *keyed = db_rows_count(rows) == 1 && db_get_bool(rows, 0, 0);
    db_rows_free(rows);
    return status;
}
