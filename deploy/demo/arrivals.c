/* When requests arrive. */
#include "demo/arrivals.h"

#include "base/csv.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static enum status fill(const char *path, const char *column, const struct csv *csv, struct trace *out,
                        struct fault *fault)
{
    size_t index;
    if (!csv_column(csv, column, &index)) {
        return fault_set(fault, STATUS_INVALID, "%s: there is no column %s", path, column);
    }
    out->gap_s = calloc(csv->rows + 1, sizeof *out->gap_s);
    if (out->gap_s == NULL) {
        return fault_set(fault, STATUS_NO_MEMORY, "%s: out of memory", path);
    }
    for (size_t i = 0; i < csv->rows; i++) {
        if (!csv_number(csv_cell(csv, i, index), &out->gap_s[i])) {
            return fault_set(fault, STATUS_INVALID, "%s: row %zu, column %s: not a number", path, i + 1,
                             column);
        }
    }
    out->count = csv->rows;
    if (out->count > 1) {
        qsort(out->gap_s, out->count, sizeof *out->gap_s, ascending);
    }
    double span = out->count > 1 ? out->gap_s[out->count - 1] - out->gap_s[0] : 0;
    if (!(span > 0) || !isfinite(span)) {
        return fault_set(fault, STATUS_INVALID, "%s: fewer than two different times in column %s", path,
                         column);
    }
    for (size_t i = 0; i + 1 < out->count; i++) {
        out->gap_s[i] = out->gap_s[i + 1] - out->gap_s[i];
    }
    out->mean_s = span / (double)(out->count - 1);
    out->gap_s[out->count - 1] = out->mean_s;
    return STATUS_OK;
}

enum status trace_read_file(const char *path, const char *column, struct trace *out, struct fault *fault)
{
    struct csv csv;
    *out = (struct trace){0};
    enum status status = csv_read_file(path, &csv, fault);
    if (status != STATUS_OK) {
        return status;
    }
    status = fill(path, column, &csv, out, fault);
    csv_free(&csv);
    if (status != STATUS_OK) {
        trace_free(out);
    }
    return status;
}

void trace_free(struct trace *trace)
{
    free(trace->gap_s);
    *trace = (struct trace){0};
}

void arrivals_start(struct arrivals *arrivals, const struct trace *trace, double rps, struct random *random)
{
    *arrivals = (struct arrivals){trace, rps, 0};
    if (trace->count > 0) {
        arrivals->next = random_below(random, trace->count);
    }
}

int64_t arrivals_next_us(struct arrivals *arrivals, struct random *random)
{
    double wait_s;
    if (arrivals->trace->count > 0) {
        const struct trace *trace = arrivals->trace;
        wait_s = trace->gap_s[arrivals->next] / (trace->mean_s * arrivals->rps);
        arrivals->next = (arrivals->next + 1) % trace->count;
    } else {
        wait_s = random_exponential(random) / arrivals->rps;
    }
    return (int64_t)(wait_s * 1e6);
}
