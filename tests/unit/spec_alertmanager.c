/* Reading Alertmanager's notifications. */
#include "base/json.h"
#include "spec/alertmanager.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct alert_notification notification;
static struct fault fault;

static void tear_down(void)
{
    alertmanager_free(&notification);
}

TestSuite(spec_alertmanager, .fini = tear_down);

static enum status read_text(const char *text)
{
    struct json_object *value = NULL;
    tear_down();
    fault = (struct fault){0};
    cr_assert_eq(json_parse(text, strlen(text), &value, &fault), STATUS_OK, "%s", fault.detail);
    enum status status = alertmanager_read(value, &notification, &fault);
    json_object_put(value);
    return status;
}

#define ALERT(status, labels, more)                                                                          \
    "{\"status\":\"" status "\",\"labels\":{" labels                                                         \
    "},\"startsAt\":\"2026-11-25T02:00:00.123456789Z\",\"fingerprint\":\"16cc19825e07285a\"" more "}"
#define NOTIFICATION(alerts) "{\"version\":\"4\",\"truncatedAlerts\":3,\"alerts\":[" alerts "]}"

Test(spec_alertmanager, what_is_used_is_read)
{
    cr_assert_eq(read_text(NOTIFICATION(
                     ALERT("firing",
                           "\"alertname\":\"Refusals\",\"service\":\"chat\",\"release\":\"v2\","
                           "\"x\":\"y\"",
                           ",\"endsAt\":\"0001-01-01T00:00:00Z\",\"annotations\":{\"description\":"
                           "\"d\"}") "," ALERT("resolved", "\"service\":\"no/name\",\"release\":\"v 2\"",
                                               ",\"endsAt\":\"2026-11-25T03:00:00Z\","
                                               "\"annotations\":{\"summary\":\"s\","
                                               "\"description\":\"d\"}"))),
                 STATUS_OK, "%s", fault.detail);
    const struct alert *one = &notification.alert[0], *two = &notification.alert[1];
    cr_assert_eq(notification.count, 2);
    cr_expect_eq(notification.truncated, 3);
    cr_expect(one->firing && !two->firing);
    cr_expect_str_eq(one->name, "Refusals");
    cr_expect_str_eq(one->service, "chat");
    cr_expect_str_eq(one->release, "v2");
    cr_expect_str_eq(one->summary, "d");
    cr_expect_eq(one->ends_at.us, 0, "Go's zero time is no time");
    cr_expect_eq(one->starts_at.us % 1000000, 123456);
    cr_expect_str_eq(two->service, "", "what cannot be a name of ours is none");
    cr_expect_str_eq(two->release, "");
    cr_expect_str_eq(two->summary, "s");
    cr_expect_eq(two->ends_at.us - one->starts_at.us, INT64_C(3599876544));
}

Test(spec_alertmanager, the_label_serin_is_read)
{
    cr_assert_eq(read_text(NOTIFICATION(ALERT("firing", "\"serin\":\"ignore\"", "") "," ALERT(
                     "firing", "\"serin\":\"Ignore\"", "") "," ALERT("firing", "", ""))),
                 STATUS_OK, "%s", fault.detail);
    cr_expect(notification.alert[0].ignore && !notification.alert[1].ignore && !notification.alert[2].ignore);
}

Test(spec_alertmanager, what_is_wrong_is_named)
{
    static const struct {
        const char *text, *pointer;
    } cases[] = {
        {"{}", "/version"},
        {"{\"version\":4,\"alerts\":[]}", "/version"},
        {"{\"version\":\"5\",\"alerts\":[]}", "/version"},
        {"{\"version\":\"4\"}", "/alerts"},
        {"{\"version\":\"4\",\"alerts\":{}}", "/alerts"},
        {"{\"version\":\"4\",\"alerts\":[],\"truncatedAlerts\":\"3\"}", "/truncatedAlerts"},
        {NOTIFICATION("3"), "/alerts/0"},
        {NOTIFICATION(ALERT("firing", "\"service\":3", "")), "/alerts/0/labels/service"},
        {NOTIFICATION(ALERT("firing", "", ",\"annotations\":3")), "/alerts/0/annotations"},
        {NOTIFICATION(ALERT("firing", "", ",\"endsAt\":3")), "/alerts/0/endsAt"},
        {NOTIFICATION("{\"status\":\"firing\",\"startsAt\":\"2026-11-25T02:00:00Z\",\"fingerprint\":\"1\"}"),
         "/alerts/0/labels"},
        {NOTIFICATION(ALERT("odd", "", "")), "/alerts/0/status"},
        {NOTIFICATION(ALERT("firing", "", ",\"endsAt\":\"soon\"")), "/alerts/0/endsAt"},
        {NOTIFICATION("{\"status\":\"firing\",\"labels\":{},\"startsAt\":\"now\",\"fingerprint\":\"1\"}"),
         "/alerts/0/startsAt"},
        {NOTIFICATION("{\"status\":\"firing\",\"labels\":{},\"startsAt\":\"2026-11-25T02:00:00Z\","
                      "\"fingerprint\":\"x\"}"),
         "/alerts/0/fingerprint"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_eq(read_text(cases[i].text), STATUS_INVALID, "%s", cases[i].text);
        cr_expect(fault.errors == 1 && strcmp(fault.error[0].pointer, cases[i].pointer) == 0, "%s: %s",
                  cases[i].text, fault.error[0].pointer);
        cr_expect_neq(fault.next_step[0], '\0');
        cr_expect_null(notification.alert);
    }
}

Test(spec_alertmanager, of_too_many_the_first_are_taken)
{
    static const char one[] = ALERT("firing", "", "");
    size_t size = (sizeof one + 1) * (ALERTS_MAX + 3) + 200, used;
    char *text = malloc(size);
    used = (size_t)snprintf(text, size, "{\"version\":\"4\",\"truncatedAlerts\":2,\"alerts\":[");
    for (int i = 0; i < ALERTS_MAX + 3; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? "," : "", one);
    snprintf(text + used, size - used, "]}");
    cr_assert_eq(read_text(text), STATUS_OK);
    cr_expect(notification.count == ALERTS_MAX && notification.truncated == 5);
    alertmanager_free(&notification);
    free(text);
}
