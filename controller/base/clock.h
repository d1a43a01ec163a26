/* Clocks and durations. Monotonic and wall time are different types, so that they cannot be mixed. The time
   of rollouts is the database's (serin_now()), a wall_time like any other; this process's own clocks serve
   timeouts only. */
#pragma once

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wall_time {
    int64_t us; /* microseconds since 1970-01-01T00:00:00Z */
};

struct mono_time {
    int64_t us; /* microseconds since an arbitrary start */
};

struct wall_time clock_wall(void);
struct mono_time clock_mono(void);
/* Milliseconds from `from` to now; negative if `from` lies ahead. */
int64_t clock_mono_since_ms(struct mono_time from);
struct mono_time clock_mono_after_ms(struct mono_time from, int64_t ms);

enum { CLOCK_TEXT_MAX = 32 };
/* RFC 3339, UTC, milliseconds: "2026-11-23T19:55:37.120Z". Returns `out`. */
char *clock_format(struct wall_time time, char out[CLOCK_TEXT_MAX]);
/* Reads RFC 3339 with any offset and up to 9 fractional digits (kept to the microsecond). False if it is not
 * one. */
bool clock_parse(const char *text, struct wall_time *out);

/* Reads a duration: one or more of <number><unit>, units ms s m h d w, largest first ("1h30m", "500ms",
   "2.5s" with a fraction only in the last part). At most 10 years. False if it is not one. */
bool clock_parse_duration(const char *text, int64_t *out_ms);
/* The same form, shortest: 5400000 -> "1h30m", 0 -> "0s". Returns `out`. */
char *clock_format_duration(int64_t ms, char out[CLOCK_TEXT_MAX]);
/* For people, two units at most, rounded: "3 h 10 min", "45 s", "2.4 s" below 10 s, "6 d 4 h". Returns `out`.
 */
char *clock_format_human(int64_t ms, char out[CLOCK_TEXT_MAX]);
