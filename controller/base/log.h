/* Structured logs: one line of JSON on standard error for each event: ts, level, room, message, then the
 * fields. */
#pragma once

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Lines below `level` are dropped. Call before threads start. */
void log_set_level(enum log_level level);
/* "debug", "info", "warn", "error". */
bool log_parse_level(const char *text, enum log_level *out);

/* Writes one line. `room` names the part ("store", "gateway"). Then pairs of strings (key, value), closed by
   NULL; a value may be NULL (written as null). One write(2), so lines of several threads do not mix. Never
   put secrets or prompt text here. */
void log_event(enum log_level level, const char *room, const char *message, ...) __attribute__((sentinel));
/* The same with a printf message and no fields. */
void log_line(enum log_level level, const char *room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
