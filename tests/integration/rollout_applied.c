/* Law 11: whom a newest route waits for. A gateway that may give requests to what is left is waited for until
   its lease on canary weight is over; one that cannot, only while it is live. Seconds of the world's clock;
   the lease is 900 s. */
#include "store/routes.h"
#include "support/world.h"

#include <criterion/criterion.h>
#include <string.h>

enum { LEASE_S = 900, MAX = 8 };

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

static void expect_waits_of(const char *service, double second, const char *behind)
{
    static struct route_unapplied unapplied[MAX];
    struct fault fault = {.detail = ""};
    int count = 0;
    world_at(&world, second);
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(routes_unapplied(world.db, LEASE_S, unapplied, MAX, &count, &fault), STATUS_OK, "%s",
                 fault.detail);
    for (int i = 0; i < count; i++)
        if (strcmp(unapplied[i].service, service) == 0) {
            cr_expect_str_eq(unapplied[i].behind, behind, "at %.0f: '%s', not '%s'", second,
                             unapplied[i].behind, behind);
            return;
        }
    cr_assert_fail("the route of %s is not among those that are not applied", service);
}

static void expect_waits(double second, const char *behind)
{
    expect_waits_of("chat", second, behind);
}

Test(rollout_applied, law11_who_stopped_before_the_canary_is_not_waited_for, .init = open,
     .fini = close_world)
{
    gateway("gone", 1, 0);
    gateway("gone-mute", 0, 60); /* never said what it has */
    gateway("parked", 1, 90);    /* waits for a change, and is written down every few seconds */
    route(100, "v1", "v2", 500);
    gateway("reader", 1, 110); /* read the canary's route once, and fell silent */
    gateway("user", 2, 120);
    gateway("mute", 0, 130);
    route(190, "v1", "", 0);
    gateway("alive", 1, 195);
    expect_waits(200, "alive mute parked reader user");
    expect_waits(989, "alive mute parked reader user");
    expect_waits(1005, "alive mute reader user");
    expect_waits(1025, "alive mute");
    expect_waits(1200, "");
}

Test(rollout_applied, law11_what_has_a_canary_waits_for_the_live, .init = open, .fini = close_world)
{
    gateway("silent", 1, 100);
    gateway("live", 1, 170);
    route(180, "v1", "v2", 500);
    expect_waits(200, "live");
    expect_waits(231, "");
}

Test(rollout_applied, law11_a_promotion_does_not_wait_for_who_never_heard_of_the_canary, .init = open,
     .fini = close_world)
{
    gateway("gone", 1, 0);
    route(100, "v1", "v2", 500);
    gateway("user", 2, 130);
    route(200, "v2", "", 0);
    expect_waits(250, "user");
    expect_waits(1031, "");
}

Test(rollout_applied, law11_who_holds_the_promoted_release_that_is_left_is_waited_for, .init = open,
     .fini = close_world)
{
    gateway("gone", 1, 0);
    route(100, "v1", "v2", 10000);
    route(200, "v2", "", 0);
    gateway("holds", 3, 210);
    route(300, "v1", "", 0);
    expect_waits(400, "holds");
    route(410, "v1", "v3", 500); /* whatever comes after: it may still give v2, which was left */
    route(420, "v1", "", 0);
    expect_waits(500, "holds");
    expect_waits(1111, "");
}

Test(rollout_applied, law11_an_older_stable_release_is_no_canary, .init = open, .fini = close_world)
{
    gateway("older", 1, 20);
    route(100, "v1", "v2", 500);
    gateway("leased", 1, 140);
    route(150, "v2", "", 0);
    gateway("same", 3, 160);
    route(300, "v2", "v3", 500);
    route(400, "v2", "", 0);
    expect_waits(420, "leased");
}

Test(rollout_applied, law11_what_was_left_and_came_back_is_as_good_as_new, .init = open, .fini = close_world)
{
    route(10, "v2", "", 0);
    gateway("first", 2, 20);
    route(30, "v1", "", 0); /* a rollback from v2 */
    route(40, "v1", "v2", 10000);
    route(50, "v2", "", 0); /* and v2 once more, by a rollout */
    gateway("second", 5, 60);
    expect_waits(81, ""); /* what it holds is what all are to have */
    route(200, "v2", "v3", 500);
    route(210, "v3", "", 0);
    expect_waits(250, "first"); /* it holds v2 from before it was left */
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
    world_sql(&world, "INSERT INTO services (name) VALUES ('new')");
    world_sql(&world,
              "INSERT INTO releases (service, name, content, digest, behaviour, created_by) SELECT "
              "'new', name, content, digest, behaviour, created_by FROM releases WHERE service = 'chat'");
    route_of("new", 0, "", "v1", 10000);
    gateway_of("new", "early", 1, 10);
    route_of("new", 50, "v1", "", 0);
    route_of("new", 100, "v1", "v2", 500);
    route_of("new", 200, "v1", "", 0);
    expect_waits_of("new", 210, ""); /* v1 alone, as now */
    route_of("new", 300, "", "", 0);
    expect_waits_of("new", 310, "early"); /* v1, which nobody is to have */
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

/* What it was told before the database was put back is not there any more. */
Test(rollout_applied, law11_who_was_not_heard_since_a_restore_is_waited_for, .init = open,
     .fini = close_world)
{
    gateway("lost", 1, 0);
    world_at(&world, 50);
    world_sql(&world, "UPDATE route_rev SET incarnation = 2, incarnation_at = serin_now()");
    gateway("since", 1, 60);
    route(100, "v1", "v2", 500);
    route(190, "v1", "", 0);
    expect_waits(200, "lost");
    expect_waits(901, "");
}
