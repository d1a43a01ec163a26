/* The strict JSON reader: one pass that checks RFC 8259 to the letter and builds json-c objects as it goes.
   There is no second parser whose reading of the same bytes could differ. */
#include "base/json.h"
#include "base/json_number.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 1024, PATH_MAX_LENGTH = 128, SHORT_NAME = 64 };

#define INTEGER_MAX INT64_C(9007199254740992)

/* A member or element that is being read; they make the pointer that a fault shows. */
struct place {
    const struct place *outer;
    const char *name; /* NULL: an element */
    size_t index;
};

struct reader {
    const char *data;
    size_t length, at;
    int depth;
    const struct place *place;
    const char *string; /* the string read last, decoded: lent by data, or by text where it has escapes */
    size_t string_length;
    struct text text;
    struct fault *fault;
    enum status status;
};

static bool read_value(struct reader *reader, struct json_object **out);

/* Appends "/name". Control characters of the name are not shown. */
static void put_name(char path[PATH_MAX_LENGTH], const char *name)
{
    size_t at = strlen(path);
    if (at + 1 < PATH_MAX_LENGTH) {
        path[at++] = '/';
    }
    for (; *name != '\0' && at + 2 < PATH_MAX_LENGTH; name++) {
        if (*name == '~' || *name == '/') {
            path[at++] = '~';
            path[at++] = *name == '~' ? '0' : '1';
        } else {
            path[at++] = (unsigned char)*name < 0x20 || *name == 0x7F ? '?' : *name;
        }
    }
    path[at] = '\0';
    utf8_trim(path);
}

/* The pointer of a place, cut at the size. */
static void put_place(char path[PATH_MAX_LENGTH], const struct place *place)
{
    char index[24];
    if (place == NULL) {
        return;
    }
    put_place(path, place->outer);
    snprintf(index, sizeof index, "%zu", place->index);
    put_name(path, place->name != NULL ? place->name : index);
}

/* Records what is wrong at byte `at` and what to do about it. Always false. */
static bool wrong(struct reader *reader, size_t at, const char *problem, const char *next)
{
    char path[PATH_MAX_LENGTH] = "";
    size_t line = 1;
    size_t start = 0;
    for (size_t i = 0; i < at && i < reader->length; i++) {
        if (reader->data[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    put_place(path, reader->place);
    reader->status =
        fault_set(reader->fault, STATUS_MALFORMED, "line %zu, column %zu (byte %zu), at \"%s\": %s", line,
                  at - start + 1, at, path, problem);
    fault_next(reader->fault, "%s", next);
    return false;
}

static bool out_of_memory(struct reader *reader)
{
    reader->status = fault_set(reader->fault, STATUS_NO_MEMORY, "no memory for the JSON");
    return false;
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

/* Of a string: neither its end, nor an escape, nor wrong, nor the begin of a longer sequence. */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
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
    text_add(&reader->text, bytes, utf8_put(code, bytes));
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
    text_putc(&reader->text, to[found - from]);
    return true;
}

/* Letters of a string that stand for themselves, from reader->at on: up to its end, an escape, or what is
   wrong. */
static bool skip_letters(struct reader *reader)
{
    const char *data = reader->data;
    size_t at = reader->at, length = reader->length;
    for (;;) {
        while (at < length && is_plain((unsigned char)data[at])) {
            at++;
        }
        reader->at = at;
        if (at == length || (unsigned char)data[at] < 0x80) {
            return true;
        }
        size_t size = utf8_next(data + at, length - at, NULL);
        if (size == 0) {
            return wrong(reader, at, "bytes that are not UTF-8", "Send the text as UTF-8.");
        }
        at += size;
    }
}

/* At the opening quote; leaves the decoded bytes in reader->string. */
static bool read_string(struct reader *reader)
{
    size_t opened = reader->at++;
    bool escaped = false;
    text_clear(&reader->text);
    for (;;) {
        size_t start = reader->at;
        if (!skip_letters(reader)) {
            return false;
        }
        int c = peek(reader);
        if (c < 0) {
            return wrong(reader, opened, "a string that does not end", "Add the closing double quote.");
        }
        if (c == '"' && !escaped) {
            reader->string = reader->data + start;
            reader->string_length = reader->at++ - start;
            return true;
        }
        text_add(&reader->text, reader->data + start, reader->at - start);
        if (c == '"') {
            reader->at++;
            reader->string = text_get(&reader->text);
            reader->string_length = reader->text.length;
            return text_status(&reader->text) == STATUS_OK || out_of_memory(reader);
        }
        if (c != '\\') {
            return wrong(reader, reader->at, "a raw control character in a string",
                         "Escape it: \\n for a line feed, \\t for a tab, \\u00XX for others.");
        }
        escaped = true;
        if (!read_escape(reader)) {
            return false;
        }
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

/* At a member's name: reads it and the colon. `*name` is the caller's to free if it is not `room`. */
static bool read_name(struct reader *reader, struct json_object *object, char room[SHORT_NAME], char **name)
{
    size_t start = reader->at;
    if (peek(reader) != '"') {
        return wrong(reader, start, "a member's name was expected here",
                     "Names stand in double quotes; remove a comma that is too many.");
    }
    if (!read_string(reader)) {
        return false;
    }
    if (memchr(reader->string, '\0', reader->string_length) != NULL) {
        return wrong(reader, start, "a NUL character in a member's name", "Remove \\u0000 from the name.");
    }
    *name = reader->string_length < SHORT_NAME ? room : malloc(reader->string_length + 1);
    if (*name == NULL) {
        return out_of_memory(reader);
    }
    memcpy(*name, reader->string, reader->string_length);
    (*name)[reader->string_length] = '\0';
    if (json_object_object_get_ex(object, *name, NULL)) {
        struct place place = {.outer = reader->place, .name = *name};
        reader->place = &place;
        wrong(reader, start, "this member stands here twice", "Keep one of the two.");
        reader->place = place.outer;
        return false;
    }
    skip_space(reader);
    if (peek(reader) != ':') {
        return wrong(reader, reader->at, "a colon was expected here", "Write \"name\": value.");
    }
    reader->at++;
    return true;
}

static bool read_member(struct reader *reader, struct json_object *object)
{
    char room[SHORT_NAME], *name = NULL;
    struct json_object *value = NULL;
    bool ok = read_name(reader, object, room, &name);
    if (ok) {
        struct place place = {.outer = reader->place, .name = name};
        reader->place = &place;
        ok = read_value(reader, &value);
        reader->place = place.outer;
    }
    if (ok && json_object_object_add_ex(object, name, value, JSON_C_OBJECT_ADD_KEY_IS_NEW) != 0) {
        json_object_put(value);
        ok = out_of_memory(reader);
    }
    if (name != room) {
        free(name);
    }
    return ok;
}

static bool read_element(struct reader *reader, struct json_object *array)
{
    struct json_object *value = NULL;
    struct place place = {.outer = reader->place, .index = json_object_array_length(array)};
    reader->place = &place;
    bool ok = read_value(reader, &value);
    reader->place = place.outer;
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
        if (reader->string_length > INT32_MAX) {
            return out_of_memory(reader);
        }
        *out = json_object_new_string_len(reader->string, (int)reader->string_length);
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
    text_init(&reader.text, length);
    if (read_value(&reader, &value)) {
        skip_space(&reader);
        if (reader.at < length) {
            wrong(&reader, reader.at, "something follows the JSON value", "Send exactly one JSON value.");
            json_object_put(value);
            value = NULL;
        }
    }
    text_free(&reader.text);
    *out = value;
    return reader.status;
}
