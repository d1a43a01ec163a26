/* Recorded outcomes of requests, for `serin backtest`: CSV with a header, or JSON lines.

   Columns (or members), none of which has another name:
     release      which release answered: any word
     arrival      when the request came: seconds, or RFC 3339; one of the two in all rows
     an SLI       "refusal", "error" ...: true or 1 = bad, false or 0 = good, empty = not measured
     ttft_ms      time to first token } held against the threshold of the SLO
     latency_ms   time of the request }
     rescued      true or 1: another release answered instead; an error of this one
     key          the user or conversation that a sticky route goes by
     stratum      a kind of requests that is compared only with itself: tenant, language ... */
#pragma once

#include "base/fault.h"
#include "decision/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    OUTCOMES_BYTES_MAX = 256 << 20,
    OUTCOMES_RELEASES_MAX = 256,
    OUTCOMES_STRATA_MAX = 256,
    OUTCOMES_WORD_MAX = 256 /* bytes of a release, key or stratum */
};

/* Sets of SLIs: 1 << sli. */
struct outcome {
    double arrival_s;            /* since the first row's; NAN = empty */
    int32_t release;             /* place in outcomes.releases */
    int32_t key;                 /* place in outcomes.keys; -1 = none */
    int32_t stratum;             /* 0 .. strata.count - 1, 0 if there is none */
    uint32_t known;              /* SLIs that were measured */
    uint32_t bad;                /* of those, the bad ones */
    int64_t ttft_ms, latency_ms; /* -1 = empty */
    int32_t line;                /* of the file */
};

/* Words in the order in which they first came, each once. */
struct outcome_words {
    char **word; /* owned */
    size_t count, capacity;
    int32_t *place; /* open hash; -1 = free */
    size_t places;
};

struct outcomes {
    struct outcome *item;
    size_t count, capacity;
    struct outcome_words releases, keys, strata;
    struct outcome_words names;    /* of the columns, those that were left out too */
    bool has_arrival, has_release; /* there is such a column */
    uint32_t columns;              /* SLIs that have a column of their own */
    bool has_ttft, has_latency;
};

/* Reads `length` bytes of the file `name`. `ignored` (closed by NULL; may be NULL) are columns to leave out.
   A name that is no column does nothing: look in out->names. MALFORMED, INVALID, TOO_LARGE or NO_MEMORY with
   "name:line: ..." in the detail and what to do in next_step; *out is then empty. Rows without any SLI or
   time are kept: requests of which nothing is known. */
enum status outcomes_read(const char *data, size_t length, const char *name, const char *const *ignored,
                          struct outcomes *out, struct fault *fault) MUST_CHECK;
void outcomes_free(struct outcomes *outcomes);

/* Holds measured times against the thresholds of `slos`, as the gateway port does: an SLI with a column of
   its own is as that says where it says something. */
void outcomes_judge(struct outcomes *outcomes, const struct slos *slos);

/* Place of a release; -1 if there is none of that name. */
int32_t outcomes_release(const struct outcomes *outcomes, const char *name);
/* Whether the file has a column of that name, left out or not. */
bool outcomes_has_column(const struct outcomes *outcomes, const char *name);
