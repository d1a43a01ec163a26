/* OTLP in protobuf. Numbers of fields are those of opentelemetry-proto 1.x, which only ever adds; unknown
   ones are skipped, groups are refused. What is skipped is passed over by its length, and never held. */
#include "sources/otlp_message.h"

#include <string.h>

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

struct wire {
    const uint8_t *at, *end;
    bool broken;
};

struct part {
    uint64_t number;
    unsigned type;
    uint64_t value;       /* of VARINT, FIXED64, FIXED32 */
    const uint8_t *bytes; /* of BYTES */
    size_t length;
};

static uint64_t read_varint(struct wire *wire)
{
    uint64_t value = 0;
    if (wire->at != wire->end && *wire->at < 0x80) /* nearly all of them */
        return *wire->at++;
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

static void read_bytes(struct wire *wire, struct part *part)
{
    uint64_t length = read_varint(wire);
    if (wire->broken || length > (uint64_t)(wire->end - wire->at)) {
        wire->broken = true;
        return;
    }
    part->bytes = wire->at;
    part->length = (size_t)length;
    wire->at += length;
}

/* The next part; false at the end, or when the message is broken. */
static bool next(struct wire *wire, struct part *part)
{
    if (wire->broken || wire->at == wire->end)
        return false;
    uint64_t tag = read_varint(wire);
    part->number = tag >> 3;
    part->type = (unsigned)(tag & 7);
    switch (part->type) {
    case VARINT:
        part->value = read_varint(wire);
        break;
    case FIXED64:
        part->value = read_fixed(wire, 8);
        break;
    case BYTES:
        read_bytes(wire, part);
        break;
    case FIXED32:
        part->value = read_fixed(wire, 4);
        break;
    default:
        wire->broken = true;
    }
    if (part->number == 0 || part->number > 536870911)
        wire->broken = true;
    return !wire->broken;
}

static unsigned type_of(enum otlp_kind kind)
{
    static const unsigned types[] = {
        [OTLP_MESSAGE] = BYTES, [OTLP_TEXT] = BYTES,     [OTLP_ID] = BYTES,       [OTLP_INTEGER] = VARINT,
        [OTLP_FIXED] = FIXED64, [OTLP_SIGNED] = FIXED64, [OTLP_DOUBLE] = FIXED64, [OTLP_BOOL] = VARINT,
        [OTLP_ENUM] = VARINT,   [OTLP_OTHER] = BYTES,
    };
    return types[kind];
}

/* Values are set as far as their kind goes; what else is in one is of the value before. */
static void set_scalar(const struct otlp_field *field, uint64_t bits, struct otlp_value *out)
{
    out->fixed = bits;
    out->integer = field->kind == OTLP_BOOL ? bits != 0 : (int64_t)bits;
    if (field->kind == OTLP_DOUBLE)
        memcpy(&out->number, &bits, sizeof out->number);
}

static void set_bytes(const struct otlp_field *field, const struct part *part, struct otlp_value *out)
{
    out->node = (struct otlp_node){.at = part->bytes, .end = part->bytes + part->length};
    out->text = (const char *)part->bytes;
    out->length = part->length;
    if (field->kind != OTLP_ID)
        return;
    if (part->length <= OTLP_ID_MAX)
        memcpy(out->id, part->bytes, part->length);
    else
        out->length = 0;
}

/* Numbers of a repeated field, one behind the other. */
static enum status take_packed(const struct otlp_body *body, const struct otlp_field *fields, size_t at,
                               const struct part *part, otlp_take_value take, void *context)
{
    struct wire wire = {.at = part->bytes, .end = part->bytes + part->length};
    enum status status = STATUS_OK;
    while (wire.at != wire.end && status == STATUS_OK) {
        struct otlp_value value = {.field = at, .kind = fields[at].kind};
        uint64_t bits = type_of(value.kind) == VARINT ? read_varint(&wire) : read_fixed(&wire, 8);
        if (wire.broken)
            return otlp_malformed(body);
        set_scalar(&fields[at], bits, &value);
        status = take(context, &value);
    }
    return status;
}

static enum status take_part(const struct otlp_body *body, const struct otlp_field *fields, size_t at,
                             const struct part *part, struct otlp_value *value, otlp_take_value take,
                             void *context)
{
    const struct otlp_field *field = &fields[at];
    unsigned type = type_of(field->kind);
    value->field = at;
    value->kind = field->kind;
    if (part->type != type)
        return part->type == BYTES && field->repeated && type != BYTES
                   ? take_packed(body, fields, at, part, take, context)
                   : STATUS_OK; /* of another type: one that nobody knows */
    if (type == BYTES)
        set_bytes(field, part, value);
    else
        set_scalar(field, part->value, value);
    return take(context, value);
}

enum status otlp_protobuf_pass(const struct otlp_body *body, const struct otlp_node *node,
                               const struct otlp_field *fields, bool late, otlp_take_value take,
                               void *context)
{
    struct wire wire = {.at = node->at, .end = node->end};
    struct part part;
    struct otlp_value value = {.field = 0};
    enum status status = STATUS_OK;
    while (status == STATUS_OK && next(&wire, &part)) {
        for (size_t i = 0; fields[i].name != NULL; i++) {
            if (fields[i].number == part.number && fields[i].late == late) {
                status = take_part(body, fields, i, &part, &value, take, context);
                break;
            }
        }
    }
    return status == STATUS_OK && wire.broken ? otlp_malformed(body) : status;
}
