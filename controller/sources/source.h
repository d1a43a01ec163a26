/* Sources that are polled: what a kind of source must be able to do, and what comes of it. A new kind is a
   struct source_driver in a file of its own, with its settings beside it in controller/spec. Its functions do
   no I/O: sources/desk.h asks, with deadlines and limits that are the same for all, so that a source that
   misbehaves is everybody's problem once. */
#pragma once

#include "base/fault.h"
#include "base/text.h"
#include "decision/counts.h"
#include "decision/evidence.h"
#include "decision/sli.h"
#include "spec/source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SOURCE_BODY_MAX = 8 << 20,   /* bytes of one answer */
    SOURCE_CURSOR_MAX = 4 << 20, /* bytes of a cursor */
    SOURCE_REQUEST_MAX = 8192,   /* bytes of one request's body */
    SOURCE_REQUESTS_MAX = 64,    /* in one round */
    SOURCE_HEADERS_MAX = 4,      /* of a request, beside its token */
    SOURCE_PATH_MAX = 120
};

/* One request of a round. The desk adds the URL of the source before `path`, and the token. */
struct source_request {
    char path[SOURCE_PATH_MAX];                 /* "/api/v1/query" */
    const char *header[SOURCE_HEADERS_MAX + 1]; /* "Name: value"; static; NULL = no more */
    struct text body;                           /* the desk's, cleared; empty = GET */
};

/* For whom an answer is read: one rollout. */
struct source_want {
    const char *service, *stable, *canary; /* stable: NULL = there is none */
};

/* What happened between the read before (from_s) and this one (to_s), in unix seconds of this machine's
 * clock. */
struct source_tick {
    double from_s, to_s;
    struct counts counts[SLI_COUNT]; /* where has[] is true */
    /* usable: the source measures this SLI, some traffic was there, no counter of it was reset, 0 <= k <= n
     */
    bool has[SLI_COUNT];
    /* no bad series of either release has been there since the first read: zero, because the traffic was */
    bool absent[SLI_COUNT];
    /* false: nothing of this tick can be used (first read, warned, traffic counters reset, or no time has
     * passed) */
    bool valid;
    bool first;     /* a baseline: no counts */
    bool warned;    /* the source says of its answer that it may be incomplete: the cursor has not moved */
    int resets;     /* series whose counter was reset (or lost with its process) */
    int impossible; /* SLIs dropped because more requests were bad than there were */
};

struct source_driver {
    const char *name;          /* in sentences: "Prometheus" */
    enum data_quality quality; /* of the counts it gives */
    /* A token is sent as this header, "Authorization: Bearer "; only from environment variables with this
       word in their name, so that a policy cannot send the other secrets of serind to a URL of its choice. */
    const char *token_header, *token_word;
    const char *narrow; /* what to do when a round is too much or takes too long */

    /* A round asks once for what all services and releases with the same settings need, as of `at_s` (unix
       seconds). `source` is lent for as long as the round lives. NULL on no memory. */
    void *(*begin)(const struct spec_source *source, double at_s);
    /* The next request of the round into *out, which may take left_ms. False when there is none: the round is
       complete. */
    bool (*next)(void *round, int64_t left_ms, struct source_request *out);
    /* Takes the answer to the request that next() gave last, whatever it is; anything but what was asked for
       is PEER with a next step, NO_MEMORY else. */
    enum status (*answer)(void *round, int code, const char *body, size_t length, struct fault *fault);
    /* What a complete round says about one rollout since `cursor` ("" or "{}" at first), a JSON object. Its
       field "unseen" lists the SLIs whose bad series have never been there: people are shown that, since a
       misspelt selector looks like a release without errors. All else in it is the driver's. OK: *new_cursor
       (initialised by the caller for SOURCE_CURSOR_MAX bytes; cleared here) is to be kept in the transaction
       that uses the tick. PEER where what concerns this rollout cannot be used, NO_MEMORY; then it is empty.
       Any thread, many at once. */
    enum status (*take)(const void *round, const struct source_want *want, const char *cursor,
                        struct source_tick *out, struct text *new_cursor, struct fault *fault);
    /* Why the source says that a tick is `warned`: its own words, "" if none. Lent from the round. */
    const char *(*warning)(const void *round);
    /* Forgets the round. NULL is fine. */
    void (*end)(void *round);
};

/* The driver of a kind; NULL for one that is not polled. Static. */
const struct source_driver *source_driver(enum source_kind kind);
