/* GET /v1/routes: all services in one answer, by the revision of the routes. */
#include "gateway_world.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct gateway_world world;

static void open_world(void)
{
    gateway_world_open(&world);
    world.options.poll_ms = 100;
    world.options.stale_after_ms = 600;
    gateway_world_start(&world);
    gateway_world_ready(&world);
}

static void close_world(void)
{
    gateway_world_close(&world);
}

TestSuite(gateway_overview, .init = open_world, .fini = close_world, .timeout = 60);

/* A second service with a route. */
static void add_shop(void)
{
    database_do(world.database.db,
                "BEGIN; INSERT INTO services (name, sticky) VALUES ('shop', 'none');"
                "INSERT INTO releases (service, name, content, digest, behaviour, created_by)"
                "  SELECT 'shop', 'w1', content, digest, behaviour, 'test' FROM releases"
                "  WHERE service = 'chat' AND name = 'v1';"
                "INSERT INTO routes (service, epoch, stable, canary, canary_weight, salt, written_at)"
                "  VALUES ('shop', 1, 'w1', NULL, 0, 'salt', serin_now());"
                "UPDATE route_rev SET rev = rev + 1;"
                "INSERT INTO route_state (service, epoch, rev) SELECT 'shop', 1, rev FROM route_rev;"
                "NOTIFY serin_routes; COMMIT");
}

/* Asks until the answer has this text in it. */
static struct reply await(const char *text)
{
    struct reply reply = gateway_get(&world, "/v1/routes");
    for (int i = 0; i < 500 && strstr(reply.body, text) == NULL; i++) {
        gateway_sleep_ms(10);
        reply = gateway_get(&world, "/v1/routes");
    }
    cr_assert_not_null(strstr(reply.body, text), "%s is not in %s", text, reply.body);
    return reply;
}

static long long rev(void)
{
    return database_number(&world.database, "SELECT rev FROM route_rev");
}

/* The epoch that gw-a is noted to have applied of a service; 0: none. */
static long long applied(const char *service)
{
    char sql[256];
    snprintf(
        sql, sizeof sql,
        "SELECT coalesce(max(applied_epoch), 0) FROM gateways WHERE service = '%s' AND instance = 'gw-a'",
        service);
    return database_number(&world.database, sql);
}

static void wait_for_applied(const char *service, long long epoch)
{
    for (int i = 0; i < 800 && applied(service) != epoch; i++)
        gateway_sleep_ms(10);
    cr_assert_eq(applied(service), epoch, "%s: %lld", service, applied(service));
}

static struct reply poll_as(const char *etag)
{
    return gateway_ask(&world, "/v1/routes", &(struct ask){.instance = "gw-a", .if_none_match = etag});
}

Test(gateway_overview, each_route_is_in_it_as_it_is_served_alone)
{
    static char expected[20000];
    char number[32];
    add_shop();
    struct reply all = await("\"service\":\"shop\"");
    struct reply chat = gateway_get(&world, "/v1/routes/chat"), shop = gateway_get(&world, "/v1/routes/shop");
    gateway_expect(&all, 200);
    snprintf(expected, sizeof expected, "{\"incarnation\":1,\"revision\":%lld,\"routes\":[%s,%s]}", rev(),
             chat.body, shop.body);
    cr_assert_str_eq(all.body, expected);
    snprintf(number, sizeof number, "\"1.%lld.", rev());
    cr_assert_eq(strncmp(all.etag, number, strlen(number)), 0, "%s", all.etag);
    snprintf(number, sizeof number, "%lld", rev());
    cr_assert_str_eq(all.revision, number);
}

Test(gateway_overview, unchanged_is_304_and_a_change_is_not)
{
    struct reply first = gateway_get(&world, "/v1/routes");
    struct reply again = poll_as(first.etag);
    gateway_expect(&again, 304);
    cr_assert_str_eq(again.body, "");
    cr_assert_str_eq(again.etag, first.etag);
    gateway_world_route(&world, "v2", NULL, 0, NULL);
    await("\"epoch\":2");
    again = poll_as(first.etag);
    gateway_expect(&again, 200);
    cr_assert_str_neq(again.etag, first.etag);
}

/* Law 13. */
Test(gateway_overview, a_client_that_knows_more_gets_nothing_older)
{
    struct reply reply = poll_as("\"1.999.0123456789abcdef\"");
    gateway_expect(&reply, 304);
    cr_assert_str_eq(reply.behind, "true");
    reply = poll_as("\"2.1.0123456789abcdef\"");
    gateway_expect(&reply, 304);
    cr_assert_str_eq(reply.behind, "true");
    /* what it has applied is known by whom it has that from */
    gateway_sleep_ms(1500);
    cr_assert_eq(database_number(&world.database, "SELECT count(*) FROM gateways WHERE instance = 'gw-a'"),
                 0);
}

Test(gateway_overview, roles_waits_and_methods_are_those_of_one_route)
{
    struct reply reply = gateway_ask(&world, "/v1/routes", &(struct ask){.token = VIEWER_TOKEN});
    gateway_expect(&reply, 403);
    reply = gateway_ask(&world, "/v1/routes", &(struct ask){.token = ""});
    gateway_expect(&reply, 401);
    reply = gateway_get(&world, "/v1/routes?wait=61s");
    gateway_expect(&reply, 422);
    reply = gateway_ask(&world, "/v1/routes", &(struct ask){.body = "{}"});
    gateway_expect(&reply, 405);
    reply = gateway_ask(&world, "/v1/routes", &(struct ask){.instance = "a b"});
    gateway_expect(&reply, 400);
    reply = gateway_get(&world, "/v1/routes/");
    gateway_expect(&reply, 404);
}

static int park(const char *etag)
{
    char text[512];
    int fd = gateway_dial(&world);
    int length =
        snprintf(text, sizeof text,
                 "GET /v1/routes?wait=30s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " GATEWAY_TOKEN
                 "\r\nIf-None-Match: %s\r\nSerin-Gateway: gw-a\r\n\r\n",
                 etag);
    cr_assert_eq(send(fd, text, (size_t)length, MSG_NOSIGNAL), length);
    return fd;
}

static int code_within(int fd, int ms)
{
    char text[64] = "";
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    if (poll(&waiting, 1, ms) != 1 || recv(fd, text, sizeof text - 1, 0) <= 9)
        return 0;
    return atoi(text + 9);
}

Test(gateway_overview, a_change_of_any_service_wakes_who_waits)
{
    add_shop();
    struct reply all = await("\"service\":\"shop\"");
    int fd = park(all.etag);
    cr_assert_eq(code_within(fd, 300), 0);
    gateway_world_route(&world, "v2", NULL, 0, NULL);
    cr_assert_eq(code_within(fd, 5000), 200);
    close(fd);
}

Test(gateway_overview, parked_for_all_does_not_starve_health)
{
    enum { MANY = 150 };
    struct reply all = gateway_get(&world, "/v1/routes");
    int fd[MANY];
    gateway_world_stop(&world);
    world.options.connections = 100;
    gateway_world_start(&world);
    gateway_world_ready(&world);
    /* three quarters may wait, the next are told to come again, and health is answered throughout */
    for (int i = 0; i < 90; i++)
        fd[i] = park(all.etag);
    int waiting = 0, told = 0;
    for (int i = 0; i < 90; i++) {
        int code = code_within(fd[i], i < 15 ? 100 : 0);
        waiting += code == 0;
        told += code == 304;
    }
    cr_assert_eq(waiting, 75, "%d wait, %d were told to come again", waiting, told);
    cr_assert_eq(told, 15);
    struct reply live = gateway_ask(&world, "/livez", &(struct ask){.token = ""});
    gateway_expect(&live, 200);
    cr_assert_lt(live.seconds, 2.0);
    for (int i = 0; i < 90; i++)
        close(fd[i]);
}

/* Law 11: what was sent with a revision is applied when its tag comes back, for every service. */
Test(gateway_overview, a_revision_acknowledges_the_epoch_of_each_service)
{
    add_shop();
    gateway_world_route(&world, "v2", NULL, 0, NULL);
    struct reply all = await("\"epoch\":2");
    await("\"service\":\"shop\"");
    all = poll_as(NULL);
    gateway_sleep_ms(1500);
    cr_assert_eq(applied("chat"), 0, "it has only been told");
    poll_as(all.etag);
    wait_for_applied("chat", 2);
    wait_for_applied("shop", 1);
    /* a newer route is not applied by an older tag; what did not change is */
    gateway_world_route(&world, "v3", NULL, 0, NULL);
    struct reply newer = await("\"epoch\":3");
    poll_as(all.etag);
    gateway_sleep_ms(1500);
    cr_assert_eq(applied("chat"), 2);
    cr_assert_eq(applied("shop"), 1);
    poll_as(newer.etag);
    wait_for_applied("chat", 3);
}

Test(gateway_overview, who_is_parked_is_heard)
{
    struct reply all = gateway_get(&world, "/v1/routes");
    int fd = park(all.etag);
    wait_for_applied("chat", 1);
    database_do(world.database.db, "UPDATE gateways SET heard_at = serin_now() - interval '1 hour'");
    for (int i = 0; i < 800; i++) {
        if (database_number(&world.database,
                            "SELECT count(*) FROM gateways WHERE instance = 'gw-a' AND "
                            "heard_at > serin_now() - interval '30 s'") == 1)
            break;
        gateway_sleep_ms(10);
    }
    cr_assert_eq(database_number(&world.database,
                                 "SELECT count(*) FROM gateways WHERE instance = 'gw-a' AND "
                                 "heard_at > serin_now() - interval '30 s'"),
                 1);
    close(fd);
}

/* Law 10. */
Test(gateway_overview, without_a_database_it_is_marked_stale_and_ends_with_its_lease)
{
    gateway_world_route(&world, "v1", "v2", 700, "4 seconds");
    struct reply reply = await("\"weight\":700");
    gateway_world_cut(&world);
    for (int i = 0; i < 300 && reply.stale[0] == '\0'; i++) {
        gateway_sleep_ms(10);
        reply = gateway_get(&world, "/v1/routes");
    }
    gateway_expect(&reply, 200);
    cr_assert_str_eq(reply.stale, "true");
    cr_assert_eq(gateway_weight(&reply, "v2"), 700);
    struct reply unchanged = poll_as(reply.etag);
    gateway_expect(&unchanged, 304);
    cr_assert_str_eq(unchanged.stale, "true");
    int fd = park(reply.etag);
    cr_assert_eq(code_within(fd, 8000), 200, "the end of a lease wakes");
    close(fd);
    struct reply after = poll_as(reply.etag);
    gateway_expect(&after, 200);
    cr_assert_eq(gateway_weight(&after, "v1"), 10000);
    cr_assert_eq(gateway_weight(&after, "v2"), -1);
    cr_assert_not_null(strstr(after.body, "\"valid_until\":null"));
    /* and so it is after a restart */
    gateway_world_stop(&world);
    gateway_world_start(&world);
    reply = gateway_get(&world, "/v1/routes");
    gateway_expect(&reply, 200);
    cr_assert_str_eq(reply.body, after.body);
    cr_assert_str_eq(reply.etag, after.etag);
    cr_assert_str_eq(reply.stale, "true");
}
