// SEES: base decision spec
/* Fuzzes the reading of Alertmanager's notifications: whatever comes is refused with a next step, or becomes
   alerts that can be stored as they are. */
#include "spec/alertmanager.h"
#include "base/json.h"
#include "base/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        abort();
}

static void check_alert(const struct alert *alert)
{
    size_t length = strlen(alert->fingerprint);
    check(length > 0 && length < sizeof alert->fingerprint);
    check(strlen(alert->name) > 0 && strlen(alert->name) < sizeof alert->name);
    check(utf8_valid(alert->name, strlen(alert->name)));
    check(strlen(alert->summary) < sizeof alert->summary);
    check(utf8_valid(alert->summary, strlen(alert->summary)));
    check(alert->service[0] == '\0' || name_valid(alert->service));
    check(alert->release[0] == '\0' || name_valid(alert->release));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_object *value = NULL;
    struct alert_notification notification;
    struct fault fault = {.detail = ""};
    if (json_parse((const char *)data, size, &value, NULL) != STATUS_OK)
        return 0;
    enum status status = alertmanager_read(value, &notification, &fault);
    if (status == STATUS_OK) {
        check(notification.count <= ALERTS_MAX);
        for (size_t i = 0; i < notification.count; i++)
            check_alert(&notification.alert[i]);
    } else {
        check(fault.detail[0] != '\0' && notification.count == 0 && notification.alert == NULL);
        check(status != STATUS_INVALID || (fault.errors > 0 && fault.next_step[0] != '\0'));
    }
    alertmanager_free(&notification);
    json_object_put(value);
    return 0;
}
