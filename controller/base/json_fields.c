/* Reading an object field by field. Everything that is wrong is collected; nothing is coerced. */
#include "base/json.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/spelling.h"
#include "base/utf8.h"

#include <json-c/json_object_iterator.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEN_MAX = sizeof((struct json_fields *)0)->seen_name / sizeof(const char *) };

#define INTEGER_MAX 9007199254740992.0

static const char *type_name(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return "null";
    case json_type_boolean:
        return "true or false";
    case json_type_double:
    case json_type_int:
        return "a number";
    case json_type_object:
        return "an object";
    case json_type_array:
        return "an array";
    case json_type_string:
        break;
    }
    return "a string";
}

char *json_fields_pointer(const struct json_fields *fields, const char *name, char out[128])
{
    size_t at = (size_t)snprintf(out, 128, "%s/", fields->pointer);
    if (at > 127) {
        at = 127;
    }
    for (; *name != '\0' && at < 126; name++) {
        if (*name == '~' || *name == '/') {
            out[at++] = '~';
            out[at++] = *name == '~' ? '0' : '1';
        } else {
            out[at++] = *name;
        }
    }
    out[at] = '\0';
    utf8_trim(out);
    return out;
}

/* Adds a problem at a field. Always false. */
__attribute__((format(printf, 3, 4))) static bool wrong(struct json_fields *fields, const char *name,
                                                        const char *format, ...)
{
    char pointer[128];
    char detail[192];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    fields->failed = true;
    fault_at(fields->fault, json_fields_pointer(fields, name, pointer), "%s", detail);
    return false;
}

static bool wrong_type(struct json_fields *fields, const char *name, const char *wanted,
                       struct json_object *value)
{
    return wrong(fields, name, "must be %s, not %s", wanted, type_name(value));
}

void json_fields_open(struct json_fields *fields, struct json_object *value, const char *pointer,
                      struct fault *fault)
{
    *fields = (struct json_fields){.object = value, .pointer = pointer, .fault = fault};
    if (!json_object_is_type(value, json_type_object)) {
        fields->object = NULL;
        fields->failed = true;
        fault_at(fault, pointer, "must be an object, not %s", type_name(value));
    }
}

/* Notes that `name` is known. True if it is present; *out may be NULL (null). */
static bool find(struct json_fields *fields, const char *name, enum json_need need, struct json_object **out)
{
    if (fields->object == NULL) {
        return false;
    }
    if (fields->seen == SEEN_MAX) {
        abort(); /* our fault: an object of ours has outgrown the table, and its fields would be called
                    unknown */
    }
    fields->seen_name[fields->seen++] = name;
    if (json_object_object_get_ex(fields->object, name, out)) {
        return true;
    }
    if (need == JSON_REQUIRED) {
        wrong(fields, name, "is required");
    }
    return false;
}

/* The same for readers of a type, to whom null says absent. */
static bool find_value(struct json_fields *fields, const char *name, enum json_need need,
                       struct json_object **out)
{
    if (!find(fields, name, need, out)) {
        return false;
    }
    if (*out == NULL) {
        return need == JSON_REQUIRED ? wrong(fields, name, "is required; it is null") : false;
    }
    return true;
}

/* A string without NUL. `wanted` says what it should hold. */
static bool find_string(struct json_fields *fields, const char *name, enum json_need need, const char *wanted,
                        const char **out, size_t *length)
{
    struct json_object *value;
    if (!find_value(fields, name, need, &value)) {
        return false;
    }
    if (!json_object_is_type(value, json_type_string)) {
        return wrong_type(fields, name, wanted, value);
    }
    *out = json_object_get_string(value);
    *length = (size_t)json_object_get_string_len(value);
    if (strlen(*out) != *length) {
        return wrong(fields, name, "must not contain the NUL character");
    }
    return true;
}

bool json_fields_text(struct json_fields *fields, const char *name, enum json_need need, size_t min,
                      size_t max, const char **out)
{
    const char *string;
    size_t length;
    if (!find_string(fields, name, need, "a string", &string, &length)) {
        return false;
    }
    if (length < min || length > max) {
        return length == 0 ? wrong(fields, name, "must not be empty")
                           : wrong(fields, name, "must have %zu to %zu bytes, has %zu", min, max, length);
    }
    *out = string;
    return true;
}

bool json_fields_name(struct json_fields *fields, const char *name, enum json_need need, const char **out)
{
    const char *string;
    size_t length;
    if (!find_string(fields, name, need, "a name", &string, &length)) {
        return false;
    }
    if (!name_valid(string)) {
        return wrong(fields, name, "must be a name: 1 to 63 of a-z A-Z 0-9 . _ -, first a letter or digit");
    }
    *out = string;
    return true;
}

/* An integer; 3.0 is one too, as canonical JSON writes it as 3. */
static bool whole_number(struct json_object *value, int64_t *out)
{
    if (json_object_is_type(value, json_type_int)) {
        *out = json_object_get_int64(value);
        return true;
    }
    if (!json_object_is_type(value, json_type_double)) {
        return false;
    }
    double real = json_object_get_double(value);
    if (!(fabs(real) <= INTEGER_MAX) || real != floor(real)) {
        return false;
    }
    *out = (int64_t)real;
    return true;
}

bool json_fields_integer(struct json_fields *fields, const char *name, enum json_need need, int64_t min,
                         int64_t max, int64_t *out)
{
    struct json_object *value;
    int64_t whole;
    if (!find_value(fields, name, need, &value)) {
        return false;
    }
    if (!whole_number(value, &whole)) {
        if (json_object_is_type(value, json_type_double)) {
            return wrong(fields, name, "must be an integer");
        }
        return wrong_type(fields, name, "an integer", value);
    }
    if (whole < min || whole > max) {
        return wrong(fields, name, "must be %lld to %lld, is %lld", (long long)min, (long long)max,
                     (long long)whole);
    }
    *out = whole;
    return true;
}

bool json_fields_number(struct json_fields *fields, const char *name, enum json_need need, double min,
                        double max, double *out)
{
    struct json_object *value;
    if (!find_value(fields, name, need, &value)) {
        return false;
    }
    if (!json_object_is_type(value, json_type_int) && !json_object_is_type(value, json_type_double)) {
        return wrong_type(fields, name, "a number", value);
    }
    double real = json_object_get_double(value);
    if (!(real >= min && real <= max)) {
        return wrong(fields, name, "must be %g to %g, is %g", min, max, real);
    }
    *out = real;
    return true;
}

bool json_fields_bool(struct json_fields *fields, const char *name, enum json_need need, bool *out)
{
    struct json_object *value;
    if (!find_value(fields, name, need, &value)) {
        return false;
    }
    if (!json_object_is_type(value, json_type_boolean)) {
        return wrong_type(fields, name, "true or false", value);
    }
    *out = json_object_get_boolean(value);
    return true;
}

bool json_fields_duration(struct json_fields *fields, const char *name, enum json_need need, int64_t min_ms,
                          int64_t max_ms, int64_t *out_ms)
{
    const char *string;
    size_t length;
    int64_t ms;
    char least[CLOCK_TEXT_MAX], most[CLOCK_TEXT_MAX];
    static const char wanted[] = "a duration such as \"90s\" or \"1h30m\"";
    if (!find_string(fields, name, need, wanted, &string, &length)) {
        return false;
    }
    if (!clock_parse_duration(string, &ms)) {
        return wrong(fields, name, "must be %s (units w d h m s ms, largest first)", wanted);
    }
    if (ms < min_ms || ms > max_ms) {
        return wrong(fields, name, "must be %s to %s, is %.32s", clock_format_duration(min_ms, least),
                     clock_format_duration(max_ms, most), string);
    }
    *out_ms = ms;
    return true;
}

/* "12.5%" in 1/10,000: digits, up to two decimals, a percent sign. */
static bool parse_percent(const char *text, int64_t *out)
{
    int64_t value = 0;
    int decimals = -1; /* -1: before the point */
    const char *at = text;
    if (*at < '0' || *at > '9') {
        return false;
    }
    for (; *at != '%'; at++) {
        if (*at == '.' && decimals < 0) {
            decimals = 0;
        } else if (*at >= '0' && *at <= '9' && decimals < 2 && value < 1000000) {
            value = value * 10 + (*at - '0');
            decimals += decimals >= 0 ? 1 : 0;
        } else {
            return false;
        }
    }
    if (at[1] != '\0' || decimals == 0) {
        return false;
    }
    for (int i = decimals < 0 ? 0 : decimals; i < 2; i++) {
        value *= 10;
    }
    *out = value;
    return true;
}

bool json_fields_weight(struct json_fields *fields, const char *name, enum json_need need, int64_t min,
                        int64_t max, int64_t *out)
{
    struct json_object *value;
    int64_t weight;
    if (!find_value(fields, name, need, &value)) {
        return false;
    }
    bool ok = json_object_is_type(value, json_type_string)
                  ? strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value) &&
                        parse_percent(json_object_get_string(value), &weight)
                  : whole_number(value, &weight);
    if (!ok) {
        return wrong(
            fields, name,
            "must be a percentage with at most two decimals such as \"12.5%%\", or an integer in 1/10,000");
    }
    if (weight < min || weight > max) {
        return wrong(fields, name, "must be %lld.%02lld%% to %lld.%02lld%%, is %lld in 1/10,000",
                     (long long)min / 100, llabs(min) % 100, (long long)max / 100, llabs(max) % 100,
                     (long long)weight);
    }
    *out = weight;
    return true;
}

bool json_fields_word(struct json_fields *fields, const char *name, enum json_need need,
                      const char *const *words, int *out)
{
    const char *string;
    size_t length;
    size_t count = 0;
    char list[128];
    while (words[count] != NULL) {
        count++;
    }
    if (!find_string(fields, name, need, "a string", &string, &length)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], string) == 0) {
            *out = (int)i;
            return true;
        }
    }
    const char *near = spelling_nearest(string, words, count);
    spelling_list(list, sizeof list, words, count);
    if (near != NULL) {
        return wrong(fields, name, "must be one of %s; did you mean \"%s\"?", list, near);
    }
    return wrong(fields, name, "must be one of %s", list);
}

bool json_fields_object(struct json_fields *fields, const char *name, enum json_need need,
                        struct json_object **out)
{
    struct json_object *value;
    if (!find_value(fields, name, need, &value)) {
        return false;
    }
    if (!json_object_is_type(value, json_type_object)) {
        return wrong_type(fields, name, "an object", value);
    }
    *out = value;
    return true;
}

bool json_fields_array(struct json_fields *fields, const char *name, enum json_need need, size_t min,
                       size_t max, struct json_object **out)
{
    struct json_object *value;
    if (!find_value(fields, name, need, &value)) {
        return false;
    }
    if (!json_object_is_type(value, json_type_array)) {
        return wrong_type(fields, name, "an array", value);
    }
    size_t length = json_object_array_length(value);
    if (length < min || length > max) {
        return wrong(fields, name, "must have %zu to %zu entries, has %zu", min, max, length);
    }
    *out = value;
    return true;
}

bool json_fields_any(struct json_fields *fields, const char *name, enum json_need need,
                     struct json_object **out)
{
    struct json_object *value;
    if (!find(fields, name, need, &value)) {
        return false;
    }
    *out = value;
    return true;
}

static bool was_read(const struct json_fields *fields, const char *key)
{
    for (size_t i = 0; i < fields->seen; i++) {
        if (strcmp(fields->seen_name[i], key) == 0) {
            return true;
        }
    }
    return false;
}

static void unknown(struct json_fields *fields, const char *key)
{
    char list[128];
    const char *near = spelling_nearest(key, fields->seen_name, fields->seen);
    if (near != NULL) {
        wrong(fields, key, "unknown field; did you mean \"%s\"?", near);
        return;
    }
    spelling_list(list, sizeof list, fields->seen_name, fields->seen);
    wrong(fields, key, fields->seen > 0 ? "unknown field; known here: %s" : "unknown field%s", list);
}

enum status json_fields_close(struct json_fields *fields)
{
    if (fields->object != NULL) {
        struct json_object_iterator at = json_object_iter_begin(fields->object);
        struct json_object_iterator end = json_object_iter_end(fields->object);
        for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
            const char *key = json_object_iter_peek_name(&at);
            if (!was_read(fields, key)) {
                unknown(fields, key);
            }
        }
    }
    return fields->failed ? STATUS_INVALID : STATUS_OK;
}
