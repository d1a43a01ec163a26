/* Tests of the server over real sockets: what arrives at handlers and what comes back, byte for byte. */
#include "http_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(http_server, .timeout = 30, .init = start, .fini = stop);

Test(http_server, answers_json)
{
    ask("GET /items/a%2Fb?q=x+y%21 HTTP/1.1\r\nX-Test: one\r\nx-test: two\r\n" LAST "\r\n");
    has("HTTP/1.1 200 OK\r\n");
    has("Content-Type: application/json\r\n");
    has("Cache-Control: no-store\r\n");
    has("\r\n\r\n{\"context\":\"told\",\"method\":\"GET\",\"path\":\"/items/a/b\",\"id\":\"a/b\",\"q\":\"x "
        "y!\","
        "\"header\":\"one, two\",\"peer\":\"127.0.0.1\",\"body\":\"\",\"role\":0}");
    cr_assert_eq(atomic_load(&observed), 1);
}

Test(http_server, request_id_is_kept_or_made)
{
    ask("GET /open HTTP/1.1\r\nX-Request-Id: Mine.1\r\n" LAST "\r\n");
    has("X-Request-Id: Mine.1\r\n");
    ask("GET /open HTTP/1.1\r\nX-Request-Id: not this one\r\n" LAST "\r\n");
    has("X-Request-Id: req_");
    ask("GET /nowhere HTTP/1.1\r\n" LAST "\r\n");
    has("X-Request-Id: req_");
    has("\"instance\":\"req_");
}

Test(http_server, head_is_get_without_a_body)
{
    ask("HEAD /versioned HTTP/1.1\r\n" LAST "\r\n");
    has("HTTP/1.1 200 OK\r\n");
    has("Content-Length: 7\r\n");
    has("ETag: \"v7\"\r\n");
    lacks("{");
}

Test(http_server, nothing_there_and_wrong_method)
{
    ask("GET /nowhere HTTP/1.1\r\n" LAST "\r\n");
    has("HTTP/1.1 404 Not Found\r\n");
    has("Content-Type: application/problem+json\r\n");
    has("\"type\":\"https://serin.dev/problems/not-found\"");
    has("\"detail\":\"there is nothing at /nowhere\"");
    cr_assert_eq(atomic_load(&observed), 100);
    ask("DELETE /open HTTP/1.1\r\n" LAST "\r\n");
    has("HTTP/1.1 405 Method Not Allowed\r\n");
    has("Allow: GET, HEAD, POST\r\n");
    ask("BREW /open HTTP/1.1\r\n" LAST "\r\n");
    has("HTTP/1.1 405 ");
}

Test(http_server, bodies_arrive)
{
    ask("POST /open HTTP/1.1\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: 7\r\n" LAST
        "\r\n{\"a\":1}");
    has("HTTP/1.1 201 Created\r\n");
    has("\"body\":\"{\\\"a\\\":1}\"");
    ask("POST /open HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n" LAST
        "\r\n3\r\n{\"a\r\n4\r\n\":2}\r\n0\r\n\r\n");
    has("\"body\":\"{\\\"a\\\":2}\"");
    ask("POST /open HTTP/1.1\r\nContent-Length: 0\r\n" LAST "\r\n");
    has("HTTP/1.1 201 Created\r\n");
}

Test(http_server, bodies_of_a_foreign_kind)
{
    ask("POST /open HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n" LAST
        "\r\na=b");
    has("HTTP/1.1 415 Unsupported Media Type\r\n");
    has("Content-Type: application/json.\"");
    ask("POST /open HTTP/1.1\r\nContent-Length: 3\r\n" LAST "\r\n{ }");
    has("HTTP/1.1 415 ");
    ask("POST /open HTTP/1.1\r\nContent-Type: application/jsonx\r\nContent-Length: 3\r\n" LAST "\r\n{ }");
    has("HTTP/1.1 415 ");
    ask("POST /open HTTP/1.1\r\nContent-Type: application/json;charset=latin1\r\nContent-Length: 3\r\n" LAST
        "\r\n{ }");
    has("HTTP/1.1 415 ");
    ask("POST /open HTTP/1.1\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
        "Content-Length: 3\r\n" LAST "\r\nabc");
    has("HTTP/1.1 415 ");
    has("without Content-Encoding");
    ask("POST /bytes HTTP/1.1\r\nContent-Type: text/csv\r\nContent-Length: 3\r\n" LAST "\r\nabc");
    has("HTTP/1.1 200 OK\r\n");
    has("\r\n\r\n3");
    cr_assert_eq(atomic_load(&handled), 0);
}

Test(http_server, bodies_that_are_too_large)
{
    static char request[4096];
    char body[1100];
    memset(body, ' ', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    sprintf(request, "POST /bytes HTTP/1.1\r\nContent-Length: 1000\r\n" LAST "\r\n%.1000s", body);
    ask(request);
    has("\r\n\r\n1000");
    sprintf(request, "POST /bytes HTTP/1.1\r\nContent-Length: 1001\r\n" LAST "\r\n%.1001s", body);
    ask(request);
    has("HTTP/1.1 413 ");
    has("\"detail\":\"the body is larger than 1000 bytes\"");
    sprintf(request,
            "POST /bytes HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" LAST "\r\n3e9\r\n%.1001s\r\n0\r\n\r\n",
            body);
    ask(request);
    has("HTTP/1.1 413 ");
    has("\"detail\":\"the body is larger than 1000 bytes\"");
    sprintf(request,
            "POST /closed HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" LAST "\r\n3e9\r\n%.1001s\r\n0\r\n\r\n",
            body);
    ask(request);
    has("HTTP/1.1 401 ");
    ask("POST /bytes HTTP/1.1\r\nContent-Length: 99999999999\r\n" LAST "\r\n");
    has("HTTP/1.1 413 ");
}

Test(http_server, a_refused_body_of_some_size_is_read_so_that_the_answer_arrives)
{
    enum { SIZE = 4 << 20 };
    char *request = malloc(SIZE + 200);
    int head = sprintf(request, "POST /bytes HTTP/1.1\r\nContent-Length: %d\r\n" LAST "\r\n", SIZE);
    memset(request + head, 'x', SIZE);
    request[head + SIZE] = '\0';
    ask(request);
    has("HTTP/1.1 413 ");
    free(request);
}

Test(http_server, expect_is_refused_before_the_body)
{
    ask("POST /bytes HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n" LAST "\r\n");
    has("HTTP/1.1 413 ");
    lacks("100 Continue");
}

Test(http_server, tokens_and_roles)
{
    ask("GET /closed HTTP/1.1\r\n" LAST "\r\n");
    has("HTTP/1.1 401 Unauthorized\r\n");
    has("WWW-Authenticate: Bearer\r\n");
    ask("GET /closed HTTP/1.1\r\nAuthorization: 2\r\n" LAST "\r\n");
    has("HTTP/1.1 403 Forbidden\r\n");
    has("\"detail\":\"this needs the role engineer, the token has viewer\"");
    has("\"next_step\":\"Use a token with the role engineer;");
    cr_assert_eq(atomic_load(&handled), 0);
    ask("GET /closed HTTP/1.1\r\nAuthorization: 3\r\n" LAST "\r\n");
    has("\"role\":3");
    ask("POST /closed HTTP/1.1\r\nAuthorization: 4\r\nContent-Type: application/json\r\nContent-Length: "
        "2\r\n" LAST "\r\n{}");
    has("HTTP/1.1 403 ");
    ask("GET /open HTTP/1.1\r\nAuthorization: 9\r\n" LAST "\r\n");
    has("\"role\":0");
    for (int i = 0; i < 500 && atomic_load(&released) < 3; i++) {
        usleep(2000); /* a request is over a moment after its answer */
    }
    cr_assert_eq(atomic_load(&authenticated), 3);
    cr_assert_eq(atomic_load(&released), 3);
}

Test(http_server, faults_become_problems)
{
    ask("GET /fail HTTP/1.1\r\n" LAST "\r\n");
    has("HTTP/1.1 422 ");
    has("\"errors\":[{\"pointer\":\"/a\",\"detail\":\"bad\"}]");
    has("Cache-Control: no-store\r\n");
    lacks("never seen");
    ask("GET /bare HTTP/1.1\r\n" LAST "\r\n");
    has("HTTP/1.1 503 ");
    has("Retry-After: 1\r\n");
    has("\"detail\":\"The database did not answer\"");
}

Test(http_server, conditional_get)
{
    ask("GET /versioned HTTP/1.1\r\n" LAST "\r\n");
    has("HTTP/1.1 200 OK\r\n");
    has("Cache-Control: no-cache\r\n");
    lacks("no-store");
    ask("GET /versioned HTTP/1.1\r\nIf-None-Match: \"v6\", W/\"v7\"\r\n" LAST "\r\n");
    has("HTTP/1.1 304 Not Modified\r\n");
    has("ETag: \"v7\"\r\n");
    lacks("{");
    ask("GET /versioned HTTP/1.1\r\nIf-None-Match: \"v6\"\r\n" LAST "\r\n");
    has("{\"v\":7}");
    ask("GET /versioned HTTP/1.1\r\nIf-None-Match: v7\r\n" LAST "\r\n");
    has("{\"v\":7}");
}

Test(http_server, no_content)
{
    ask("DELETE /empty HTTP/1.1\r\n" LAST "\r\n");
    has("HTTP/1.1 204 No Content\r\n");
    lacks("\r\nContent-Type:");
}

Test(http_server, escapes_that_are_broken)
{
    ask("GET /items/%g0 HTTP/1.1\r\n" LAST "\r\n");
    has("HTTP/1.1 400 Bad Request\r\n");
    ask("GET /open?q=%00 HTTP/1.1\r\n" LAST "\r\n");
    has("HTTP/1.1 400 ");
    has("the query parameter \\\"q\\\" cannot be decoded");
    ask("GET /open?q=1&q=2 HTTP/1.1\r\n" LAST "\r\n");
    has("comes twice");
}

Test(http_server, several_requests_on_one_connection)
{
    int fd = dial();
    say(fd, "GET /items/1 HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(fd, 300);
    has("\"id\":\"1\"");
    say(fd, "GET /items/2 HTTP/1.1\r\nHost: x\r\n\r\nGET /items/3 HTTP/1.1\r\n" LAST "\r\n");
    hear(fd, 2000);
    has("\"id\":\"2\"");
    has("\"id\":\"3\"");
    close(fd);
}

Test(http_server, rubbish_leaves_the_server_well)
{
    static char wide[70000];
    int blank = dial();
    say(blank, "\r\n\r\n");
    hear(blank, 50);
    close(blank);
    ask("GET\r\n\r\n");
    ask("GET /open HTTP/1.1\r\nbroken header\r\n\r\n");
    ask("POST /open HTTP/1.1\r\nContent-Length: x\r\n" LAST "\r\n");
    ask("POST /open HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n" LAST "\r\nzz\r\n");
    int fd = dial();
    say(fd,
        "POST /open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\nhalf");
    close(fd);
    strcpy(wide, "GET /open HTTP/1.1\r\nX-Wide: ");
    memset(wide + strlen(wide), 'w', 60000);
    strcat(wide, "\r\n" LAST "\r\n");
    ask(wide);
    has("HTTP/1.1 431 ");
    strcpy(wide, "GET /open HTTP/1.1\r\n");
    for (int i = 0; i < 70; i++) {
        sprintf(wide + strlen(wide), "X-%d: 1\r\n", i);
    }
    strcat(wide, LAST "\r\n");
    ask(wide);
    has("HTTP/1.1 400 ");
    has("more than 64 header lines");
    ask("GET /open HTTP/1.1\r\nX-Test: 1\r\nX-Test: 2\r\nX-Test: 3\r\nX-Test: 4\r\nX-Test: 5\r\nX-Test: 6\r\n"
        "X-Test: 7\r\nX-Test: 8\r\nX-Test: 9\r\nX-Test: 10\r\n" LAST "\r\n");
    has("too many repeated header lines");
    ask("GET /open HTTP/1.1\r\n" LAST "\r\n");
    has("HTTP/1.1 200 OK\r\n");
}
