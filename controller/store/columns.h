/* Many rows in one statement: each column is one array parameter. */
#pragma once

#include "base/text.h"
#include "store/db.h"

/* An empty column, at most 8 MiB; columns_run frees it. */
void columns_begin(struct text *array);
/* One row's value each. Text may hold anything but NUL. */
void columns_text(struct text *array, const char *value);
void columns_integer(struct text *array, int64_t value);
/* An array as a value. */
void columns_integers(struct text *array, const int64_t *values, size_t count);
void columns_numbers(struct text *array, const double *values, size_t count);
/* Closes the columns, runs the statement with them as its parameters and frees them. TOO_LARGE or NO_MEMORY
   if one could not be written, or as db_run. `out` may be NULL. */
enum status columns_run(struct db *db, const struct statement *statement, struct text *columns, size_t count,
                        struct db_rows **out, struct fault *fault) MUST_CHECK;
