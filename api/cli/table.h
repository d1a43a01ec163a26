/* Tables: rows of cells, as wide as the widest in their column, two spaces apart. */
#pragma once

#include "cli/output.h"

enum { TABLE_COLUMNS_MAX = 10 };

struct table {
    size_t columns, cells_added;
    bool right[TABLE_COLUMNS_MAX]; /* set by the caller after table_begin(): numbers to the right */
    struct text cells;             /* owned */
    size_t indent;                 /* set by the caller: spaces before each row */
};

/* Begins a table with a header row: `columns` strings, closed by NULL. */
void table_begin(struct table *table, ...) __attribute__((sentinel));
/* Adds the next cell (row after row); it is cleaned. NULL and "" show as "-". */
void table_cell(struct table *table, const char *text);
void table_cell_painted(struct table *table, enum paint paint, const char *text);
/* Appends the table to `out` and frees it. */
void table_end(struct table *table, bool colors, struct text *out);
