/* JSON out. Canonical (RFC 8785): the bytes that digests of artifacts are taken over; and the same unsorted.
 */
#include "base/json.h"
#include "base/json_number.h"
#include "base/utf8.h"

#include <json-c/json_object_iterator.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Deeper than anything json_parse lets in, and shallow enough for a small thread stack. */
enum { DEPTH_MAX = 2 * JSON_DEPTH_MAX };

#define INTEGER_MAX INT64_C(9007199254740992)

void json_put_string(struct text *out, const char *string, size_t length)
{
    size_t at = 0;
    text_putc(out, '"');
    while (at < length) {
        unsigned char c = (unsigned char)string[at];
        size_t plain = at;
        while (plain < length && string[plain] != '"' && string[plain] != '\\' && string[plain] >= 0x20) {
            plain++; /* a run of ASCII that needs no escape */
        }
        if (plain > at) {
            text_add(out, string + at, plain - at);
            at = plain;
            continue;
        }
        size_t size = utf8_next(string + at, length - at, NULL);
        if (size > 1) {
            text_add(out, string + at, size);
        } else if (size == 0) {
            text_puts(out, "\xEF\xBF\xBD");
            size = 1;
        } else {
            static const char from[] = "\"\\\b\f\n\r\t";
            static const char to[] = "\"\\bfnrt";
            const char *found = c != '\0' ? strchr(from, c) : NULL;
            if (found != NULL) {
                text_putc(out, '\\');
                text_putc(out, to[found - from]);
            } else {
                text_printf(out, "\\u%04x", c);
            }
        }
        at += size;
    }
    text_putc(out, '"');
}

/* Order of UTF-16 code units. It is the order of the UTF-8 bytes, but for characters beyond U+FFFF: their
   surrogates (D800..DFFF) come before U+E000..U+FFFF, whose first bytes are EE and EF. */
static int compare_keys(const void *left, const void *right)
{
    const unsigned char *a = *(const unsigned char *const *)left;
    const unsigned char *b = *(const unsigned char *const *)right;
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    if (*a >= 0xF0 && (*b == 0xEE || *b == 0xEF)) {
        return -1;
    }
    if (*b >= 0xF0 && (*a == 0xEE || *a == 0xEF)) {
        return 1;
    }
    return (int)*a - (int)*b;
}

static enum status put_value(struct text *out, struct json_object *value, bool sorted, int depth);

static enum status put_object(struct text *out, struct json_object *object, bool sorted, int depth)
{
    enum status status = STATUS_OK;
    size_t count = (size_t)json_object_object_length(object);
    size_t used = 0;
    const char **keys = calloc(count + 1, sizeof *keys);
    if (keys == NULL) {
        return STATUS_NO_MEMORY;
    }
    struct json_object_iterator at = json_object_iter_begin(object);
    struct json_object_iterator end = json_object_iter_end(object);
    for (; used < count && !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        keys[used++] = json_object_iter_peek_name(&at);
    }
    if (sorted) {
        qsort(keys, used, sizeof *keys, compare_keys);
    }
    text_putc(out, '{');
    for (size_t i = 0; i < used && status == STATUS_OK; i++) {
        size_t length = strlen(keys[i]);
        if (i > 0) {
            text_putc(out, ',');
        }
        if (!utf8_valid(keys[i], length)) {
            status = STATUS_INVALID;
            break;
        }
        json_put_string(out, keys[i], length);
        text_putc(out, ':');
        status = put_value(out, json_object_object_get(object, keys[i]), sorted, depth);
    }
    text_putc(out, '}');
    free(keys);
    return status;
}

static enum status put_array(struct text *out, struct json_object *array, bool sorted, int depth)
{
    enum status status = STATUS_OK;
    size_t count = json_object_array_length(array);
    text_putc(out, '[');
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (i > 0) {
            text_putc(out, ',');
        }
        status = put_value(out, json_object_array_get_idx(array, i), sorted, depth);
    }
    text_putc(out, ']');
    return status;
}

static enum status put_value(struct text *out, struct json_object *value, bool sorted, int depth)
{
    char number[JSON_NUMBER_MAX];
    if (depth > DEPTH_MAX) {
        return STATUS_TOO_LARGE;
    }
    switch (json_object_get_type(value)) {
    case json_type_null:
        text_puts(out, "null");
        break;
    case json_type_boolean:
        text_puts(out, json_object_get_boolean(value) ? "true" : "false");
        break;
    case json_type_int: {
        int64_t whole = json_object_get_int64(value); /* saturates, and is then refused */
        if (whole > INTEGER_MAX || whole < -INTEGER_MAX) {
            return STATUS_INVALID; /* no reader of doubles would get it back */
        }
        text_printf(out, "%lld", (long long)whole);
        break;
    }
    case json_type_double: {
        double real = json_object_get_double(value);
        if (!isfinite(real)) {
            return STATUS_INVALID;
        }
        text_puts(out, json_number(real, number));
        break;
    }
    case json_type_string: {
        const char *string = json_object_get_string(value);
        size_t length = (size_t)json_object_get_string_len(value);
        if (!utf8_valid(string, length)) {
            return STATUS_INVALID;
        }
        json_put_string(out, string, length);
        break;
    }
    case json_type_object:
        return put_object(out, value, sorted, depth + 1);
    case json_type_array:
        return put_array(out, value, sorted, depth + 1);
    }
    return STATUS_OK;
}

enum status json_canonical(struct json_object *value, struct text *out)
{
    enum status status = put_value(out, value, true, 0);
    return status != STATUS_OK ? status : text_status(out);
}

enum status json_put(struct json_object *value, struct text *out)
{
    enum status status = put_value(out, value, false, 0);
    return status != STATUS_OK ? status : text_status(out);
}
