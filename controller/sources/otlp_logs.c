/* ExportLogsServiceRequest. */
#include "sources/otlp_attributes.h"

#include <string.h>

enum { RECORD_TIME, RECORD_ATTRIBUTES, RECORD_TRACE, RECORD_SPAN, RECORD_OBSERVED, RECORD_EVENT };
static const struct otlp_field record_fields[] = {{"timeUnixNano", 1, OTLP_FIXED, false, false},
                                                  {"attributes", 6, OTLP_MESSAGE, true, false},
                                                  {"traceId", 9, OTLP_ID, false, false},
                                                  {"spanId", 10, OTLP_ID, false, false},
                                                  {"observedTimeUnixNano", 11, OTLP_FIXED, false, false},
                                                  {"eventName", 12, OTLP_TEXT, false, false},
                                                  {NULL, 0, OTLP_OTHER, false, false}};
static const struct otlp_field scope_logs_fields[] = {{"logRecords", 2, OTLP_MESSAGE, true, false},
                                                      {NULL, 0, OTLP_OTHER, false, false}};
enum { RESOURCE_RESOURCE };
static const struct otlp_field resource_logs_fields[] = {{"resource", 1, OTLP_MESSAGE, false, false},
                                                         {"scopeLogs", 2, OTLP_MESSAGE, true, true},
                                                         {NULL, 0, OTLP_OTHER, false, false}};
static const struct otlp_field request_fields[] = {{"resourceLogs", 1, OTLP_MESSAGE, true, false},
                                                   {NULL, 0, OTLP_OTHER, false, false}};

struct reading {
    struct otlp_body body;
    const struct genai_names *names;
    otlp_take_record take;
    void *context;
    struct otlp_origin origin;
    struct otlp_record record;
    bool traced, numbered;
};

static enum status take_record_field(void *context, const struct otlp_value *value)
{
    struct reading *reading = context;
    struct otlp_record *record = &reading->record;
    struct otlp_attributes attributes = {.body = &reading->body,
                                         .names = reading->names,
                                         .facts = &record->facts,
                                         .identity = record->identity};
    switch (value->field) {
    case RECORD_TIME:
        record->time_ns = value->fixed;
        break;
    case RECORD_OBSERVED:
        record->observed_ns = value->fixed;
        break;
    case RECORD_TRACE:
        reading->traced = otlp_take_id(value, record->trace_id, OTLP_TRACE_ID);
        break;
    case RECORD_SPAN:
        reading->numbered = otlp_take_id(value, record->span_id, OTLP_SPAN_ID);
        break;
    case RECORD_EVENT:
        record->event[0] = '\0';
        if (value->length < sizeof record->event) {
            memcpy(record->event, value->text, value->length);
            record->event[value->length] = '\0';
        }
        break;
    default:
        return otlp_take_attribute(&attributes, &value->node);
    }
    return STATUS_OK;
}

static enum status take_record(void *context, const struct otlp_value *value)
{
    struct reading *reading = context;
    struct otlp_record *record = &reading->record;
    *record = (struct otlp_record){.identified = false};
    reading->traced = reading->numbered = false;
    genai_facts_begin(&record->facts);
    enum status status =
        otlp_read_message(&reading->body, &value->node, record_fields, take_record_field, reading);
    record->identified = reading->traced && reading->numbered;
    if (record->event[0] == '\0') /* where it stood before it had a field of its own */
        memcpy(record->event, record->facts.event, sizeof record->event);
    return status == STATUS_OK ? reading->take(reading->context, &reading->origin, record) : status;
}

static enum status take_resource_field(void *context, const struct otlp_value *value)
{
    struct reading *reading = context;
    return value->field == RESOURCE_RESOURCE
               ? otlp_take_resource(&reading->body, reading->names, &value->node, &reading->origin)
               : otlp_read_message(&reading->body, &value->node, scope_logs_fields, take_record, reading);
}

static enum status take_resource(void *context, const struct otlp_value *value)
{
    struct reading *reading = context;
    reading->origin = (struct otlp_origin){.identity = {0}};
    genai_facts_begin(&reading->origin.facts);
    return otlp_read_message(&reading->body, &value->node, resource_logs_fields, take_resource_field,
                             reading);
}

enum status otlp_read_records(bool protobuf, const char *body, size_t length, const struct genai_names *names,
                              otlp_take_record take, void *context, struct fault *fault)
{
    struct reading reading = {
        .body = {.protobuf = protobuf, .name = "ExportLogsServiceRequest", .fault = fault},
        .names = names,
        .take = take,
        .context = context};
    return otlp_read_body(&reading.body, body, length, request_fields, take_resource, &reading);
}
