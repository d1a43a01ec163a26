/* The body of an OFREP evaluation. */
#include "gateway/ofrep_request.h"

#include "base/json.h"

#include <string.h>

static enum status refuse(struct ofrep_request *request, const char **code, const char *word,
                          struct fault *fault, const char *detail, const char *next)
{
    *code = word;
    json_object_put(request->body);
    *request = (struct ofrep_request){.body = NULL};
    fault_set(fault, STATUS_MALFORMED, "%s", detail);
    fault_next(fault, "%s", next);
    return STATUS_MALFORMED;
}

enum status ofrep_request_read(const char *text, size_t length, struct ofrep_request *out, const char **code,
                               struct fault *fault)
{
    static const char example[] = "Send {\"context\": {\"targetingKey\": \"...\"}}.";
    struct json_object *context = NULL, *key = NULL;
    *out = (struct ofrep_request){.body = NULL};
    *code = "GENERAL";
    if (length > OFREP_BODY_MAX) {
        *code = "INVALID_CONTEXT";
        fault_set(fault, STATUS_TOO_LARGE, "The evaluation context is larger than 64 KiB");
        fault_next(fault, "Only context.targetingKey is looked at: leave out what is large.");
        return STATUS_TOO_LARGE;
    }
    enum status status = json_parse(text, length, &out->body, fault);
    if (status == STATUS_NO_MEMORY)
        return status;
    if (status != STATUS_OK) {
        *code = "PARSE_ERROR";
        if (fault != NULL) /* whatever is wrong with it: in this protocol it is 400 */
            fault->status = STATUS_MALFORMED;
        return STATUS_MALFORMED;
    }
    if (!json_object_is_type(out->body, json_type_object))
        return refuse(out, code, "PARSE_ERROR", fault, "The body is not a JSON object", example);
    if (!json_object_object_get_ex(out->body, "context", &context) ||
        !json_object_is_type(context, json_type_object))
        return refuse(out, code, "INVALID_CONTEXT", fault, "The body has no object 'context'", example);
    if (!json_object_object_get_ex(context, "targetingKey", &key) || key == NULL)
        return refuse(out, code, "TARGETING_KEY_MISSING", fault, "The context has no targetingKey",
                      "Set targetingKey to what shall stay with one release: a user or a conversation.");
    if (!json_object_is_type(key, json_type_string))
        return refuse(out, code, "INVALID_CONTEXT", fault, "The targetingKey is not a string", example);
    if (json_object_get_string_len(key) == 0)
        return refuse(out, code, "TARGETING_KEY_MISSING", fault, "The targetingKey is empty",
                      "Set targetingKey to what shall stay with one release: a user or a conversation.");
    *code = NULL;
    out->key = json_object_get_string(key);
    out->key_length = (size_t)json_object_get_string_len(key);
    return STATUS_OK;
}

void ofrep_request_free(struct ofrep_request *request)
{
    json_object_put(request->body);
    *request = (struct ofrep_request){.body = NULL};
}

const char *ofrep_code(enum status status)
{
    return status == STATUS_NOT_FOUND ? "FLAG_NOT_FOUND" : "GENERAL";
}
