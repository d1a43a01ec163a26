/* Pages of listings whose items are JSON texts built by Postgres. Order is by a key, and a page begins after
   the key of the last item of the page before, so that nothing is shown twice or left out while rows are
   added. */
#pragma once

#include "base/text.h"
#include "store/db.h"

enum { PAGE_KEY_MAX = 193 };

struct page {
    char after[PAGE_KEY_MAX]; /* in: key of the last item that was seen, "" = the first page */
    int limit;                /* in: 1 or more */
    struct text items;        /* out: JSON items with commas between them, no brackets; owned (page_free) */
    int count;                /* out: how many items */
    char next[PAGE_KEY_MAX];  /* out: key of the last item if more follow, else "" */
    char last[PAGE_KEY_MAX];  /* out: key of the last item, "" if there is none */
};

enum page_key { PAGE_KEY_TEXT, PAGE_KEY_INTEGER };

/* Copies `after`; a key that is too long begins nowhere. */
void page_init(struct page *page, const char *after, int limit);
void page_free(struct page *page);

/* Runs a listing. Its statement takes `params` and after them the key (NULL on the first page) and a row
   limit, and gives rows of (item as JSON text, key). INVALID if `after` cannot be a key of this kind;
   TOO_LARGE if the items would be more than 32 MiB. */
enum status page_read(struct db *db, const struct statement *statement, struct db_params *params,
                      enum page_key kind, struct page *page, struct fault *fault) MUST_CHECK;
