/* The lists of a rollout's record, oldest first; blocks are in store/views.h. Each item is JSON, the page's
   key a whole number. */
#pragma once

#include "store/page.h"

/* Events that hold a decision (schema StoredDecision). */
enum status record_decisions(struct db *db, const char *rollout, struct page *page,
                             struct fault *fault) MUST_CHECK;
/* Blocks of the split check (schema SplitBlock). */
enum status record_split_blocks(struct db *db, const char *rollout, struct page *page,
                                struct fault *fault) MUST_CHECK;
/* Changes of verdicts. */
enum status record_verdicts(struct db *db, const char *rollout, struct page *page,
                            struct fault *fault) MUST_CHECK;
