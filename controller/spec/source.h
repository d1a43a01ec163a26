/* Where the counts of a service come from (schema SourceWrite). */
#pragma once

#include "base/fault.h"
#include "decision/sli.h"

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stdint.h>

enum source_kind {
    SOURCE_OUTCOMES,  /* what gateways report to /v1/outcomes */
    SOURCE_PROMETHEUS /* raw counters, scraped by someone else, asked for by us */
};

struct spec_source {
    enum source_kind kind;
    /* the rest is for a source that is polled; "" and 0 otherwise */
    char url[512];             /* base of the HTTP API: http(s)://host[:port][/path], no query, no user */
    int64_t interval_ms;       /* between two queries, 1 s to 5 min */
    char service_label[64];    /* label of the counters that holds the service; "" = the selectors name it */
    char release_label[64];    /* label of the counters that holds the release */
    char requests[1024];       /* selector of a raw counter */
    char bad[SLI_COUNT][1024]; /* the same by SLI; "" = not measured */
    char bearer_token_env[64]; /* name of an environment variable; "" = no token */
};

/* A kind of source as a policy knows it: the half of it that reads settings. How one that is polled is asked
   and what it answers is the other half, struct source_driver of controller/sources. */
struct spec_source_kind {
    enum source_kind kind;
    const char *field; /* of SourceWrite that holds its settings */
    const char *name;  /* in sentences: "counts from Prometheus" */
    bool polled;       /* we ask, at intervals, for counters without cohorts or strata */
    /* Reads its settings from `value` (lent) into the zeroed *out. INVALID with every problem at its pointer.
     */
    enum status (*read)(struct json_object *value, const char *pointer, struct spec_source *out,
                        struct fault *fault);
    /* The same settings with all fields explicit. Owned by the caller; NULL on no memory. */
    struct json_object *(*write)(const struct spec_source *source);
};

extern const struct spec_source_kind spec_prometheus;

/* Never NULL. Static. */
const struct spec_source_kind *spec_source_kind(enum source_kind kind);

/* Reads `value` (lent) into *out. Strings longer than the fields above, selectors that are expressions
   (rate(), sum()) and URLs with a user are refused. INVALID with every problem at its pointer; *out is then
   unspecified. */
enum status spec_read_source(struct json_object *value, const char *pointer, struct spec_source *out,
                             struct fault *fault) MUST_CHECK;

/* SourceWrite with all fields explicit. Owned by the caller; NULL on no memory. */
struct json_object *spec_write_source(const struct spec_source *source) MUST_CHECK;

/* One answer serves both: every setting is the same. */
bool spec_source_same(const struct spec_source *a, const struct spec_source *b);
