/* Reading counters from something that is not Prometheus, or a very bad one: it ends as a fault, in bounded
   time and memory, and the cursor stays. And what is sent to it. */
#include "base/clock.h"
#include "sources/prometheus.h"
#include "support/peer.h"
#include "support/polled.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum mode {
    HONEST,
    ENDLESS,
    DRIP,
    SILENT,
    REDIRECT,
    HTML,
    HUGE_VALUE,
    NOT_FOUND,
    FORBIDDEN,
    ERROR_503,
    WARNING,
    CLOSE,
    BOMB,
    LABELS,
    WRONG_TYPES,
    HEADERS
};

static const char vector[] =
    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":"
    "{\"release\":\"v2\"},\"value\":[1,\"%s\"]}]}%s}";

static struct peer *peer;
static enum mode mode;
static char seen[4][1024], authorization[128];
static int seen_count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct spec_source source;
static struct source_tick tick;
static struct text cursor;
static struct fault fault;

/* gzip of some megabytes of zeros would begin so; what matters is that it is not JSON as it comes. */
static const char bomb[] = "\x1f\x8b\x08\x01\x01\x01\x01\x01\x02\xff\xec\xc1\x01\x01\x01\x01\x01\x80\x90";

/* As many labels as fit into an answer that is read. */
static void send_labels(int fd)
{
    struct text body;
    text_init(&body, SOURCE_BODY_MAX);
    text_puts(&body,
              "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{"
              "\"release\":\"v2\"");
    for (int i = 0; i < 499000; i++)
        text_printf(&body, ",\"%x\":\"\"", i);
    text_puts(&body, "},\"value\":[1,\"x\"]}]}}");
    peer_answer(fd, 200, NULL, text_get(&body));
    text_free(&body);
}

static void play(struct peer *self, int fd, const struct peer_request *request, void *context)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    static char flood[65536];
    char body[400];
    (void)context;
    pthread_mutex_lock(&mutex);
    if (seen_count < 4)
        snprintf(seen[seen_count++], sizeof seen[0], "%s %s %s", request->method, request->path,
                 request->body);
    peer_header(request, "Authorization", authorization, sizeof authorization);
    pthread_mutex_unlock(&mutex);
    switch (mode) {
    case HONEST:
        snprintf(body, sizeof body, vector, "5", "");
        peer_answer(fd, 200, NULL, body);
        break;
    case WARNING:
        snprintf(body, sizeof body, vector, "5", ",\"warnings\":[\"remote read: timeout\"]");
        peer_answer(fd, 200, NULL, body);
        break;
    case HUGE_VALUE:
        snprintf(body, sizeof body, vector, "1e308", "");
        peer_answer(fd, 200, NULL, body);
        break;
    case ENDLESS:
        memset(flood, '[', sizeof flood);
        peer_send(fd, head, sizeof head - 1);
        while (!peer_stopping(self) && peer_send(fd, flood, sizeof flood))
            ;
        break;
    case DRIP:
        peer_send(fd, head, sizeof head - 1);
        while (!peer_stopping(self) && peer_send(fd, " ", 1))
            usleep(50000);
        break;
    case SILENT:
        while (!peer_stopping(self))
            usleep(20000);
        break;
    case REDIRECT:
        peer_answer(fd, 307, "Location: http://127.0.0.1:1/\r\n", "");
        break;
    case HTML:
        peer_answer(fd, 200, "Content-Type: text/html\r\n", "<html>Please log in</html>");
        break;
    case NOT_FOUND:
        peer_answer(fd, 404, NULL, "404 page not found");
        break;
    case FORBIDDEN:
        peer_answer(fd, 401, NULL, "no");
        break;
    case ERROR_503:
        peer_answer(fd, 503, NULL,
                    "{\"status\":\"error\",\"errorType\":\"timeout\",\"error\":\"query timed out\"}");
        break;
    case BOMB: /* nobody asked for it, and nobody unpacks it */
        peer_answer(fd, 200, "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", bomb);
        break;
    case LABELS:
        send_labels(fd);
        break;
    case WRONG_TYPES:
        peer_answer(fd, 200, NULL,
                    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":"
                    "{\"release\":\"v2\"},\"value\":[\"1\",5]}]}}");
        break;
    case HEADERS:
        peer_send(fd, "HTTP/1.1 200 OK\r\n", 17);
        while (!peer_stopping(self) && peer_send(fd, "X-More: and more and more\r\n", 27))
            ;
        break;
    case CLOSE:
        break;
    }
}

static void set_up(void)
{
    setenv("no_proxy", "*", 1);
    peer = peer_new(play, NULL);
    text_init(&cursor, SOURCE_CURSOR_MAX);
    source =
        (struct spec_source){.kind = SOURCE_PROMETHEUS, .interval_ms = 15000, .release_label = "release"};
    snprintf(source.url, sizeof source.url, "http://127.0.0.1:%d/prom//", peer_port(peer));
    snprintf(source.requests, sizeof source.requests, "req_total{a=\"b & c\",d=~\"\xc3\xa9.+\"}");
    snprintf(source.bad[SLI_ERROR], sizeof source.bad[SLI_ERROR], "err_total");
}

static void tear_down(void)
{
    peer_free(peer);
    text_free(&cursor);
}

TestSuite(sources_prometheus_hostile, .timeout = 120, .init = set_up, .fini = tear_down);

static enum status read_now(void)
{
    fault = (struct fault){0};
    struct source_want want = {.service = "chat", .stable = "v1", .canary = "v2"};
    return polled_read_now(&source, &want, "", &tick, &cursor, &fault);
}

Test(sources_prometheus_hostile, what_is_asked)
{
    char *time_one, *time_two;
    setenv("SERIN_PROMETHEUS_TOKEN", "t0k.en", 1);
    snprintf(source.bearer_token_env, sizeof source.bearer_token_env, "SERIN_PROMETHEUS_TOKEN");
    cr_assert_eq(read_now(), STATUS_OK, "%s", fault.detail);
    cr_assert(tick.first);
    cr_assert_eq(seen_count, 2);
    cr_assert_str_eq(authorization, "Bearer t0k.en");
    cr_assert_eq(strncmp(seen[0],
                         "POST /prom/api/v1/query "
                         "query=req_total%7Ba%3D%22b%20%26%20c%22%2Cd%3D~%22%C3%A9.%2B%22%7D&time=",
                         90),
                 0, "%s", seen[0]);
    cr_assert_not_null(strstr(seen[1], "query=err_total&"));
    time_one = strstr(seen[0], "&time=");
    time_two = strstr(seen[1], "&time=");
    cr_assert(time_one != NULL && time_two != NULL);
    cr_assert_eq(strncmp(time_one, time_two, strlen("&time=1795440891.212&")), 0);
    cr_assert_not_null(strstr(time_one, "&timeout="));
}

Test(sources_prometheus_hostile, tokens)
{
    snprintf(source.bearer_token_env, sizeof source.bearer_token_env, "NO_SUCH_PROMETHEUS_TOKEN");
    cr_assert_eq(read_now(), STATUS_PEER);
    cr_assert_not_null(strstr(fault.next_step, "NO_SUCH_PROMETHEUS_TOKEN"));
    /* a policy must not be able to send the other secrets of serind to a URL of its choice */
    setenv("SERIN_DATABASE_URL", "postgres://secret", 1);
    snprintf(source.bearer_token_env, sizeof source.bearer_token_env, "SERIN_DATABASE_URL");
    cr_assert_eq(read_now(), STATUS_PEER);
    cr_assert_eq(peer_requests(peer), 0);
    setenv("PROMETHEUS_BAD", "a\nX-Evil: 1", 1);
    snprintf(source.bearer_token_env, sizeof source.bearer_token_env, "PROMETHEUS_BAD");
    cr_assert_eq(read_now(), STATUS_PEER);
    cr_assert_eq(peer_requests(peer), 0);
}

Test(sources_prometheus_hostile, a_warning_is_told)
{
    mode = WARNING;
    cr_assert_eq(read_now(), STATUS_OK, "%s", fault.detail);
    cr_assert(tick.warned && !tick.valid);
    cr_assert_str_eq(text_get(&cursor), "{}");
}

Test(sources_prometheus_hostile, everything_else_is_a_fault_with_a_next_step)
{
    static const struct {
        enum mode mode;
        const char *says;
    } cases[] = {{REDIRECT, "redirect"},      {HTML, "not JSON"},
                 {HUGE_VALUE, "not a count"}, {NOT_FOUND, "404"},
                 {FORBIDDEN, "401"},          {ERROR_503, "query timed out"},
                 {CLOSE, "127.0.0.1"},        {ENDLESS, "bytes"},
                 {BOMB, "not JSON"},          {WRONG_TYPES, "no readable value"},
                 {HEADERS, "headers"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mono_time begun = clock_mono();
        mode = cases[i].mode;
        cr_expect_eq(read_now(), STATUS_PEER, "%d", (int)mode);
        cr_expect_not_null(strstr(fault.detail, cases[i].says), "%s: %s", cases[i].says, fault.detail);
        cr_expect_neq(fault.next_step[0], '\0', "%s", fault.detail);
        cr_expect_eq(cursor.length, 0);
        cr_expect(clock_mono_since_ms(begun) < 8000, "%s", cases[i].says);
    }
    mode = HONEST;
    cr_assert_eq(read_now(), STATUS_OK);
}

static void ends_in_time(void)
{
    struct mono_time begun = clock_mono();
    cr_assert_eq(read_now(), STATUS_PEER);
    cr_assert_not_null(strstr(fault.detail, "did not answer within"), "%s", fault.detail);
    cr_assert(clock_mono_since_ms(begun) < DESK_BUDGET_MS + 2000);
}

Test(sources_prometheus_hostile, a_slow_drip_ends)
{
    mode = DRIP;
    ends_in_time();
}

Test(sources_prometheus_hostile, silence_ends)
{
    mode = SILENT;
    ends_in_time();
}

/* The worst that can be read as objects, on several threads at once: it is read by one after the other. */
Test(sources_prometheus_hostile, memory_is_bounded)
{
    enum { AT_ONCE = 4 };
    struct desk *desk = desk_new(AT_ONCE);
    struct desk_news news[AT_ONCE] = {{.failed = false}};
    struct spec_source sources[AT_ONCE];
    struct rusage usage;
    bool all = false;
    mode = LABELS;
    for (int i = 0; i < AT_ONCE; i++) {
        sources[i] = source;
        sources[i].interval_ms += i; /* else they are the same, and asked once */
    }
    while (!all) {
        all = true;
        for (int i = 0; i < AT_ONCE; i++) {
            desk_give_back(news[i].round);
            cr_assert_eq(desk_ask(desk, &sources[i], &news[i], &fault), STATUS_OK);
            all = all && (news[i].round != NULL || news[i].failed);
        }
        usleep(10000);
    }
    for (int i = 0; i < AT_ONCE; i++)
        desk_give_back(news[i].round);
    desk_free(desk);
    getrusage(RUSAGE_SELF, &usage);
    cr_log_info("at most %ld KiB", usage.ru_maxrss);
    cr_assert(usage.ru_maxrss < 400 * 1024, "%ld KiB", usage.ru_maxrss);
}
