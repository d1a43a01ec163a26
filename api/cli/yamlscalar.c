/* The core schema of YAML 1.2, number by number. */
#include "cli/yamlscalar.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INTEGER_MAX INT64_C(9007199254740992)

static bool is_one_of(const char *text, size_t length, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strlen(*words) == length && memcmp(*words, text, length) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_null(const char *text, size_t length)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};
    return is_one_of(text, length, words);
}

static bool is_true(const char *text, size_t length)
{
    static const char *const words[] = {"true", "True", "TRUE", NULL};
    return is_one_of(text, length, words);
}

static bool is_false(const char *text, size_t length)
{
    static const char *const words[] = {"false", "False", "FALSE", NULL};
    return is_one_of(text, length, words);
}

static bool is_special(const char *text, size_t length)
{
    static const char *const words[] = {".inf",  ".Inf",  ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
                                        "-.Inf", "-.INF", ".nan", ".NaN",  ".NAN",  NULL};
    return is_one_of(text, length, words);
}

static size_t digits(const char *text)
{
    return strspn(text, "0123456789");
}

enum shape { SHAPE_TEXT, SHAPE_DECIMAL, SHAPE_OCTAL, SHAPE_HEX, SHAPE_FLOAT };

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?   and 0o17, 0x1f */
static enum shape shape_of(const char *text, size_t length)
{
    const char *at = text;
    enum shape shape = SHAPE_DECIMAL;
    if (strlen(text) != length) {
        return SHAPE_TEXT; /* it holds a NUL */
    }
    if (strncmp(text, "0o", 2) == 0 && text[2] != '\0' && text[2 + strspn(text + 2, "01234567")] == '\0') {
        return SHAPE_OCTAL;
    }
    if (strncmp(text, "0x", 2) == 0 && text[2] != '\0' &&
        text[2 + strspn(text + 2, "0123456789abcdefABCDEF")] == '\0') {
        return SHAPE_HEX;
    }
    at += *at == '-' || *at == '+' ? 1 : 0;
    size_t whole = digits(at);
    at += whole;
    if (*at == '.') {
        size_t fraction = digits(at + 1);
        if (whole + fraction == 0) {
            return SHAPE_TEXT;
        }
        at += 1 + fraction;
        shape = SHAPE_FLOAT;
    } else if (whole == 0) {
        return SHAPE_TEXT;
    }
    if (*at == 'e' || *at == 'E') {
        at += at[1] == '-' || at[1] == '+' ? 2 : 1;
        size_t exponent = digits(at);
        if (exponent == 0) {
            return SHAPE_TEXT;
        }
        at += exponent;
        shape = SHAPE_FLOAT;
    }
    return *at == '\0' ? shape : SHAPE_TEXT;
}

static bool made(struct json_object *value, struct json_object **out, const char **problem)
{
    *problem = NULL;
    *out = value;
    return value != NULL;
}

static bool integer(const char *text, int base, struct json_object **out, const char **problem)
{
    errno = 0;
    long long number = strtoll(text, NULL, base);
    if (errno != 0 || number > INTEGER_MAX || number < -INTEGER_MAX) {
        *problem = "this integer is too large to be kept exactly; write it in quotes";
        return false;
    }
    return made(json_object_new_int64(number), out, problem);
}

static bool real(const char *text, struct json_object **out, const char **problem)
{
    double number = strtod(text, NULL);
    if (!isfinite(number)) {
        *problem = "this number is too large";
        return false;
    }
    return made(json_object_new_double(number), out, problem);
}

static bool number(enum shape shape, const char *text, struct json_object **out, const char **problem)
{
    const char *first = text + (*text == '-' || *text == '+' ? 1 : 0);
    switch (shape) {
    case SHAPE_OCTAL:
        return integer(text + 2, 8, out, problem);
    case SHAPE_HEX:
        return integer(text + 2, 16, out, problem);
    case SHAPE_DECIMAL:
    case SHAPE_FLOAT:
        if (first[0] == '0' && digits(first) > 1) {
            *problem = "a number with leading zeros; write it without them, or in quotes if it is text";
            return false;
        }
        return shape == SHAPE_FLOAT ? real(text, out, problem) : integer(text, 10, out, problem);
    case SHAPE_TEXT:
        break;
    }
    *problem = "not a number";
    return false;
}

static bool string(const char *text, size_t length, struct json_object **out, const char **problem)
{
    return made(json_object_new_string_len(text, (int)length), out, problem);
}

bool yamlscalar_plain(const char *text, size_t length, struct json_object **out, const char **problem)
{
    *out = NULL;
    *problem = NULL;
    if (is_null(text, length)) {
        return true;
    }
    if (is_true(text, length) || is_false(text, length)) {
        return made(json_object_new_boolean(is_true(text, length)), out, problem);
    }
    if (is_special(text, length)) {
        *problem = "infinity and NaN have no place here; write it in quotes if it is text";
        return false;
    }
    enum shape shape = shape_of(text, length);
    return shape == SHAPE_TEXT ? string(text, length, out, problem) : number(shape, text, out, problem);
}

bool yamlscalar_tagged(const char *tag, const char *text, size_t length, struct json_object **out,
                       const char **problem)
{
    static const char core[] = "tag:yaml.org,2002:";
    *out = NULL;
    *problem = NULL;
    if (strcmp(tag, "!") == 0) {
        return string(text, length, out, problem);
    }
    const char *type = strncmp(tag, core, sizeof core - 1) == 0 ? tag + sizeof core - 1 : "";
    enum shape shape = shape_of(text, length);
    if (strcmp(type, "str") == 0) {
        return string(text, length, out, problem);
    }
    if (strcmp(type, "null") == 0 && is_null(text, length)) {
        return true;
    }
    if (strcmp(type, "bool") == 0 && (is_true(text, length) || is_false(text, length))) {
        return made(json_object_new_boolean(is_true(text, length)), out, problem);
    }
    if (strcmp(type, "int") == 0 && shape != SHAPE_TEXT && shape != SHAPE_FLOAT) {
        return number(shape, text, out, problem);
    }
    if (strcmp(type, "float") == 0 && (shape == SHAPE_DECIMAL || shape == SHAPE_FLOAT)) {
        return real(text, out, problem);
    }
    *problem = type[0] == '\0' ? "this tag is not known; only !!str, !!int, !!float, !!bool and !!null are"
                               : "the value does not fit its tag";
    return false;
}
