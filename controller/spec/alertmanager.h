/* Notifications of Alertmanager's webhook, payload version 4. Read with a lenient eye for what is new in it
   and a strict one for what is used. */
#pragma once

#include "base/clock.h"
#include "base/fault.h"
#include "base/id.h"

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stddef.h>

enum { ALERTS_MAX = 1000, ALERT_NAME = 129, ALERT_SUMMARY = 401, ALERT_FINGERPRINT = 65 };

struct alert {
    char fingerprint[ALERT_FINGERPRINT]; /* of its labels: the alert's identity */
    char name[ALERT_NAME];               /* label alertname; cut */
    char service[NAME_MAX_LENGTH + 1];   /* label service; "" = none, or none that can be a service */
    char release[NAME_MAX_LENGTH + 1];   /* label release; "" = none, or none that can be a release */
    char summary[ALERT_SUMMARY];         /* annotation summary, else description; cut */
    bool firing;                         /* else resolved */
    bool ignore;                         /* label serin is "ignore": it is not for Serin */
    struct wall_time starts_at, ends_at; /* ends_at 0 = not said */
};

struct alert_notification {
    struct alert *alert; /* owned */
    size_t count;
    int64_t truncated; /* alerts that Alertmanager left out (max_alerts), or that are more than ALERTS_MAX */
};

/* Reads `value` (lent, an object). INVALID with every problem at its pointer: another version, an alert
   without status, fingerprint or time; NO_MEMORY. Fields that are not used are
   not looked at. On success the caller frees *out; on failure it is empty. */
enum status alertmanager_read(struct json_object *value, struct alert_notification *out,
                              struct fault *fault) MUST_CHECK;
void alertmanager_free(struct alert_notification *notification);
