/* Reading one answer of Prometheus' query API. Pure: text in, series out. */
#pragma once

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum prometheus_arm { ARM_STABLE, ARM_CANARY, ARM_COUNT };

enum { PROMETHEUS_KEY = 33, PROMETHEUS_TARGET = 17 };

/* One series of the stable or the canary release. */
struct prometheus_series {
    char key[PROMETHEUS_KEY];       /* digest of the whole label set */
    char target[PROMETHEUS_TARGET]; /* digest of job, instance and release: the process it counts */
    enum prometheus_arm arm;
    int64_t value; /* 0 .. 2^53 */
};

struct prometheus_answer {
    struct prometheus_series *series; /* owned; sorted by key, no key twice */
    size_t count;
    bool warned; /* the answer says of itself that it may be incomplete */
};

/* Reads the body of an answer to an instant query of `selector`. Series of other releases are checked for
   their form and left out. `stable` may be NULL. PEER with a next step for everything that is not a vector of
   counters: errors, other types, histograms, NaN, infinite, negative, fractional or huge values (naming the
   series), the same series twice, more than PROMETHEUS_SERIES_MAX, no series with the release label at all;
   NO_MEMORY. On success the caller frees *out (prometheus_answer_free); on failure it is empty. */
enum status prometheus_parse(const char *body, size_t length, const char *selector, const char *release_label,
                             const char *stable, const char *canary, struct prometheus_answer *out,
                             struct fault *fault) MUST_CHECK;
void prometheus_answer_free(struct prometheus_answer *answer);

/* Words of an error answer ({"status":"error",...}) for a fault: "bad_data: ..."; false if `body` is not one.
 */
bool prometheus_parse_error(const char *body, size_t length, char *out, size_t out_size);
