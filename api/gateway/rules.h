/* What the ingest must know of a service: from when on a request is too slow, at which age an outcome is
   late, and which releases exist. Plain data. */
#pragma once

#include "base/fault.h"
#include "base/id.h"
#include "decision/counts.h"
#include "decision/sli.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rules {
    int64_t ttft_ms, latency_ms, timeout_ms;           /* slower is bad; 0 = no threshold */
    int64_t maturity_ms[SLI_COUNT];                    /* an SLI of an older request is late */
    char stratum[STRATA_MAX - 1][NAME_MAX_LENGTH + 1]; /* declared ones, 0 .. strata - 1 */
    int32_t strata;
    int64_t oldest_ms; /* an older request is late in every SLI that is watched */
    size_t releases, capacity;
    char (*release)[NAME_MAX_LENGTH + 1]; /* owned, sorted after rules_seal() */
};

/* No thresholds, default maturities, no releases. */
void rules_default(struct rules *rules);
/* Sets thresholds and maturities from the documents ("" = none). On failure (a document this program cannot
   read) the defaults stand. Keeps the releases. */
enum status rules_read(struct rules *rules, const char *slos, const char *policy,
                       struct fault *fault) MUST_CHECK;
/* False on no memory. */
bool rules_add_release(struct rules *rules, const char *release) MUST_CHECK;
void rules_seal(struct rules *rules);
/* The stratum to count in: `name` where the policy declares it, else "". Static or of `rules`. */
const char *rules_stratum(const struct rules *rules, const char *name);
bool rules_has_release(const struct rules *rules, const char *release);
/* A copy with releases of its own. False on no memory: then *out has none. */
bool rules_copy(const struct rules *rules, struct rules *out) MUST_CHECK;
bool rules_equal(const struct rules *a, const struct rules *b);
void rules_free(struct rules *rules);
