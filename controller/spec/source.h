/* Where the counts of a service come from (schema SourceWrite). */
#pragma once

#include "base/fault.h"
#include "decision/sli.h"

#include <json-c/json_object.h>
#include <stdint.h>

enum source_kind {
    SOURCE_OUTCOMES,  /* what gateways report to /v1/outcomes */
    SOURCE_PROMETHEUS /* raw counters, scraped by someone else, asked for by us */
};

struct spec_source {
    enum source_kind kind;
    /* the rest is for SOURCE_PROMETHEUS; "" and 0 otherwise */
    char url[512];             /* base of the HTTP API: http(s)://host[:port][/path], no query, no user */
    int64_t interval_ms;       /* between two queries, 1 s to 5 min */
    char release_label[64];    /* label of the counters that holds the release */
    char requests[1024];       /* selector of a raw counter */
    char bad[SLI_COUNT][1024]; /* the same by SLI; "" = not measured */
    char bearer_token_env[64]; /* name of an environment variable; "" = no token */
};

/* Reads `value` (lent) into *out. Strings longer than the fields above, selectors that are expressions
   (rate(), sum()) and URLs with a user are refused. INVALID with every problem at its pointer; *out is then
   unspecified. */
enum status spec_read_source(struct json_object *value, const char *pointer, struct spec_source *out,
                             struct fault *fault) MUST_CHECK;

/* SourceWrite with all fields explicit. Owned by the caller; NULL on no memory. */
struct json_object *spec_write_source(const struct spec_source *source) MUST_CHECK;
