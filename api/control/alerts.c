/* Alertmanager's webhook. It repeats what was answered with 5xx and drops what was answered with 4xx: so what
   may go well later is never a 4xx here. */
#include "base/json.h"
#include "base/log.h"
#include "base/meter.h"
#include "control/call.h"
#include "control/handlers.h"
#include "rollout/rollout.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 20 /* alerts without effect in the answer */ };

static uint64_t hash(uint64_t value, const char *text)
{
    do /* with the NUL, so that "ab" "c" is not "a" "bc" */
        value = (value ^ (unsigned char)*text) * 1099511628211u;
    while (*text++ != '\0');
    return value;
}

/* Labels that look misspelt are logged once: Alertmanager repeats them for as long as the alert fires. */
static void say_once(struct control *control, const struct alert *alert, enum alert_fate fate)
{
    char why[ALERT_WHY];
    if (fate != ALERT_UNKNOWN_SERVICE && fate != ALERT_NO_SERVICE && fate != ALERT_UNKNOWN_RELEASE)
        return;
    uint64_t mark = hash(14695981039346656037u, rollout_alert_word(fate));
    mark = hash(hash(hash(mark, alert->name), alert->service), alert->release);
    if (atomic_exchange(&control->alert_said[mark % ALERT_SAID], mark) == mark)
        return;
    rollout_alert_why(fate, alert, why);
    log_event(LOG_WARN, "control", "an alert holds nothing: are its labels service and release right?",
              "alert", alert->name, "service", alert->service[0] != '\0' ? alert->service : NULL, "release",
              alert->release[0] != '\0' ? alert->release : NULL, "error", why, NULL);
}

static void put_text(struct text *out, const char *field, const char *text)
{
    text_printf(out, "\"%s\":", field);
    if (text[0] == '\0')
        text_puts(out, "null");
    else
        json_put_string(out, text, strlen(text));
}

static void put_alert(struct text *out, const struct alert *alert, enum alert_fate fate)
{
    char why[ALERT_WHY];
    rollout_alert_why(fate, alert, why);
    put_text(out, "alert", alert->name);
    text_putc(out, ',');
    put_text(out, "fingerprint", alert->fingerprint);
    text_putc(out, ',');
    put_text(out, "service", alert->service);
    text_putc(out, ',');
    put_text(out, "release", alert->release);
    text_putc(out, ',');
    put_text(out, "why", rollout_alert_word(fate));
    text_putc(out, ',');
    put_text(out, "detail", why);
}

static void put_answer(struct text *out, const struct alert_notification *notification,
                       const enum alert_fate *fate)
{
    int64_t taken = 0, ignored = 0;
    int shown = 0;
    for (size_t i = 0; i < notification->count; i++)
        *(fate[i] < ALERT_IGNORE_LABEL ? &taken : &ignored) += 1;
    text_printf(
        out, "{\"taken\":%" PRId64 ",\"ignored\":%" PRId64 ",\"truncated\":%" PRId64 ",\"without_effect\":[",
        taken, ignored, notification->truncated);
    for (size_t i = 0; i < notification->count && shown < SHOWN; i++) {
        if (fate[i] == ALERT_TAKEN)
            continue;
        text_puts(out, shown++ > 0 ? ",{" : "{");
        put_alert(out, &notification->alert[i], fate[i]);
        text_putc(out, '}');
    }
    text_puts(out, "]}");
}

/* What nobody here has a use for is no failure of the notification: Alertmanager's metric of failures must
   mean one. It is in the answer, in a metric, and in the log once. */
static void note(struct control *control, const struct alert_notification *notification,
                 const enum alert_fate *fate)
{
    for (size_t i = 0; i < notification->count; i++) {
        meter_add(METRIC_ALERTS_TOTAL, 1, rollout_alert_word(fate[i]), NULL);
        say_once(control, &notification->alert[i], fate[i]);
    }
    if (notification->truncated > 0)
        meter_add(METRIC_ALERTS_TOTAL, (double)notification->truncated, "truncated", NULL);
}

static enum status take_notification(struct call *call)
{
    struct alert_notification notification;
    enum status status = alertmanager_read(call->body, &notification, call->fault);
    if (status != STATUS_OK)
        return status;
    if (notification.truncated > 0)
        log_event(LOG_WARN, "control",
                  "Alertmanager left out alerts; those cannot hold anything: set max_alerts to 0", "actor",
                  call->actor, NULL);
    enum alert_fate *fate = calloc(notification.count > 0 ? notification.count : 1, sizeof *fate);
    status = fate == NULL
                 ? fault_set(call->fault, STATUS_NO_MEMORY, "Out of memory")
                 : rollout_take_alerts(call->db, notification.alert, notification.count,
                                       call->control->alert_expires_s, call->actor, fate, call->fault);
    if (status == STATUS_OK) {
        put_answer(&call->response->body, &notification, fate);
        note(call->control, &notification, fate);
    }
    free(fate);
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
