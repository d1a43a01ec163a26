/* Alertmanager's webhook: JSON to struct. */
#include "spec/alertmanager.h"

#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a notification is read, for what is wrong with it. */
struct reader {
    struct fault *fault;
    size_t at; /* of the alert */
    bool failed;
};

static void wrong(struct reader *reader, const char *field, const char *what)
{
    char pointer[96];
    snprintf(pointer, sizeof pointer, "/alerts/%zu%s%s", reader->at, field[0] != '\0' ? "/" : "", field);
    fault_at(reader->fault, pointer, "%s", what);
    reader->failed = true;
}

/* NULL if it is not there, or null. */
static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    return json_object_is_type(object, json_type_object) && json_object_object_get_ex(object, name, &value)
               ? value
               : NULL;
}

/* The text `name` of `object`, which stands at `where` in the alert ("" or "labels/"); "" if it is not there.
 */
static const char *text_of(struct reader *reader, struct json_object *object, const char *where,
                           const char *name)
{
    struct json_object *value = member(object, name);
    char field[64];
    if (value == NULL)
        return "";
    const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
    if (text != NULL && strlen(text) == (size_t)json_object_get_string_len(value))
        return text;
    snprintf(field, sizeof field, "%s%s", where, name);
    wrong(reader, field, "must be a string");
    return "";
}

static struct json_object *object_of(struct reader *reader, struct json_object *value, const char *name,
                                     bool required)
{
    struct json_object *object = member(value, name);
    if (json_object_is_type(object, json_type_object))
        return object;
    if (required || object != NULL)
        wrong(reader, name, "must be an object");
    return NULL;
}

static void copy(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%.*s", (int)(size - 1), text);
    utf8_trim(out);
}

/* A label that names something of ours; what cannot be such a name is left empty. */
static void copy_name(char out[NAME_MAX_LENGTH + 1], const char *text)
{
    snprintf(out, NAME_MAX_LENGTH + 1, "%s", name_valid(text) ? text : "");
}

/* Go's zero time: Alertmanager does not know yet. */
static bool zero_time(const char *text)
{
    return strncmp(text, "0001-01-01T00:00:00", 19) == 0;
}

/* The time `name`, if one is said. */
static void read_time(struct reader *reader, struct json_object *value, const char *name, bool required,
                      struct wall_time *out)
{
    bool failed = reader->failed;
    reader->failed = false;
    const char *text = text_of(reader, value, "", name);
    bool missing = text[0] == '\0' || zero_time(text);
    if (!reader->failed && (missing ? required : !clock_parse(text, out)))
        wrong(reader, name, "must be a time (RFC 3339)");
    reader->failed = reader->failed || failed;
}

static void read_state(struct reader *reader, struct json_object *value, struct alert *out)
{
    const char *status = text_of(reader, value, "", "status");
    const char *fingerprint = text_of(reader, value, "", "fingerprint");
    size_t length = strlen(fingerprint);
    out->firing = strcmp(status, "firing") == 0;
    if (!out->firing && strcmp(status, "resolved") != 0)
        wrong(reader, "status", "must be firing or resolved");
    if (length == 0 || length >= ALERT_FINGERPRINT || strspn(fingerprint, "0123456789abcdefABCDEF") != length)
        wrong(reader, "fingerprint", "must be 1 to 64 hexadecimal digits");
    copy(out->fingerprint, sizeof out->fingerprint, fingerprint);
}

static void read_alert(struct reader *reader, struct json_object *value, struct alert *out)
{
    if (!json_object_is_type(value, json_type_object)) {
        wrong(reader, "", "must be an object");
        return;
    }
    struct json_object *labels = object_of(reader, value, "labels", true);
    struct json_object *annotations = object_of(reader, value, "annotations", false);
    const char *name = text_of(reader, labels, "labels/", "alertname");
    const char *summary = text_of(reader, annotations, "annotations/", "summary");
    const char *description = text_of(reader, annotations, "annotations/", "description");
    read_state(reader, value, out);
    read_time(reader, value, "startsAt", true, &out->starts_at);
    read_time(reader, value, "endsAt", false, &out->ends_at);
    copy(out->name, sizeof out->name, name[0] != '\0' ? name : "(an alert without a name)");
    copy(out->summary, sizeof out->summary, summary[0] != '\0' ? summary : description);
    out->ignore = strcmp(text_of(reader, labels, "labels/", "serin"), "ignore") == 0;
    copy_name(out->service, text_of(reader, labels, "labels/", "service"));
    copy_name(out->release, text_of(reader, labels, "labels/", "release"));
}

/* A problem of the whole; the next step is the same for all. */
static enum status refuse(struct fault *fault, enum status status)
{
    fault_next(fault,
               "Send what a webhook_configs receiver of Alertmanager sends, with max_alerts of at most "
               "%d.",
               ALERTS_MAX);
    return status;
}

enum status alertmanager_read(struct json_object *value, struct alert_notification *out, struct fault *fault)
{
    struct json_object *alerts = member(value, "alerts"), *truncated = member(value, "truncatedAlerts");
    struct json_object *version = member(value, "version");
    struct reader reader = {.fault = fault};
    *out = (struct alert_notification){.count = 0};
    if (!json_object_is_type(version, json_type_string) || strcmp(json_object_get_string(version), "4") != 0)
        return refuse(fault, fault_at(fault, "/version", "must be \"4\", the version that Serin reads"));
    if (!json_object_is_type(alerts, json_type_array))
        return refuse(fault, fault_at(fault, "/alerts", "must be an array"));
    if (truncated != NULL && !json_object_is_type(truncated, json_type_int))
        return refuse(fault, fault_at(fault, "/truncatedAlerts", "must be a whole number"));
    out->truncated = truncated != NULL ? json_object_get_int64(truncated) : 0;
    out->count = json_object_array_length(alerts);
    if (out->count > ALERTS_MAX) { /* refused, all of them would be dropped */
        out->truncated += (int64_t)(out->count - ALERTS_MAX);
        out->count = ALERTS_MAX;
    }
    out->alert = calloc(out->count > 0 ? out->count : 1, sizeof *out->alert);
    if (out->alert == NULL) {
        *out = (struct alert_notification){.count = 0};
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    }
    for (; reader.at < out->count; reader.at++)
        read_alert(&reader, json_object_array_get_idx(alerts, reader.at), &out->alert[reader.at]);
    if (!reader.failed)
        return STATUS_OK;
    alertmanager_free(out);
    return refuse(fault, STATUS_INVALID);
}

void alertmanager_free(struct alert_notification *notification)
{
    free(notification->alert);
    *notification = (struct alert_notification){0};
}
