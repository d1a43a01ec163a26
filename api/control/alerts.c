/* Alertmanager's webhook. It repeats what was answered with 5xx and drops what was answered with 4xx: so what
   may go well later is never a 4xx here. */
#include "base/log.h"
#include "control/call.h"
#include "control/handlers.h"
#include "rollout/rollout.h"

#include <inttypes.h>

/* A notification of which nothing concerns us is a mistake in its routing, which Alertmanager should show. */
static enum status nobody(struct call *call, const struct alert_notification *notification)
{
    fault_set(call->fault, STATUS_INVALID, "None of the %zu alerts names a service that Serin has",
              notification->count);
    fault_next(
        call->fault,
        "Give the alerts a label \"service\" with the name of the service, and route only those here.");
    return STATUS_INVALID;
}

static enum status take_notification(struct call *call)
{
    struct alert_notification notification;
    struct rollout_alerts taken = {0};
    enum status status = alertmanager_read(call->body, &notification, call->fault);
    if (status != STATUS_OK)
        return status;
    if (notification.truncated > 0)
        log_event(LOG_WARN, "control",
                  "Alertmanager left out alerts; those cannot hold anything: set max_alerts to 0", "actor",
                  call->actor, NULL);
    status = rollout_take_alerts(call->db, notification.alert, notification.count,
                                 call->control->alert_expires_s, call->actor, &taken, call->fault);
    if (status == STATUS_OK && notification.count > 0 && taken.taken == 0 && taken.crowded == 0)
        status = nobody(call, &notification);
    if (status == STATUS_OK)
        text_printf(&call->response->body,
                    "{\"taken\":%" PRId64 ",\"ignored\":%" PRId64 ",\"truncated\":%" PRId64 "}", taken.taken,
                    taken.ignored + taken.crowded, notification.truncated);
    alertmanager_free(&notification);
    return status;
}

enum status control_take_alerts(void *context, const struct http_request *request,
                                struct http_response *response, struct fault *fault)
{
    enum status status = call_change(context, request, response, 0, take_notification, fault);
    if (status != STATUS_IN_PROGRESS)
        return status;
    /* 409 would be dropped; it may well go through next time */
    fault_set(fault, STATUS_UNAVAILABLE, "Others are changing these services");
    fault_next(fault, "Send it again.");
    return STATUS_UNAVAILABLE;
}
