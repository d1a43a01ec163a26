/* Tables: cells first, widths when all are known. */
#include "cli/table.h"

#include <stdarg.h>
#include <string.h>

enum { GAP = 2, CELLS_MAX = 16 << 20 };

/* A cell is kept as one byte of paint, the text, NUL. */
static void add(struct table *table, enum paint paint, const char *text)
{
    text_putc(&table->cells, (char)('0' + (int)paint));
    output_clean(&table->cells, text == NULL || text[0] == '\0' ? "-" : text, false);
    text_add(&table->cells, "", 1);
    table->cells_added++;
}

void table_begin(struct table *table, ...)
{
    va_list names;
    const char *name;
    *table = (struct table){0};
    text_init(&table->cells, CELLS_MAX);
    va_start(names, table);
    while ((name = va_arg(names, const char *)) != NULL) {
        add(table, PAINT_DIM, name[0] == '\0' ? " " : name); /* a column may have no title */
        table->columns++;
    }
    va_end(names);
}

void table_cell(struct table *table, const char *text)
{
    add(table, PAINT_NONE, text);
}

void table_cell_painted(struct table *table, enum paint paint, const char *text)
{
    add(table, paint, text);
}

void table_end(struct table *table, bool colors, struct text *out)
{
    size_t wide[TABLE_COLUMNS_MAX] = {0};
    const char *cell = text_get(&table->cells);
    for (size_t i = 0; i < table->cells_added && !table->cells.broken; i++) {
        size_t width = output_width(cell + 1);
        size_t column = i % table->columns;
        wide[column] = width > wide[column] ? width : wide[column];
        cell += strlen(cell) + 1;
    }
    cell = text_get(&table->cells);
    for (size_t i = 0; i < table->cells_added && !table->cells.broken; i++) {
        size_t column = i % table->columns;
        bool last = column + 1 == table->columns || i + 1 == table->cells_added;
        size_t pad = wide[column] - output_width(cell + 1);
        for (size_t n = column == 0 ? table->indent : 0; n > 0; n--) {
            text_putc(out, ' ');
        }
        for (size_t n = table->right[column] ? pad : 0; n > 0; n--) {
            text_putc(out, ' ');
        }
        output_paint(out, colors, (enum paint)(cell[0] - '0'), cell + 1);
        for (size_t n = last ? 0 : GAP + (table->right[column] ? 0 : pad); n > 0; n--) {
            text_putc(out, ' ');
        }
        if (last) {
            text_putc(out, '\n');
        }
        cell += strlen(cell) + 1;
    }
    if (table->cells.broken) {
        text_puts(out, "(too much to show; use --json)\n");
    }
    text_free(&table->cells);
}
