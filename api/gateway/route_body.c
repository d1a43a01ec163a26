/* Writing the body by hand, keys in canonical order: the parts that are JSON already are copied, not parsed
 * anew. */
#include "gateway/route_body.h"

#include "base/json.h"

#include <inttypes.h>
#include <string.h>

static void put_string(struct text *out, const char *string)
{
    json_put_string(out, string, strlen(string));
}

/* Appends `object`'s member in canonical form, or `otherwise` if it has none. */
static enum status put_member(struct text *out, struct json_object *object, const char *name,
                              const char *otherwise)
{
    struct json_object *member;
    if (!json_object_object_get_ex(object, name, &member) || member == NULL) {
        text_puts(out, otherwise);
        return text_status(out);
    }
    return json_canonical(member, out);
}

static enum status parse(const char *text, const char *what, struct json_object **out, struct fault *fault)
{
    enum status status = json_parse(text, strlen(text), out, fault);
    if (status != STATUS_OK)
        return status;
    if (json_object_is_type(*out, json_type_object))
        return STATUS_OK;
    json_object_put(*out);
    *out = NULL;
    return fault_set(fault, STATUS_MALFORMED, "The %s is not the JSON it should be", what);
}

enum status route_body_release(struct text *out, const char *release, const char *digest, const char *content,
                               const char *model, struct fault *fault)
{
    struct json_object *document = NULL, *model_content = NULL;
    enum status status = parse(content, "content of the release", &document, fault);
    if (status == STATUS_OK)
        status = parse(model[0] != '\0' ? model : "{\"model\":\"\",\"provider\":\"\"}",
                       "content of the model", &model_content, fault);
    if (status != STATUS_OK)
        goto out;
    text_puts(out, "{\"artifacts\":");
    status = put_member(out, document, "artifacts", "[]");
    text_puts(out, ",\"digest\":");
    put_string(out, digest);
    text_puts(out, ",\"fallback\":");
    if (status == STATUS_OK)
        status = put_member(out, document, "fallback", "{}");
    text_puts(out, ",\"history_compatible\":");
    if (status == STATUS_OK)
        status = put_member(out, document, "history_compatible", "true");
    text_puts(out, ",\"model\":");
    if (status == STATUS_OK)
        status = json_canonical(model_content, out);
    text_puts(out, ",\"parameters\":");
    if (status == STATUS_OK)
        status = put_member(out, document, "parameters", "{}");
    text_puts(out, ",\"release\":");
    put_string(out, release);
    if (status == STATUS_OK)
        status = text_status(out);
    if (status != STATUS_OK)
        fault_set(fault, status, "Release %s cannot be written into a route", release);
out:
    json_object_put(document);
    json_object_put(model_content);
    return status;
}

enum status route_body_write(struct text *out, const struct route_body *route)
{
    text_printf(out, "{\"epoch\":%" PRId64 ",\"incarnation\":%" PRId64 ",\"releases\":[", route->epoch,
                route->incarnation);
    for (size_t i = 0; i < route->arms; i++) {
        text_puts(out, i == 0 ? "" : ",");
        text_puts(out, route->arm[i].release);
        text_printf(out, ",\"role\":\"%s\",\"weight\":%d}", route->arm[i].canary ? "canary" : "stable",
                    (int)route->arm[i].weight);
    }
    text_puts(out, "],\"rollout\":");
    if (route->rollout[0] == '\0')
        text_puts(out, "null");
    else
        put_string(out, route->rollout);
    text_puts(out, ",\"scale\":10000,\"service\":");
    put_string(out, route->service);
    text_puts(out, ",\"sticky\":{\"key\":");
    put_string(out, route->sticky);
    text_puts(out, ",\"rule\":\"sha256-mod-10000\",\"salt\":");
    put_string(out, route->salt);
    text_puts(out, "},\"valid_until\":");
    if (route->valid_until == NULL)
        text_puts(out, "null");
    else
        put_string(out, route->valid_until);
    text_putc(out, '}');
    return text_status(out);
}
