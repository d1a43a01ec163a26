/* Routes over HTTP: what is served, entity tags, who may ask, parking. */
#include "gateway_world.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

TestSuite(gateway_routes, .init = open_world, .fini = close_world, .timeout = 60);

Test(gateway_routes, a_route_has_all_that_is_needed_to_call_its_releases)
{
    gateway_world_route(&world, "v1", "v2", 500, "15 minutes");
    struct reply reply = gateway_world_await(&world, 2);
    gateway_expect(&reply, 200);
    cr_assert_eq(gateway_number(&reply, "incarnation"), 1);
    cr_assert_eq(gateway_weight(&reply, "v1"), 9500);
    cr_assert_eq(gateway_weight(&reply, "v2"), 500);
    cr_assert_not_null(strstr(reply.body, "\"model\":{\"model\":\"large\",\"provider\":\"acme\"}"), "%s",
                       reply.body);
    cr_assert_not_null(strstr(reply.body, "\"parameters\":{\"name\":\"v2\"}"));
    cr_assert_not_null(
        strstr(reply.body, "\"sticky\":{\"key\":\"user\",\"rule\":\"sha256-mod-10000\",\"salt\":\"salt\"}"));
    cr_assert_not_null(strstr(reply.body, "\"valid_until\":\"20"));
    cr_assert_eq(strncmp(reply.etag, "\"1.2.", 5), 0, "%s", reply.etag);
    cr_assert_str_eq(reply.epoch, "2");
    cr_assert_str_eq(reply.stale, "");
}

Test(gateway_routes, an_unchanged_route_is_304)
{
    struct reply first = gateway_get(&world, "/v1/routes/chat");
    struct reply again = gateway_ask(&world, "/v1/routes/chat", &(struct ask){.if_none_match = first.etag});
    gateway_expect(&again, 304);
    cr_assert_str_eq(again.body, "");
    cr_assert_str_eq(again.etag, first.etag);
    cr_assert_str_eq(again.epoch, "1");
}

Test(gateway_routes, a_service_without_a_route_says_so)
{
    struct reply reply = gateway_get(&world, "/v1/routes/idle");
    gateway_expect(&reply, 404);
    cr_assert_not_null(strstr(reply.body, "no route: no release of it serves"));
    cr_assert_not_null(strstr(reply.body, "next_step"));
    reply = gateway_get(&world, "/v1/routes/nobody");
    gateway_expect(&reply, 404);
    cr_assert_not_null(strstr(reply.body, "no service nobody"));
    reply = gateway_get(&world, "/v2/routes/chat");
    gateway_expect(&reply, 404);
}

Test(gateway_routes, only_gateways_may_ask)
{
    struct reply reply = gateway_ask(&world, "/v1/routes/chat", &(struct ask){.token = ""});
    gateway_expect(&reply, 401);
    reply = gateway_ask(&world, "/v1/routes/chat", &(struct ask){.token = "wrong"});
    gateway_expect(&reply, 401);
    reply = gateway_ask(&world, "/v1/routes/chat", &(struct ask){.token = VIEWER_TOKEN});
    gateway_expect(&reply, 403);
    reply = gateway_ask(&world, "/livez", &(struct ask){.token = ""});
    gateway_expect(&reply, 200);
    reply = gateway_ask(&world, "/v1/outcomes", &(struct ask){.token = VIEWER_TOKEN, .body = "{}"});
    gateway_expect(&reply, 403);
    reply = gateway_ask(&world, "/v1/routes/chat", &(struct ask){.body = "{}"});
    gateway_expect(&reply, 405);
    reply = gateway_get(&world, "/v1/outcomes");
    gateway_expect(&reply, 405);
}

Test(gateway_routes, a_revoked_token_is_refused_within_a_second_or_two)
{
    struct reply reply = gateway_get(&world, "/v1/routes/chat");
    gateway_expect(&reply, 200);
    database_do(world.database.db, "UPDATE tokens SET revoked_at = serin_now() WHERE id = 'tk_1'");
    for (int i = 0; i < 300 && reply.code == 200; i++) {
        gateway_sleep_ms(10);
        reply = gateway_get(&world, "/v1/routes/chat");
    }
    gateway_expect(&reply, 401);
}

Test(gateway_routes, wrong_waits_and_names_are_refused)
{
    struct reply reply = gateway_get(&world, "/v1/routes/chat?wait=61s");
    gateway_expect(&reply, 422);
    reply = gateway_get(&world, "/v1/routes/chat?wait=soon");
    gateway_expect(&reply, 422);
    reply = gateway_ask(&world, "/v1/routes/chat", &(struct ask){.instance = "a b"});
    gateway_expect(&reply, 400);
}

/* Law 13. */
Test(gateway_routes, a_client_that_knows_more_gets_no_older_weights)
{
    struct reply reply =
        gateway_ask(&world, "/v1/routes/chat", &(struct ask){.if_none_match = "\"1.7.0123456789abcdef\""});
    gateway_expect(&reply, 304);
    cr_assert_str_eq(reply.behind, "true");
    reply =
        gateway_ask(&world, "/v1/routes/chat", &(struct ask){.if_none_match = "\"2.1.0123456789abcdef\""});
    gateway_expect(&reply, 304);
    cr_assert_str_eq(reply.behind, "true");
    /* an older incarnation, whatever its epoch, is older */
    reply =
        gateway_ask(&world, "/v1/routes/chat", &(struct ask){.if_none_match = "\"0.7.0123456789abcdef\""});
    gateway_expect(&reply, 200);
}

Test(gateway_routes, a_database_that_was_set_back_begins_a_new_incarnation)
{
    gateway_world_route(&world, "v2", NULL, 0, NULL);
    struct reply before = gateway_world_await(&world, 2);
    database_do(world.database.db,
                "INSERT INTO gateways (service, instance, applied_epoch, heard_at, applied_at) VALUES "
                "('chat', 'gw-lost', 2, serin_now(), serin_now())");
    database_do(world.database.db,
                "BEGIN; SET LOCAL session_replication_role = replica;"
                "DELETE FROM route_state; DELETE FROM routes WHERE epoch = 2;"
                "INSERT INTO route_state (service, epoch, rev) VALUES ('chat', 1, 1);"
                "UPDATE route_rev SET rev = 1; COMMIT");
    struct reply after = before;
    for (int i = 0; i < 400; i++) {
        after = gateway_ask(&world, "/v1/routes/chat", &(struct ask){.if_none_match = before.etag});
        if (after.code == 200)
            break;
        gateway_sleep_ms(10);
    }
    gateway_expect(&after, 200);
    cr_assert_eq(gateway_number(&after, "incarnation"), 2);
    cr_assert_eq(gateway_number(&after, "epoch"), 1);
    cr_assert_eq(gateway_weight(&after, "v1"), 10000);
    cr_assert_eq(database_number(&world.database, "SELECT incarnation FROM route_rev"), 2);
    cr_expect_eq(database_number(&world.database, "SELECT count(incarnation_at) FROM route_rev"), 1,
                 "who was not heard since may hold what is not there any more");
    cr_expect_eq(database_number(&world.database,
                                 "SELECT count(*) FROM gateways WHERE instance = 'gw-lost' AND "
                                 "applied_epoch IS NULL AND applied_at IS NULL"),
                 1, "what it had applied is of another history");
}

Test(gateway_routes, content_by_digest)
{
    char path[128];
    snprintf(path, sizeof path, "/v1/content/%s",
             database_text(&world.database,
                           "SELECT encode(digest, 'hex') FROM artifact_versions WHERE name = 'p'"));
    struct reply reply = gateway_get(&world, path);
    gateway_expect(&reply, 200);
    cr_assert_str_eq(reply.body, "Be kind.");
    struct reply again = gateway_ask(&world, path, &(struct ask){.if_none_match = reply.etag});
    gateway_expect(&again, 304);
    reply = gateway_get(&world, "/v1/content/00");
    gateway_expect(&reply, 400);
    snprintf(path, sizeof path, "/v1/content/%064d", 0);
    reply = gateway_get(&world, path);
    gateway_expect(&reply, 404);
}

Test(gateway_routes, what_was_applied_is_noted)
{
    struct reply reply = gateway_ask(&world, "/v1/routes/chat", &(struct ask){.instance = "gw-7"});
    gateway_expect(&reply, 200);
    reply = gateway_ask(&world, "/v1/routes/chat",
                        &(struct ask){.instance = "gw-7", .if_none_match = reply.etag});
    gateway_expect(&reply, 304);
    for (int i = 0; i < 300; i++) {
        if (database_number(&world.database,
                            "SELECT coalesce(max(applied_epoch), 0) FROM gateways WHERE service = 'chat' "
                            "AND instance = 'gw-7' AND heard_at > serin_now() - interval '10 s'") == 1)
            return;
        gateway_sleep_ms(10);
    }
    cr_assert_fail("epoch 1 was not noted");
}

Test(gateway_routes, metrics_name_the_weights)
{
    struct reply reply = gateway_ask(&world, "/metrics", &(struct ask){.token = ""});
    gateway_expect(&reply, 200);
    cr_assert_not_null(
        strstr(reply.body, "serin_route_weight{service=\"chat\",release=\"v1\",role=\"stable\"} 10000\n"));
    cr_assert_not_null(strstr(reply.body, "serin_flush_seconds_count 0\n"));
    cr_assert_not_null(strstr(reply.body, "serin_gateway_requests_total{path=\"readyz\",code=\"200\"}"));
}
