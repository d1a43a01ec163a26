/* Spans on their way to a collector: OTLP/HTTP with JSON, from a thread of its own and a bounded queue. Off
   until it is started; then, as with the log, one for the process. Whoever gives a span never waits: when the
   queue is full the span is dropped and counted (serin_trace_spans_total). */
#pragma once

#include "base/fault.h"
#include "base/trace.h"

enum { TRACE_QUEUE_MAX = 2048, TRACE_BATCH_MAX = 256, TRACE_TRIES = 4, TRACE_TIMEOUT_MS = 5000 };

/* `url` is used as it is ("http://127.0.0.1:4318/v1/traces"); `headers` as OpenTelemetry's settings have
   them, "name=value,name=value" with percent-escapes in values, or "". INVALID for those that cannot be read;
   NO_MEMORY. Before other threads start. */
enum status trace_export_start(const char *url, const char *headers, struct fault *fault) MUST_CHECK;
/* Sends what is queued, without repeating anything, and ends. What is left when a request fails is given up,
   so that a collector that does not answer holds up the end by two TRACE_TIMEOUT_MS at most. Nobody may give
   spans any more. Not started is fine. */
void trace_export_stop(void);

bool trace_export_on(void);
/* The name of this process among replicas: service.instance.id. "" when it is off. */
const char *trace_export_instance(void);
/* Any thread. Nothing happens when it is off. */
void trace_export(const struct trace_span *span);
