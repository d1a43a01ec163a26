/* OTLP in protobuf. Numbers of fields are those of opentelemetry-proto 1.x, which only ever adds; unknown
   ones are skipped, groups are refused. What is skipped is passed over by its length, and never held. */
#include "sources/otlp_message.h"

#include <endian.h>
#include <string.h>

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

/* What reads gets a place in the message and returns the one behind what it has read; NULL: broken. By value,
   so that the place stays in a register: this is where a busy server spends its time. */
typedef const uint8_t *place;

struct part {
    uint64_t number;
    unsigned type;
    uint64_t value;       /* of VARINT, FIXED64 */
    const uint8_t *bytes; /* of BYTES */
    size_t length;
};

static place read_long_varint(place at, place end, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && at != end; shift += 7) {
        uint8_t byte = *at++;
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return at;
        }
    }
    *out = 0;
    return NULL;
}

static inline place read_varint(place at, place end, uint64_t *out)
{
    uint64_t value = 0;
    if (at != end && *at < 0x80) { /* nearly all of them */
        *out = *at;
        return at + 1;
    }
    at = read_long_varint(at, end, &value);
    *out = value;
    return at;
}

static inline place read_fixed64(place at, place end, uint64_t *out)
{
    if (end - at < 8)
        return NULL;
    memcpy(out, at, sizeof *out);
    *out = le64toh(*out);
    return at + sizeof *out;
}

static inline place read_bytes(place at, place end, struct part *part)
{
    uint64_t length;
    at = read_varint(at, end, &length);
    if (at == NULL || length > (uint64_t)(end - at))
        return NULL;
    part->bytes = at;
    part->length = (size_t)length;
    return at + length;
}

static inline place read_part(place at, place end, struct part *part)
{
    uint64_t tag;
    at = read_varint(at, end, &tag);
    part->number = tag >> 3;
    part->type = (unsigned)(tag & 7);
    if (at == NULL || part->number == 0 || part->number > 536870911)
        return NULL;
    switch (part->type) {
    case VARINT:
        return read_varint(at, end, &part->value);
    case FIXED64:
        return read_fixed64(at, end, &part->value);
    case BYTES:
        return read_bytes(at, end, part);
    case FIXED32: /* no field that is read here */
        return end - at < 4 ? NULL : at + 4;
    default:
        return NULL;
    }
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

static void set_scalar(const struct otlp_field *field, uint64_t bits, struct otlp_value *out)
{
    if (field->kind == OTLP_DOUBLE)
        memcpy(&out->number, &bits, sizeof out->number);
    else
        out->fixed = field->kind == OTLP_BOOL ? bits != 0 : bits;
}

static void set_bytes(const struct otlp_field *field, const struct part *part, struct otlp_value *out)
{
    if (field->kind == OTLP_MESSAGE) {
        out->node = (struct otlp_node){.at = part->bytes, .end = part->bytes + part->length};
        return;
    }
    out->text = (const char *)part->bytes;
    out->length = field->kind == OTLP_ID && part->length > OTLP_ID_MAX ? 0 : part->length;
}

/* Numbers of a repeated field, one behind the other. */
static enum status take_packed(const struct otlp_body *body, const struct otlp_field *fields, uint32_t at,
                               const struct part *part, otlp_take_value take, void *context)
{
    place next = part->bytes, end = part->bytes + part->length;
    enum status status = STATUS_OK;
    while (next != end && status == STATUS_OK) {
        struct otlp_value value = {.field = at, .kind = fields[at].kind};
        uint64_t bits = 0;
        next = type_of(value.kind) == VARINT ? read_varint(next, end, &bits) : read_fixed64(next, end, &bits);
        if (next == NULL)
            return otlp_malformed(body);
        set_scalar(&fields[at], bits, &value);
        status = take(context, &value);
    }
    return status;
}

static enum status take_part(const struct otlp_body *body, const struct otlp_field *fields, uint32_t at,
                             const struct part *part, otlp_take_value take, void *context)
{
    const struct otlp_field *field = &fields[at];
    unsigned type = type_of(field->kind);
    struct otlp_value value = {.field = at, .kind = field->kind};
    if (part->type != type)
        return part->type == BYTES && field->repeated && type != BYTES
                   ? take_packed(body, fields, at, part, take, context)
                   : STATUS_OK; /* of another type: one that nobody knows */
    if (type == BYTES)
        set_bytes(field, part, &value);
    else
        set_scalar(field, part->value, &value);
    return take(context, &value);
}

/* Its place in the list, which is often that of the part before. */
static inline uint32_t find(const struct otlp_field *fields, uint64_t number, uint32_t before)
{
    uint32_t i = before;
    if (fields[i].number != number) {
        for (i = 0; fields[i].name != NULL && fields[i].number != number; i++)
            ;
    }
    return i;
}

enum status otlp_protobuf_pass(const struct otlp_body *body, const struct otlp_node *node,
                               const struct otlp_field *fields, bool late, bool *left, otlp_take_value take,
                               void *context)
{
    struct part part = {.number = 0};
    enum status status = STATUS_OK;
    uint32_t field = 0;
    for (place at = node->at; at != node->end && status == STATUS_OK;) {
        at = read_part(at, node->end, &part);
        if (at == NULL)
            return otlp_malformed(body);
        field = find(fields, part.number, field);
        if (fields[field].name == NULL)
            continue;
        if (fields[field].late == late)
            status = take_part(body, fields, field, &part, take, context);
        else
            *left = true;
    }
    return status;
}

bool otlp_protobuf_two(const struct otlp_node *node, struct otlp_node *first, struct otlp_node *second)
{
    struct part part = {.number = 0};
    place at = node->at != node->end ? read_part(node->at, node->end, &part) : NULL;
    if (at == NULL || at == node->end || part.number != 1 || part.type != BYTES)
        return false;
    *first = (struct otlp_node){.at = part.bytes, .end = part.bytes + part.length};
    at = read_part(at, node->end, &part);
    if (at != node->end || part.number != 2 || part.type != BYTES)
        return false;
    *second = (struct otlp_node){.at = part.bytes, .end = part.bytes + part.length};
    return true;
}

bool otlp_protobuf_alone(const struct otlp_node *node, const struct otlp_field *fields,
                         struct otlp_value *out)
{
    struct part part = {.number = 0};
    if (node->at == node->end || read_part(node->at, node->end, &part) != node->end)
        return false;
    uint32_t at = find(fields, part.number, 0);
    const struct otlp_field *field = &fields[at];
    if (field->name == NULL || field->repeated || part.type != type_of(field->kind))
        return false;
    *out = (struct otlp_value){.field = at, .kind = field->kind};
    if (part.type == BYTES)
        set_bytes(field, &part, out);
    else
        set_scalar(field, part.value, out);
    return true;
}
