/* ExportTraceServiceRequest as JSON: ids are hex, 64-bit numbers are strings or numbers, enums integers. */
#include "sources/otlp.h"

#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    const struct genai_names *names;
    otlp_take_span take;
    void *context;
    struct fault *fault;
};

bool otlp_all_zero(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool otlp_hex(const char *text, size_t length, uint8_t *out, size_t bytes)
{
    if (length != bytes * 2)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        int high = digit(text[i * 2]), low = digit(text[i * 2 + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static enum status wrong(const struct reading *reading, const char *name, const char *expected)
{
    fault_set(reading->fault, STATUS_MALFORMED, "'%s' is not %s", name, expected);
    fault_next(reading->fault, "Send an ExportTraceServiceRequest as OTLP's JSON encoding has it.");
    return STATUS_MALFORMED;
}

/* --- members
 * ------------------------------------------------------------------------------------------------------ */

/* A member that is there and not null. */
static bool member(struct json_object *object, const char *name, struct json_object **out)
{
    return json_object_object_get_ex(object, name, out) && *out != NULL;
}

/* Calls `each` for the objects of a list; a list that is absent is empty. */
typedef enum status (*take_object)(const struct reading *reading, struct json_object *object, void *argument);

static enum status for_each(const struct reading *reading, struct json_object *object, const char *name,
                            take_object each, void *argument)
{
    struct json_object *list;
    enum status status = STATUS_OK;
    if (!member(object, name, &list))
        return STATUS_OK;
    if (!json_object_is_type(list, json_type_array))
        return wrong(reading, name, "a list");
    size_t count = json_object_array_length(list);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        status = json_object_is_type(one, json_type_object) ? each(reading, one, argument)
                                                            : wrong(reading, name, "a list of objects");
    }
    return status;
}

/* A 64-bit integer, as a number or as text. */
static bool integer(struct json_object *value, int64_t *out)
{
    if (json_object_is_type(value, json_type_int)) {
        *out = json_object_get_int64(value);
        return true;
    }
    if (!json_object_is_type(value, json_type_string))
        return false;
    const char *text = json_object_get_string(value);
    char *end;
    size_t length = (size_t)json_object_get_string_len(value);
    if (length == 0 || length > 20 || strspn(text, "-0123456789") != length)
        return false;
    errno = 0;
    long long read = strtoll(text, &end, 10);
    *out = read;
    return errno == 0 && *end == '\0';
}

/* Nanoseconds: they fit into 63 bits until 2262. */
static enum status take_time(const struct reading *reading, struct json_object *span, const char *name,
                             uint64_t *out)
{
    struct json_object *value;
    int64_t time = 0;
    if (!member(span, name, &value))
        return STATUS_OK;
    if (json_object_is_type(value, json_type_double)) { /* a large number that is written as a double is */
        double number = json_object_get_double(value);
        if (!(number >= 0 && number < 9e18))
            return wrong(reading, name, "a time in nanoseconds since 1970");
        time = (int64_t)number;
    } else if (!integer(value, &time) || time < 0) {
        return wrong(reading, name, "a time in nanoseconds since 1970");
    }
    *out = (uint64_t)time;
    return STATUS_OK;
}

/* --- attributes
 * --------------------------------------------------------------------------------------------------- */

struct attribute {
    struct genai_facts *facts;
    const char *key;
    size_t length;
};

static enum status take_any(const struct reading *reading, struct json_object *any, void *argument);

static enum status take_any_value(const struct reading *reading, const struct attribute *attribute,
                                  struct json_object *any, bool in_list)
{
    struct json_object *value;
    struct genai_value out = {.kind = GENAI_TEXT};
    if (member(any, "stringValue", &value)) {
        if (!json_object_is_type(value, json_type_string))
            return wrong(reading, "stringValue", "a string");
        out.text = json_object_get_string(value);
        out.length = (size_t)json_object_get_string_len(value);
    } else if (member(any, "boolValue", &value)) {
        if (!json_object_is_type(value, json_type_boolean))
            return wrong(reading, "boolValue", "true or false");
        out.kind = GENAI_BOOL;
        out.integer = json_object_get_boolean(value);
    } else if (member(any, "intValue", &value)) {
        if (!integer(value, &out.integer))
            return wrong(reading, "intValue", "a 64-bit integer");
        out.kind = GENAI_INTEGER;
    } else if (member(any, "doubleValue", &value)) {
        /* "NaN" and the like are text, and no fact */
        if (!json_object_is_type(value, json_type_double) && !json_object_is_type(value, json_type_int))
            return STATUS_OK;
        out.kind = GENAI_NUMBER;
        out.number = json_object_get_double(value);
    } else if (!in_list && member(any, "arrayValue", &value)) {
        if (!json_object_is_type(value, json_type_object))
            return wrong(reading, "arrayValue", "an object");
        struct attribute element = *attribute;
        return for_each(reading, value, "values", take_any, &element);
    } else {
        return STATUS_OK; /* nested deeper, bytes, or empty: no fact */
    }
    genai_take(attribute->facts, reading->names, attribute->key, attribute->length, &out);
    return STATUS_OK;
}

static enum status take_any(const struct reading *reading, struct json_object *any, void *argument)
{
    return take_any_value(reading, argument, any, true);
}

static enum status take_attribute(const struct reading *reading, struct json_object *pair, void *argument)
{
    struct json_object *key, *value;
    if (!member(pair, "key", &key) || !member(pair, "value", &value))
        return STATUS_OK;
    if (!json_object_is_type(key, json_type_string) || !json_object_is_type(value, json_type_object))
        return wrong(reading, "attributes", "a list of keys with values");
    struct attribute attribute = {.facts = argument,
                                  .key = json_object_get_string(key),
                                  .length = (size_t)json_object_get_string_len(key)};
    return take_any_value(reading, &attribute, value, false);
}

/* --- the messages
 * ------------------------------------------------------------------------------------------------- */

static enum status take_id(const struct reading *reading, struct json_object *span, const char *name,
                           uint8_t *out, size_t bytes, bool *identified)
{
    struct json_object *value;
    *identified = false;
    if (!member(span, name, &value))
        return STATUS_OK;
    if (!json_object_is_type(value, json_type_string))
        return wrong(reading, name, "a string of hex digits");
    *identified =
        otlp_hex(json_object_get_string(value), (size_t)json_object_get_string_len(value), out, bytes) &&
        !otlp_all_zero(out, bytes);
    return STATUS_OK;
}

static enum status take_status(const struct reading *reading, struct json_object *object,
                               struct genai_facts *facts)
{
    struct json_object *status, *code;
    if (!member(object, "status", &status))
        return STATUS_OK;
    if (!json_object_is_type(status, json_type_object))
        return wrong(reading, "status", "an object");
    if (!member(status, "code", &code))
        return STATUS_OK;
    if (!json_object_is_type(code, json_type_int))
        return wrong(reading, "code", "an integer");
    facts->status_failed = json_object_get_int64(code) == 2;
    return STATUS_OK;
}

static enum status take_span(const struct reading *reading, struct json_object *object, void *argument)
{
    struct otlp_span span = {.identified = false};
    bool traced, numbered = false;
    genai_facts_begin(&span.facts);
    enum status status = take_id(reading, object, "traceId", span.trace_id, OTLP_TRACE_ID, &traced);
    if (status == STATUS_OK)
        status = take_id(reading, object, "spanId", span.span_id, OTLP_SPAN_ID, &numbered);
    if (status == STATUS_OK)
        status = take_time(reading, object, "startTimeUnixNano", &span.start_ns);
    if (status == STATUS_OK)
        status = take_time(reading, object, "endTimeUnixNano", &span.end_ns);
    if (status == STATUS_OK)
        status = for_each(reading, object, "attributes", take_attribute, &span.facts);
    if (status == STATUS_OK)
        status = take_status(reading, object, &span.facts);
    span.identified = traced && numbered;
    return status == STATUS_OK ? reading->take(reading->context, argument, &span) : status;
}

static enum status take_scope(const struct reading *reading, struct json_object *scope, void *argument)
{
    return for_each(reading, scope, "spans", take_span, argument);
}

static enum status take_resource(const struct reading *reading, struct json_object *object, void *argument)
{
    struct genai_facts facts;
    struct json_object *resource;
    enum status status = STATUS_OK;
    (void)argument;
    genai_facts_begin(&facts);
    if (member(object, "resource", &resource)) {
        status = json_object_is_type(resource, json_type_object)
                     ? for_each(reading, resource, "attributes", take_attribute, &facts)
                     : wrong(reading, "resource", "an object");
    }
    return status == STATUS_OK ? for_each(reading, object, "scopeSpans", take_scope, &facts) : status;
}

enum status otlp_read_json(const char *body, size_t length, const struct genai_names *names,
                           otlp_take_span take, void *context, struct fault *fault)
{
    struct reading reading = {.names = names, .take = take, .context = context, .fault = fault};
    struct json_object *request = NULL;
    enum status status = json_parse(body, length, &request, fault);
    if (status == STATUS_OK)
        status = json_object_is_type(request, json_type_object)
                     ? for_each(&reading, request, "resourceSpans", take_resource, NULL)
                     : wrong(&reading, "body", "an object");
    json_object_put(request);
    return status;
}
