/* Tests of clocks and RFC 3339. */
#include "base/clock.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(base_clock, .timeout = 10);

Test(base_clock, format)
{
    char out[CLOCK_TEXT_MAX];
    cr_assert_str_eq(clock_format((struct wall_time){0}, out), "1970-01-01T00:00:00.000Z");
    cr_assert_str_eq(clock_format((struct wall_time){951827696789000}, out), "2000-02-29T12:34:56.789Z");
    cr_assert_str_eq(clock_format((struct wall_time){1795463737120999}, out), "2026-11-23T19:55:37.120Z");
    cr_assert_str_eq(clock_format((struct wall_time){-1}, out), "1969-12-31T23:59:59.999Z");
    clock_format((struct wall_time){INT64_MAX}, out);
    clock_format((struct wall_time){INT64_MIN}, out);
    cr_assert_lt(strlen(out), CLOCK_TEXT_MAX);
}

static int64_t parsed(const char *text)
{
    struct wall_time time = {0};
    cr_assert(clock_parse(text, &time), "%s", text);
    return time.us;
}

Test(base_clock, parse)
{
    cr_assert_eq(parsed("1970-01-01T00:00:00Z"), 0);
    cr_assert_eq(parsed("2026-11-23T19:55:37.120Z"), 1795463737120000);
    cr_assert_eq(parsed("2026-11-23T20:55:37.12+01:00"), 1795463737120000);
    cr_assert_eq(parsed("2026-11-23t14:25:37.120-05:30"), 1795463737120000);
    cr_assert_eq(parsed("1970-01-01T00:00:00.123456789Z"), 123456);
    cr_assert_eq(parsed("2016-12-31T23:59:60Z"), parsed("2017-01-01T00:00:00Z"));
    cr_assert_eq(parsed("0000-01-01T00:00:00Z"), INT64_C(-62167219200) * 1000000);
    cr_assert_eq(parsed("9999-12-31T23:59:59Z"), INT64_C(253402300799) * 1000000);
}

Test(base_clock, parse_refuses)
{
    static const char *const bad[] = {
        "",
        "2026-11-23",
        "2026-11-23T19:55:37",
        "2026-11-23 19:55:37Z",
        "2026-11-23T19:55Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.1234567890Z",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+0100",
        "2026-01-01T00:00:00ZZ",
        " 2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z ",
        "26-01-01T00:00:00Z",
        "2026-1-01T00:00:00Z",
        "+026-01-01T00:00:00Z",
    };
    struct wall_time time = {42};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert(!clock_parse(bad[i], &time), "%s", bad[i]);
    }
    cr_assert_eq(time.us, 42);
}

Test(base_clock, format_and_parse_agree)
{
    char out[CLOCK_TEXT_MAX];
    struct wall_time time;
    for (int64_t day = -800000; day < 2900000; day += 997) {
        int64_t us = (day * 86400 + 3661) * 1000000;
        cr_assert(clock_parse(clock_format((struct wall_time){us}, out), &time) == (day > -719528), "%s",
                  out);
        cr_assert(day <= -719528 || time.us == us, "%s", out);
    }
}

Test(base_clock, monotonic)
{
    struct mono_time now = clock_mono();
    cr_assert(clock_mono_since_ms(now) >= 0 && clock_mono_since_ms(now) < 5000);
    cr_assert(clock_mono_since_ms(clock_mono_after_ms(now, 60000)) < 0);
    cr_assert_eq(clock_mono_after_ms(now, 5).us - now.us, 5000);
    cr_assert_gt(clock_wall().us, INT64_C(1700000000) * 1000000);
}
