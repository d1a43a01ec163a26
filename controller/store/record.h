/* The lists of a rollout's record, oldest first; blocks are in store/views.h. Each item is JSON, the page's
   key a whole number. */
#pragma once

#include "base/digest.h"
#include "store/page.h"

/* Events that hold a decision (schema StoredDecision). */
enum status record_decisions(struct db *db, const char *rollout, struct page *page,
                             struct fault *fault) MUST_CHECK;
/* The other events of the service's chain from the rollout's first event to before the event with the number
   `until` (schema RecordLink). */
enum status record_links(struct db *db, const char *rollout, int64_t until, struct page *page,
                         struct fault *fault) MUST_CHECK;
/* The part of the service's chain of events from the rollout's first event to the one with the number
   `until`; all 0 and "" if there is no such event. */
struct record_span {
    int64_t first, last;
    char before[DIGEST_HEX], hash[DIGEST_HEX]; /* the hash before the first, and that of the last */
};
enum status record_span(struct db *db, const char *rollout, int64_t until, struct record_span *out,
                        struct fault *fault) MUST_CHECK;
/* Blocks of the split check (schema SplitBlock). */
enum status record_split_blocks(struct db *db, const char *rollout, struct page *page,
                                struct fault *fault) MUST_CHECK;
/* Changes of verdicts. */
enum status record_verdicts(struct db *db, const char *rollout, struct page *page,
                            struct fault *fault) MUST_CHECK;
