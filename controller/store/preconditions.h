/* What the start of a rollout asks of the database. */
#pragma once

#include "base/text.h"
#include "decision/sli.h"
#include "store/db.h"

/* Newest objectives and policy of a service, as JSON; "" = there are none. Both texts are initialised by the
 * caller. */
enum status preconditions_documents(struct db *db, const char *service, struct text *slos,
                                    struct text *policy, struct fault *fault) MUST_CHECK;
/* Requests a second over the last ten minutes, or over as many seconds of them as 50,000 rows hold; 0 = none.
 */
enum status preconditions_rate(struct db *db, const char *service, double *rps,
                               struct fault *fault) MUST_CHECK;
/* Requests and bad ones of an SLI over a window of seconds, from the sums by minute. */
enum status preconditions_spent(struct db *db, const char *service, enum sli sli, int64_t window_s,
                                double *requests, double *bad, struct fault *fault) MUST_CHECK;

/* Outcomes of `release` in the last ten minutes, or in as many seconds of them as 20,000 rows hold, and of
   how many requests each SLI was known then and in the day before that. */
enum status preconditions_reported(struct db *db, const char *service, const char *release, int64_t *outcomes,
                                   int64_t known[SLI_COUNT], struct fault *fault) MUST_CHECK;

/* A key of this service sticks to one arm: its `sticky` is not "none". */
enum status preconditions_keyed(struct db *db, const char *service, bool *keyed,
                                struct fault *fault) MUST_CHECK;
