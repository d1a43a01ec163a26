/* Tests of entity tags, with the comparisons of RFC 9110, 8.8.3.2. */
#include "http/etag.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(http_etag, .timeout = 10);

static struct http_etags tags;
static struct fault fault;

static enum status parse(const char *header)
{
    return http_etags_parse(header, &tags, &fault);
}

Test(http_etag, lists)
{
    cr_assert_eq(parse(NULL), STATUS_OK);
    cr_assert(!tags.present);
    cr_assert_eq(parse(" * "), STATUS_OK);
    cr_assert(tags.any);
    cr_assert_eq(parse("\"a\""), STATUS_OK);
    cr_assert_eq(tags.count, 1);
    cr_assert_eq(parse(" , \"a,b\" ,,W/\"c\"\t,\"\", "), STATUS_OK);
    cr_assert_eq(tags.count, 3);
    cr_assert_eq(tags.tag[0].length, 5);
    cr_assert(!tags.tag[0].weak && tags.tag[1].weak);
    cr_assert_eq(strncmp(tags.tag[1].opaque, "\"c\"", 3), 0);
    cr_assert_eq(tags.tag[2].length, 2);
    cr_assert_eq(parse("\"\xC3\xA9!#~\""), STATUS_OK);
}

Test(http_etag, refuses)
{
    static const char *const bad[] = {"",        " ",           ",",        "a",       "\"a",
                                      "a\"",     "\"a\" \"b\"", "\"a\"b",   "w/\"a\"", "W/a",
                                      "W/",      "W/ \"a\"",    "*, \"a\"", "**",      "\"a\", *",
                                      "\"a b\"", "\"a\tb\"",    "\"\x7f\"", "'a'",     "\"a\";\"b\""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_eq(parse(bad[i]), STATUS_MALFORMED, "%s", bad[i]);
        cr_assert_neq(fault.next_step[0], '\0');
    }
}

Test(http_etag, bounded)
{
    char list[HTTP_ETAGS_MAX * 6 + 8] = "";
    for (int i = 0; i < HTTP_ETAGS_MAX; i++) {
        sprintf(list + strlen(list), "\"%d\",", i);
    }
    cr_assert_eq(parse(list), STATUS_OK);
    cr_assert(http_etags_match_strong(&tags, "\"31\""));
    strcat(list, "\"x\"");
    cr_assert_eq(parse(list), STATUS_MALFORMED);
}

/* RFC 9110: W/"1" W/"1" no/yes, W/"1" W/"2" no/no, W/"1" "1" no/yes, "1" "1" yes/yes. */
Test(http_etag, comparison_of_the_rfc)
{
    cr_assert_eq(parse("W/\"1\""), STATUS_OK);
    cr_assert(!http_etags_match_strong(&tags, "W/\"1\"") && http_etags_match_weak(&tags, "W/\"1\""));
    cr_assert(!http_etags_match_strong(&tags, "W/\"2\"") && !http_etags_match_weak(&tags, "W/\"2\""));
    cr_assert(!http_etags_match_strong(&tags, "\"1\"") && http_etags_match_weak(&tags, "\"1\""));
    cr_assert_eq(parse("\"1\""), STATUS_OK);
    cr_assert(http_etags_match_strong(&tags, "\"1\"") && http_etags_match_weak(&tags, "\"1\""));
    cr_assert(!http_etags_match_strong(&tags, "W/\"1\"") && http_etags_match_weak(&tags, "W/\"1\""));
    cr_assert(!http_etags_match_weak(&tags, "\"11\"") && !http_etags_match_weak(&tags, "1"));
}

Test(http_etag, any_needs_something_to_exist)
{
    cr_assert_eq(parse("*"), STATUS_OK);
    cr_assert(http_etags_match_strong(&tags, "\"1\""));
    cr_assert(!http_etags_match_strong(&tags, NULL));
    cr_assert(!http_etags_match_weak(&tags, ""));
    cr_assert_eq(parse(NULL), STATUS_OK);
    cr_assert(!http_etags_match_weak(&tags, "\"1\""));
}

Test(http_etag, valid)
{
    cr_assert(http_etag_valid("\"a\"") && http_etag_valid("W/\"a\"") && http_etag_valid("\"\""));
    cr_assert(!http_etag_valid("a") && !http_etag_valid("") && !http_etag_valid("\"a\" ") &&
              !http_etag_valid("\"a\"b\""));
}

Test(http_etag, if_match)
{
    struct http_pair header = {"if-match", "\"7\""};
    struct http_request request = {0};
    cr_assert_eq(http_if_match(&request, "\"8\"", &fault), STATUS_OK);
    request = (struct http_request){.header = &header, .headers = 1};
    cr_assert_eq(http_if_match(&request, "\"7\"", &fault), STATUS_OK);
    cr_assert_eq(http_if_match(&request, "\"8\"", &fault), STATUS_STALE_VERSION);
    cr_assert_eq(fault.status, STATUS_STALE_VERSION);
    header.value = "7";
    cr_assert_eq(http_if_match(&request, "\"7\"", &fault), STATUS_MALFORMED);
}
