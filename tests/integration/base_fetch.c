/* The HTTP client against real sockets: well-behaved, slow and hostile. */
#include "base/clock.h"
#include "base/fetch.h"
#include "support/peer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BODY_MAX = 100000 };

static void handle(struct peer *peer, int fd, const struct peer_request *request, void *context)
{
    static char flood[65536];
    char value[256];
    (void)context;
    if (strcmp(request->path, "/echo") == 0) {
        char headers[300];
        snprintf(headers, sizeof headers, "X-Method: %s\r\nRetry-After: 7\r\n", request->method);
        peer_answer(fd, 200, headers,
                    request->length > 0 ? request->body : peer_header(request, "X-One", value, 256));
    } else if (strcmp(request->path, "/redirect") == 0) {
        peer_answer(fd, 302, "Location: /echo\r\n", "elsewhere");
    } else if (strcmp(request->path, "/teapot") == 0) {
        peer_answer(fd, 418, NULL, "short and stout");
    } else if (strcmp(request->path, "/endless") == 0) {
        static const char head[] = "HTTP/1.1 200 OK\r\n\r\n";
        peer_send(fd, head, sizeof head - 1);
        memset(flood, 'x', sizeof flood);
        while (!peer_stopping(peer) && peer_send(fd, flood, sizeof flood))
            ;
    } else if (strcmp(request->path, "/headers") == 0) {
        static const char head[] = "HTTP/1.1 200 OK\r\n", line[] = "X-More: of the same, again and again\r\n";
        peer_send(fd, head, sizeof head - 1);
        while (!peer_stopping(peer) && peer_send(fd, line, sizeof line - 1))
            ;
    } else if (strcmp(request->path, "/drip") == 0) {
        static const char head[] = "HTTP/1.1 200 OK\r\n\r\n";
        peer_send(fd, head, sizeof head - 1);
        while (!peer_stopping(peer) && peer_send(fd, "x", 1))
            usleep(20000);
    } else if (strcmp(request->path, "/silent") == 0) {
        while (!peer_stopping(peer))
            usleep(20000);
    } else if (strcmp(request->path, "/cut") == 0) {
        static const char part[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this";
        peer_send(fd, part, sizeof part - 1);
    } else if (strcmp(request->path, "/liar") == 0) {
        static const char part[] = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n";
        peer_send(fd, part, sizeof part - 1);
        while (!peer_stopping(peer))
            usleep(20000);
    } else {
        static const char noise[] = "\x01\x02 not http at all\r\n\r\n";
        peer_send(fd, noise, sizeof noise - 1);
    }
}

static struct peer *peer;
static struct fetch *fetch;
static struct fetch_answer answer;
static struct fault fault;

static void set_up(void)
{
    setenv("no_proxy", "*", 1);
    peer = peer_new(handle, NULL);
    fetch = fetch_new(false);
    cr_assert_not_null(fetch);
}

static void tear_down(void)
{
    fetch_answer_free(&answer);
    fetch_free(fetch);
    peer_free(peer);
}

TestSuite(fetch_peer, .timeout = 60, .init = set_up, .fini = tear_down);

static enum status get(const char *path, const char *body)
{
    char url[128];
    const char *headers[] = {"X-One: uno", NULL};
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", peer_port(peer), path);
    struct fetch_request request = {.url = url,
                                    .headers = headers,
                                    .body = body,
                                    .body_length = body != NULL ? strlen(body) : 0,
                                    .connect_ms = 1000,
                                    .total_ms = 1000,
                                    .body_max = BODY_MAX};
    fetch_answer_free(&answer);
    fault = (struct fault){0};
    return fetch_run(fetch, &request, &answer, &fault);
}

Test(fetch_peer, gets_and_posts)
{
    cr_assert_eq(get("/echo", NULL), STATUS_OK);
    cr_assert_eq(answer.code, 200);
    cr_assert_str_eq(text_get(&answer.body), "uno");
    cr_assert_eq(answer.retry_after_s, 7);
    cr_assert_eq(get("/echo", "a body & more"), STATUS_OK);
    cr_assert_str_eq(text_get(&answer.body), "a body & more");
    cr_assert_eq(get("/teapot", NULL), STATUS_OK);
    cr_assert_eq(answer.code, 418);
    cr_assert_str_eq(text_get(&answer.body), "short and stout");
    cr_assert_eq(answer.retry_after_s, 0);
}

Test(fetch_peer, follows_no_redirect)
{
    cr_assert_eq(get("/redirect", NULL), STATUS_PEER);
    cr_assert_eq(answer.code, 302);
    cr_assert_eq(peer_requests(peer), 1);
    cr_assert_not_null(strstr(fault.detail, "redirect"));
    cr_assert_neq(fault.next_step[0], '\0');
}

/* Each of these must end by itself, soon, and with bounded memory. */
Test(fetch_peer, whatever_comes_it_ends)
{
    static const char *const paths[] = {"/endless", "/headers", "/drip", "/silent",
                                        "/cut",     "/liar",    "/noise"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct mono_time begun = clock_mono();
        cr_expect_eq(get(paths[i], NULL), STATUS_PEER, "%s", paths[i]);
        cr_expect(clock_mono_since_ms(begun) < 2500, "%s took %lld ms", paths[i],
                  (long long)clock_mono_since_ms(begun));
        cr_expect(answer.body.capacity <= BODY_MAX + 1, "%s", paths[i]);
        cr_expect_neq(fault.next_step[0], '\0', "%s", paths[i]);
    }
    /* and the handle still works */
    cr_assert_eq(get("/echo", NULL), STATUS_OK);
}
