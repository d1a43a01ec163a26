/* Releases: list, create, read, lift a quarantine. */
#include "store/releases.h"

#include "control/call.h"
#include "control/handlers.h"
#include "rollout/rollout.h"

static enum status list(struct call *call)
{
    struct page page;
    const char *service;
    enum status status = call_page(call, &page);
    if (status == STATUS_OK)
        status = call_name(call, 0, "service", &service);
    if (status == STATUS_OK)
        status = services_exists(call->db, service, call->fault);
    if (status == STATUS_OK)
        status = releases_list(call->db, service, &page, call->fault);
    return call_answer_page(call, &page, status);
}
CALL_READ(control_list_releases, list, "limit", "cursor", )

static enum status create(struct call *call)
{
    const char *service;
    struct spec_release release;
    bool created = false;
    enum status status = call_name(call, 0, "service", &service);
    if (status != STATUS_OK)
        return status;
    status = spec_read_release(call->body, "", &release, call->fault);
    if (status != STATUS_OK) {
        if (call->fault->next_step[0] == '\0')
            fault_next(call->fault, "Mend the fields named under errors, and send it again.");
        return status;
    }
    status = releases_create(call->db, service, &release, call->actor, &created, call->fault);
    if (status == STATUS_OK)
        status = releases_get(call->db, service, release.name, &call->response->body, call->fault);
    call->response->status = created ? 201 : 200;
    spec_release_free(&release);
    return status;
}
CALL_CHANGE(control_create_release, create, 0)

/* The path parameters {service} and {release}. */
static enum status read_path(const struct call *call, const char **service, const char **release)
{
    enum status status = call_name(call, 0, "service", service);
    return status == STATUS_OK ? call_name(call, 1, "release", release) : status;
}

static enum status get(struct call *call)
{
    const char *service, *release;
    enum status status = read_path(call, &service, &release);
    if (status == STATUS_OK)
        status = services_exists(call->db, service, call->fault);
    if (status == STATUS_OK)
        status = releases_get(call->db, service, release, &call->response->body, call->fault);
    return status;
}
CALL_READ(control_get_release, get, )

static enum status lift(struct call *call)
{
    struct json_fields fields;
    const char *service, *release, *reason = NULL;
    json_fields_open(&fields, call->body, "", call->fault);
    call_reason(&fields, JSON_REQUIRED, &reason);
    enum status status = call_close(call, &fields);
    if (status == STATUS_OK)
        status = read_path(call, &service, &release);
    if (status == STATUS_OK)
        status = rollout_lift_quarantine(call->db, service, release, reason, call->actor, call->fault);
    if (status == STATUS_OK)
        status = releases_get(call->db, service, release, &call->response->body, call->fault);
    return status;
}
CALL_CHANGE(control_lift_quarantine, lift, 0)
