/* Comma-separated values: one pass over a copy of the text, in which cells are unquoted and terminated in
 * place. */
#include "base/csv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    struct csv *csv;
    const char *name; /* of what is read, for messages */
    struct fault *fault;
    char *in, *end; /* not yet read */
    size_t line;
};

static enum status refuse(struct parser *parser, enum status status, size_t line, const char *what)
{
    fault_set(parser->fault, status, "%s:%zu: %s", parser->name, line, what);
    fault_next(parser->fault,
               "Write a line of column names, then rows with as many cells; put a cell with a comma, a quote "
               "or a line end in quotes, and double the quotes in it.");
    return status;
}

static enum status add_cell(struct parser *parser, char *cell)
{
    struct csv *csv = parser->csv;
    if (csv->cells == csv->capacity) {
        size_t capacity = csv->capacity > 0 ? csv->capacity * 2 : 256;
        char **cells = realloc(csv->cell, capacity * sizeof *cells);
        if (cells == NULL) {
            return fault_set(parser->fault, STATUS_NO_MEMORY, "%s: out of memory", parser->name);
        }
        csv->cell = cells;
        csv->capacity = capacity;
    }
    csv->cell[csv->cells++] = cell;
    return STATUS_OK;
}

static enum status add_line(struct parser *parser, size_t row, size_t line)
{
    struct csv *csv = parser->csv;
    if (row >= csv->lines_capacity) {
        size_t capacity = csv->lines_capacity > 0 ? csv->lines_capacity * 2 : 256;
        size_t *lines = realloc(csv->line, capacity * sizeof *lines);
        if (lines == NULL) {
            return fault_set(parser->fault, STATUS_NO_MEMORY, "%s: out of memory", parser->name);
        }
        csv->line = lines;
        csv->lines_capacity = capacity;
    }
    csv->line[row] = line;
    return STATUS_OK;
}

/* After a cell: terminates it at `stop` and says by *last whether its row is over. */
static enum status after_cell(struct parser *parser, char *stop, bool *last)
{
    if (parser->in == parser->end) {
        *last = true;
    } else if (*parser->in == ',') {
        *last = false;
        parser->in++;
    } else {
        *last = true;
        if (*parser->in == '\r') {
            parser->in++;
        }
        if (parser->in < parser->end && *parser->in != '\n') {
            return refuse(parser, STATUS_MALFORMED, parser->line, "text after a closing quote or a bare CR");
        }
        parser->in += parser->in < parser->end;
        parser->line++;
    }
    *stop = '\0'; /* within the copy: it has one byte more than the text */
    return STATUS_OK;
}

static enum status read_quoted(struct parser *parser, bool *last)
{
    char *out = ++parser->in, *cell = out;
    size_t line = parser->line;
    for (;;) {
        if (parser->in == parser->end) {
            return refuse(parser, STATUS_MALFORMED, line, "a quote is not closed");
        }
        if (*parser->in == '"') {
            parser->in++;
            if (parser->in == parser->end || *parser->in != '"') {
                break;
            }
        }
        parser->line += *parser->in == '\n';
        *out++ = *parser->in++;
    }
    enum status status = after_cell(parser, out, last);
    return status == STATUS_OK ? add_cell(parser, cell) : status;
}

static enum status read_bare(struct parser *parser, bool *last)
{
    char *cell = parser->in;
    while (parser->in < parser->end && strchr(",\r\n", *parser->in) == NULL) {
        if (*parser->in == '"') {
            return refuse(parser, STATUS_MALFORMED, parser->line, "a quote inside a bare cell");
        }
        parser->in++;
    }
    enum status status = after_cell(parser, parser->in, last);
    return status == STATUS_OK ? add_cell(parser, cell) : status;
}

static enum status read_row(struct parser *parser)
{
    struct csv *csv = parser->csv;
    size_t before = csv->cells, line = parser->line;
    char what[80];
    bool last = false;
    while (!last) {
        bool quoted = parser->in < parser->end && *parser->in == '"';
        enum status status = quoted ? read_quoted(parser, &last) : read_bare(parser, &last);
        if (status != STATUS_OK) {
            return status;
        }
        if (csv->cells - before > CSV_COLUMNS_MAX) {
            snprintf(what, sizeof what, "more than %d columns", CSV_COLUMNS_MAX);
            return refuse(parser, STATUS_TOO_LARGE, line, what);
        }
    }
    size_t cells = csv->cells - before;
    if (csv->columns == 0) {
        csv->columns = cells;
    } else if (cells != csv->columns) {
        snprintf(what, sizeof what, "%zu cell%s, but the header has %zu", cells, cells == 1 ? "" : "s",
                 csv->columns);
        return refuse(parser, STATUS_MALFORMED, line, what);
    }
    return add_line(parser, csv->cells / csv->columns - 1, line);
}

static enum status read_all(struct parser *parser)
{
    while (parser->in < parser->end) {
        if (*parser->in == '\n' ||
            (*parser->in == '\r' && parser->in + 1 < parser->end && parser->in[1] == '\n')) {
            parser->in += *parser->in == '\r' ? 2 : 1;
            parser->line++;
            continue;
        }
        enum status status = read_row(parser);
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (parser->csv->columns == 0) {
        return refuse(parser, STATUS_MALFORMED, 1, "there is no header line");
    }
    parser->csv->rows = parser->csv->cells / parser->csv->columns - 1;
    return STATUS_OK;
}

enum status csv_parse(const char *data, size_t length, const char *name, struct csv *out, struct fault *fault)
{
    *out = (struct csv){0};
    if (length > CSV_BYTES_MAX) {
        fault_set(fault, STATUS_TOO_LARGE, "%s is larger than %d MiB", name, CSV_BYTES_MAX >> 20);
        fault_next(fault, "Take fewer rows or columns.");
        return STATUS_TOO_LARGE;
    }
    if (length > 0 && memchr(data, '\0', length) != NULL) {
        fault_set(fault, STATUS_MALFORMED, "%s has a NUL byte: it is no text", name);
        fault_next(fault, "Give text in UTF-8; what is compressed must be unpacked first.");
        return STATUS_MALFORMED;
    }
    out->data = malloc(length + 1);
    if (out->data == NULL) {
        return fault_set(fault, STATUS_NO_MEMORY, "%s: out of memory", name);
    }
    if (length > 0) {
        memcpy(out->data, data, length);
    }
    out->data[length] = '\0';
    struct parser parser = {out, name, fault, out->data, out->data + length, 1};
    if (length >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
        parser.in += 3;
    }
    enum status status = read_all(&parser);
    if (status != STATUS_OK) {
        csv_free(out);
    }
    return status;
}

enum status csv_read_file(const char *path, struct csv *out, struct fault *fault)
{
    *out = (struct csv){0};
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return fault_set(fault, STATUS_NOT_FOUND, "%s: %s", path, strerror(errno));
    }
    char *data = NULL;
    size_t length = 0, capacity = 0;
    enum status status = STATUS_OK;
    do {
        if (length == capacity) {
            capacity = capacity > 0 ? capacity * 2 : 65536;
            char *more = capacity <= 2 * (size_t)CSV_BYTES_MAX ? realloc(data, capacity) : NULL;
            if (more == NULL) {
                status = fault_set(fault, STATUS_TOO_LARGE, "%s: too large", path);
                break;
            }
            data = more;
        }
        length += fread(data + length, 1, capacity - length, file);
    } while (!feof(file) && !ferror(file));
    if (status == STATUS_OK && ferror(file)) {
        status = fault_set(fault, STATUS_NOT_FOUND, "%s: %s", path, strerror(errno));
    }
    fclose(file);
    if (status == STATUS_OK) {
        status = csv_parse(data, length, path, out, fault);
    }
    free(data);
    return status;
}

void csv_free(struct csv *csv)
{
    free(csv->data);
    free(csv->cell);
    free(csv->line);
    *csv = (struct csv){0};
}

bool csv_column(const struct csv *csv, const char *name, size_t *out)
{
    for (size_t i = 0; i < csv->columns; i++) {
        if (strcmp(csv->cell[i], name) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

const char *csv_cell(const struct csv *csv, size_t row, size_t column)
{
    return csv->cell[(row + 1) * csv->columns + column];
}

size_t csv_line(const struct csv *csv, size_t row)
{
    return csv->line[row + 1];
}

bool csv_number(const char *cell, double *out)
{
    if (*cell == '\0') {
        *out = NAN;
        return false;
    }
    char *end;
    double number = strtod(cell, &end);
    if (end == cell || *end != '\0' || !isfinite(number)) {
        return false;
    }
    *out = number;
    return true;
}
