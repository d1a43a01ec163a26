/* Blocks of evidence as they are kept for replay: append-only, in the order in which they closed. */
#pragma once

#include "store/rollouts.h"

/* Appends `count` blocks with the numbers first_seq, first_seq + 1, ... */
enum status blocks_add(struct db *db, const char *rollout, int64_t first_seq, const struct block *blocks,
                       size_t count, struct fault *fault) MUST_CHECK;
/* The blocks of a rollout from number `after` + 1 on, at most `max`, in order. *out is malloc'ed, the
 * caller's. */
enum status blocks_read(struct db *db, const char *rollout, int64_t after, size_t max, struct block **out,
                        size_t *count, struct fault *fault) MUST_CHECK;

/* The same for blocks of the split check; their numbers are a series of their own. */
enum status split_blocks_add(struct db *db, const char *rollout, int64_t seq, const struct split_block *block,
                             struct fault *fault) MUST_CHECK;
enum status split_blocks_read(struct db *db, const char *rollout, int64_t after, size_t max,
                              struct split_block **out, size_t *count, struct fault *fault) MUST_CHECK;
