/* Durations: as written in plans ("1h30m"), and as shown to people ("1 h 30 min"). */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)
/* Ten years with all their leap days. */
#define LONGEST_MS (3653 * DAY_MS)

static const struct unit {
    const char *name;
    int64_t ms;
} units[] = {{"w", 7 * DAY_MS}, {"d", DAY_MS}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

enum { UNITS = sizeof units / sizeof units[0] };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One <number><unit>. The value is kept in nanoseconds' worth of fraction digits only as far as it gives
   whole milliseconds: a duration that cannot be kept exactly is refused, not rounded. */
static bool part(const char **at, size_t *unit, bool *fractional, int64_t *out_ms)
{
    int64_t whole = 0, fraction = 0, scale = 1;
    const char *p = *at;
    if (!is_digit(*p)) {
        return false;
    }
    for (; is_digit(*p); p++) {
        whole = whole * 10 + (*p - '0');
        if (whole > LONGEST_MS) {
            return false;
        }
    }
    *fractional = *p == '.';
    if (*fractional) {
        p++;
        if (!is_digit(*p)) {
            return false;
        }
        for (; is_digit(*p); p++) {
            if (scale >= 1000000000) {
                return false;
            }
            fraction = fraction * 10 + (*p - '0');
            scale *= 10;
        }
    }
    size_t letters = 0;
    while (p[letters] >= 'a' && p[letters] <= 'z') {
        letters++;
    }
    size_t i = 0;
    while (i < UNITS && (strlen(units[i].name) != letters || memcmp(units[i].name, p, letters) != 0)) {
        i++;
    }
    if (i == UNITS || whole > LONGEST_MS / units[i].ms || fraction * units[i].ms % scale != 0) {
        return false;
    }
    *unit = i;
    *out_ms = whole * units[i].ms + fraction * units[i].ms / scale;
    *at = p + letters;
    return true;
}

bool clock_parse_duration(const char *text, int64_t *out_ms)
{
    int64_t total = 0;
    size_t least = 0; /* units from here on may still come */
    bool fractional = false;
    do {
        size_t unit;
        int64_t ms;
        if (fractional || !part(&text, &unit, &fractional, &ms) || unit < least) {
            return false;
        }
        least = unit + 1;
        total += ms;
        if (total > LONGEST_MS) {
            return false;
        }
    } while (*text != '\0');
    *out_ms = total;
    return true;
}

static uint64_t magnitude(int64_t ms)
{
    return ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
}

/* Appends to a text of CLOCK_TEXT_MAX bytes that is long enough for every 64-bit duration. */
static size_t append(char *out, size_t at, uint64_t number, const char *name)
{
    int written = snprintf(out + at, CLOCK_TEXT_MAX - at, "%llu%s", (unsigned long long)number, name);
    return at + (size_t)written;
}

char *clock_format_duration(int64_t ms, char out[CLOCK_TEXT_MAX])
{
    uint64_t rest = magnitude(ms);
    size_t at = 0;
    if (ms < 0) {
        out[at++] = '-';
    }
    out[at] = '\0';
    if (rest == 0) {
        append(out, at, 0, "s");
        return out;
    }
    /* Weeks only if nothing is left: "4w", but "30d". */
    if (rest % (uint64_t)units[0].ms == 0) {
        append(out, at, rest / (uint64_t)units[0].ms, units[0].name);
        return out;
    }
    for (size_t i = 1; i < 4; i++) {
        uint64_t unit = (uint64_t)units[i].ms;
        if (rest >= unit) {
            at = append(out, at, rest / unit, units[i].name);
            rest %= unit;
        }
    }
    if (rest >= 1000 && rest % 1000 != 0) {
        at = append(out, at, rest / 1000, ".");
        unsigned fraction = (unsigned)(rest % 1000);
        int width = 3;
        while (fraction % 10 == 0) {
            fraction /= 10;
            width--;
        }
        snprintf(out + at, CLOCK_TEXT_MAX - at, "%0*us", width, fraction);
    } else if (rest >= 1000) {
        append(out, at, rest / 1000, "s");
    } else if (rest > 0) {
        append(out, at, rest, "ms");
    }
    return out;
}

static void two_units(char *out, size_t size, uint64_t count, uint64_t per, const char *large,
                      const char *small)
{
    unsigned long long most = count / per;
    unsigned long long least = count % per;
    if (least == 0) {
        snprintf(out, size, "%llu %s", most, large);
    } else if (most == 0) {
        snprintf(out, size, "%llu %s", least, small);
    } else {
        snprintf(out, size, "%llu %s %llu %s", most, large, least, small);
    }
}

static uint64_t rounded(uint64_t ms, uint64_t unit)
{
    return ms / unit + (ms % unit >= unit - unit / 2 ? 1 : 0);
}

char *clock_format_human(int64_t ms, char out[CLOCK_TEXT_MAX])
{
    uint64_t rest = magnitude(ms);
    char *at = out;
    size_t size = CLOCK_TEXT_MAX;
    if (ms < 0) {
        *at++ = '-';
        size--;
    }
    /* Each line is chosen by the rounded value, so that 59.7 s is "1 min" and never "60 s". */
    if (rest > 0 && rest < 100) {
        snprintf(at, size, "%llu ms", (unsigned long long)rest);
    } else if (rounded(rest, 100) < 100) {
        unsigned tenths = (unsigned)rounded(rest, 100);
        snprintf(at, size, tenths % 10 != 0 ? "%u.%u s" : "%u s", tenths / 10, tenths % 10);
    } else if (rounded(rest, 1000) < 3600) {
        two_units(at, size, rounded(rest, 1000), 60, "min", "s");
    } else if (rounded(rest, 60000) < 24 * 60) {
        two_units(at, size, rounded(rest, 60000), 60, "h", "min");
    } else {
        two_units(at, size, rounded(rest, 3600000), 24, "d", "h");
    }
    return out;
}
