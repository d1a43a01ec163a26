/* Law 11: whom a newest route waits for. A gateway that is behind is waited for until its lease on canary
   weight is over; one that can be shown to hold nothing that is to be left, only while it is live. What
   gateways are shown as (`awaited`, `applied_by`) and which routes can be marked as applied go by the same
   rule. Seconds of the world's clock; the lease is 900 s. */
#include "base/json.h"
#include "reconcile/announce.h"
#include "store/routes.h"
#include "store/snapshot.h"
#include "store/views.h"
#include "support/world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { LEASE_S = 900, MAX = 64, STUCK = 70 };

TestSuite(rollout_applied, .timeout = 120);

static struct world world;

static void close_world(void)
{
    world_close(&world);
}

static void open(void)
{
    world_open(&world, "{\"refusal\":{\"objective\":90}}", "{}");
}

/* The newest route of a service, written at `second`. "" = none. */
static void route_of(const char *service, double second, const char *stable, const char *canary, int weight)
{
    world_at(&world, second);
    world_sql(&world,
              "INSERT INTO routes (service, epoch, stable, canary, canary_weight, written_at) SELECT '%s', "
              "coalesce((SELECT max(epoch) FROM routes WHERE service = '%s'), 0) + 1, nullif('%s', ''), "
              "nullif('%s', ''), %d, serin_now()",
              service, service, stable, canary, weight);
    world_sql(&world,
              "INSERT INTO route_state (service, epoch, rev) SELECT '%s', max(epoch), 1 FROM routes WHERE "
              "service = '%s' ON CONFLICT (service) DO UPDATE SET epoch = excluded.epoch, applied_at = NULL",
              service, service);
}

static void route(double second, const char *stable, const char *canary, int weight)
{
    route_of("chat", second, stable, canary, weight);
}

/* `applied` 0: it has not said. */
static void gateway_of(const char *service, const char *instance, int applied, double heard)
{
    world_at(&world, heard);
    world_sql(&world,
              "INSERT INTO gateways (service, instance, applied_epoch, heard_at) VALUES ('%s', '%s', "
              "nullif(%d, 0), serin_now())",
              service, instance, applied);
}

static void gateway(const char *instance, int applied, double heard)
{
    gateway_of("chat", instance, applied, heard);
}

static bool is_among_unapplied(const char *service)
{
    static struct route_unapplied unapplied[MAX];
    struct fault fault = {.detail = ""};
    int count = 0;
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(routes_unapplied(world.db, LEASE_S, unapplied, MAX, &count, &fault), STATUS_OK, "%s",
                 fault.detail);
    for (int i = 0; i < count; i++)
        if (strcmp(unapplied[i].service, service) == 0)
            return true;
    return false;
}

/* The gateways that are awaited, as they are shown, separated by spaces; lent until the next call. */
static const char *awaited(const char *service)
{
    static char names[512];
    static char items[32768];
    struct page page;
    struct fault fault = {.detail = ""};
    struct json_object *list = NULL;
    size_t length = 0;
    page_init(&page, "", 100);
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(views_gateways(world.db, service, LEASE_S, &page, &fault), STATUS_OK, "%s", fault.detail);
    snprintf(items, sizeof items, "[%s]", text_get(&page.items));
    page_free(&page);
    cr_assert_eq(json_parse(items, strlen(items), &list, &fault), STATUS_OK, "%s", items);
    names[0] = '\0';
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        if (!json_object_get_boolean(json_object_object_get(one, "awaited")))
            continue;
        length += (size_t)snprintf(names + length, sizeof names - length, "%s%s", length > 0 ? " " : "",
                                   json_object_get_string(json_object_object_get(one, "instance")));
    }
    json_object_put(list);
    return names;
}

static void expect_waits(double second, const char *expected)
{
    world_at(&world, second);
    const char *names = awaited("chat");
    cr_expect_str_eq(names, expected, "at %.0f: '%s', not '%s'", second, names, expected);
    cr_expect_eq(is_among_unapplied("chat"), expected[0] == '\0', "at %.0f", second);
}

Test(rollout_applied, law11_who_stopped_before_the_canary_is_not_waited_for, .init = open,
     .fini = close_world)
{
    gateway("gone", 1, 0);
    gateway("gone-mute", 0, 20); /* never said what it has */
    gateway("just-gone", 1, 40);
    gateway("near", 1, 41);
    route(100, "v1", "v2", 500);
    gateway("reader", 1, 110); /* read the canary's route once, and fell silent */
    gateway("user", 2, 120);
    gateway("mute", 0, 130);
    route(190, "v1", "", 0);
    gateway("alive", 1, 195);
    gateway("has-it", 3, 196);
    expect_waits(200, "alive gone-mute mute near reader user");
    expect_waits(919, "alive gone-mute mute near reader user");
    expect_waits(921, "alive mute near reader user");
    expect_waits(940, "alive mute near reader user");
    expect_waits(942, "alive mute reader user");
    expect_waits(1011, "alive mute user");
    expect_waits(1021, "alive mute");
    expect_waits(1094, "alive");
    expect_waits(1096, "");
}

Test(rollout_applied, law11_what_has_a_canary_waits_for_the_live, .init = open, .fini = close_world)
{
    gateway("silent", 1, 100);
    gateway("live", 1, 170);
    gateway("mute", 0, 171);
    route(180, "v1", "v2", 500);
    expect_waits(200, "live mute");
    expect_waits(230, "mute");
    expect_waits(232, "");
}

Test(rollout_applied, law11_who_holds_nothing_is_waited_for_while_it_is_live, .init = open,
     .fini = close_world)
{
    gateway("live", 1, 10);
    route(20, "v1", "", 0);
    expect_waits(69, "live");
    expect_waits(71, "");
}

Test(rollout_applied, law11_a_promotion_waits_for_the_lease, .init = open, .fini = close_world)
{
    gateway("gone", 1, 0);
    route(100, "v1", "v2", 500);
    gateway("user", 2, 130);
    route(200, "v2", "", 0);
    expect_waits(250, "gone user");
    expect_waits(901, "user");
    expect_waits(1031, "");
}

/* Back by a rollout of the older release: they all hold what is left. */
Test(rollout_applied, law11_a_promotion_of_an_older_release_waits_for_the_lease, .init = open,
     .fini = close_world)
{
    route(10, "v2", "", 0);
    gateway("holds", 2, 20);
    route(200, "v2", "v1", 500);
    route(300, "v1", "", 0);
    expect_waits(400, "holds");
    expect_waits(921, "");
}

Test(rollout_applied, law11_who_holds_the_promoted_release_that_is_left_is_waited_for, .init = open,
     .fini = close_world)
{
    gateway("gone", 1, 0);
    route(100, "v1", "v2", 9999);
    route(200, "v2", "", 0);
    gateway("holds", 3, 210);
    route(300, "v1", "", 0);
    expect_waits(400, "holds");
    route(410, "v1", "v3", 500); /* whatever comes after: it may still give v2, which was left */
    route(420, "v1", "", 0);
    expect_waits(500, "holds");
    expect_waits(1111, "");
}

Test(rollout_applied, law11_what_it_holds_alone_and_all_are_to_have_is_nothing_to_be_left, .init = open,
     .fini = close_world)
{
    route(10, "v2", "", 0);
    gateway("first", 2, 20);
    route(90, "v1", "", 0); /* a rollback from v2 that it was not told of */
    route(100, "v2", "", 0);
    expect_waits(105, "");
    gateway("told", 2, 110); /* it may have v1 */
    expect_waits(300, "told");
}

/* Applied by being served (OFREP): what it has is newer than when it was heard. */
Test(rollout_applied, law11_who_has_the_canary_is_waited_for_whenever_it_was_heard, .init = open,
     .fini = close_world)
{
    gateway("evaluator", 2, 10);
    route(100, "v1", "v2", 500);
    route(190, "v1", "", 0);
    expect_waits(200, "evaluator");
    expect_waits(911, "");
}

Test(rollout_applied, law11_a_first_release, .init = open, .fini = close_world)
{
    route(10, "", "v1", 10000);
    gateway("early", 2, 20);
    route(50, "v1", "", 0);
    expect_waits(100, "early"); /* canary weight */
    gateway("later", 3, 105);
    route(200, "v1", "", 0);
    expect_waits(210, "early");
    route(300, "", "", 0);
    expect_waits(310, "early later"); /* v1, which nobody is to have */
    expect_waits(1006, "");
}

Test(rollout_applied, law11_a_weight_of_nothing_is_no_lease, .init = open, .fini = close_world)
{
    route(100, "v1", "v2", 500);
    route(110, "v1", "v2", 0);
    gateway("lowered", 3, 130);
    gateway("not-lowered", 2, 130);
    route(200, "v1", "", 0);
    expect_waits(250, "not-lowered");
}

/* Nothing can be shown of an epoch that is not there: it is of a history that was lost. */
Test(rollout_applied, law11_an_epoch_above_the_newest_is_as_good_as_none, .init = open, .fini = close_world)
{
    gateway("above", 12, 0);
    gateway("gone", 1, 0);
    route(100, "v1", "", 0);
    expect_waits(200, "above");
    expect_waits(901, "");
}

Test(rollout_applied, law11_of_who_is_far_behind_nothing_is_shown, .init = open, .fini = close_world)
{
    gateway("far", 1, 0);
    gateway("near", 2, 1);
    for (int i = 2; i <= 102; i++)
        route(0, "v1", "", 0);
    expect_waits(100, "far");
    expect_waits(901, "");
}

static void restore(double second)
{
    struct fault fault = {.detail = ""};
    world_at(&world, second);
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(snapshot_new_incarnation(world.db, 1, NULL, &fault), STATUS_OK, "%s", fault.detail);
}

/* What they were told before the database was put back is not there any more: neither routes nor when they
   were heard last. */
Test(rollout_applied, law13_after_a_restore_all_are_waited_for, .init = open, .fini = close_world)
{
    gateway("long-gone", 1, 0); /* longer than the lease before */
    gateway("above", 12, 3999);
    world_sql(&world,
              "INSERT INTO gateways (service, instance, heard_at, reported_at) VALUES ('chat', 'reports', "
              "to_timestamp(0), serin_now())");
    restore(4000);
    route(4010, "v1", "", 0);
    gateway("since", 2, 4020);
    expect_waits(4021, "above long-gone");
    expect_waits(4899, "above long-gone");
    expect_waits(4901, "");
    route(5000, "v1", "v2", 500);
    route(5010, "v1", "", 0);
    expect_waits(5020, ""); /* its lease is over, and "since" was not told of the canary */
}

Test(rollout_applied, law13_after_a_restore_who_has_the_newest_is_not_waited_for, .init = open,
     .fini = close_world)
{
    gateway("back", 1, 0);
    restore(4000);
    route(4010, "v1", "v2", 500);
    expect_waits(4011, ""); /* with a canary only the live are waited for */
    route(4020, "v1", "", 0);
    expect_waits(4021, "back");
    world_sql(&world, "UPDATE gateways SET applied_epoch = 3, heard_at = serin_now()");
    expect_waits(4022, "");
}

/* Those that wait are never so many that others have to. */
Test(rollout_applied, law11_who_waits_keeps_no_other_service_waiting, .init = open, .fini = close_world)
{
    struct fault fault = {.detail = ""};
    for (int i = 0; i <= STUCK; i++) {
        char service[16];
        snprintf(service, sizeof service, i == STUCK ? "free" : "a%02d", i);
        world_sql(&world, "INSERT INTO services (name) VALUES ('%s')", service);
        route_of(service, 10, "", "", 0);
        if (i < STUCK)
            gateway_of(service, "gw", 0, 20);
    }
    world_at(&world, 30);
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(announce_applied(world.db, &fault), STATUS_OK, "%s", fault.detail);
    cr_expect_str_eq(world_text(&world,
                                "SELECT string_agg(service, ' ') FROM route_state WHERE applied_at "
                                "IS NOT NULL AND service <> 'chat'"),
                     "free");
    world_at(&world, 1000);
    for (int i = 0; i < 2; i++) {
        db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
        cr_assert_eq(announce_applied(world.db, &fault), STATUS_OK, "%s", fault.detail);
    }
    cr_expect_str_eq(world_text(&world, "SELECT count(*) FROM route_state WHERE applied_at IS NULL"), "0");
    cr_expect_str_eq(
        world_text(&world,
                   "SELECT body::json -> 'data' ->> 'silent' FROM events WHERE type = 'route.applied' "
                   "AND service = 'a00'"),
        "gw");
}
