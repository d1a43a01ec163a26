/* Lists: pages of the API, shown as one table. */
#pragma once

#include "cli/cli.h"
#include "cli/table.h"

struct list {
    const char *path; /* without limit and cursor; lent */
    void (*begin)(struct table *table);
    /* Adds the cells of one item. */
    void (*row)(struct table *table, struct json_object *item);
    const char *empty; /* what to say when there is nothing */
};

/* Options that every list has: -n/--limit and --cursor. */
#define LIST_OPTIONS                                                                                         \
    {"limit", 'n', ARGS_VALUE, "N", "at most this many (50)"},                                               \
    {                                                                                                        \
        "cursor", 0, ARGS_VALUE, "CURSOR", "go on where a page ended (next_cursor of --json)"                \
    }

/* Fetches and shows up to --limit items. With --json one page, as it is. Returns an exit code. */
int list_run(struct cli *cli, struct args *args, const struct list *list);
