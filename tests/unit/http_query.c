/* Tests of percent-decoding and of queries. */
#include "http/percent.h"
#include "http/query.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(http_query, .timeout = 10);

static bool decode(const char *in, bool form, char out[32])
{
    size_t written = 0;
    bool ok = http_percent_decode(in, strlen(in), form, out, 32, &written);
    cr_assert(!ok || strlen(out) == written);
    return ok;
}

Test(http_query, percent)
{
    char out[32];
    cr_assert(decode("a%2Fb%2f%C3%A9+", false, out));
    cr_assert_str_eq(out, "a/b/\xC3\xA9+");
    cr_assert(decode("a+b%2B", true, out));
    cr_assert_str_eq(out, "a b+");
    cr_assert(decode("", true, out));
    cr_assert(decode("0123456789012345678901234567890", true, out));
}

Test(http_query, percent_refuses)
{
    static const char *const bad[] = {
        "%",   "a%2", "%zz",  "%-1", "%+1",    "%00",       "%0a",
        "%7f", "\n",  "\x7f", "%C3", "%C3%28", "%ED%A0%80", "01234567890123456789012345678901"};
    char out[32];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert(!decode(bad[i], false, out), "%s", bad[i]);
    }
}

Test(http_query, percent_in_place)
{
    char text[] = "%41%42c";
    size_t written;
    cr_assert(http_percent_decode(text, 7, false, text, sizeof text, &written));
    cr_assert_str_eq(text, "ABc");
}

static struct http_query query;
static struct fault fault;

static void done(void)
{
    http_query_free(&query);
}

Test(http_query, pairs, .fini = done)
{
    cr_assert_eq(http_query_parse(&query, "a=1&&b=x%26y+z&c&d=&e==&", &fault), STATUS_OK);
    static const char *const expected[][2] = {{"a", "1"}, {"b", "x&y z"}, {"c", ""}, {"d", ""}, {"e", "="}};
    cr_assert_eq(query.count, 5);
    for (size_t i = 0; i < 5; i++) {
        cr_assert_str_eq(query.pair[i].name, expected[i][0]);
        cr_assert_str_eq(query.pair[i].value, expected[i][1]);
    }
}

Test(http_query, empty)
{
    cr_assert_eq(http_query_parse(&query, NULL, &fault), STATUS_OK);
    cr_assert_eq(query.count, 0);
    cr_assert_eq(http_query_parse(&query, "", &fault), STATUS_OK);
    cr_assert_eq(query.count, 0);
}

Test(http_query, refuses)
{
    cr_assert_eq(http_query_parse(&query, "a=1&a=2", &fault), STATUS_MALFORMED);
    cr_assert_str_eq(fault.detail, "the query parameter \"a\" comes twice");
    cr_assert_eq(http_query_parse(&query, "a=1&%61=2", &fault), STATUS_MALFORMED);
    cr_assert_eq(http_query_parse(&query, "x=1&a=%g0", &fault), STATUS_MALFORMED);
    cr_assert_str_eq(fault.detail, "the query parameter \"a\" cannot be decoded");
    cr_assert_eq(http_query_parse(&query, "%", NULL), STATUS_MALFORMED);
    cr_assert_null(query.storage);
}

Test(http_query, bounded, .fini = done)
{
    char raw[512] = "";
    for (int i = 0; i < HTTP_QUERY_MAX; i++) {
        sprintf(raw + strlen(raw), "%sp%d", i > 0 ? "&" : "", i);
    }
    cr_assert_eq(http_query_parse(&query, raw, &fault), STATUS_OK);
    cr_assert_str_eq(query.pair[HTTP_QUERY_MAX - 1].name, "p31");
    http_query_free(&query);
    strcat(raw, "&z");
    cr_assert_eq(http_query_parse(&query, raw, &fault), STATUS_MALFORMED);
}
