/* Recorded outcomes from a CSV file. */
#include "demo/replay.h"

#include "base/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum field { FIELD_SLI, FIELD_TTFT, FIELD_LATENCY, FIELD_INPUT, FIELD_OUTPUT, FIELD_COST, FIELD_SCORE };

struct column {
    size_t index;
    enum field field;
    enum outcome_sli sli;
    const char *name;
};

static const struct {
    const char *name;
    enum field field;
} numbers[] = {{"ttft_ms", FIELD_TTFT},         {"latency_ms", FIELD_LATENCY}, {"input_tokens", FIELD_INPUT},
               {"output_tokens", FIELD_OUTPUT}, {"cost_micros", FIELD_COST},   {"score", FIELD_SCORE}};

enum { NUMBERS = sizeof numbers / sizeof numbers[0], COLUMNS_MAX = OUTCOME_SLIS + NUMBERS };

static size_t find_columns(const struct csv *csv, struct column columns[COLUMNS_MAX])
{
    size_t count = 0, index = 0;
    for (enum outcome_sli sli = 0; sli < OUTCOME_SLIS; sli++) {
        if (csv_column(csv, outcome_sli_name(sli), &index)) {
            columns[count++] = (struct column){index, FIELD_SLI, sli, outcome_sli_name(sli)};
        }
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        if (csv_column(csv, numbers[i].name, &index)) {
            columns[count++] = (struct column){index, numbers[i].field, 0, numbers[i].name};
        }
    }
    return count;
}

static bool store(const struct column *column, const char *cell, struct outcome *out)
{
    double number = 0;
    if (column->field == FIELD_SLI) {
        bool bad = strcmp(cell, "1") == 0 || strcmp(cell, "true") == 0;
        if (!bad && strcmp(cell, "0") != 0 && strcmp(cell, "false") != 0) {
            return false;
        }
        outcome_set(out, column->sli, bad);
        return true;
    }
    if (!csv_number(cell, &number)) {
        return false;
    }
    if (column->field == FIELD_SCORE) {
        out->score = number;
        return fabs(number) <= 1e6;
    }
    if (number < 0 || number > 1e9) {
        return false;
    }
    switch (column->field) {
    case FIELD_TTFT:
        out->ttft_ms = (int32_t)lround(number);
        break;
    case FIELD_LATENCY:
        out->latency_ms = (int32_t)lround(number);
        break;
    case FIELD_INPUT:
        out->input_tokens = (int32_t)lround(number);
        break;
    case FIELD_OUTPUT:
        out->output_tokens = (int32_t)lround(number);
        break;
    default:
        out->cost_micros = llround(number);
        break;
    }
    return true;
}

static enum status fill(const char *path, const struct csv *csv, struct replay *out, struct fault *fault)
{
    struct column columns[COLUMNS_MAX];
    size_t count = find_columns(csv, columns);
    if (count == 0 || csv->rows == 0) {
        return fault_set(fault, STATUS_INVALID, "%s: %s", path,
                         count == 0 ? "no column has the name of an outcome's field" : "there are no rows");
    }
    out->row = calloc(csv->rows, sizeof *out->row);
    if (out->row == NULL) {
        return fault_set(fault, STATUS_NO_MEMORY, "%s: out of memory", path);
    }
    out->rows = csv->rows;
    for (size_t i = 0; i < csv->rows; i++) {
        out->row[i] = outcome_none();
        for (size_t c = 0; c < count; c++) {
            const char *cell = csv_cell(csv, i, columns[c].index);
            if (*cell != '\0' && !store(&columns[c], cell, &out->row[i])) {
                return fault_set(fault, STATUS_INVALID, "%s: row %zu, column %s: \"%.40s\" does not fit",
                                 path, i + 1, columns[c].name, cell);
            }
        }
    }
    return STATUS_OK;
}

enum status replay_read_file(const char *path, struct replay *out, struct fault *fault)
{
    struct csv csv;
    *out = (struct replay){0};
    enum status status = csv_read_file(path, &csv, fault);
    if (status != STATUS_OK) {
        return status;
    }
    status = fill(path, &csv, out, fault);
    csv_free(&csv);
    if (status != STATUS_OK) {
        replay_free(out);
    }
    return status;
}

void replay_free(struct replay *replay)
{
    free(replay->row);
    *replay = (struct replay){0};
}

const struct outcome *replay_draw(const struct replay *replay, struct random *random)
{
    return &replay->row[random_below(random, replay->rows)];
}
