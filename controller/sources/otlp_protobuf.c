/* ExportTraceServiceRequest as protobuf. Numbers of fields are those of opentelemetry-proto 1.x, which only
   ever adds; unknown ones are skipped, groups are refused. */
#include "sources/otlp.h"

#include <string.h>

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

/* --- the wire
 * ----------------------------------------------------------------------------------------------------- */

struct wire {
    const uint8_t *at, *end;
    bool broken;
};

struct field {
    uint64_t number;
    unsigned type;
    uint64_t value;       /* of VARINT, FIXED64, FIXED32 */
    const uint8_t *bytes; /* of BYTES */
    size_t length;
};

static uint64_t read_varint(struct wire *wire)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (wire->at == wire->end)
            break;
        uint8_t byte = *wire->at++;
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    wire->broken = true;
    return 0;
}

static uint64_t read_fixed(struct wire *wire, size_t bytes)
{
    uint64_t value = 0;
    if ((size_t)(wire->end - wire->at) < bytes) {
        wire->broken = true;
        return 0;
    }
    for (size_t i = bytes; i > 0; i--)
        value = value << 8 | wire->at[i - 1];
    wire->at += bytes;
    return value;
}

static void read_bytes(struct wire *wire, struct field *field)
{
    uint64_t length = read_varint(wire);
    if (wire->broken || length > (uint64_t)(wire->end - wire->at)) {
        wire->broken = true;
        return;
    }
    field->bytes = wire->at;
    field->length = (size_t)length;
    wire->at += length;
}

/* The next field; false at the end, or when the message is broken. */
static bool next(struct wire *wire, struct field *field)
{
    if (wire->broken || wire->at == wire->end)
        return false;
    *field = (struct field){0};
    uint64_t tag = read_varint(wire);
    field->number = tag >> 3;
    field->type = (unsigned)(tag & 7);
    switch (field->type) {
    case VARINT:
        field->value = read_varint(wire);
        break;
    case FIXED64:
        field->value = read_fixed(wire, 8);
        break;
    case BYTES:
        read_bytes(wire, field);
        break;
    case FIXED32:
        field->value = read_fixed(wire, 4);
        break;
    default:
        wire->broken = true;
    }
    if (field->number == 0 || field->number > 536870911)
        wire->broken = true;
    return !wire->broken;
}

static bool is(const struct field *field, uint64_t number, unsigned type)
{
    return field->number == number && field->type == type;
}

static struct wire inside(const struct field *field)
{
    return (struct wire){.at = field->bytes, .end = field->bytes + field->length};
}

/* --- attributes
 * --------------------------------------------------------------------------------------------------- */

struct reading {
    const struct genai_names *names;
    otlp_take_span take;
    void *context;
    bool broken;
    enum status status; /* of `take` */
};

/* A scalar of an AnyValue. False if the field is none. */
static bool scalar(const struct field *field, struct genai_value *out)
{
    *out = (struct genai_value){.kind = GENAI_TEXT};
    if (is(field, 1, BYTES)) {
        out->text = (const char *)field->bytes;
        out->length = field->length;
    } else if (is(field, 2, VARINT)) {
        out->kind = GENAI_BOOL;
        out->integer = field->value != 0;
    } else if (is(field, 3, VARINT)) {
        out->kind = GENAI_INTEGER;
        out->integer = (int64_t)field->value;
    } else if (is(field, 4, FIXED64)) {
        out->kind = GENAI_NUMBER;
        memcpy(&out->number, &field->value, sizeof out->number);
    } else {
        return false;
    }
    return true;
}

/* The last value of a oneof holds; of a list, every scalar. What is nested deeper is no fact. */
static bool take_any(const struct reading *reading, struct genai_facts *facts, const struct field *key,
                     const struct field *any, bool in_list)
{
    struct wire wire = inside(any);
    struct field field, held = {0};
    struct genai_value value;
    while (next(&wire, &field)) {
        if (field.number <= 7)
            held = field;
    }
    if (wire.broken)
        return false;
    if (scalar(&held, &value)) {
        genai_take(facts, reading->names, (const char *)key->bytes, key->length, &value);
        return true;
    }
    if (in_list || !is(&held, 5, BYTES))
        return true;
    wire = inside(&held);
    bool good = true;
    while (good && next(&wire, &field)) {
        if (is(&field, 1, BYTES))
            good = take_any(reading, facts, key, &field, true);
    }
    return good && !wire.broken;
}

static void take_attribute(struct reading *reading, struct genai_facts *facts, const struct field *pair)
{
    struct wire wire = inside(pair);
    struct field field, key = {0}, value = {0};
    while (next(&wire, &field)) {
        if (is(&field, 1, BYTES))
            key = field;
        if (is(&field, 2, BYTES))
            value = field;
    }
    if (wire.broken)
        reading->broken = true;
    else if (key.bytes != NULL && value.bytes != NULL && !take_any(reading, facts, &key, &value, false))
        reading->broken = true;
}

/* --- the messages
 * ------------------------------------------------------------------------------------------------- */

static void take_status(struct reading *reading, struct genai_facts *facts, const struct field *status)
{
    struct wire wire = inside(status);
    struct field field;
    while (next(&wire, &field)) {
        if (is(&field, 3, VARINT))
            facts->status_failed = field.value == 2;
    }
    reading->broken = reading->broken || wire.broken;
}

static bool take_id(const struct field *field, uint8_t *out, size_t length)
{
    if (field->length != length)
        return false;
    memcpy(out, field->bytes, length);
    return !otlp_all_zero(out, length);
}

static void take_span(struct reading *reading, const struct genai_facts *resource, const struct field *bytes)
{
    struct wire wire = inside(bytes);
    struct field field;
    struct otlp_span span = {.identified = false};
    bool traced = false, numbered = false;
    genai_facts_begin(&span.facts);
    while (!reading->broken && next(&wire, &field)) {
        if (is(&field, 1, BYTES))
            traced = take_id(&field, span.trace_id, OTLP_TRACE_ID);
        else if (is(&field, 2, BYTES))
            numbered = take_id(&field, span.span_id, OTLP_SPAN_ID);
        else if (is(&field, 7, FIXED64))
            span.start_ns = field.value;
        else if (is(&field, 8, FIXED64))
            span.end_ns = field.value;
        else if (is(&field, 9, BYTES))
            take_attribute(reading, &span.facts, &field);
        else if (is(&field, 15, BYTES))
            take_status(reading, &span.facts, &field);
    }
    reading->broken = reading->broken || wire.broken;
    span.identified = traced && numbered;
    if (!reading->broken)
        reading->status = reading->take(reading->context, resource, &span);
}

static bool going(const struct reading *reading)
{
    return !reading->broken && reading->status == STATUS_OK;
}

static void take_scope(struct reading *reading, const struct genai_facts *resource, const struct field *scope)
{
    struct wire wire = inside(scope);
    struct field field;
    while (going(reading) && next(&wire, &field)) {
        if (is(&field, 2, BYTES))
            take_span(reading, resource, &field);
    }
    reading->broken = reading->broken || wire.broken;
}

static void take_resource_attributes(struct reading *reading, struct genai_facts *facts,
                                     const struct field *resource)
{
    struct wire wire = inside(resource);
    struct field field;
    while (going(reading) && next(&wire, &field)) {
        if (is(&field, 1, BYTES))
            take_attribute(reading, facts, &field);
    }
    reading->broken = reading->broken || wire.broken;
}

/* Twice over it: the resource may stand behind its spans. */
static void take_resource(struct reading *reading, const struct field *message)
{
    struct wire first = inside(message), second = first;
    struct field field;
    struct genai_facts facts;
    genai_facts_begin(&facts);
    while (going(reading) && next(&first, &field)) {
        if (is(&field, 1, BYTES))
            take_resource_attributes(reading, &facts, &field);
    }
    reading->broken = reading->broken || first.broken;
    while (going(reading) && next(&second, &field)) {
        if (is(&field, 2, BYTES))
            take_scope(reading, &facts, &field);
    }
}

enum status otlp_read_protobuf(const char *body, size_t length, const struct genai_names *names,
                               otlp_take_span take, void *context, struct fault *fault)
{
    struct reading reading = {.names = names, .take = take, .context = context};
    const uint8_t *bytes = (const uint8_t *)body;
    struct wire wire = {.at = bytes, .end = bytes + length};
    struct field field;
    while (going(&reading) && next(&wire, &field)) {
        if (is(&field, 1, BYTES))
            take_resource(&reading, &field);
    }
    if (reading.broken || wire.broken) {
        fault_set(fault, STATUS_MALFORMED, "The body is no ExportTraceServiceRequest in protobuf");
        fault_next(
            fault,
            "See that Content-Type says what the body is: application/x-protobuf or application/json.");
        return STATUS_MALFORMED;
    }
    return reading.status;
}
