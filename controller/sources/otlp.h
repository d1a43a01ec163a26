/* OTLP/HTTP, signal traces: ExportTraceServiceRequest in both encodings, span by span. Pure.

   The protobuf form is read by a reader of our own: it walks over the bytes and copies nothing, so that what
   carries content is skipped by its length and never held. */
#pragma once

#include "base/fault.h"
#include "sources/genai.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OTLP_TRACE_ID = 16, OTLP_SPAN_ID = 8 };

/* What is kept of a span. */
struct otlp_span {
    bool identified; /* both ids have their length and are not all zeros */
    uint8_t trace_id[OTLP_TRACE_ID], span_id[OTLP_SPAN_ID];
    uint64_t start_ns, end_ns; /* since 1970, by the sender's clock; 0 = not given */
    struct genai_facts facts;
};

/* Is called for every span, in order; both are lent for the call. What it returns, other than OK, ends the
   reading. */
typedef enum status (*otlp_take_span)(void *context, const struct genai_facts *resource,
                                      const struct otlp_span *span);

/* MALFORMED if the body cannot be read (some spans may have been taken by then), NO_MEMORY, or what `take`
   returned. Fields that are not known are skipped. */
enum status otlp_read_json(const char *body, size_t length, const struct genai_names *names,
                           otlp_take_span take, void *context, struct fault *fault) MUST_CHECK;
enum status otlp_read_protobuf(const char *body, size_t length, const struct genai_names *names,
                               otlp_take_span take, void *context, struct fault *fault) MUST_CHECK;

/* Hex digits of `bytes` bytes into *out. False if they are others, or more or fewer. */
bool otlp_hex(const char *text, size_t length, uint8_t *out, size_t bytes);
bool otlp_all_zero(const uint8_t *bytes, size_t length);
