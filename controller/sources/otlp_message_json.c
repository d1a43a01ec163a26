/* OTLP in JSON: ids are hex digits, 64-bit numbers are strings or numbers, enums integers. */
#include "sources/otlp_message.h"

#include <errno.h>
#include <json-c/json_object_iterator.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum status wrong(const struct otlp_body *body, const char *name, const char *expected)
{
    fault_set(body->fault, STATUS_MALFORMED, "'%s' is not %s", name, expected);
    fault_next(body->fault, "Send an %s as OTLP's JSON encoding has it.", body->name);
    return STATUS_MALFORMED;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* How many bytes these hex digits are; 0 if they are none, or too many. */
static size_t read_hex(const char *text, size_t length, uint8_t out[OTLP_ID_MAX])
{
    if (length % 2 != 0 || length / 2 > OTLP_ID_MAX)
        return 0;
    for (size_t i = 0; i < length / 2; i++) {
        int high = digit(text[i * 2]), low = digit(text[i * 2 + 1]);
        if (high < 0 || low < 0)
            return 0;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return length / 2;
}

/* A 64-bit integer, as a number or as text; also a large one that is written as a double is. */
static bool read_integer(struct json_object *json, int64_t *out)
{
    if (json_object_is_type(json, json_type_int)) {
        *out = json_object_get_int64(json);
        return true;
    }
    if (json_object_is_type(json, json_type_double)) {
        double number = json_object_get_double(json);
        *out = fabs(number) < 9e18 ? (int64_t)number : 0;
        return fabs(number) < 9e18 && fabs(number) > 9007199254740992.0;
    }
    if (!json_object_is_type(json, json_type_string))
        return false;
    const char *text = json_object_get_string(json);
    char *end;
    size_t length = (size_t)json_object_get_string_len(json);
    if (length == 0 || length > 20 || strspn(text, "-0123456789") != length)
        return false;
    errno = 0;
    long long read = strtoll(text, &end, 10);
    *out = read;
    return errno == 0 && *end == '\0';
}

static bool read_number(struct json_object *json, double *out)
{
    bool text = json_object_is_type(json, json_type_string);
    *out = text ? NAN : json_object_get_double(json);
    if (text && strcmp(json_object_get_string(json), "Infinity") == 0)
        *out = INFINITY;
    if (text && strcmp(json_object_get_string(json), "-Infinity") == 0)
        *out = -INFINITY;
    return text || json_object_is_type(json, json_type_double) || json_object_is_type(json, json_type_int);
}

/* `id` is where the bytes of an ID go. */
static enum status read_value(const struct otlp_body *body, const struct otlp_field *field,
                              struct json_object *json, uint8_t id[OTLP_ID_MAX], struct otlp_value *out)
{
    bool string = json_object_is_type(json, json_type_string);
    switch (field->kind) {
    case OTLP_MESSAGE:
        out->node = (struct otlp_node){.object = json};
        return json_object_is_type(json, json_type_object) ? STATUS_OK
                                                           : wrong(body, field->name, "an object");
    case OTLP_TEXT:
    case OTLP_ID:
        if (!string)
            return wrong(body, field->name, field->kind == OTLP_ID ? "a string of hex digits" : "a string");
        out->text = json_object_get_string(json);
        out->length = (size_t)json_object_get_string_len(json);
        if (field->kind == OTLP_ID) {
            out->length = read_hex(out->text, out->length, id);
            out->text = (const char *)id;
        }
        return STATUS_OK;
    case OTLP_FIXED:
        if (!read_integer(json, &out->integer) || out->integer < 0)
            return wrong(body, field->name, "a 64-bit integer that is not negative");
        return STATUS_OK;
    case OTLP_INTEGER:
    case OTLP_SIGNED:
        return read_integer(json, &out->integer) ? STATUS_OK : wrong(body, field->name, "a 64-bit integer");
    case OTLP_DOUBLE:
        return read_number(json, &out->number) ? STATUS_OK : wrong(body, field->name, "a number");
    case OTLP_BOOL:
        out->integer = json_object_get_boolean(json);
        return json_object_is_type(json, json_type_boolean) ? STATUS_OK
                                                            : wrong(body, field->name, "true or false");
    case OTLP_ENUM:
        out->integer = json_object_get_int64(json);
        return json_object_is_type(json, json_type_int) ? STATUS_OK : wrong(body, field->name, "an integer");
    case OTLP_OTHER:
        break;
    }
    return STATUS_OK;
}

static enum status read_field(const struct otlp_body *body, const struct otlp_field *fields, uint32_t at,
                              struct json_object *json, otlp_take_value take, void *context)
{
    const struct otlp_field *field = &fields[at];
    uint8_t id[OTLP_ID_MAX];
    bool list = field->repeated && json_object_is_type(json, json_type_array);
    if (field->repeated && !list)
        return wrong(body, field->name, "a list");
    size_t count = list ? json_object_array_length(json) : 1;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct otlp_value value = {.field = at, .kind = field->kind};
        status = read_value(body, field, list ? json_object_array_get_idx(json, i) : json, id, &value);
        if (status == STATUS_OK)
            status = take(context, &value);
    }
    return status;
}

/* Members are few: going through them is cheaper than looking up each field. */
enum status otlp_json_pass(const struct otlp_body *body, const struct otlp_node *node,
                           const struct otlp_field *fields, bool late, bool *left, otlp_take_value take,
                           void *context)
{
    enum status status = STATUS_OK;
    struct json_object_iterator at = json_object_iter_begin(node->object);
    struct json_object_iterator end = json_object_iter_end(node->object);
    for (; !json_object_iter_equal(&at, &end) && status == STATUS_OK; json_object_iter_next(&at)) {
        const char *name = json_object_iter_peek_name(&at);
        struct json_object *json = json_object_iter_peek_value(&at);
        for (uint32_t i = 0; fields[i].name != NULL && json != NULL; i++) {
            if (fields[i].number == 0 || strcmp(fields[i].name, name) != 0)
                continue;
            if (fields[i].late == late)
                status = read_field(body, fields, i, json, take, context);
            else
                *left = true;
            break;
        }
    }
    return status;
}
