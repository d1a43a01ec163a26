/* Counts of one service by second of admission, as they are read for evidence. */
#pragma once

#include "decision/sli.h"
#include "store/db.h"

/* What one gateway reported of one release in one second. */
struct cohort {
    int64_t second, admissions, outcomes, n[SLI_COUNT], k[SLI_COUNT];
    int64_t late_outcomes,
        late[SLI_COUNT]; /* known after their maturity: how many, and the bad ones of each SLI */
    int64_t reported_at; /* s since 1970: when that gateway last reported; 0 = never */
    bool canary;
    bool absences; /* of some request that this gateway admitted in this second, to whichever release, nothing
                      is known */
};

/* Cohorts of `canary` and `stable` ("" = none) in [from_s, to_s), by second. *out is malloc'ed, the caller's.
 */
enum status cohorts_read(struct db *db, const char *service, const char *canary, const char *stable,
                         int64_t from_s, int64_t to_s, struct cohort **out, size_t *count,
                         struct fault *fault) MUST_CHECK;

struct cohort_window {
    int64_t reported_at; /* s since 1970: newest report of any gateway; 0 = never */
    int64_t admissions,
        blind; /* in the window; blind: no outcome, and the gateway was not heard at `maturity_s` */
};
enum status cohorts_window(struct db *db, const char *service, int64_t from_s, int64_t to_s,
                           int64_t maturity_s, struct cohort_window *out, struct fault *fault) MUST_CHECK;
