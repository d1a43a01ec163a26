// SEES: base
/* Fuzzes the CSV reader: whatever it accepts is a full table, of strings within the text. */
#include "base/csv.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct csv csv;
    struct fault fault = {0};
    if (csv_parse((const char *)data, size, "fuzz", &csv, &fault) != STATUS_OK) {
        if (csv.data != NULL || fault.detail[0] == '\0') {
            abort();
        }
        return 0;
    }
    if (csv.columns == 0 || csv.cells != (csv.rows + 1) * csv.columns) {
        abort();
    }
    size_t bytes = 0, index;
    for (size_t row = 0; row < csv.rows; row++) {
        for (size_t column = 0; column < csv.columns; column++) {
            double number;
            const char *cell = csv_cell(&csv, row, column);
            bytes += strlen(cell) + 1;
            (void)csv_number(cell, &number);
        }
    }
    if (bytes > size + 1 || !csv_column(&csv, csv.cell[0], &index) || index != 0) {
        abort();
    }
    csv_free(&csv);
    return 0;
}
