/* The trace of a decision. Its id follows from the event that the decision wrote, so that any replica, and
   any reader of the event, can name it and add to it: it is the 128 bits of the event's id (48 of time, 80
   random). The id of a span follows from the trace and the span's name. Spans go to a collector through
   base/trace_export.h. */
#pragma once

#include "base/clock.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRACE_ID_MAX = 33, TRACE_SPAN_MAX = 17, TRACE_PARENT_MAX = 56 /* all in hex, with NUL */ };

/* The trace id of the decision that wrote event `event` ("ev_01M8..."). False if that is no event's id; then
 * "". */
bool trace_of_event(const char *event, char out[TRACE_ID_MAX]);
/* The id of the trace's span `name`; `which` tells apart several of one name (a replica, a gateway), NULL =
 * none. */
char *trace_span_id(const char *trace, const char *name, const char *which, char out[TRACE_SPAN_MAX]);
/* W3C Trace Context's traceparent with the root span of the event's trace as parent. False as above. */
bool trace_parent(const char *event, bool sampled, char out[TRACE_PARENT_MAX]);

#define TRACE_ROOT "rollout.decision"

struct trace_attribute {
    const char *name;
    const char *text; /* lent; NULL = number */
    int64_t number;
};

/* All lent for the call. An attribute whose text is "" is left out. */
struct trace_span {
    const char *event; /* whose trace it is */
    const char *name, *which;
    const char *parent, *parent_which; /* NULL: the trace's root */
    struct wall_time begin, end;       /* of this machine's clock */
    const struct trace_attribute *attribute;
    size_t attributes;
};

/* Appends the span as OTLP/JSON has it. False, and nothing appended, if `event` is no event's id. */
bool trace_put_span(const struct trace_span *span, struct text *out);
