/* The desk: who shares an answer, and that nobody waits for anybody else's source. */
#include "base/clock.h"
#include "sources/prometheus.h"
#include "support/peer.h"
#include "support/polled.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct peer *honest, *silent;
static struct desk *desk;
static struct fault fault;
static atomic_int value; /* of every counter of requests; < 0: the peer answers 503 */

/* Two services with two releases each, told apart by a label. */
static void play(struct peer *self, int fd, const struct peer_request *request, void *context)
{
    char body[2000];
    int n = atomic_load(&value);
    bool bad = strstr(request->body, "query=err") != NULL;
    (void)self;
    (void)context;
    if (n < 0) {
        peer_answer(fd, 503, NULL, "{\"status\":\"error\",\"errorType\":\"timeout\",\"error\":\"too slow\"}");
        return;
    }
    snprintf(body, sizeof body,
             "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
             "{\"metric\":{\"service\":\"a\",\"release\":\"v1\"},\"value\":[1,\"%d\"]},"
             "{\"metric\":{\"service\":\"a\",\"release\":\"v2\"},\"value\":[1,\"%d\"]},"
             "{\"metric\":{\"service\":\"b\",\"release\":\"v1\"},\"value\":[1,\"%d\"]},"
             "{\"metric\":{\"service\":\"b\",\"release\":\"v2\"},\"value\":[1,\"%s\"]}]}}",
             bad ? 0 : 10 * n, bad ? 0 : n, bad ? 0 : 100 * n, bad ? "0" : "NaN");
    peer_answer(fd, 200, NULL, body);
}

static void play_dead(struct peer *self, int fd, const struct peer_request *request, void *context)
{
    (void)fd;
    (void)request;
    (void)context;
    while (!peer_stopping(self))
        usleep(20000);
}

static struct spec_source source_of(const struct peer *peer)
{
    struct spec_source source = {.kind = SOURCE_PROMETHEUS,
                                 .interval_ms = 1000,
                                 .service_label = "service",
                                 .release_label = "release",
                                 .requests = "req_total"};
    snprintf(source.url, sizeof source.url, "http://127.0.0.1:%d", peer_port(peer));
    snprintf(source.bad[SLI_ERROR], sizeof source.bad[SLI_ERROR], "err_total");
    return source;
}

static void set_up(void)
{
    setenv("no_proxy", "*", 1);
    atomic_store(&value, 1);
    honest = peer_new(play, NULL);
    silent = peer_new(play_dead, NULL);
    desk = desk_new(2);
    cr_assert_not_null(desk);
}

static void tear_down(void)
{
    peer_free(silent); /* so that nobody waits for it */
    desk_free(desk);
    peer_free(honest);
}

TestSuite(sources_desk, .timeout = 120, .init = set_up, .fini = tear_down);

/* Reads for service `name`; the cursor is kept in *cursor. */
static enum status read_for(const char *name, const struct spec_source *source, struct text *cursor,
                            struct source_tick *tick)
{
    struct source_want want = {.service = name, .stable = "v1", .canary = "v2"};
    struct text next;
    text_init(&next, SOURCE_CURSOR_MAX);
    enum status status = polled_read(desk, source, &want, text_get(cursor), tick, &next, &fault);
    if (status == STATUS_OK) {
        text_free(cursor);
        *cursor = next;
    } else {
        text_free(&next);
    }
    return status;
}

static void await_requests(int count)
{
    struct mono_time begun = clock_mono();
    struct spec_source source = source_of(honest);
    struct desk_news news;
    while (peer_requests(honest) < count) {
        cr_assert(clock_mono_since_ms(begun) < 30000, "never asked again");
        cr_assert_eq(desk_ask(desk, &source, &news, &fault), STATUS_OK);
        desk_give_back(news.round);
        usleep(10000);
    }
}

Test(sources_desk, services_with_the_same_settings_are_asked_once)
{
    struct spec_source source = source_of(honest);
    struct source_want want = {.service = "a", .stable = "v1", .canary = "v2"};
    struct source_tick tick;
    struct text cursor;
    text_init(&cursor, SOURCE_CURSOR_MAX);
    source.interval_ms = 300000;
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(read_for("a", &source, &cursor, &tick), STATUS_OK, "%s", fault.detail);
        /* what is odd about the one is no fault of the other */
        struct text none;
        text_init(&none, 100);
        cr_assert_eq(read_for("b", &source, &none, &tick), STATUS_PEER);
        cr_assert_not_null(strstr(fault.detail, "\"service\":\"b\""), "%s", fault.detail);
        text_free(&none);
    }
    cr_assert_eq(peer_requests(honest), 2, "%d: the requests and the errors, once", peer_requests(honest));
    /* another setting is another source */
    source.interval_ms = 200000;
    cr_assert_eq(polled_read(desk, &source, &want, "", &tick, &cursor, &fault), STATUS_OK);
    cr_assert_eq(peer_requests(honest), 4);
    text_free(&cursor);
}

Test(sources_desk, counts_are_what_happened_between_two_rounds)
{
    struct spec_source source = source_of(honest);
    struct source_tick tick;
    struct text cursor;
    struct mono_time begun = clock_mono();
    text_init(&cursor, SOURCE_CURSOR_MAX);
    cr_assert_eq(read_for("a", &source, &cursor, &tick), STATUS_OK, "%s", fault.detail);
    cr_assert(tick.first && !tick.valid);
    atomic_store(&value, 6);
    while (!tick.valid) {
        cr_assert(clock_mono_since_ms(begun) < 30000);
        cr_assert_eq(read_for("a", &source, &cursor, &tick), STATUS_OK, "%s", fault.detail);
        usleep(20000);
    }
    /* the second round may have begun before the counters rose; then the third has them */
    while (tick.counts[SLI_ERROR].n_c == 0) {
        cr_assert(clock_mono_since_ms(begun) < 30000);
        cr_assert_eq(read_for("a", &source, &cursor, &tick), STATUS_OK, "%s", fault.detail);
        usleep(20000);
    }
    cr_assert_eq(tick.counts[SLI_ERROR].n_c, 5);
    cr_assert_eq(tick.counts[SLI_ERROR].n_b, 50);
    text_free(&cursor);
}

Test(sources_desk, a_silent_source_holds_up_nobody)
{
    struct spec_source dead = source_of(silent), good = source_of(honest);
    struct desk_news news;
    struct source_tick tick;
    struct text cursor;
    text_init(&cursor, SOURCE_CURSOR_MAX);
    struct mono_time begun = clock_mono();
    cr_assert_eq(desk_ask(desk, &dead, &news, &fault), STATUS_OK);
    cr_assert(news.round == NULL && !news.failed);
    cr_assert_eq(read_for("a", &good, &cursor, &tick), STATUS_OK, "%s", fault.detail);
    /* it is still being asked: neither answer nor failure, and no second round */
    cr_assert_eq(desk_ask(desk, &dead, &news, &fault), STATUS_OK);
    cr_assert(news.round == NULL && !news.failed);
    cr_assert(clock_mono_since_ms(begun) < DESK_BUDGET_MS, "somebody has waited for it");
    cr_assert_leq(peer_requests(silent), 1);
    text_free(&cursor);
}

Test(sources_desk, a_failure_stays_until_the_next_good_round)
{
    struct spec_source source = source_of(honest);
    struct desk_news news = {.failed = false};
    struct source_tick tick;
    struct text cursor;
    struct mono_time begun = clock_mono();
    text_init(&cursor, SOURCE_CURSOR_MAX);
    cr_assert_eq(read_for("a", &source, &cursor, &tick), STATUS_OK, "%s", fault.detail);
    int asked = peer_requests(honest);
    atomic_store(&value, -1);
    await_requests(asked + 1);
    while (!news.failed) {
        cr_assert(clock_mono_since_ms(begun) < 30000);
        desk_give_back(news.round);
        cr_assert_eq(desk_ask(desk, &source, &news, &fault), STATUS_OK);
        usleep(10000);
    }
    cr_assert_null(news.round, "what was said before a failure is not what is so now");
    cr_assert_not_null(strstr(news.fault.detail, "too slow"), "%s", news.fault.detail);
    cr_assert_neq(news.fault.next_step[0], '\0');
    atomic_store(&value, 2);
    while (news.failed) {
        cr_assert(clock_mono_since_ms(begun) < 30000);
        cr_assert_eq(desk_ask(desk, &source, &news, &fault), STATUS_OK);
        usleep(10000);
    }
    cr_assert_not_null(news.round);
    desk_give_back(news.round);
    text_free(&cursor);
}
