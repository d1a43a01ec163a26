/* The strict JSON reader: one pass that checks RFC 8259 to the letter and builds json-c objects as it goes.
   There is no second parser whose reading of the same bytes could differ. */
#include "base/json.h"
#include "base/json_number.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 1024, SHOWN_KEY = 40 };

#define INTEGER_MAX INT64_C(9007199254740992)

struct reader {
    const char *data;
    size_t length, at;
    int depth;
    char path[128];     /* pointer of the value that is being read, cut at the size */
    struct text string; /* the string read last, decoded */
    struct fault *fault;
    enum status status;
};

static bool read_value(struct reader *reader, struct json_object **out);

/* Records what is wrong at byte `at` and what to do about it. Always false. */
static bool wrong(struct reader *reader, size_t at, const char *problem, const char *next)
{
    size_t line = 1;
    size_t start = 0;
    for (size_t i = 0; i < at && i < reader->length; i++) {
        if (reader->data[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    reader->status =
        fault_set(reader->fault, STATUS_MALFORMED, "line %zu, column %zu (byte %zu), at \"%s\": %s", line,
                  at - start + 1, at, reader->path, problem);
    fault_next(reader->fault, "%s", next);
    return false;
}

static bool out_of_memory(struct reader *reader)
{
    reader->status = fault_set(reader->fault, STATUS_NO_MEMORY, "no memory for the JSON");
    return false;
}

/* The path grows by "/name" and is cut back to its length before. Control characters of the name are not
 * shown. */
static size_t enter(struct reader *reader, const char *name)
{
    size_t before = strlen(reader->path);
    size_t at = before;
    if (at + 1 < sizeof reader->path) {
        reader->path[at++] = '/';
    }
    for (; *name != '\0' && at + 2 < sizeof reader->path; name++) {
        if (*name == '~' || *name == '/') {
            reader->path[at++] = '~';
            reader->path[at++] = *name == '~' ? '0' : '1';
        } else {
            reader->path[at++] = (unsigned char)*name < 0x20 || *name == 0x7F ? '?' : *name;
        }
    }
    reader->path[at] = '\0';
    utf8_trim(reader->path);
    return before;
}

static void leave(struct reader *reader, size_t before)
{
    reader->path[before] = '\0';
}

static int peek(const struct reader *reader)
{
    return reader->at < reader->length ? (unsigned char)reader->data[reader->at] : -1;
}

static void skip_space(struct reader *reader)
{
    int c = peek(reader);
    while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        reader->at++;
        c = peek(reader);
    }
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool read_hex4(struct reader *reader, uint32_t *out)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++, reader->at++) {
        int c = peek(reader);
        if (is_digit(c)) {
            value = value << 4 | (uint32_t)(c - '0');
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            value = value << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        } else {
            return wrong(reader, reader->at, "\\u needs four hexadecimal digits",
                         "Write it as \\u00e9, for example.");
        }
    }
    *out = value;
    return true;
}

/* After "\u": one code point, from one escape or from a pair of surrogates. */
static bool read_unicode_escape(struct reader *reader, size_t start)
{
    static const char next[] = "Write the character itself, or both halves of the pair.";
    uint32_t code, low;
    char bytes[UTF8_MAX];
    if (!read_hex4(reader, &code)) {
        return false;
    }
    if (code >= 0xDC00 && code <= 0xDFFF) {
        return wrong(reader, start, "a low surrogate without its high one", next);
    }
    if (code >= 0xD800 && code <= 0xDBFF) {
        if (reader->length - reader->at < 2 || memcmp(reader->data + reader->at, "\\u", 2) != 0) {
            return wrong(reader, start, "a high surrogate without its low one", next);
        }
        reader->at += 2;
        if (!read_hex4(reader, &low)) {
            return false;
        }
        if (low < 0xDC00 || low > 0xDFFF) {
            return wrong(reader, start, "a high surrogate without its low one", next);
        }
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    text_add(&reader->string, bytes, utf8_put(code, bytes));
    return true;
}

static bool read_escape(struct reader *reader)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    size_t start = reader->at++;
    int c = peek(reader);
    if (c == 'u') {
        reader->at++;
        return read_unicode_escape(reader, start);
    }
    const char *found = c > 0 ? strchr(from, c) : NULL;
    if (found == NULL) {
        return wrong(reader, start, "an unknown escape",
                     "JSON knows \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX only.");
    }
    reader->at++;
    text_putc(&reader->string, to[found - from]);
    return true;
}

/* At the opening quote; leaves the decoded bytes in reader->string. */
static bool read_string(struct reader *reader)
{
    size_t opened = reader->at++;
    text_clear(&reader->string);
    for (;;) {
        int c = peek(reader);
        if (c < 0) {
            return wrong(reader, opened, "a string that does not end", "Add the closing double quote.");
        }
        if (c == '"') {
            reader->at++;
            return text_status(&reader->string) == STATUS_OK || out_of_memory(reader);
        }
        if (c == '\\') {
            if (!read_escape(reader)) {
                return false;
            }
            continue;
        }
        if (c < 0x20) {
            return wrong(reader, reader->at, "a raw control character in a string",
                         "Escape it: \\n for a line feed, \\t for a tab, \\u00XX for others.");
        }
        size_t size = utf8_next(reader->data + reader->at, reader->length - reader->at, NULL);
        if (size == 0) {
            return wrong(reader, reader->at, "bytes that are not UTF-8", "Send the text as UTF-8.");
        }
        text_add(&reader->string, reader->data + reader->at, size);
        reader->at += size;
    }
}

static size_t skip_digits(struct reader *reader)
{
    size_t start = reader->at;
    while (is_digit(peek(reader))) {
        reader->at++;
    }
    return reader->at - start;
}

static bool make_number(struct reader *reader, size_t start, bool integer, struct json_object **out)
{
    char buffer[NUMBER_MAX + 1];
    char shortest[JSON_NUMBER_MAX];
    size_t length = reader->at - start;
    if (length > NUMBER_MAX) {
        return wrong(reader, start, "a number of more than 1,024 characters", "Round it.");
    }
    memcpy(buffer, reader->data + start, length);
    buffer[length] = '\0';
    double number = strtod(buffer, NULL);
    if (!isfinite(number)) {
        return wrong(reader, start, "a number that no double can hold",
                     "Numbers reach up to about 1.797e308.");
    }
    long long whole = integer ? strtoll(buffer, NULL, 10) : 0; /* saturates, and is then beyond */
    bool beyond = whole > INTEGER_MAX || whole < -INTEGER_MAX;
    /* 100000000000000000000 is how 1e20 is written: that one is a double, and nothing is lost. */
    if (beyond && strcmp(json_number(number, shortest), buffer) != 0) {
        return wrong(reader, start, "an integer beyond 2^53, which would lose digits",
                     "Send it as a string, or in a larger unit.");
    }
    *out = integer && !beyond ? json_object_new_int64(whole) : json_object_new_double(number);
    return *out != NULL || out_of_memory(reader);
}

static bool read_number(struct reader *reader, struct json_object **out)
{
    static const char next[] = "Numbers look like 12, -3, 0.5 or 1e-6.";
    size_t start = reader->at;
    bool integer = true;
    if (peek(reader) == '-') {
        reader->at++;
    }
    size_t first = reader->at;
    size_t whole = skip_digits(reader);
    if (whole == 0) {
        return wrong(reader, start, "a minus without a number", next);
    }
    if (whole > 1 && reader->data[first] == '0') {
        return wrong(reader, start, "a number with a leading zero", next);
    }
    if (peek(reader) == '.') {
        integer = false;
        reader->at++;
        if (skip_digits(reader) == 0) {
            return wrong(reader, reader->at, "a decimal point without digits after it", next);
        }
    }
    if (peek(reader) == 'e' || peek(reader) == 'E') {
        integer = false;
        reader->at++;
        if (peek(reader) == '+' || peek(reader) == '-') {
            reader->at++;
        }
        if (skip_digits(reader) == 0) {
            return wrong(reader, reader->at, "an exponent without digits", next);
        }
    }
    return make_number(reader, start, integer, out);
}

static bool read_word(struct reader *reader, const char *word)
{
    size_t length = strlen(word);
    if (reader->length - reader->at < length || memcmp(reader->data + reader->at, word, length) != 0) {
        return wrong(reader, reader->at, "a word that JSON does not know",
                     "JSON knows true, false and null; texts stand in double quotes.");
    }
    reader->at += length;
    return true;
}

/* At a member's name: reads it and the colon. `*name` is the caller's to free. */
static bool read_name(struct reader *reader, struct json_object *object, char **name)
{
    char problem[128];
    size_t start = reader->at;
    if (peek(reader) != '"') {
        return wrong(reader, start, "a member's name was expected here",
                     "Names stand in double quotes; remove a comma that is too many.");
    }
    if (!read_string(reader)) {
        return false;
    }
    const char *key = text_get(&reader->string);
    if (strlen(key) != reader->string.length) {
        return wrong(reader, start, "a NUL character in a member's name", "Remove \\u0000 from the name.");
    }
    if (json_object_object_get_ex(object, key, NULL)) {
        size_t before = enter(reader, key);
        snprintf(problem, sizeof problem, "this member stands here twice");
        wrong(reader, start, problem, "Keep one of the two.");
        leave(reader, before);
        return false;
    }
    skip_space(reader);
    if (peek(reader) != ':') {
        return wrong(reader, reader->at, "a colon was expected here", "Write \"name\": value.");
    }
    reader->at++;
    *name = strdup(key);
    return *name != NULL || out_of_memory(reader);
}

static bool read_member(struct reader *reader, struct json_object *object)
{
    char *name = NULL;
    struct json_object *value = NULL;
    if (!read_name(reader, object, &name)) {
        return false;
    }
    size_t before = enter(reader, name);
    bool ok = read_value(reader, &value);
    leave(reader, before);
    if (ok && json_object_object_add_ex(object, name, value, JSON_C_OBJECT_ADD_KEY_IS_NEW) != 0) {
        json_object_put(value);
        ok = out_of_memory(reader);
    }
    free(name);
    return ok;
}

static bool read_element(struct reader *reader, struct json_object *array)
{
    char index[24];
    struct json_object *value = NULL;
    snprintf(index, sizeof index, "%zu", json_object_array_length(array));
    size_t before = enter(reader, index);
    bool ok = read_value(reader, &value);
    leave(reader, before);
    if (ok && json_object_array_add(array, value) != 0) {
        json_object_put(value);
        ok = out_of_memory(reader);
    }
    return ok;
}

/* At '{' or '['. */
static bool read_container(struct reader *reader, bool is_object, struct json_object **out)
{
    const int end = is_object ? '}' : ']';
    size_t opened = reader->at;
    if (reader->depth == JSON_DEPTH_MAX) {
        return wrong(reader, opened, "nested more than 32 levels deep", "Flatten it.");
    }
    struct json_object *container = is_object ? json_object_new_object() : json_object_new_array();
    if (container == NULL) {
        return out_of_memory(reader);
    }
    reader->depth++;
    reader->at++;
    skip_space(reader);
    bool more = peek(reader) != end;
    while (more) {
        skip_space(reader);
        if (!(is_object ? read_member(reader, container) : read_element(reader, container))) {
            goto fail;
        }
        skip_space(reader);
        more = peek(reader) == ',';
        if (more) {
            reader->at++;
        }
    }
    if (peek(reader) != end) {
        if (peek(reader) < 0) {
            wrong(reader, opened, is_object ? "an object that does not end" : "an array that does not end",
                  is_object ? "Add the closing brace." : "Add the closing bracket.");
        } else {
            wrong(reader, reader->at,
                  is_object ? "a comma or a closing brace was expected here"
                            : "a comma or a closing bracket was expected here",
                  "Separate values by commas.");
        }
        goto fail;
    }
    reader->at++;
    reader->depth--;
    *out = container;
    return true;

fail:
    json_object_put(container);
    return false;
}

static bool read_value(struct reader *reader, struct json_object **out)
{
    skip_space(reader);
    int c = peek(reader);
    switch (c) {
    case '{':
    case '[':
        return read_container(reader, c == '{', out);
    case '"':
        if (!read_string(reader)) {
            return false;
        }
        if (reader->string.length > INT32_MAX) {
            return out_of_memory(reader);
        }
        *out = json_object_new_string_len(text_get(&reader->string), (int)reader->string.length);
        return *out != NULL || out_of_memory(reader);
    case 't':
    case 'f':
        if (!read_word(reader, c == 't' ? "true" : "false")) {
            return false;
        }
        *out = json_object_new_boolean(c == 't');
        return *out != NULL || out_of_memory(reader);
    case 'n':
        *out = NULL;
        return read_word(reader, "null");
    case -1:
        return wrong(reader, reader->at,
                     reader->depth == 0 ? "there is no JSON" : "a value is missing at the end",
                     "Send one complete JSON value.");
    case '\'':
        return wrong(reader, reader->at, "a single quote", "JSON strings stand in double quotes.");
    case ',':
    case ']':
    case '}':
        return wrong(reader, reader->at, "a value was expected here", "Remove the comma that is too many.");
    default:
        if (c == '-' || is_digit(c)) {
            return read_number(reader, out);
        }
        return wrong(reader, reader->at, "this does not begin a JSON value",
                     "Values are objects, arrays, strings in double quotes, numbers, true, false and null.");
    }
}

enum status json_parse(const char *data, size_t length, struct json_object **out, struct fault *fault)
{
    struct reader reader = {.data = data, .length = length, .fault = fault, .status = STATUS_OK};
    struct json_object *value = NULL;
    *out = NULL;
    text_init(&reader.string, length);
    if (read_value(&reader, &value)) {
        skip_space(&reader);
        if (reader.at < length) {
            wrong(&reader, reader.at, "something follows the JSON value", "Send exactly one JSON value.");
            json_object_put(value);
            value = NULL;
        }
    }
    text_free(&reader.string);
    *out = value;
    return reader.status;
}
