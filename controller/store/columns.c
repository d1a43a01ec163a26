/* Many rows in one statement: each column travels as one array, in Postgres' text form. */
#include "store/columns.h"

#include <math.h>

enum { COLUMN_MAX = 8 << 20 };

#define EXACT_MAX 9007199254740992.0 /* below it a whole double is an integer */

void columns_begin(struct text *array)
{
    text_init(array, COLUMN_MAX);
}

/* Opens an array, or goes on to its next element. */
static void next_element(struct text *array)
{
    text_putc(array, array->length == 0 ? '{' : ',');
}

/* Always quoted: bare NULL would be SQL's. */
void columns_text(struct text *array, const char *value)
{
    next_element(array);
    text_putc(array, '"');
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\')
            text_putc(array, '\\');
        text_putc(array, *value);
    }
    text_putc(array, '"');
}

void columns_integer(struct text *array, int64_t value)
{
    next_element(array);
    text_integer(array, value);
}

/* An array as an element: quoted, since unnest() would flatten two dimensions into one. */
void columns_integers(struct text *array, const int64_t *values, size_t count)
{
    next_element(array);
    for (size_t i = 0; i < count; i++) {
        text_puts(array, i == 0 ? "\"{" : ",");
        text_integer(array, values[i]);
    }
    text_puts(array, "}\"");
}

void columns_numbers(struct text *array, const double *values, size_t count)
{
    next_element(array);
    for (size_t i = 0; i < count; i++) {
        double value = values[i];
        text_puts(array, i == 0 ? "\"{" : ",");
        if (fabs(value) < EXACT_MAX && value == floor(value)) /* as good as always */
            text_integer(array, (int64_t)value);
        else
            text_printf(array, "%.17g", value);
    }
    text_puts(array, "}\"");
}

/* Closes the arrays, runs the statement with them as its parameters and frees them. */
enum status columns_run(struct db *db, const struct statement *statement, struct text *columns, size_t count,
                        struct db_rows **out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count; i++) {
        text_puts(&columns[i], columns[i].length == 0 ? "{}" : "}");
        if (status == STATUS_OK)
            status = text_status(&columns[i]);
        db_text(&params, text_get(&columns[i]));
    }
    if (status == STATUS_OK)
        status = db_run(db, statement, &params, out, fault);
    else
        fault_set(fault, status, "The rows could not be written down");
    for (size_t i = 0; i < count; i++)
        text_free(&columns[i]);
    return status;
}
