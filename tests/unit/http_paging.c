/* Tests of paging and of bearer tokens. */
#include "base/digest.h"
#include "http/bearer.h"
#include "http/paging.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(http_paging, .timeout = 10);

static struct http_page page;
static struct fault fault;

static enum status read_page(const char *raw)
{
    struct http_query query;
    const struct http_request request = {.query = &query};
    cr_assert_eq(http_query_parse(&query, raw, &fault), STATUS_OK);
    enum status status = http_page_read(&request, &page, &fault);
    http_query_free(&query);
    return status;
}

Test(http_paging, limits)
{
    cr_assert_eq(read_page(""), STATUS_OK);
    cr_assert(page.limit == 50 && page.after[0] == '\0');
    cr_assert_eq(read_page("limit=1"), STATUS_OK);
    cr_assert_eq(page.limit, 1);
    cr_assert_eq(read_page("limit=200"), STATUS_OK);
    cr_assert_eq(page.limit, 200);
    cr_assert_eq(read_page("limit=99999999999999999999"), STATUS_OK);
    cr_assert_eq(page.limit, 200);
    cr_assert_eq(read_page("limit=0"), STATUS_INVALID);
    cr_assert_str_eq(fault.detail, "limit must be a whole number from 1 to 200, is \"0\"");
    cr_assert_eq(read_page("limit="), STATUS_INVALID);
    cr_assert_eq(read_page("limit=-1"), STATUS_INVALID);
    cr_assert_eq(read_page("limit=1.5"), STATUS_INVALID);
    cr_assert_eq(read_page("limit=1+"), STATUS_INVALID);
}

Test(http_paging, cursors_go_there_and_back)
{
    char plain[HTTP_CURSOR_MAX + 2], encoded[HTTP_CURSOR_ENCODED], back[HTTP_CURSOR_MAX + 1];
    for (size_t length = 1; length <= HTTP_CURSOR_MAX; length++) {
        memset(plain, '~', length);
        plain[length - 1] = '?';
        plain[length] = '\0';
        http_cursor_encode(plain, encoded);
        cr_assert_null(strpbrk(encoded, "+/=&?"));
        cr_assert(http_cursor_decode(encoded, back), "%s", encoded);
        cr_assert_str_eq(back, plain);
    }
    memset(plain, 'a', HTTP_CURSOR_MAX + 1);
    plain[HTTP_CURSOR_MAX + 1] = '\0';
    cr_assert_str_eq(http_cursor_encode(plain, encoded), "");
    cr_assert_str_eq(http_cursor_encode("", encoded), "");
    cr_assert_str_eq(http_cursor_encode("ro_1", encoded), "cm9fMQ");
    cr_assert_eq(read_page("cursor=cm9fMQ&limit=7"), STATUS_OK);
    cr_assert(strcmp(page.after, "ro_1") == 0 && page.limit == 7);
}

Test(http_paging, foreign_cursors)
{
    static const char *const bad[] = {"",       "c",  "cm9fMQ%3D%3D", "cm9fMR",   "cm9f%20MQ",
                                      "cm9f.Q", "AA", "_w",           "cm9fMQ%2B"};
    char raw[400] = "cursor=";
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        strcpy(raw + 7, bad[i]);
        cr_assert_eq(read_page(raw), STATUS_INVALID, "%s", raw);
        cr_assert_str_eq(fault.detail, "this cursor was not given out here");
    }
    memset(raw + 7, 'Y', 300);
    raw[307] = '\0';
    cr_assert_eq(read_page(raw), STATUS_INVALID);
}

TestSuite(http_bearer, .timeout = 10);

static enum status bearer(const char *header, const char *expected)
{
    const char *token = NULL;
    size_t length = 0;
    enum status status = http_bearer(header, &token, &length, &fault);
    if (status == STATUS_OK) {
        cr_assert_eq(length, strlen(expected));
        cr_assert_eq(memcmp(token, expected, length), 0);
    }
    return status;
}

Test(http_bearer, finds_the_token)
{
    cr_assert_eq(bearer("Bearer abc", "abc"), STATUS_OK);
    cr_assert_eq(bearer("bEARER   a-._~+/9==", "a-._~+/9=="), STATUS_OK);
}

Test(http_bearer, refuses)
{
    static const char *const bad[] = {"",
                                      "Bearer",
                                      "Bearer ",
                                      "Bearerabc",
                                      "Basic YWJj",
                                      "Bearer a b",
                                      "Bearer a,b",
                                      "Bearer =",
                                      "Bearer a=b",
                                      "Bearer \xC3\xA9",
                                      "Bearer abc ",
                                      " Bearer abc",
                                      "Bearer\tabc",
                                      "Bearer abc, Bearer abc"};
    char wide[7 + HTTP_TOKEN_MAX + 2] = "Bearer ";
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_eq(bearer(bad[i], ""), STATUS_UNAUTHENTICATED, "%s", bad[i]);
        cr_assert_null(strstr(fault.detail, "abc"), "a token must not come back");
    }
    cr_assert_eq(bearer(NULL, ""), STATUS_UNAUTHENTICATED);
    memset(wide + 7, 'a', HTTP_TOKEN_MAX);
    cr_assert_eq(bearer(wide, wide + 7), STATUS_OK);
    wide[7 + HTTP_TOKEN_MAX] = 'a';
    cr_assert_eq(bearer(wide, ""), STATUS_UNAUTHENTICATED);
}
