/* Comma-separated values (RFC 4180): a header line, then rows with as many cells. Quoted cells may hold
   commas, doubled quotes and line breaks; lines end in LF or CRLF; a UTF-8 byte order mark and empty lines
   are skipped. */
#pragma once

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>

enum { CSV_COLUMNS_MAX = 256, CSV_BYTES_MAX = 256 << 20 };

struct csv {
    char *data; /* owned; the cells point into it */
    char **cell;
    size_t *line;         /* of each row, the header included; owned */
    size_t columns, rows; /* rows without the header */
    size_t cells, capacity, lines_capacity;
};

/* Parses `length` bytes of the file `name`; they are copied. On failure the fault has "name:line: ..." and
   what to do, and `out` is empty. MALFORMED, TOO_LARGE or NO_MEMORY. */
enum status csv_parse(const char *data, size_t length, const char *name, struct csv *out,
                      struct fault *fault) MUST_CHECK;
/* The same of a file; NOT_FOUND if it cannot be read. */
enum status csv_read_file(const char *path, struct csv *out, struct fault *fault) MUST_CHECK;
void csv_free(struct csv *csv);

/* Index of the column with this name; false if there is none. */
bool csv_column(const struct csv *csv, const char *name, size_t *out);
/* A cell, "" if empty; row < rows, column < columns. Lent. */
const char *csv_cell(const struct csv *csv, size_t row, size_t column);
/* The line of the file, from 1, in which a row begins. */
size_t csv_line(const struct csv *csv, size_t row);
/* The cell as a finite number. False if it is empty (*out NAN) or not a number (*out left as it was). */
bool csv_number(const char *cell, double *out);
