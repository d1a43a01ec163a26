/* Tests of UTF-8 (the borders of Unicode's table 3-7) and of near spellings. */
#include "base/spelling.h"
#include "base/utf8.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(base_utf8, .timeout = 10);

Test(base_utf8, every_code_point_goes_there_and_back)
{
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        char bytes[UTF8_MAX];
        uint32_t back = 0;
        if (code == 0xD800) {
            code = 0xE000;
        }
        size_t size = utf8_put(code, bytes);
        cr_assert_eq(utf8_next(bytes, size, &back), size);
        cr_assert_eq(back, code);
        cr_assert_eq(utf8_next(bytes, size - 1, NULL), 0);
    }
}

Test(base_utf8, refuses)
{
    static const char *const bad[] = {
        "\x80",
        "\xBF",
        "\xC0\x80",
        "\xC1\xBF",
        "\xE0\x9F\xBF",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xC3\x28",
        "\xE2\x82\x28",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xFE",
        "\xFF",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_eq(utf8_next(bad[i], strlen(bad[i]), NULL), 0, "row %zu", i);
        cr_assert(!utf8_valid(bad[i], strlen(bad[i])));
    }
    cr_assert(utf8_valid("a\0\xC3\xA9", 4));
    cr_assert(utf8_valid("", 0));
}

static void trims(const char *before, const char *after)
{
    char text[32];
    strcpy(text, before);
    utf8_trim(text);
    cr_assert_str_eq(text, after);
}

Test(base_utf8, trim)
{
    trims("", "");
    trims("abc", "abc");
    trims("a\xC3\xA9", "a\xC3\xA9");
    trims("a\xC3", "a");
    trims("a\xF0\x9F\x98", "a");
    trims("a\xF0\x9F\x98\x80", "a\xF0\x9F\x98\x80");
    trims("\xE2\x82", "");
}

TestSuite(base_spelling, .timeout = 10);

static const char *const known[] = {"weight", "bake", "gates", "min_requests", "pace"};
enum { KNOWN = sizeof known / sizeof known[0] };

Test(base_spelling, near)
{
    cr_assert_str_eq(spelling_nearest("wieght", known, KNOWN), "weight");
    cr_assert_str_eq(spelling_nearest("Weigth", known, KNOWN), "weight");
    cr_assert_str_eq(spelling_nearest("min_request", known, KNOWN), "min_requests");
    cr_assert_str_eq(spelling_nearest("gate", known, KNOWN), "gates");
    cr_assert_str_eq(spelling_nearest("bke", known, KNOWN), "bake");
}

Test(base_spelling, far)
{
    char endless[200];
    memset(endless, 'w', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    cr_assert_null(spelling_nearest("height_of_it", known, KNOWN));
    cr_assert_null(spelling_nearest("pg", known, KNOWN));
    cr_assert_null(spelling_nearest("", known, KNOWN));
    cr_assert_null(spelling_nearest(endless, known, KNOWN));
    cr_assert_null(spelling_nearest("weight", known, 0));
}

Test(base_spelling, list)
{
    char out[64], small[22];
    spelling_list(out, sizeof out, known, KNOWN);
    cr_assert_str_eq(out, "weight, bake, gates, min_requests, pace");
    spelling_list(small, sizeof small, known, KNOWN);
    cr_assert_str_eq(small, "weight, bake, ..");
    spelling_list(out, sizeof out, known, 0);
    cr_assert_str_eq(out, "");
}
