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
/* What was measured in ms, held against the threshold of its SLO (> 0): slower is bad; a timeout is reached
   at the threshold itself. `sli` is one of ttft, latency, timeout; the last two measure the whole request. */
bool sli_over(enum sli sli, int64_t measured_ms, int64_t threshold_ms);
