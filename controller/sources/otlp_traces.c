/* ExportTraceServiceRequest. */
#include "sources/otlp_attributes.h"

enum { SPAN_TRACE, SPAN_ID, SPAN_START, SPAN_END, SPAN_ATTRIBUTES, SPAN_STATUS };
static const struct otlp_field span_fields[] = {{"traceId", 1, OTLP_ID, false, false},
                                                {"spanId", 2, OTLP_ID, false, false},
                                                {"startTimeUnixNano", 7, OTLP_FIXED, false, false},
                                                {"endTimeUnixNano", 8, OTLP_FIXED, false, false},
                                                {"attributes", 9, OTLP_MESSAGE, true, false},
                                                {"status", 15, OTLP_MESSAGE, false, false},
                                                {NULL, 0, OTLP_OTHER, false, false}};
static const struct otlp_field status_fields[] = {{"code", 3, OTLP_ENUM, false, false},
                                                  {NULL, 0, OTLP_OTHER, false, false}};
static const struct otlp_field scope_spans_fields[] = {{"spans", 2, OTLP_MESSAGE, true, false},
                                                       {NULL, 0, OTLP_OTHER, false, false}};
enum { RESOURCE_RESOURCE };
static const struct otlp_field resource_spans_fields[] = {{"resource", 1, OTLP_MESSAGE, false, false},
                                                          {"scopeSpans", 2, OTLP_MESSAGE, true, true},
                                                          {NULL, 0, OTLP_OTHER, false, false}};
static const struct otlp_field request_fields[] = {{"resourceSpans", 1, OTLP_MESSAGE, true, false},
                                                   {NULL, 0, OTLP_OTHER, false, false}};

struct reading {
    struct otlp_body body;
    const struct genai_names *names;
    otlp_take_span take;
    void *context;
    struct otlp_origin origin;
    struct otlp_span span;
    bool traced, numbered;
};

static enum status take_status(void *context, const struct otlp_value *value)
{
    struct reading *reading = context;
    reading->span.facts.status_failed = value->integer == 2;
    return STATUS_OK;
}

static enum status take_span_field(void *context, const struct otlp_value *value)
{
    struct reading *reading = context;
    struct otlp_span *span = &reading->span;
    struct otlp_attributes attributes = {
        .body = &reading->body, .names = reading->names, .facts = &span->facts};
    switch (value->field) {
    case SPAN_TRACE:
        reading->traced = otlp_take_id(value, span->trace_id, OTLP_TRACE_ID);
        break;
    case SPAN_ID:
        reading->numbered = otlp_take_id(value, span->span_id, OTLP_SPAN_ID);
        break;
    case SPAN_START:
        span->start_ns = value->fixed;
        break;
    case SPAN_END:
        span->end_ns = value->fixed;
        break;
    case SPAN_ATTRIBUTES:
        return otlp_take_attribute(&attributes, &value->node);
    default:
        return otlp_read_message(&reading->body, &value->node, status_fields, take_status, reading);
    }
    return STATUS_OK;
}

static enum status take_span(void *context, const struct otlp_value *value)
{
    struct reading *reading = context;
    reading->span = (struct otlp_span){.identified = false};
    reading->traced = reading->numbered = false;
    genai_facts_begin(&reading->span.facts);
    enum status status =
        otlp_read_message(&reading->body, &value->node, span_fields, take_span_field, reading);
    reading->span.identified = reading->traced && reading->numbered;
    return status == STATUS_OK ? reading->take(reading->context, &reading->origin, &reading->span) : status;
}

static enum status take_resource_field(void *context, const struct otlp_value *value)
{
    struct reading *reading = context;
    return value->field == RESOURCE_RESOURCE
               ? otlp_take_resource(&reading->body, reading->names, &value->node, &reading->origin)
               : otlp_read_message(&reading->body, &value->node, scope_spans_fields, take_span, reading);
}

static enum status take_resource(void *context, const struct otlp_value *value)
{
    struct reading *reading = context;
    reading->origin = (struct otlp_origin){.identity = {0}};
    genai_facts_begin(&reading->origin.facts);
    return otlp_read_message(&reading->body, &value->node, resource_spans_fields, take_resource_field,
                             reading);
}

enum status otlp_read_spans(bool protobuf, const char *body, size_t length, const struct genai_names *names,
                            otlp_take_span take, void *context, struct fault *fault)
{
    struct reading reading = {
        .body = {.protobuf = protobuf, .name = "ExportTraceServiceRequest", .fault = fault},
        .names = names,
        .take = take,
        .context = context};
    return otlp_read_body(&reading.body, body, length, request_fields, take_resource, &reading);
}
