/* Law 10: a gateway always gets an answer, and canary weight is a lease. */
#include "gateway_world.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct gateway_world world;

static void open_world(void)
{
    gateway_world_open(&world);
    world.options.poll_ms = 100;
    world.options.stale_after_ms = 600;
}

static void close_world(void)
{
    gateway_world_close(&world);
}

TestSuite(gateway_outage, .init = open_world, .fini = close_world, .timeout = 60);

/* Asks until the answer has this staleness. */
static struct reply wait_for_stale(const char *stale)
{
    struct reply reply = gateway_get(&world, "/v1/routes/chat");
    for (int i = 0; i < 500 && strcmp(reply.stale, stale) != 0; i++) {
        gateway_sleep_ms(10);
        reply = gateway_get(&world, "/v1/routes/chat");
    }
    cr_assert_str_eq(reply.stale, stale);
    return reply;
}

static void start_and_keep(const char *canary, int weight, const char *lease)
{
    char path[128];
    gateway_world_route(&world, "v1", canary, weight, lease);
    gateway_world_start(&world);
    gateway_world_ready(&world);
    snprintf(path, sizeof path, "%s/routes.lkg", world.state_dir);
    for (int i = 0; i < 300 && access(path, R_OK) != 0; i++)
        gateway_sleep_ms(10);
    cr_assert_eq(access(path, R_OK), 0);
}

Test(gateway_outage, without_a_database_the_last_known_routes_are_served_marked_stale)
{
    start_and_keep("v2", 700, "15 minutes");
    gateway_world_cut(&world);
    struct reply reply = wait_for_stale("true");
    gateway_expect(&reply, 200);
    cr_assert_eq(gateway_weight(&reply, "v2"), 700);
    struct reply unchanged =
        gateway_ask(&world, "/v1/routes/chat", &(struct ask){.if_none_match = reply.etag});
    gateway_expect(&unchanged, 304);
    cr_assert_str_eq(unchanged.stale, "true");
    struct reply ready = gateway_get(&world, "/readyz");
    gateway_expect(&ready, 503);
    gateway_world_mend(&world);
    wait_for_stale("");
    gateway_world_route(&world, "v2", NULL, 0, NULL);
    for (int i = 0; i < 500 && reply.code == 200 && gateway_weight(&reply, "v2") != 10000; i++) {
        gateway_sleep_ms(10);
        reply = gateway_get(&world, "/v1/routes/chat");
    }
    cr_assert_eq(gateway_weight(&reply, "v2"), 10000);
    gateway_world_ready(&world);
}

Test(gateway_outage, a_restart_without_a_database_serves_what_was_kept)
{
    start_and_keep("v2", 700, "15 minutes");
    struct reply before = gateway_get(&world, "/v1/routes/chat");
    gateway_world_stop(&world);
    gateway_world_cut(&world);
    gateway_world_start(&world);
    struct reply reply = gateway_get(&world, "/v1/routes/chat");
    gateway_expect(&reply, 200);
    cr_assert_str_eq(reply.stale, "true");
    cr_assert_str_eq(reply.etag, before.etag);
    cr_assert_str_eq(reply.body, before.body);
    reply = gateway_ask(&world, "/v1/routes/chat", &(struct ask){.token = "wrong"});
    gateway_expect(&reply, 401);
    reply = gateway_ask(&world, "/v1/routes/chat", &(struct ask){.token = VIEWER_TOKEN});
    gateway_expect(&reply, 403);
    /* outcomes cannot be kept, and nobody is told otherwise */
    reply = gateway_post(
        &world, "k", "{\"service\":\"chat\",\"admissions\":[{\"release\":\"v1\",\"count\":1,\"age_ms\":0}]}");
    gateway_expect(&reply, 503);
    cr_assert_str_eq(reply.retry_after, "1");
    /* the database comes back */
    gateway_world_mend(&world);
    gateway_world_ready(&world);
    reply = gateway_ask(&world, "/v1/routes/chat", &(struct ask){.if_none_match = before.etag});
    gateway_expect(&reply, 304);
    cr_assert_str_eq(reply.stale, "");
}

Test(gateway_outage, past_the_lease_stable_alone_is_served)
{
    start_and_keep("v2", 700, "2 seconds");
    struct reply reply = gateway_get(&world, "/v1/routes/chat");
    cr_assert_eq(gateway_weight(&reply, "v2"), 700);
    gateway_world_cut(&world);
    for (int i = 0; i < 500 && gateway_weight(&reply, "v2") == 700; i++) {
        gateway_sleep_ms(10);
        reply = gateway_get(&world, "/v1/routes/chat");
    }
    gateway_expect(&reply, 200);
    cr_assert_eq(gateway_weight(&reply, "v1"), 10000);
    cr_assert_eq(gateway_weight(&reply, "v2"), -1);
    /* and so it is after a restart */
    gateway_world_stop(&world);
    gateway_world_start(&world);
    reply = gateway_get(&world, "/v1/routes/chat");
    gateway_expect(&reply, 200);
    cr_assert_eq(gateway_weight(&reply, "v1"), 10000);
    cr_assert_str_eq(reply.stale, "true");
}

Test(gateway_outage, a_renewed_lease_is_served)
{
    start_and_keep("v2", 700, "2 seconds");
    database_do(world.database.db,
                "BEGIN; UPDATE route_rev SET rev = rev + 1;"
                "UPDATE route_state SET valid_until = serin_now() + interval '1 hour',"
                "  rev = (SELECT rev FROM route_rev); NOTIFY serin_routes; COMMIT");
    gateway_sleep_ms(2500);
    struct reply reply = gateway_get(&world, "/v1/routes/chat");
    cr_assert_eq(gateway_weight(&reply, "v2"), 700);
}

Test(gateway_outage, with_neither_it_is_503)
{
    gateway_world_cut(&world);
    gateway_world_start(&world);
    struct reply reply = gateway_get(&world, "/v1/routes/chat");
    gateway_expect(&reply, 503);
    cr_assert_str_eq(reply.retry_after, "1");
    reply = gateway_get(&world, "/livez");
    gateway_expect(&reply, 200);
    gateway_world_mend(&world);
    gateway_world_ready(&world);
}

Test(gateway_outage, a_damaged_file_is_not_used)
{
    char path[128];
    start_and_keep(NULL, 0, NULL);
    gateway_world_stop(&world);
    snprintf(path, sizeof path, "%s/routes.lkg", world.state_dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert_eq(pwrite(fd, "x", 1, 60), 1);
    close(fd);
    gateway_world_cut(&world);
    gateway_world_start(&world);
    struct reply reply = gateway_get(&world, "/v1/routes/chat");
    gateway_expect(&reply, 503);
}

/* The file knows more than the database: a restore happened while nobody ran. */
Test(gateway_outage, a_restore_during_a_restart_is_noticed)
{
    start_and_keep("v2", 700, "15 minutes");
    struct reply before = gateway_get(&world, "/v1/routes/chat");
    gateway_world_stop(&world);
    database_do(world.database.db,
                "BEGIN; SET LOCAL session_replication_role = replica;"
                "DELETE FROM route_state; DELETE FROM routes WHERE epoch = 2;"
                "INSERT INTO route_state (service, epoch, rev) VALUES ('chat', 1, 1);"
                "UPDATE route_rev SET rev = 1; COMMIT");
    gateway_world_start(&world);
    gateway_world_ready(&world);
    struct reply reply = gateway_ask(&world, "/v1/routes/chat", &(struct ask){.if_none_match = before.etag});
    gateway_expect(&reply, 200);
    cr_assert_eq(gateway_number(&reply, "incarnation"), 2);
    cr_assert_eq(gateway_weight(&reply, "v1"), 10000);
}

/* Laws 11 and 13: what was said of the lost history while the database was away is no epoch of the new one.
 */
Test(gateway_outage, an_acknowledgement_from_before_a_restore_acknowledges_nothing)
{
    start_and_keep("v2", 700, "15 minutes");
    struct reply one = gateway_get(&world, "/v1/routes/chat"), all = gateway_get(&world, "/v1/routes");
    gateway_world_cut(&world);
    wait_for_stale("true");
    gateway_ask(&world, "/v1/routes/chat", &(struct ask){.instance = "gw-one", .if_none_match = one.etag});
    gateway_ask(&world, "/v1/routes", &(struct ask){.instance = "gw-all", .if_none_match = all.etag});
    gateway_world_mend(&world);
    database_do(world.database.db,
                "BEGIN; SET LOCAL session_replication_role = replica;"
                "DELETE FROM route_state; DELETE FROM routes WHERE epoch = 2;"
                "INSERT INTO route_state (service, epoch, rev) VALUES ('chat', 1, 1);"
                "UPDATE route_rev SET rev = 1; COMMIT");
    for (int i = 0; i < 1000; i++) {
        if (database_number(&world.database,
                            "SELECT count(*) FROM gateways, route_rev WHERE service = 'chat' AND "
                            "instance IN ('gw-one', 'gw-all') AND incarnation = 2") == 2)
            break;
        gateway_sleep_ms(10);
    }
    cr_assert_str_eq(
        database_text(&world.database,
                      "SELECT string_agg(instance || ':' || coalesce(applied_epoch::text, '-'), ' ' "
                      "ORDER BY instance) FROM gateways WHERE service = 'chat'"),
        "gw-all:- gw-one:-");
}

/* One unreadable release does not stop the routes of others, and keeps the route before. */
Test(gateway_outage, a_release_that_cannot_be_read_leaves_the_route_before)
{
    start_and_keep(NULL, 0, NULL);
    database_do(world.database.db,
                "INSERT INTO releases (service, name, content, digest, behaviour, created_by)"
                "  VALUES ('chat', 'bad', 'nonsense', sha256('nonsense'), sha256('nonsense'), 'test')");
    gateway_world_route(&world, "v1", "bad", 100, "15 minutes");
    gateway_sleep_ms(500);
    struct reply reply = gateway_get(&world, "/v1/routes/chat");
    gateway_expect(&reply, 200);
    cr_assert_eq(gateway_number(&reply, "epoch"), 2);
    cr_assert_eq(gateway_weight(&reply, "v1"), 10000);
    gateway_world_ready(&world);
    gateway_world_route(&world, "v2", NULL, 0, NULL);
    for (int i = 0; i < 200 && gateway_weight(&reply, "v2") != 10000; i++) {
        gateway_sleep_ms(10);
        reply = gateway_get(&world, "/v1/routes/chat");
    }
    cr_assert_eq(gateway_number(&reply, "epoch"), 4);
}
