/* Pages of listings. */
#include "store/page.h"

#include <stdio.h>
#include <string.h>

enum { ITEMS_MAX = 32 << 20 };

void page_init(struct page *page, const char *after, int limit)
{
    *page = (struct page){.limit = limit};
    snprintf(page->after, sizeof page->after, "%s", after);
    text_init(&page->items, ITEMS_MAX);
}

void page_free(struct page *page)
{
    text_free(&page->items);
}

/* 18 digits always fit in a bigint. */
static bool is_integer(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= 18 && strspn(text, "0123456789") == length;
}

enum status page_read(struct db *db, const struct statement *statement, struct db_params *params,
                      enum page_key kind, struct page *page, struct fault *fault)
{
    struct db_rows *rows = NULL;
    bool first = page->after[0] == '\0';
    page->count = 0;
    page->next[0] = page->last[0] = '\0';
    if (!first && kind == PAGE_KEY_INTEGER && !is_integer(page->after)) {
        fault_set(fault, STATUS_INVALID, "The cursor does not belong to this list");
        fault_next(fault, "Begin again without a cursor, and give back next_cursor as it came.");
        return STATUS_INVALID;
    }
    db_text(params, first ? NULL : page->after);
    db_integer(params, page->limit + 1);
    enum status status = db_run(db, statement, params, &rows, fault);
    if (status != STATUS_OK)
        return status;
    int found = db_rows_count(rows);
    page->count = found > page->limit ? page->limit : found;
    for (int i = 0; i < page->count; i++) {
        if (i > 0)
            text_putc(&page->items, ',');
        text_puts(&page->items, db_get_text(rows, i, 0));
    }
    if (page->count > 0)
        snprintf(page->last, sizeof page->last, "%s", db_get_text(rows, page->count - 1, 1));
    if (found > page->limit)
        memcpy(page->next, page->last, sizeof page->next);
    db_rows_free(rows);
    status = text_status(&page->items);
    if (status != STATUS_OK) {
        fault_set(fault, status, "The page is too large");
        fault_next(fault, "Ask for fewer items with limit.");
    }
    return status;
}
