/* Rollback, freeze, events, routes and gateways. */
#include "control/call.h"
#include "control/handlers.h"
#include "rollout/change.h"
#include "rollout/rollout.h"
#include "store/views.h"

static enum status rollback(struct call *call)
{
    struct json_fields fields;
    const char *service, *to = NULL, *reason = NULL;
    char left[NAME_MAX_LENGTH + 1] = "", ended[ID_MAX] = "";
    json_fields_open(&fields, call->body, "", call->fault);
    json_fields_name(&fields, "to", JSON_OPTIONAL, &to);
    call_reason(&fields, JSON_OPTIONAL, &reason);
    enum status status = call_close(call, &fields);
    if (status == STATUS_OK)
        status = call_name(call, 0, "service", &service);
    if (status == STATUS_OK)
        status = services_exists(call->db, service, call->fault);
    if (status == STATUS_OK)
        status = rollout_rollback(call->db, service, to, reason, call->actor, left, ended, call->fault);
    if (status == STATUS_OK)
        status = views_rollback(call->db, service, left, ended, &call->response->body, call->fault);
    return status;
}
CALL_CHANGE(control_rollback_service, rollback, 0)

static enum status get_freeze(struct call *call)
{
    return views_freeze(call->db, &call->response->body, call->fault);
}
CALL_READ(control_get_freeze, get_freeze, )

static enum status freeze(struct call *call)
{
    struct json_fields fields;
    const char *reason = NULL;
    json_fields_open(&fields, call->body, "", call->fault);
    call_reason(&fields, JSON_REQUIRED, &reason);
    enum status status = call_close(call, &fields);
    if (status == STATUS_OK)
        status = rollout_freeze(call->db, reason, call->actor, call->fault);
    return status == STATUS_OK ? get_freeze(call) : status;
}
CALL_CHANGE(control_freeze, freeze, 0)

static enum status unfreeze(struct call *call)
{
    struct json_fields fields;
    json_fields_open(&fields, call->body, "", call->fault);
    enum status status = call_close(call, &fields);
    if (status == STATUS_OK)
        status = rollout_unfreeze(call->db, call->actor, call->fault);
    return status == STATUS_OK ? get_freeze(call) : status;
}
CALL_CHANGE(control_unfreeze, unfreeze, 0)

/* The service to show only, if one is named: a wrong name is no empty list. */
static enum status query_service(struct call *call, const char **service)
{
    enum status status = call_query_name(call, "service", service);
    return status == STATUS_OK && *service != NULL ? services_exists(call->db, *service, call->fault)
                                                   : status;
}

static enum status events(struct call *call)
{
    struct page page;
    const char *service = NULL;
    enum status status = call_page(call, &page);
    if (status == STATUS_OK)
        status = query_service(call, &service);
    if (status == STATUS_OK)
        status = views_events(call->db, service, http_query(call->request, "rollout"), &page, call->fault);
    return call_answer_page(call, &page, status);
}
CALL_READ(control_list_events, events, "service", "rollout", "limit", "cursor", )

static enum status routes(struct call *call)
{
    struct page page;
    enum status status = call_page(call, &page);
    if (status == STATUS_OK)
        status = views_routes(call->db, &page, call->fault);
    return call_answer_page(call, &page, status);
}
CALL_READ(control_list_routes, routes, "limit", "cursor", )

static enum status gateways(struct call *call)
{
    struct page page;
    const char *service = NULL;
    enum status status = call_page(call, &page);
    if (status == STATUS_OK)
        status = query_service(call, &service);
    if (status == STATUS_OK)
        status = views_gateways(call->db, service, change_lease(), &page, call->fault);
    return call_answer_page(call, &page, status);
}
CALL_READ(control_list_gateways, gateways, "service", "limit", "cursor", )
