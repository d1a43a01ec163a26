/* One reading of a source, as a rollout would get it: a desk is asked until it has an answer. */
#pragma once

#include "sources/desk.h"

/* Waits for the round that `source` is due (fails the test after half a minute), and takes from it. The
   desk's fault is returned as the status PEER or NO_MEMORY, with *new_cursor empty. */
enum status polled_read(struct desk *desk, const struct spec_source *source, const struct source_want *want,
                        const char *cursor, struct source_tick *out, struct text *new_cursor,
                        struct fault *fault);

/* The same with a desk of its own, so that the source is surely asked now. */
enum status polled_read_now(const struct spec_source *source, const struct source_want *want,
                            const char *cursor, struct source_tick *out, struct text *new_cursor,
                            struct fault *fault);
