/* Tests of durations. */
#include "base/clock.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(base_duration, .timeout = 10);

static const struct {
    const char *text;
    int64_t ms;
} good[] = {
    {"0s", 0},          {"500ms", 500},          {"90s", 90000},         {"1h30m", 5400000},
    {"2.5s", 2500},     {"1m0.25s", 60250},      {"1w", 604800000},      {"1w2d3h4m5s6ms", 788645006},
    {"0.1w", 60480000}, {"3650d", 315360000000}, {"10ms", 10},           {"007m", 420000},
    {"1.000s", 1000},   {"0.5h", 1800000},       {"521w", 315100800000},
};

Test(base_duration, parse)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ms = -1;
        cr_assert(clock_parse_duration(good[i].text, &ms), "%s", good[i].text);
        cr_assert_eq(ms, good[i].ms, "%s: %lld", good[i].text, (long long)ms);
    }
}

Test(base_duration, parse_refuses)
{
    static const char *const bad[] = {
        "",
        "0",
        "5",
        "s",
        "-5s",
        "+5s",
        "5 s",
        " 5s",
        "5s ",
        "5S",
        "5sec",
        "30m1h",
        "1h1h",
        "1h1m1h",
        "1.5h30m",
        "1.s",
        ".5s",
        "1.5.5s",
        "0.5ms",
        "1.0001s",
        "11000d",
        "99999999999999999999s",
        "1h30",
        "1e3s",
        "0.1234567890w",
        "5s\n",
        "0.3333333h",
        "1d9999999d",
    };
    int64_t ms = 42;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert(!clock_parse_duration(bad[i], &ms), "%s", bad[i]);
    }
    cr_assert_eq(ms, 42);
}

static void formats(int64_t ms, const char *expected)
{
    char out[CLOCK_TEXT_MAX];
    cr_assert_str_eq(clock_format_duration(ms, out), expected);
}

Test(base_duration, format)
{
    formats(0, "0s");
    formats(5400000, "1h30m");
    formats(500, "500ms");
    formats(2500, "2.5s");
    formats(2005, "2.005s");
    formats(60250, "1m250ms");
    formats(INT64_C(30) * 86400000, "30d");
    formats(INT64_C(28) * 86400000, "4w");
    formats(86400000 + 3600000, "1d1h");
    formats(-90000, "-1m30s");
}

Test(base_duration, format_reads_back)
{
    char out[CLOCK_TEXT_MAX];
    for (int64_t ms = 1; ms < 315360000000; ms = ms * 7 / 5 + 13) {
        int64_t back = -1;
        cr_assert(clock_parse_duration(clock_format_duration(ms, out), &back), "%s", out);
        cr_assert_eq(back, ms, "%s", out);
    }
    cr_assert_lt(strlen(clock_format_duration(INT64_MIN, out)), CLOCK_TEXT_MAX);
    cr_assert_eq(out[0], '-');
}

static void shows(int64_t ms, const char *expected)
{
    char out[CLOCK_TEXT_MAX];
    cr_assert_str_eq(clock_format_human(ms, out), expected);
}

Test(base_duration, human)
{
    shows(0, "0 s");
    shows(30, "30 ms");
    shows(400, "0.4 s");
    shows(2400, "2.4 s");
    shows(2449, "2.4 s");
    shows(2450, "2.5 s");
    shows(2000, "2 s");
    shows(9949, "9.9 s");
    shows(9960, "10 s");
    shows(45000, "45 s");
    shows(59600, "1 min");
    shows(190000, "3 min 10 s");
    shows(3599600, "1 h");
    shows(11400000, "3 h 10 min");
    shows(INT64_C(24) * 3600000 - 1, "1 d");
    shows(INT64_C(6) * 86400000 + 4 * 3600000 + 60000, "6 d 4 h");
    shows(-45000, "-45 s");
    char out[CLOCK_TEXT_MAX];
    cr_assert_lt(strlen(clock_format_human(INT64_MIN, out)), CLOCK_TEXT_MAX);
}
