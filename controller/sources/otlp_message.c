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

enum status otlp_read_message(const struct otlp_body *body, const struct otlp_node *node,
                              const struct otlp_field *fields, otlp_take_value take, void *context)
{
    bool any_late = false;
    for (size_t i = 0; fields[i].name != NULL; i++)
        any_late = any_late || fields[i].late;
    enum status status = STATUS_OK;
    for (int late = 0; late <= (int)any_late && status == STATUS_OK; late++)
        status = (node->object != NULL ? otlp_json_pass : otlp_protobuf_pass)(body, node, fields, late != 0,
                                                                              take, context);
    return status;
}

enum status otlp_read_body(const struct otlp_body *body, const char *data, size_t length,
                           const struct otlp_field *fields, otlp_take_value take, void *context)
{
    struct json_object *object = NULL;
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
