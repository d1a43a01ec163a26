/* Which encoding a message is in. */
#include "sources/otlp_message.h"

#include "base/json.h"

enum status otlp_malformed(const struct otlp_body *body)
{
    fault_set(body->fault, STATUS_MALFORMED, "The body is no %s in %s", body->name,
              body->protobuf ? "protobuf" : "JSON");
    fault_next(body->fault,
               "See that Content-Type says what the body is: application/x-protobuf or application/json.");
    return STATUS_MALFORMED;
}

static enum status pass(const struct otlp_body *body, const struct otlp_node *node,
                        const struct otlp_field *fields, bool late, bool *left, otlp_take_value take,
                        void *context)
{
    return node->object != NULL ? otlp_json_pass(body, node, fields, late, left, take, context)
                                : otlp_protobuf_pass(body, node, fields, late, left, take, context);
}

enum status otlp_read_message(const struct otlp_body *body, const struct otlp_node *node,
                              const struct otlp_field *fields, otlp_take_value take, void *context)
{
    bool late = false, early;
    enum status status = pass(body, node, fields, false, &late, take, context);
    return status == STATUS_OK && late ? pass(body, node, fields, true, &early, take, context) : status;
}

enum status otlp_read_body(const struct otlp_body *body, const char *data, size_t length,
                           const struct otlp_field *fields, otlp_take_value take, void *context)
{
    struct json_object *object = NULL;
    if (data == NULL)
        data = ""; /* nothing may be added to NULL, not even 0 */
    const uint8_t *bytes = (const uint8_t *)data;
    struct otlp_node node = {.at = bytes, .end = bytes + length};
    if (body->protobuf)
        return otlp_read_message(body, &node, fields, take, context);
    enum status status = json_parse(data, length, &object, body->fault);
    node = (struct otlp_node){.object = object};
    if (status == STATUS_OK)
        status = json_object_is_type(object, json_type_object)
                     ? otlp_read_message(body, &node, fields, take, context)
                     : otlp_malformed(body);
    json_object_put(object);
    return status;
}
