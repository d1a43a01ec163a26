/* Tests of the HTTP client's own judgement: addresses, URLs, headers. What servers do to it is tested in
   tests/integration/base_fetch.c. */
#include "base/fetch.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

TestSuite(base_fetch, .timeout = 30);

static bool is_public(const char *text)
{
    uint8_t address[16];
    if (inet_pton(AF_INET, text, address) == 1)
        return fetch_public_address(address, 4);
    cr_assert_eq(inet_pton(AF_INET6, text, address), 1, "%s", text);
    return fetch_public_address(address, 16);
}

Test(base_fetch, knows_addresses_of_the_public_internet)
{
    static const char *const open[] = {
        "1.1.1.1",        "8.8.8.8",          "100.63.255.255",  "100.128.0.0",     "172.15.255.255",
        "172.32.0.0",     "192.167.0.1",      "223.255.255.255", "2606:4700::1111", "2001:4860::1",
        "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"};
    static const char *const closed[] = {"0.0.0.0",
                                         "10.1.2.3",
                                         "100.64.0.1",
                                         "127.0.0.1",
                                         "127.255.255.255",
                                         "169.254.169.254",
                                         "172.16.0.1",
                                         "172.31.255.255",
                                         "192.168.1.1",
                                         "192.0.0.8",
                                         "198.18.0.1",
                                         "198.19.255.255",
                                         "224.0.0.1",
                                         "240.0.0.1",
                                         "255.255.255.255",
                                         "::",
                                         "::1",
                                         "::7f00:1",
                                         "fc00::1",
                                         "fdff::1",
                                         "fe80::1",
                                         "febf::1",
                                         "fec0::1",
                                         "ff02::1",
                                         "2001:db8::1",
                                         "2001:0::1",
                                         "::ffff:10.0.0.1",
                                         "64:ff9b::a00:1",
                                         "64:ff9b:1::1",
                                         "2002:7f00:1::1",
                                         "100::1"};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        cr_expect(is_public(open[i]), "%s", open[i]);
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
        cr_expect_not(is_public(closed[i]), "%s", closed[i]);
    cr_expect_not(fetch_public_address((const uint8_t *)"12345", 5));
}

static enum status run(const char *url, const char *const *headers, bool public_only, struct fault *fault)
{
    struct fetch *fetch = fetch_new(public_only);
    struct fetch_answer answer;
    struct fetch_request request = {
        .url = url, .headers = headers, .connect_ms = 2000, .total_ms = 2000, .body_max = 1000};
    cr_assert_not_null(fetch);
    enum status status = fetch_run(fetch, &request, &answer, fault);
    cr_expect_eq(answer.code, 0);
    fetch_answer_free(&answer);
    fetch_free(fetch);
    return status;
}

Test(base_fetch, refuses_other_schemes_and_broken_urls)
{
    static const char *const urls[] = {
        "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "", "127.0.0.1:80", "http://",
        "/relative",          "http://a b/",      "http://h:99999/"};
    struct fault fault;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        cr_expect_eq(run(urls[i], NULL, false, &fault), STATUS_PEER, "%s", urls[i]);
        cr_expect_neq(fault.next_step[0], '\0');
    }
}

Test(base_fetch, refuses_private_addresses_when_it_is_told_to)
{
    static const char *const urls[] = {"http://127.0.0.1:9/",  "http://[::1]:9/",
                                       "http://localhost:9/",  "http://169.254.169.254/latest/meta-data",
                                       "http://0x7f000001:9/", "http://[::ffff:127.0.0.1]:9/"};
    struct fault fault;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        cr_expect_eq(run(urls[i], NULL, true, &fault), STATUS_PEER, "%s", urls[i]);
        cr_expect_not_null(strstr(fault.detail, "not an address of the public internet"), "%s: %s", urls[i],
                           fault.detail);
    }
}

Test(base_fetch, refuses_a_header_with_a_line_break)
{
    struct fault fault;
    const char *headers[] = {"Authorization: Bearer s3cret\r\nX-Evil: 1", NULL};
    cr_assert_eq(run("http://127.0.0.1:9/", headers, false, &fault), STATUS_PEER);
    cr_assert_not_null(strstr(fault.detail, "Authorization"));
    cr_assert_null(strstr(fault.detail, "s3cret"));
    const char *bare[] = {"no colon", NULL};
    cr_assert_eq(run("http://127.0.0.1:9/", bare, false, &fault), STATUS_PEER);
}

Test(base_fetch, a_refused_connection_is_a_fault_that_hides_path_and_password)
{
    struct fault fault;
    cr_assert_eq(run("http://user:pa55@127.0.0.1:1/secret-path?token=t", NULL, false, &fault), STATUS_PEER);
    cr_assert_not_null(strstr(fault.detail, "http://127.0.0.1:1"));
    cr_assert_null(strstr(fault.detail, "pa55"));
    cr_assert_null(strstr(fault.detail, "secret"));
    cr_assert_neq(fault.next_step[0], '\0');
}
