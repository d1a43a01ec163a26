/* The simulated model: what answers in place of a language model, with the faults and latencies that its
   behaviour says. A behaviour is a JSON object, in the parameters of the release or of its model under
   "simulate", or a file: rates 0..1: refusal, content_filter, error, timeout, schema_invalid, tool_error,
   empty_retrieval, truncated, rate_limited (one that is not named is not measured), lost (the outcome is
   never reported) ttft_ms, ttft_sigma          time to the first token: median, and sigma of its logarithm
     latency_ms, latency_sigma    time to the last token: median; sigma of the part after the first token
     timeout_ms                   when a request that times out is given up
     input_tokens, output_tokens  medians
     cost_micros                  of a request */
#pragma once

#include "base/fault.h"
#include "base/random.h"
#include "demo/outcome.h"

#include <stdbool.h>
#include <stdint.h>

struct json_object;
struct replay;

struct behaviour {
    double rate[OUTCOME_SLIS]; /* < 0 = not measured */
    double lost;
    double ttft_ms, ttft_sigma, latency_ms, latency_sigma, timeout_ms;
    double input_tokens, output_tokens, cost_micros; /* < 0 = not measured */
    const struct replay *replay;                     /* lent; NULL = drawn from the rates */
};

struct answer {
    struct outcome outcome;
    int64_t takes_us; /* virtual, until the request ends */
    bool lost;
};

/* 2 % refusals, 0.2 % errors, first token after 0.3 s, last after 0.6 s. */
struct behaviour behaviour_default(void);
/* Lays the fields of a JSON object over `behaviour`, which keeps the others; on failure it is unchanged.
   `pointer` is where the object stands, for the fault. */
enum status behaviour_overlay(struct behaviour *behaviour, struct json_object *object, const char *pointer,
                              struct fault *fault) MUST_CHECK;
enum status behaviour_read_file(const char *path, struct behaviour *out, struct fault *fault) MUST_CHECK;

struct answer model_answer(const struct behaviour *behaviour, struct random *random);
