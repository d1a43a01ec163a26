/* Counts of one service by second of admission, as they are read for evidence. */
#pragma once

#include "base/id.h"
#include "decision/sli.h"
#include "store/db.h"

/* What one gateway reported of one release and stratum in one second. */
struct cohort {
    int64_t second, admissions, outcomes, n[SLI_COUNT], k[SLI_COUNT];
    int64_t absent[SLI_COUNT]; /* outcomes that came in time, but without the SLI */
    int64_t late_outcomes,
        late[SLI_COUNT]; /* known after their maturity: how many, and the bad ones of each SLI */
    char stratum[NAME_MAX_LENGTH + 1]; /* "" = not declared */
    int64_t reported_at;               /* s since 1970: when that gateway last reported; 0 = never */
    int64_t interval_s; /* up to its end, in which the requests ended; 0 = they were admitted in it */
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

/* How many bad outcomes of each SLI came in time, and how many after their maturity, for these two releases
   in a window. */
struct cohort_late {
    int64_t bad[SLI_COUNT], late[SLI_COUNT];
};
enum status cohorts_late(struct db *db, const char *service, const char *canary, const char *stable,
                         int64_t from_s, int64_t to_s, struct cohort_late *out,
                         struct fault *fault) MUST_CHECK;

/* What was admitted and has no outcome in its second, and outcomes in seconds without as many admissions, of
   the gateways that report admissions in a window. */
struct cohort_unmatched {
    int64_t canary_admissions, canary_absent, stable_admissions, stable_absent, misplaced;
};
enum status cohorts_unmatched(struct db *db, const char *service, const char *canary, const char *stable,
                              int64_t from_s, int64_t to_s, struct cohort_unmatched *out,
                              struct fault *fault) MUST_CHECK;

/* Releases beside these two that were given requests in a window, though no route of the service names them.
 *requests is how many; `release` one of them ("" = none). */
enum status cohorts_strays(struct db *db, const char *service, const char *canary, const char *stable,
                           int64_t from_s, int64_t to_s, int64_t *requests, char release[NAME_MAX_LENGTH + 1],
                           struct fault *fault) MUST_CHECK;
