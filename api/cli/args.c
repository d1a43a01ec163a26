/* A small option parser. */
#include "cli/args.h"

#include "base/clock.h"
#include "base/spelling.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KNOWN_MAX = 64 };

/* What is being read, and where. */
struct reading {
    struct args *args;
    int count, at;
    const char *const *argv;
    const struct args_option *const *tables;
    size_t n;
};

__attribute__((format(printf, 2, 3))) static bool wrong(struct args *args, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(args->error, sizeof args->error, format, arguments);
    va_end(arguments);
    return false;
}

static const struct args_option *find(const struct reading *reading, const char *name, size_t length,
                                      char letter)
{
    for (size_t t = 0; t < reading->n; t++) {
        for (const struct args_option *option = reading->tables[t]; option->name != NULL; option++) {
            if (letter != '\0' ? option->letter == letter
                               : strlen(option->name) == length && memcmp(option->name, name, length) == 0) {
                return option;
            }
        }
    }
    return NULL;
}

static bool unknown(const struct reading *reading, const char *name, size_t length)
{
    const char *known[KNOWN_MAX];
    char word[64];
    size_t count = 0;
    snprintf(word, sizeof word, "%.*s", (int)(length < 60 ? length : 60), name);
    for (size_t t = 0; t < reading->n; t++) {
        for (const struct args_option *option = reading->tables[t]; option->name != NULL && count < KNOWN_MAX;
             option++) {
            known[count++] = option->name;
        }
    }
    const char *near = spelling_nearest(word, known, count);
    if (near != NULL) {
        return wrong(reading->args, "there is no option --%s; did you mean --%s?", word, near);
    }
    return wrong(reading->args, "there is no option --%s", word);
}

static bool give(struct reading *reading, const struct args_option *option, const char *value)
{
    struct args *args = reading->args;
    if (option->kind != ARGS_MANY && args_has(args, option->name)) {
        if (option->kind == ARGS_FLAG) {
            return true;
        }
        return wrong(args, "--%s is given twice", option->name);
    }
    if (args->givens == ARGS_GIVEN_MAX) {
        return wrong(args, "too many options");
    }
    args->given[args->givens].option = option;
    args->given[args->givens++].value = value;
    return true;
}

/* The value of an option that stands in the next word. */
static bool next_value(struct reading *reading, const struct args_option *option)
{
    if (reading->at == reading->count) {
        return wrong(reading->args, "--%s needs a value: --%s %s", option->name, option->name, option->value);
    }
    return give(reading, option, reading->argv[reading->at++]);
}

static bool read_long(struct reading *reading, const char *word)
{
    size_t length = strcspn(word, "=");
    const struct args_option *option = find(reading, word, length, '\0');
    if (option == NULL) {
        return unknown(reading, word, length);
    }
    if (word[length] == '=') {
        return option->kind == ARGS_FLAG ? wrong(reading->args, "--%s takes no value", option->name)
                                         : give(reading, option, word + length + 1);
    }
    return option->kind == ARGS_FLAG ? give(reading, option, NULL) : next_value(reading, option);
}

/* -w, -wx (flags), -f FILE, -fFILE */
static bool read_short(struct reading *reading, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        const struct args_option *option = find(reading, NULL, 0, *letters);
        if (option == NULL) {
            return wrong(reading->args, "there is no option -%c", *letters);
        }
        if (option->kind != ARGS_FLAG) {
            return letters[1] != '\0' ? give(reading, option, letters + 1) : next_value(reading, option);
        }
        if (!give(reading, option, NULL)) {
            return false;
        }
    }
    return true;
}

static bool add_word(struct args *args, const char *word)
{
    if (args->words == ARGS_WORDS_MAX) {
        return wrong(args, "too many words, from \"%.40s\" on", word);
    }
    args->word[args->words++] = word;
    return true;
}

int args_read(struct args *args, int count, const char *const *argv, const struct args_option *const *tables,
              size_t n, bool stop)
{
    struct reading reading = {.args = args, .count = count, .argv = argv, .tables = tables, .n = n};
    bool options = true;
    while (reading.at < count) {
        const char *word = argv[reading.at];
        bool option = options && word[0] == '-' && word[1] != '\0';
        bool ok = true;
        if (!option && stop) {
            break;
        }
        reading.at++;
        if (!option) {
            ok = add_word(args, word);
        } else if (strcmp(word, "--") == 0) {
            options = false;
        } else if (word[1] == '-') {
            ok = read_long(&reading, word + 2);
        } else {
            ok = read_short(&reading, word + 1);
        }
        if (!ok) {
            return -1;
        }
    }
    return reading.at;
}

bool args_has(const struct args *args, const char *name)
{
    for (size_t i = 0; i < args->givens; i++) {
        if (strcmp(args->given[i].option->name, name) == 0) {
            return true;
        }
    }
    return false;
}

const char *args_nth(const struct args *args, const char *name, size_t index)
{
    for (size_t i = 0; i < args->givens; i++) {
        if (strcmp(args->given[i].option->name, name) == 0 && index-- == 0) {
            return args->given[i].value;
        }
    }
    return NULL;
}

const char *args_get(const struct args *args, const char *name)
{
    return args_nth(args, name, 0);
}

bool args_integer(struct args *args, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const char *text = args_get(args, name);
    char *end;
    if (text == NULL) {
        return true;
    }
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || number < min || number > max) {
        return wrong(args, "--%s must be a whole number from %lld to %lld, not \"%.40s\"", name,
                     (long long)min, (long long)max, text);
    }
    *out = number;
    return true;
}

bool args_positive(struct args *args, const char *name, double *out)
{
    const char *text = args_get(args, name);
    char *end;
    if (text == NULL) {
        return true;
    }
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(number) || number <= 0) {
        return wrong(args, "--%s must be a number above 0, not \"%.40s\"", name, text);
    }
    *out = number;
    return true;
}

bool args_duration(struct args *args, const char *name, int64_t *out_ms)
{
    const char *text = args_get(args, name);
    if (text == NULL) {
        return true;
    }
    if (!clock_parse_duration(text, out_ms) || *out_ms == 0) {
        return wrong(args, "--%s must be a duration such as 90s or 1h30m, not \"%.40s\"", name, text);
    }
    return true;
}
