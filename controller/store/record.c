/* Lists of a rollout's record. */
#include "store/record.h"

#include "record.sql.h"

enum status record_decisions(struct db *db, const char *rollout, struct page *page, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, rollout);
    return page_read(db, &sql_record_decisions, &params, PAGE_KEY_INTEGER, page, fault);
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
