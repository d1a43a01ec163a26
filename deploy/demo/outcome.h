/* What a gateway can say about one request: the fields of an item of POST /v1/outcomes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* X(name, text, the answer's own: without an answer it cannot be judged). `ttft` and `latency` are not here:
   they are sent as milliseconds and held against the service's objectives by Serin. */
#define OUTCOME_SLI_TABLE(X)                                                                                 \
    X(REFUSAL, "refusal", true)                                                                              \
    X(CONTENT_FILTER, "content_filter", true)                                                                \
    X(ERROR, "error", false)                                                                                 \
    X(TIMEOUT, "timeout", false)                                                                             \
    X(SCHEMA_INVALID, "schema_invalid", true)                                                                \
    X(TOOL_ERROR, "tool_error", true)                                                                        \
    X(EMPTY_RETRIEVAL, "empty_retrieval", true)                                                              \
    X(TRUNCATED, "truncated", true)                                                                          \
    X(RATE_LIMITED, "rate_limited", false)

enum outcome_sli {
#define X(name, text, of_answer) OUTCOME_##name,
    OUTCOME_SLI_TABLE(X)
#undef X
        OUTCOME_SLIS
};

struct outcome {
    uint16_t measured, bad;                                   /* sets of 1 << sli; bad is within measured */
    int32_t ttft_ms, latency_ms, input_tokens, output_tokens; /* -1 = not measured */
    int64_t cost_micros;                                      /* -1 = not measured */
    double score;                                             /* NAN = not measured */
};

const char *outcome_sli_name(enum outcome_sli sli); /* "refusal"; static */
bool outcome_sli_of_answer(enum outcome_sli sli);
/* Nothing measured. */
struct outcome outcome_none(void);
void outcome_set(struct outcome *outcome, enum outcome_sli sli, bool bad);
