/* Blocks of stable's outcomes, halved by gateway. */
#include "store/overdispersion.h"

#include "overdispersion.sql.h"

#include <string.h>

static enum status width(struct db *db, const char *service, int64_t block_s,
                         struct overdispersion_found *out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    db_integer(&params, block_s);
    enum status status = db_run(db, &sql_overdispersion_width, &params, &rows, fault);
    if (status == STATUS_OK) {
        out->block_s = db_get_integer(rows, 0, 0);
        out->gateways = db_get_integer(rows, 0, 1);
    }
    db_rows_free(rows);
    return status;
}

enum status overdispersion_measure(struct db *db, const char *service, enum sli sli, int64_t block_s,
                                   struct overdispersion_found *out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    memset(out, 0, sizeof *out);
    enum status status = width(db, service, block_s, out, fault);
    if (status != STATUS_OK || out->gateways < OVERDISPERSION_GATEWAYS_MIN)
        return status;
    db_text(&params, service);
    db_integer(&params, sli);
    db_integer(&params, out->block_s);
    status = db_run(db, &sql_overdispersion_blocks, &params, &rows, fault);
    for (int i = 0; status == STATUS_OK && i < db_rows_count(rows); i++)
        overdispersion_add(&out->sum, db_get_integer(rows, i, 0), db_get_integer(rows, i, 1),
                           db_get_integer(rows, i, 2), db_get_integer(rows, i, 3));
    db_rows_free(rows);
    return status;
}
