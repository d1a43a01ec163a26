/* The service level indicators of one request that are good or bad. Their order is the order of every array
   of counts, in C and in SQL; add at the end only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* X(name, text, deadline, latency): deadline = an outcome that is absent at its age counts as bad; latency =
   dropped while the canary warms up. */
#define SLI_TABLE(X)                                                                                         \
    X(REFUSAL, "refusal", false, false)                                                                      \
    X(CONTENT_FILTER, "content_filter", false, false)                                                        \
    X(ERROR, "error", false, false)                                                                          \
    X(TIMEOUT, "timeout", true, false)                                                                       \
    X(TTFT, "ttft", true, true)                                                                              \
    X(LATENCY, "latency", true, true)                                                                        \
    X(SCHEMA_INVALID, "schema_invalid", false, false)                                                        \
    X(TOOL_ERROR, "tool_error", false, false)                                                                \
    X(EMPTY_RETRIEVAL, "empty_retrieval", false, false)                                                      \
    X(TRUNCATED, "truncated", false, false)                                                                  \
    X(RATE_LIMITED, "rate_limited", false, false)

enum sli {
#define X(name, text, deadline, latency) SLI_##name,
    SLI_TABLE(X)
#undef X
        SLI_COUNT
};

const char *sli_name(enum sli sli); /* "refusal"; static */
bool sli_parse(const char *text, enum sli *out);
bool sli_deadline(enum sli sli);
bool sli_latency(enum sli sli);
