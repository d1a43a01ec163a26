/* Attributes, resources and scopes. */
#include "sources/otlp_attributes.h"

#include <string.h>

/* --- identities
 * --------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, const void *data, size_t length)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u; /* FNV-1a */
    hash ^= length;                                /* where one ends and the next begins */
    hash = (hash ^ hash >> 31) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

void otlp_identify(uint64_t identity[2], const char *name, size_t name_length, const void *value,
                   size_t length)
{
    static const uint64_t seeds[2] = {14695981039346656037u, 0x6c62272e07bb0142u};
    for (size_t i = 0; i < 2; i++)
        identity[i] += mix(mix(seeds[i], name, name_length), value, length);
}

bool otlp_take_id(const struct otlp_value *value, uint8_t *out, size_t bytes)
{
    static const uint8_t zeros[OTLP_ID_MAX];
    if (value->length != bytes || memcmp(value->text, zeros, bytes) == 0)
        return false;
    memcpy(out, value->text, bytes);
    return true;
}

/* --- values
 * ------------------------------------------------------------------------------------------------------- */

enum { ANY_TEXT, ANY_BOOL, ANY_INTEGER, ANY_NUMBER, ANY_LIST };
static const struct otlp_field any_fields[] = {
    {"stringValue", 1, OTLP_TEXT, false, false},   {"boolValue", 2, OTLP_BOOL, false, false},
    {"intValue", 3, OTLP_INTEGER, false, false},   {"doubleValue", 4, OTLP_DOUBLE, false, false},
    {"arrayValue", 5, OTLP_MESSAGE, false, false}, {"kvlistValue", 6, OTLP_OTHER, false, false},
    {"bytesValue", 7, OTLP_OTHER, false, false},   {NULL, 0, OTLP_OTHER, false, false}};
static const struct otlp_field list_fields[] = {{"values", 1, OTLP_MESSAGE, true, false},
                                                {NULL, 0, OTLP_OTHER, false, false}};

struct pair {
    const struct otlp_attributes *attributes;
    const char *key;
    size_t key_length;
    struct genai_key known;
    struct otlp_node any;
    struct otlp_value held;
    bool keyed, valued, holds, in_list;
};

/* The last value of a oneof holds. */
static enum status hold(void *context, const struct otlp_value *value)
{
    struct pair *pair = context;
    pair->held = *value;
    pair->holds = true;
    return STATUS_OK;
}

static void give(const struct pair *pair, const struct genai_value *value)
{
    const struct otlp_attributes *attributes = pair->attributes;
    genai_take(attributes->facts, &pair->known, value);
    if (attributes->identity == NULL)
        return;
    if (value->kind == GENAI_TEXT)
        otlp_identify(attributes->identity, pair->key, pair->key_length, value->text, value->length);
    else if (value->kind == GENAI_NUMBER)
        otlp_identify(attributes->identity, pair->key, pair->key_length, &value->number,
                      sizeof value->number);
    else
        otlp_identify(attributes->identity, pair->key, pair->key_length, &value->integer,
                      sizeof value->integer);
}

static enum status take_element(void *context, const struct otlp_value *element);

/* Of a list every scalar counts; what is nested deeper is no fact. */
static enum status give_held(struct pair *pair)
{
    const struct otlp_value *held = &pair->held;
    struct genai_value value;
    if (!pair->holds)
        return STATUS_OK;
    switch (held->field) {
    case ANY_TEXT:
        value = (struct genai_value){.kind = GENAI_TEXT, .text = held->text, .length = held->length};
        break;
    case ANY_BOOL:
        value = (struct genai_value){.kind = GENAI_BOOL, .integer = held->integer};
        break;
    case ANY_INTEGER:
        value = (struct genai_value){.kind = GENAI_INTEGER, .integer = held->integer};
        break;
    case ANY_NUMBER:
        value = (struct genai_value){.kind = GENAI_NUMBER, .number = held->number};
        break;
    case ANY_LIST:
        if (pair->in_list)
            return STATUS_OK;
        pair->in_list = true;
        struct otlp_node list = held->node;
        return otlp_read_message(pair->attributes->body, &list, list_fields, take_element, pair);
    default:
        return STATUS_OK;
    }
    give(pair, &value);
    return STATUS_OK;
}

static enum status take_any(struct pair *pair, const struct otlp_node *any)
{
    pair->holds = any->object == NULL && otlp_protobuf_alone(any, any_fields, &pair->held);
    if (pair->holds)
        return give_held(pair);
    enum status status = otlp_read_message(pair->attributes->body, any, any_fields, hold, pair);
    return status == STATUS_OK ? give_held(pair) : status;
}

static enum status take_element(void *context, const struct otlp_value *element)
{
    return take_any(context, &element->node);
}

/* --- keys
 * ---------------------------------------------------------------------------------------------------------
 */

enum { PAIR_KEY, PAIR_VALUE };
static const struct otlp_field pair_fields[] = {{"key", 1, OTLP_TEXT, false, false},
                                                {"value", 2, OTLP_MESSAGE, false, false},
                                                {NULL, 0, OTLP_OTHER, false, false}};

static enum status take_pair(void *context, const struct otlp_value *value)
{
    struct pair *pair = context;
    if (value->field == PAIR_KEY) {
        pair->key = value->text;
        pair->key_length = value->length;
        pair->keyed = true;
    } else {
        pair->any = value->node;
        pair->valued = true;
    }
    return STATUS_OK;
}

static enum status read_pair(const struct otlp_body *body, const struct otlp_node *node, struct pair *pair)
{
    struct otlp_node key;
    pair->keyed = node->object == NULL && otlp_protobuf_two(node, &key, &pair->any);
    pair->valued = pair->keyed;
    if (!pair->keyed)
        return otlp_read_message(body, node, pair_fields, take_pair, pair);
    pair->key = (const char *)key.at;
    pair->key_length = (size_t)(key.end - key.at);
    return STATUS_OK;
}

/* A value that nobody needs is not looked into, whatever is in it: most of a span, and all that it has of
   prompts. */
enum status otlp_take_attribute(const struct otlp_attributes *attributes, const struct otlp_node *node)
{
    struct pair pair;
    pair.attributes = attributes;
    pair.in_list = false;
    enum status status = read_pair(attributes->body, node, &pair);
    if (status != STATUS_OK || !pair.keyed || !pair.valued)
        return status;
    bool wanted = genai_look_up(attributes->names, pair.key, pair.key_length, &pair.known);
    return wanted || attributes->identity != NULL ? take_any(&pair, &pair.any) : STATUS_OK;
}

/* --- resources and scopes
 * ----------------------------------------------------------------------------------------- */

static const struct otlp_field resource_fields[] = {{"attributes", 1, OTLP_MESSAGE, true, false},
                                                    {NULL, 0, OTLP_OTHER, false, false}};
static const struct otlp_field scope_fields[] = {{"name", 1, OTLP_TEXT, false, false},
                                                 {NULL, 0, OTLP_OTHER, false, false}};

static enum status take_resource_attribute(void *context, const struct otlp_value *value)
{
    return otlp_take_attribute(context, &value->node);
}

enum status otlp_take_resource(const struct otlp_body *body, const struct genai_names *names,
                               const struct otlp_node *resource, struct otlp_origin *origin)
{
    struct otlp_attributes attributes = {
        .body = body, .names = names, .facts = &origin->facts, .identity = origin->identity};
    return otlp_read_message(body, resource, resource_fields, take_resource_attribute, &attributes);
}

static enum status take_scope_name(void *context, const struct otlp_value *value)
{
    struct otlp_origin *origin = context;
    otlp_identify(origin->identity, "scope", 5, value->text, value->length);
    return STATUS_OK;
}

enum status otlp_take_scope(const struct otlp_body *body, const struct otlp_node *scope,
                            struct otlp_origin *origin)
{
    return otlp_read_message(body, scope, scope_fields, take_scope_name, origin);
}
