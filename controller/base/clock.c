/* Clocks, and wall time as RFC 3339. Durations are in clock_duration.c. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SECOND_US = 1000000, DAY_S = 86400 };

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * SECOND_US + now.tv_nsec / 1000;
}

struct wall_time clock_wall(void)
{
    return (struct wall_time){read_us(CLOCK_REALTIME)};
}

struct mono_time clock_mono(void)
{
    return (struct mono_time){read_us(CLOCK_MONOTONIC)};
}

int64_t clock_mono_since_ms(struct mono_time from)
{
    return (clock_mono().us - from.us) / 1000;
}

struct mono_time clock_mono_after_ms(struct mono_time from, int64_t ms)
{
    return (struct mono_time){from.us + ms * 1000};
}

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar. Years begin in March here, so that the
   leap day is the last of its year. */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (unsigned)(of_year - (153 * m + 2) / 5 + 1);
    *month = (unsigned)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2 ? 1 : 0);
}

char *clock_format(struct wall_time time, char out[CLOCK_TEXT_MAX])
{
    int64_t ms = time.us >= 0 ? time.us / 1000 : -((-(time.us + 1)) / 1000 + 1);
    int64_t seconds = ms >= 0 ? ms / 1000 : -((-(ms + 1)) / 1000 + 1);
    int64_t days = seconds >= 0 ? seconds / DAY_S : -((-(seconds + 1)) / DAY_S + 1);
    unsigned of_day = (unsigned)(seconds - days * DAY_S);
    int64_t year;
    unsigned month, day;
    date_of(days, &year, &month, &day);
    snprintf(out, CLOCK_TEXT_MAX, "%04lld-%02u-%02uT%02u:%02u:%02u.%03uZ", (long long)year, month % 100,
             day % 100, of_day / 3600 % 100, of_day / 60 % 60, of_day % 60,
             (unsigned)(ms - seconds * 1000) % 1000);
    return out;
}

/* Reads exactly `count` digits and moves on. */
static bool digits(const char **at, int count, int *out)
{
    int value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9') {
            return false;
        }
        value = value * 10 + (**at - '0');
    }
    *out = value;
    return true;
}

static bool sign(const char **at, char expected)
{
    if (**at != expected) {
        return false;
    }
    (*at)++;
    return true;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool fraction(const char **at, int *out_us)
{
    int us = 0;
    int count = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++, count++) {
        us = count < 6 ? us * 10 + (**at - '0') : us;
    }
    for (int i = count; i < 6; i++) {
        us *= 10;
    }
    *out_us = us;
    return count >= 1 && count <= 9;
}

static bool offset(const char **at, int *out_minutes)
{
    int hours, minutes;
    char c = **at;
    if (c == '\0') {
        return false;
    }
    (*at)++;
    if (c == 'Z' || c == 'z') {
        *out_minutes = 0;
        return true;
    }
    if ((c != '+' && c != '-') || !digits(at, 2, &hours) || !sign(at, ':') || !digits(at, 2, &minutes) ||
        hours > 23 || minutes > 59) {
        return false;
    }
    *out_minutes = (c == '-' ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

bool clock_parse(const char *text, struct wall_time *out)
{
    int year, month, day, hour, minute, second, offset_minutes;
    int us = 0;
    if (!digits(&text, 4, &year) || !sign(&text, '-') || !digits(&text, 2, &month) || !sign(&text, '-') ||
        !digits(&text, 2, &day) || (!sign(&text, 'T') && !sign(&text, 't')) || !digits(&text, 2, &hour) ||
        !sign(&text, ':') || !digits(&text, 2, &minute) || !sign(&text, ':') || !digits(&text, 2, &second)) {
        return false;
    }
    if (sign(&text, '.') && !fraction(&text, &us)) {
        return false;
    }
    if (!offset(&text, &offset_minutes) || *text != '\0') {
        return false;
    }
    /* Second 60 is a leap second; it counts as the first second of the next minute. */
    if (month < 1 || month > 12 || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 ||
        second > 60) {
        return false;
    }
    int64_t seconds =
        days_of(year, month, day) * DAY_S + hour * 3600 + (minute - offset_minutes) * 60 + second;
    out->us = seconds * SECOND_US + us;
    return true;
}
