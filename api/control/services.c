/* Services: list, read, create and change. */
#include "store/services.h"

#include "control/call.h"
#include "control/handlers.h"

static enum status list(struct call *call)
{
    struct page page;
    enum status status = call_page(call, &page);
    if (status == STATUS_OK)
        status = services_list(call->db, &page, call->fault);
    return call_answer_page(call, &page, status);
}
CALL_READ(control_list_services, list, "limit", "cursor", )

static enum status answer(struct call *call, const char *name)
{
    int64_t version = 0;
    enum status status = services_get(call->db, name, &call->response->body, &version, call->fault);
    call_etag(call, version);
    return status;
}

static enum status get(struct call *call)
{
    const char *name;
    enum status status = call_name(call, 0, "service", &name);
    return status == STATUS_OK ? answer(call, name) : status;
}
CALL_READ(control_get_service, get, )

/* The version that If-Match must name; a service that does not exist has none. */
static enum status read_if_match(struct call *call, const char *name, int64_t *expected)
{
    struct text ignored;
    struct fault absent = {.status = STATUS_OK};
    int64_t version = 0;
    text_init(&ignored, 1 << 16);
    enum status status = services_get(call->db, name, &ignored, &version, &absent);
    text_free(&ignored);
    if (status == STATUS_NOT_FOUND)
        return call_if_match(call, STORE_ANY_VERSION, expected);
    if (status == STATUS_OK)
        return call_if_match(call, version, expected);
    *call->fault = absent;
    return status;
}

static enum status put(struct call *call)
{
    static const char *const keys[] = {"user", "conversation", "none", NULL};
    struct json_fields fields;
    const char *name, *description = NULL;
    int sticky = -1;
    int64_t expected = STORE_ANY_VERSION;
    bool created = false;
    json_fields_open(&fields, call->body, "", call->fault);
    call_characters(&fields, "description", 1000, &description);
    json_fields_word(&fields, "sticky", JSON_OPTIONAL, keys, &sticky);
    enum status status = call_close(call, &fields);
    if (status == STATUS_OK)
        status = call_name(call, 0, "service", &name);
    if (status == STATUS_OK)
        status = read_if_match(call, name, &expected);
    if (status == STATUS_OK)
        status = services_put(call->db, name, description, sticky >= 0 ? keys[sticky] : NULL, expected,
                              call->actor, &created, call->fault);
    if (status == STATUS_OK)
        status = answer(call, name);
    call->response->status = created ? 201 : 200;
    return status;
}
CALL_CHANGE(control_put_service, put, 0)
