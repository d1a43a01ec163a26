/* Structured logs: a line of JSON for each event, written at once. */
#include "base/log.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/meter.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 16384, MESSAGE_KEPT = 1024 };

static const char *const names[] = {"debug", "info", "warn", "error"};
static enum log_level least = LOG_INFO;

void log_set_level(enum log_level level)
{
    least = level;
}

bool log_parse_level(const char *text, enum log_level *out)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static void put_pair(struct text *line, const char *key, const char *value, size_t value_max)
{
    text_putc(line, line->length == 0 ? '{' : ',');
    json_put_string(line, key, strlen(key));
    text_putc(line, ':');
    if (value == NULL) {
        text_puts(line, "null");
    } else {
        json_put_string(line, value, strnlen(value, value_max));
    }
}

static void put_head(struct text *line, enum log_level level, const char *room, const char *message,
                     size_t message_max)
{
    char time[CLOCK_TEXT_MAX];
    text_clear(line);
    put_pair(line, "ts", clock_format(clock_wall(), time), SIZE_MAX);
    put_pair(line, "level", names[level], SIZE_MAX);
    put_pair(line, "room", room, 64);
    put_pair(line, "message", message, message_max);
}

/* Writes all of it; a log that nobody can read any more must not stop the program, so errors end it silently.
 */
static void emit(const struct text *line)
{
    const char *data = text_get(line);
    size_t left = line->length;
    while (left > 0) {
        ssize_t written = write(STDERR_FILENO, data, left);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return;
        }
        data += written;
        left -= (size_t)written;
    }
}

static void finish(struct text *line, enum log_level level, const char *room, const char *message)
{
    meter_add(METRIC_LOG_LINES_TOTAL, 1, names[level], NULL);
    text_puts(line, "}\n");
    if (text_status(line) != STATUS_OK) {
        /* Too long: keep what says where to look. */
        put_head(line, level, room, message, MESSAGE_KEPT);
        put_pair(line, "cut", "true", SIZE_MAX);
        text_puts(line, "}\n");
    }
    if (text_status(line) == STATUS_OK) {
        emit(line);
    }
    text_free(line);
}

void log_event(enum log_level level, const char *room, const char *message, ...)
{
    struct text line;
    va_list arguments;
    const char *key;
    if (level < least) {
        return;
    }
    text_init(&line, LINE_MAX_BYTES);
    put_head(&line, level, room, message, SIZE_MAX);
    va_start(arguments, message);
    while ((key = va_arg(arguments, const char *)) != NULL) {
        put_pair(&line, key, va_arg(arguments, const char *), SIZE_MAX);
    }
    va_end(arguments);
    finish(&line, level, room, message);
}

void log_line(enum log_level level, const char *room, const char *format, ...)
{
    struct text message;
    va_list arguments;
    char formatted[2048];
    if (level < least) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(formatted, sizeof formatted, format, arguments);
    va_end(arguments);
    text_init(&message, LINE_MAX_BYTES);
    put_head(&message, level, room, formatted, SIZE_MAX);
    finish(&message, level, room, formatted);
}
