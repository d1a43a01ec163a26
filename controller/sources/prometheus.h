/* Prometheus as a source of counts: reads raw counters for one rollout. Never rate(): differences of counters
   and their resets are taken here, so that a request counts once, and what is not known is dropped in both
   arms instead of being estimated. Counting is by completion, as counters cannot do otherwise: the caller
   drops what follows a change of weights (blanking). */
#pragma once

#include "base/fault.h"
#include "base/text.h"
#include "decision/counts.h"
#include "decision/sli.h"
#include "spec/source.h"

#include <stdbool.h>

/* A reader: keeps its connection. One thread at a time. */
struct prometheus;
struct prometheus *prometheus_new(void);         /* NULL on no memory */
void prometheus_free(struct prometheus *reader); /* NULL is fine */

/* What happened between the read before (from_s) and this one (to_s), in unix seconds of this machine's
 * clock. */
struct prometheus_tick {
    double from_s, to_s;
    struct counts counts[SLI_COUNT]; /* where has[] is true */
    /* usable: the source measures this SLI, some traffic series was there, no counter of it was reset, 0 <= k
     * <= n */
    bool has[SLI_COUNT];
    /* no bad series of either release was there: zero, because the traffic series were. Shown to people: a
       misspelt selector looks like this too */
    bool absent[SLI_COUNT];
    /* false: nothing of this tick can be used (first read, warned, traffic counters reset, or no time has
     * passed) */
    bool valid;
    bool first;     /* a baseline: no counts */
    bool warned;    /* Prometheus warned that the answer may be incomplete: the cursor has not moved */
    int resets;     /* series whose counter was reset (or lost with its process) */
    int impossible; /* SLIs dropped because more requests were bad than there were */
};

enum {
    PROMETHEUS_SERIES_MAX = 10000,   /* in one answer */
    PROMETHEUS_BODY_MAX = 8 << 20,   /* bytes of one answer */
    PROMETHEUS_CURSOR_MAX = 4 << 20, /* bytes of a cursor */
    PROMETHEUS_BUDGET_MS = 10000,    /* for all queries of one read */
    PROMETHEUS_SETTLE_MS = 2000      /* how far behind now it reads: a scrape is stored after its timestamp */
};

/* One read: an instant query for each selector of `source` (kind SOURCE_PROMETHEUS), all at the same time.
   `stable` may be NULL (first release). `cursor_json` is what the read before has put into *new_cursor ("",
   "{}" or NULL at first); one that cannot be read, or of other releases or selectors, counts as none. The
   bearer token is read from the variable source->bearer_token_env, whose name must contain PROMETHEUS. On OK
   *out is the tick and *new_cursor (initialised by the caller with at least PROMETHEUS_CURSOR_MAX; cleared
   here) the cursor to keep, in the transaction that uses the tick. PEER with a next step if Prometheus does
   not answer, answers with an error, with something that is not a vector of counters, with too much, or too
   late (within PROMETHEUS_BUDGET_MS in all); NO_MEMORY. Then *new_cursor is empty: keep the old one. */
enum status prometheus_read(struct prometheus *reader, const struct spec_source *source, const char *stable,
                            const char *canary, const char *cursor_json, struct prometheus_tick *out,
                            struct text *new_cursor, struct fault *fault) MUST_CHECK;
