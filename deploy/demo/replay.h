/* Recorded outcomes from a CSV file, drawn with replacement. Columns, any of, others are ignored: the SLIs of
   outcome.h (0, 1, true, false), ttft_ms, latency_ms, input_tokens, output_tokens, cost_micros, score. An
   empty cell was not measured. */
#pragma once

#include "base/fault.h"
#include "base/random.h"
#include "demo/outcome.h"

#include <stddef.h>

struct replay {
    struct outcome *row; /* owned */
    size_t rows;         /* > 0 */
};

/* Reads a file. The fault names file, line and column. */
enum status replay_read_file(const char *path, struct replay *out, struct fault *fault) MUST_CHECK;
void replay_free(struct replay *replay);
const struct outcome *replay_draw(const struct replay *replay, struct random *random);
