/* What changes from one release to another: pinned artifacts down to lines and fields, and everything else of
 * them. */
#include "control/diff_json.h"
#include "control/diff_text.h"

#include "control/call.h"
#include "control/handlers.h"
#include "store/artifacts.h"
#include "store/releases.h"

#include <string.h>

enum { CONTENT_MAX = 8 << 20 };

struct diff {
    struct call *call;
    struct text *out;
    size_t changes;
};

static enum status no_memory(struct call *call)
{
    return fault_set(call->fault, STATUS_NO_MEMORY, "Out of memory");
}

/* Opens a change: {"what":"kind/name","change":"changed". `name` NULL: "kind" alone. */
static void open_change(struct diff *diff, const char *kind, const char *name, const char *change)
{
    text_puts(diff->out, diff->changes++ > 0 ? ",{\"what\":\"" : "{\"what\":\"");
    text_puts(diff->out, kind);
    if (name != NULL) {
        text_putc(diff->out, '/');
        text_puts(diff->out, name);
    }
    text_printf(diff->out, "\",\"change\":\"%s\"", change);
}

static enum status put_lines(struct diff *diff, const char *from, size_t from_length, const char *to,
                             size_t to_length)
{
    struct diff_script script;
    enum status status = diff_text_compare(from, from_length, to, to_length, &script);
    if (status != STATUS_OK)
        return no_memory(diff->call);
    text_puts(diff->out, ",\"lines\":[");
    diff_text_write(&script, diff->out);
    text_putc(diff->out, ']');
    diff_script_free(&script);
    return STATUS_OK;
}

static enum status put_fields(struct diff *diff, struct json_object *from, struct json_object *to)
{
    bool same;
    text_puts(diff->out, ",\"fields\":[");
    enum status status = diff_json_write(from, to, &same, diff->out);
    text_putc(diff->out, ']');
    return status == STATUS_OK ? status : fault_set(diff->call->fault, status, "The difference is too large");
}

/* --- artifacts
 * ---------------------------------------------------------------------------------------------------- */

static const char *field_text(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(object, name, &value);
    return json_object_get_string(value);
}

static int64_t field_integer(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(object, name, &value);
    return json_object_get_int64(value);
}

/* In the order of struct spec_release: by kind as they are numbered, then by name. */
static int compare_pins(struct json_object *a, struct json_object *b)
{
    enum spec_kind first = KIND_COUNT, second = KIND_COUNT;
    bool known =
        spec_kind_parse(field_text(a, "kind"), &first) && spec_kind_parse(field_text(b, "kind"), &second);
    if (known && first != second)
        return first < second ? -1 : 1;
    return strcmp(field_text(a, "name"), field_text(b, "name"));
}

static enum status put_content(struct diff *diff, const char *kind, const char *name, int64_t from,
                               int64_t to)
{
    struct call *call = diff->call;
    struct text a, b;
    struct json_object *old = NULL, *new = NULL;
    bool a_json = false, b_json = false;
    text_init(&a, CONTENT_MAX);
    text_init(&b, CONTENT_MAX);
    enum status status = artifacts_content(call->db, kind, name, from, &a, &a_json, call->fault);
    if (status == STATUS_OK)
        status = artifacts_content(call->db, kind, name, to, &b, &b_json, call->fault);
    if (status != STATUS_OK)
        goto out;
    if (!a_json || !b_json) {
        status = put_lines(diff, text_get(&a), a.length, text_get(&b), b.length);
        goto out;
    }
    status = json_parse(text_get(&a), a.length, &old, call->fault);
    if (status == STATUS_OK)
        status = json_parse(text_get(&b), b.length, &new, call->fault);
    if (status != STATUS_OK)
        status =
            fault_set(call->fault, STATUS_INTERNAL, "A stored version of %s %s cannot be read", kind, name);
    else
        status = put_fields(diff, old, new);
out:
    json_object_put(new);
    json_object_put(old);
    text_free(&b);
    text_free(&a);
    return status;
}

static void put_versions(struct diff *diff, struct json_object *from, struct json_object *to)
{
    struct json_object *pin[] = {from, to};
    static const char *const name[] = {"from_version", "to_version"};
    for (int i = 0; i < 2; i++) {
        if (pin[i] != NULL)
            text_printf(diff->out, ",\"%s\":%lld", name[i], (long long)field_integer(pin[i], "version"));
        else
            text_printf(diff->out, ",\"%s\":null", name[i]);
    }
}

static enum status put_pin(struct diff *diff, struct json_object *from, struct json_object *to)
{
    struct json_object *any = from != NULL ? from : to;
    const char *kind = field_text(any, "kind"), *name = field_text(any, "name");
    enum status status = STATUS_OK;
    if (from != NULL && to != NULL && strcmp(field_text(from, "digest"), field_text(to, "digest")) == 0)
        return STATUS_OK;
    open_change(diff, kind, name, from == NULL ? "added" : to == NULL ? "removed" : "changed");
    put_versions(diff, from, to);
    if (from != NULL && to != NULL)
        status = put_content(diff, kind, name, field_integer(from, "version"), field_integer(to, "version"));
    text_putc(diff->out, '}');
    return status;
}

/* Both lists are sorted by kind and name. */
static enum status put_pins(struct diff *diff, struct json_object *from, struct json_object *to)
{
    size_t i = 0, j = 0, n = json_object_array_length(from), m = json_object_array_length(to);
    enum status status = STATUS_OK;
    while (status == STATUS_OK && (i < n || j < m)) {
        struct json_object *a = i < n ? json_object_array_get_idx(from, i) : NULL;
        struct json_object *b = j < m ? json_object_array_get_idx(to, j) : NULL;
        int order = a == NULL ? 1 : b == NULL ? -1 : compare_pins(a, b);
        status = put_pin(diff, order <= 0 ? a : NULL, order >= 0 ? b : NULL);
        i += order <= 0;
        j += order >= 0;
    }
    return status;
}

/* --- the rest
 * ----------------------------------------------------------------------------------------------------- */

static enum status put_rest(struct diff *diff, const char *what, struct json_object *from,
                            struct json_object *to)
{
    enum status status;
    if (json_object_equal(from, to))
        return STATUS_OK;
    open_change(diff, what, NULL, "changed");
    if (json_object_is_type(from, json_type_string) && json_object_is_type(to, json_type_string))
        status = put_lines(diff, json_object_get_string(from), (size_t)json_object_get_string_len(from),
                           json_object_get_string(to), (size_t)json_object_get_string_len(to));
    else
        status = put_fields(diff, from, to);
    text_putc(diff->out, '}');
    return status;
}

static enum status load(struct call *call, const char *service, const char *release, struct json_object **out)
{
    struct text content;
    text_init(&content, CONTENT_MAX);
    *out = NULL;
    enum status status = releases_content(call->db, service, release, &content, call->fault);
    if (status == STATUS_OK) {
        status = json_parse(text_get(&content), content.length, out, call->fault);
        if (status != STATUS_OK)
            status =
                fault_set(call->fault, STATUS_INTERNAL, "Release %s of %s cannot be read", release, service);
    }
    text_free(&content);
    return status;
}

static enum status put_changes(struct diff *diff, struct json_object *from, struct json_object *to)
{
    static const char *const rest[] = {"parameters", "history_compatible", "fallback",
                                       "worksheets", "compatibility",      "changelog"};
    struct json_object *a = NULL, *b = NULL;
    json_object_object_get_ex(from, "artifacts", &a);
    json_object_object_get_ex(to, "artifacts", &b);
    enum status status = put_pins(diff, a, b);
    for (size_t i = 0; status == STATUS_OK && i < sizeof rest / sizeof rest[0]; i++) {
        json_object_object_get_ex(from, rest[i], &a);
        json_object_object_get_ex(to, rest[i], &b);
        status = put_rest(diff, rest[i], a, b);
    }
    return status;
}

static enum status diff_releases(struct call *call)
{
    struct text *body = &call->response->body;
    struct diff diff = {.call = call, .out = body};
    struct json_object *from = NULL, *to = NULL;
    const char *service, *first, *second;
    enum status status = call_name(call, 0, "service", &service);
    if (status == STATUS_OK)
        status = call_name(call, 1, "release", &first);
    if (status == STATUS_OK)
        status = call_name(call, 2, "release", &second);
    if (status == STATUS_OK)
        status = services_exists(call->db, service, call->fault);
    if (status == STATUS_OK)
        status = load(call, service, first, &from);
    if (status == STATUS_OK)
        status = load(call, service, second, &to);
    if (status == STATUS_OK) {
        text_printf(body, "{\"service\":\"%s\",\"from\":\"%s\",\"to\":\"%s\",\"changes\":[", service, first,
                    second);
        status = put_changes(&diff, from, to);
        text_printf(body, "],\"same\":%s}", diff.changes == 0 ? "true" : "false");
    }
    if (status == STATUS_OK) {
        status = text_status(body);
        if (status != STATUS_OK) {
            fault_set(call->fault, status, "The difference is too large to show");
            fault_next(call->fault,
                       "Read the two versions with 'serin version show' (GET "
                       "/v1/artifacts/{kind}/{name}/versions/{version}).");
        }
    }
    json_object_put(to);
    json_object_put(from);
    return status;
}
CALL_READ(control_diff_releases, diff_releases, )
