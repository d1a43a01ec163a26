/* Long-poll: parked clients are woken by a change, by their deadline, by a shutdown, and do not pile up when
 * they leave. */
#include "gateway_world.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MANY = 200 };

static struct gateway_world world;

static void open_world(void)
{
    gateway_world_open(&world);
    gateway_world_start(&world);
    gateway_world_ready(&world);
}

static void close_world(void)
{
    gateway_world_close(&world);
}

TestSuite(gateway_parking, .init = open_world, .fini = close_world, .timeout = 60);

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int park(const char *etag, const char *wait)
{
    char text[512];
    int fd = gateway_dial(&world);
    int length =
        snprintf(text, sizeof text,
                 "GET /v1/routes/chat?wait=%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " GATEWAY_TOKEN
                 "\r\nIf-None-Match: %s\r\nSerin-Gateway: gw-p\r\n\r\n",
                 wait, etag);
    cr_assert_eq(send(fd, text, (size_t)length, MSG_NOSIGNAL), length);
    return fd;
}

/* The status code that comes within `ms`; 0 = nothing came, -1 = closed. */
static int code_within(int fd, int ms)
{
    char text[4096];
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    if (poll(&waiting, 1, ms) != 1)
        return 0;
    ssize_t got = recv(fd, text, sizeof text - 1, 0);
    if (got <= 9)
        return -1;
    text[got] = '\0';
    return atoi(text + 9);
}

static long long parked(void)
{
    static const char name[] = "\nserin_gateway_parked ";
    struct reply reply = gateway_ask(&world, "/metrics", &(struct ask){.token = ""});
    const char *at = strstr(reply.body, name);
    cr_assert_not_null(at, "%s", reply.body);
    return atoll(at + strlen(name));
}

static void wait_for_parked(long long wanted)
{
    for (int i = 0; i < 500 && parked() != wanted; i++)
        gateway_sleep_ms(10);
    cr_assert_eq(parked(), wanted);
}

Test(gateway_parking, a_change_wakes_at_once)
{
    struct reply route = gateway_get(&world, "/v1/routes/chat");
    int fd = park(route.etag, "30s");
    cr_assert_eq(code_within(fd, 300), 0);
    gateway_world_route(&world, "v2", NULL, 0, NULL);
    long long begin = now_ms();
    cr_assert_eq(code_within(fd, 5000), 200);
    /* far below the poll of a second: the notification did it (tens of ms even on a busy machine) */
    cr_assert_lt(now_ms() - begin, 500);
    close(fd);
}

Test(gateway_parking, the_deadline_gives_304)
{
    struct reply route = gateway_get(&world, "/v1/routes/chat");
    struct reply reply =
        gateway_ask(&world, "/v1/routes/chat?wait=400ms", &(struct ask){.if_none_match = route.etag});
    gateway_expect(&reply, 304);
    cr_assert_geq(reply.seconds, 0.39);
    cr_assert_lt(reply.seconds, 1.5);
}

Test(gateway_parking, a_later_and_shorter_wait_is_not_kept_waiting)
{
    struct reply route = gateway_get(&world, "/v1/routes/chat");
    int fd = park(route.etag, "30s");
    wait_for_parked(1);
    struct reply reply =
        gateway_ask(&world, "/v1/routes/chat?wait=200ms", &(struct ask){.if_none_match = route.etag});
    gateway_expect(&reply, 304);
    cr_assert_lt(reply.seconds, 1.0);
    close(fd);
}

Test(gateway_parking, without_an_etag_nobody_waits)
{
    struct reply reply = gateway_get(&world, "/v1/routes/chat?wait=30s");
    gateway_expect(&reply, 200);
    cr_assert_lt(reply.seconds, 1.0);
}

Test(gateway_parking, a_client_ahead_waits_too_instead_of_spinning)
{
    struct reply reply = gateway_ask(&world, "/v1/routes/chat?wait=300ms",
                                     &(struct ask){.if_none_match = "\"1.9.0123456789abcdef\""});
    gateway_expect(&reply, 304);
    cr_assert_str_eq(reply.behind, "true");
    cr_assert_geq(reply.seconds, 0.29);
}

Test(gateway_parking, clients_that_vanish_make_room)
{
    struct reply route = gateway_get(&world, "/v1/routes/chat");
    int fd[MANY];
    for (int i = 0; i < MANY; i++)
        fd[i] = park(route.etag, "60s");
    wait_for_parked(MANY);
    for (int i = 0; i < MANY; i++)
        close(fd[i]);
    wait_for_parked(0);
    /* and what was heard of them was written down */
    long long applied = 0;
    for (int i = 0; i < 300 && applied != 1; i++) {
        gateway_sleep_ms(10);
        applied =
            database_number(&world.database, "SELECT applied_epoch FROM gateways WHERE instance = 'gw-p'");
    }
    cr_assert_eq(applied, 1);
}

/* It counts as live for a minute after it was heard last. */
Test(gateway_parking, a_gateway_that_stays_parked_is_heard_again)
{
    static const char heard[] =
        "SELECT coalesce((SELECT (extract(epoch FROM heard_at) * 1000)::bigint FROM gateways "
        "WHERE instance = 'gw-p'), 0)";
    struct reply route = gateway_get(&world, "/v1/routes/chat");
    int fd = park(route.etag, "60s");
    long long first = 0, again = 0;
    for (int i = 0; i < 500 && first == 0; i++) {
        gateway_sleep_ms(10);
        first = database_number(&world.database, heard);
    }
    cr_assert_gt(first, 0);
    for (int i = 0; i < 300 && again <= first + 4000; i++) {
        gateway_sleep_ms(100);
        again = database_number(&world.database, heard);
    }
    cr_assert_gt(again, first + 4000);
    wait_for_parked(1);
    close(fd);
}

Test(gateway_parking, a_change_wakes_all)
{
    struct reply route = gateway_get(&world, "/v1/routes/chat");
    int fd[MANY];
    for (int i = 0; i < MANY; i++)
        fd[i] = park(route.etag, "60s");
    wait_for_parked(MANY);
    gateway_world_route(&world, "v1", "v2", 100, "15 minutes");
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(code_within(fd[i], 5000), 200);
        close(fd[i]);
    }
    wait_for_parked(0);
}

Test(gateway_parking, a_lease_that_runs_out_wakes)
{
    gateway_world_route(&world, "v1", "v2", 100, "3 seconds");
    struct reply route = gateway_world_await(&world, 2);
    struct reply lapsed =
        gateway_ask(&world, "/v1/routes/chat?wait=30s", &(struct ask){.if_none_match = route.etag});
    gateway_expect(&lapsed, 200);
    cr_assert_lt(lapsed.seconds, 8.0);
    cr_assert_eq(gateway_weight(&lapsed, "v1"), 10000);
    cr_assert_eq(gateway_weight(&lapsed, "v2"), -1);
    cr_assert_eq(gateway_number(&lapsed, "epoch"), 2);
    cr_assert_not_null(strstr(lapsed.body, "\"valid_until\":null"));
}

Test(gateway_parking, parking_ends_below_the_connection_limit)
{
    gateway_world_stop(&world);
    world.options.connections = 16;
    gateway_world_start(&world);
    gateway_world_ready(&world);
    struct reply route = gateway_get(&world, "/v1/routes/chat");
    int fd[13];
    for (int i = 0; i < 12; i++)
        fd[i] = park(route.etag, "60s");
    wait_for_parked(12);
    fd[12] = park(route.etag, "60s");
    cr_assert_eq(code_within(fd[12], 2000), 304);
    struct reply live = gateway_get(&world, "/livez");
    gateway_expect(&live, 200);
    for (int i = 0; i < 13; i++)
        close(fd[i]);
}

Test(gateway_parking, a_shutdown_answers_the_parked)
{
    struct reply route = gateway_get(&world, "/v1/routes/chat");
    int fd[MANY];
    for (int i = 0; i < MANY; i++)
        fd[i] = park(route.etag, "60s");
    wait_for_parked(MANY);
    gateway_quiesce(world.gateway);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(code_within(fd[i], 5000), 304);
    struct reply ready = gateway_get(&world, "/readyz");
    gateway_expect(&ready, 503);
    ready = gateway_get(&world, "/livez");
    gateway_expect(&ready, 200);
    /* nobody is parked any more */
    struct reply reply =
        gateway_ask(&world, "/v1/routes/chat?wait=30s", &(struct ask){.if_none_match = route.etag});
    gateway_expect(&reply, 304);
    cr_assert_lt(reply.seconds, 1.0);
    gateway_world_stop(&world);
    for (int i = 0; i < MANY; i++)
        close(fd[i]);
}

Test(gateway_parking, a_stop_without_quiesce_does_not_abort)
{
    struct reply route = gateway_get(&world, "/v1/routes/chat");
    int fd[MANY];
    for (int i = 0; i < MANY; i++)
        fd[i] = park(route.etag, "60s");
    wait_for_parked(MANY);
    long long begin = now_ms();
    gateway_world_stop(&world);
    cr_assert_lt(now_ms() - begin, 5000);
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(code_within(fd[i], 100), 304);
        close(fd[i]);
    }
}

Test(gateway_parking, several_threads_share_the_port)
{
    gateway_world_stop(&world);
    world.options.threads = 3;
    gateway_world_start(&world);
    gateway_world_ready(&world);
    struct reply route = gateway_get(&world, "/v1/routes/chat");
    gateway_expect(&route, 200);
    int fd[30];
    for (int i = 0; i < 30; i++)
        fd[i] = park(route.etag, "60s");
    wait_for_parked(30);
    gateway_world_route(&world, "v2", NULL, 0, NULL);
    for (int i = 0; i < 30; i++) {
        cr_assert_eq(code_within(fd[i], 5000), 200);
        close(fd[i]);
    }
}
