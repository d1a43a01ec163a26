/* Lists of a rollout's record. */
#include "store/record.h"

#include "record.sql.h"

#include <stdio.h>
#include <string.h>

enum status record_decisions(struct db *db, const char *rollout, struct page *page, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, rollout);
    return page_read(db, &sql_record_decisions, &params, PAGE_KEY_INTEGER, page, fault);
}

enum status record_links(struct db *db, const char *rollout, int64_t until, struct page *page,
                         struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, rollout);
    db_integer(&params, until);
    return page_read(db, &sql_record_links, &params, PAGE_KEY_INTEGER, page, fault);
}

enum status record_span(struct db *db, const char *rollout, int64_t until, struct record_span *out,
                        struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    memset(out, 0, sizeof *out);
    db_text(&params, rollout);
    db_integer(&params, until);
    enum status status = db_run(db, &sql_record_span, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 1) {
        out->first = db_get_integer(rows, 0, 0);
        snprintf(out->before, sizeof out->before, "%s", db_get_text(rows, 0, 1));
        out->last = db_get_integer(rows, 0, 2);
        snprintf(out->hash, sizeof out->hash, "%s", db_get_text(rows, 0, 3));
    }
    db_rows_free(rows);
    return status;
}

enum status record_verdicts(struct db *db, const char *rollout, struct page *page, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, rollout);
    return page_read(db, &sql_record_verdicts, &params, PAGE_KEY_INTEGER, page, fault);
}

enum status record_split_blocks(struct db *db, const char *rollout, struct page *page, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, rollout);
    return page_read(db, &sql_record_split_blocks, &params, PAGE_KEY_INTEGER, page, fault);
}
