/* Which metrics tell of requests to models: those of the GenAI conventions, and counters that whoever runs
   Serin has named. Pure. */
#pragma once

#include "base/fault.h"
#include "decision/sli.h"

#include <stdbool.h>

enum genai_role {
    GENAI_PASSED_OVER,
    GENAI_DURATION,     /* a histogram: of whole requests */
    GENAI_FIRST_TOKEN,  /* a histogram: until the first token or chunk */
    GENAI_TOKENS,       /* a histogram: the attribute gen_ai.token.type says which */
    GENAI_INPUT_TOKENS, /* histograms of one kind each */
    GENAI_OUTPUT_TOKENS,
    GENAI_REQUESTS,    /* a counter of requests */
    GENAI_BAD_REQUESTS /* a counter of those that were bad in one SLI */
};

/* "requests=llm.requests,refusal=llm.refusals": names of counters; "" = none. */
struct genai_counters {
    char requests[128], bad[SLI_COUNT][128];
};

/* INVALID with what is wrong with it and the next step. */
enum status genai_counters_read(const char *text, struct genai_counters *out, struct fault *fault) MUST_CHECK;
/* *sli is set for GENAI_BAD_REQUESTS. */
enum genai_role genai_metric(const struct genai_counters *counters, const char *name, enum sli *sli);
