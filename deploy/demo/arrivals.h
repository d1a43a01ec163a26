/* When requests arrive: as a Poisson process, or as in a recorded trace, repeated and stretched to a mean
 * rate. */
#pragma once

#include "base/fault.h"
#include "base/random.h"

#include <stddef.h>
#include <stdint.h>

/* A recorded trace, shared by all services. */
struct trace {
    double *gap_s; /* owned; from each arrival to the next, the last one to the first of the repetition */
    size_t count;  /* 0 = none: Poisson */
    double mean_s;
};

/* Reads column `column` (seconds, from any start, in any order) of a CSV file. At least two different times.
 */
enum status trace_read_file(const char *path, const char *column, struct trace *out,
                            struct fault *fault) MUST_CHECK;
void trace_free(struct trace *trace);

/* One service's arrivals. */
struct arrivals {
    const struct trace *trace; /* lent */
    double rps;
    size_t next;
};

/* Starts at a random place of the trace, so that services do not move in step. */
void arrivals_start(struct arrivals *arrivals, const struct trace *trace, double rps, struct random *random);
/* Virtual microseconds until the next arrival. */
int64_t arrivals_next_us(struct arrivals *arrivals, struct random *random);
