/* Where a rollback of a service goes: the rollback target, and who is one again. */
#include "rollout/rollout.h"
#include "store/views.h"
#include "support/world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(rollout_rollback, .timeout = 120);

static struct world world;
static struct fault fault;
static char left[NAME_MAX_LENGTH + 1], ended[ID_MAX]; /* of the last rollback */

static void close_world(void)
{
    world_close(&world);
}

/* v1 has completed a rollout, and is stable. */
static void open_baked(void)
{
    world_open(&world, "{\"refusal\":{\"objective\":90}}",
               "{\"guardrails\":{\"refusal\":{\"maturity\":\"2s\",\"budget_share\":0}},\"blind\":\"1h\","
               "\"plan\":{\"steps\":[{\"weight\":500,\"bake\":\"5s\"},{\"weight\":10000,\"bake\":\"5s\"}]}}");
    world_sql(&world, "INSERT INTO routes (service, epoch, written_at) VALUES ('chat', 2, serin_now())");
    world_sql(&world, "UPDATE route_state SET epoch = 2");
}

static void complete(const char *release)
{
    char id[ID_MAX], result[ID_MAX];
    snprintf(id, sizeof id, "%s", world_start(&world, release));
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    cr_assert_eq(rollout_command(world.db, id, &(struct rollout_command){.verb = VERB_PROMOTE_FULL}, "tester",
                                 result, &fault),
                 STATUS_OK, "%s", fault.detail);
    cr_assert_eq(db_commit(world.db, &fault), STATUS_OK);
}

static enum status rollback(const char *to, const char *reason)
{
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    enum status status = rollout_rollback(world.db, "chat", to, reason, "tester", left, ended, &fault);
    if (status == STATUS_OK)
        cr_assert_eq(db_commit(world.db, &fault), STATUS_OK);
    else
        db_rollback(world.db);
    return status;
}

/* The release that has all traffic after the rollback; what refused it, if it was refused. */
static const char *after(const char *to, const char *reason)
{
    if (rollback(to, reason) != STATUS_OK)
        return fault.detail;
    return world_text(&world, "SELECT stable FROM routes WHERE service = 'chat' ORDER BY epoch DESC LIMIT 1");
}

Test(rollout_rollback, who_undoes_a_rollback_can_roll_back_again, .fini = close_world)
{
    open_baked();
    complete("v1");
    complete("v2");
    for (int i = 0; i < 3; i++) {
        cr_assert_str_eq(after(NULL, NULL), "v1", "round %d", i);
        cr_assert_str_eq(after("v2", "it was the provider"), "v2", "round %d", i);
    }
}

/* Evidence rolled v2 back; a person takes it all the same, and regrets that. */
Test(rollout_rollback, what_evidence_rolled_back_can_be_left_after_it_was_taken_by_name, .fini = close_world)
{
    open_baked();
    complete("v1");
    char *id = strdup(world_start(&world, "v2"));
    world_at(&world, 1);
    world_gateway_applies(&world);
    world_tick(&world, id);
    for (int second = 2; second < 40; second++) {
        world_count(&world, second, "v1", 95, 2);
        world_count(&world, second, "v2", 5, 4);
        world_at(&world, second + 4);
        world_gateway_applies(&world);
        world_tick(&world, id);
    }
    cr_assert_str_eq(world_text(&world, "SELECT phase FROM rollouts WHERE id = '%s'", id), "rolled_back");
    cr_expect_eq(rollback("v2", NULL), STATUS_CONFLICT, "a quarantined one only with a reason");
    cr_assert_str_eq(after("v2", "the judge was wrong"), "v2");
    cr_assert_str_eq(after(NULL, NULL), "v1");
    cr_assert_eq(rollback(NULL, NULL), STATUS_CONFLICT);
    cr_expect_str_eq(
        fault.detail,
        "The service chat has no rollback target: v3 never completed a rollout; v2 is quarantined; "
        "v1 is the stable release now");
    free(id);
}

Test(rollout_rollback, what_was_left_is_a_target_again_when_it_was_taken_by_name, .fini = close_world)
{
    open_baked();
    complete("v1");
    complete("v2");
    complete("v3");
    cr_assert_str_eq(after(NULL, NULL), "v2");
    cr_assert_str_eq(after(NULL, NULL), "v1");
    cr_assert_str_eq(after("v3", "mended outside"), "v3");
    cr_assert_str_eq(after(NULL, NULL), "v1", "v2 was left by a rollback and nobody has said otherwise");
    cr_assert_str_eq(after("v2", "good after all"), "v2");
    cr_assert_str_eq(after("v3", "and on"), "v3");
    cr_assert_str_eq(after(NULL, NULL), "v2", "it was taken by name");
    cr_assert_str_eq(after(NULL, NULL), "v1", "a second rollback leaves it again");
    complete("v2");
    complete("v3");
    cr_assert_str_eq(after(NULL, NULL), "v2", "baked anew");
}

Test(rollout_rollback, where_there_is_no_target_each_release_is_named_with_its_reason, .fini = close_world)
{
    open_baked();
    complete("v1");
    cr_assert_eq(rollback(NULL, NULL), STATUS_CONFLICT);
    cr_expect_str_eq(fault.detail,
                     "The service chat has no rollback target: v3 never completed a rollout; v2 "
                     "never completed a rollout; v1 is the stable release now");
    cr_expect_str_eq(fault.next_step,
                     "Roll out a release that mends it: serin rollout start chat RELEASE --supersede --fix",
                     "one that was never proven is not recommended");
    complete("v2");
    complete("v3");
    cr_assert_str_eq(after("v1", "far back"), "v1");
    cr_assert_eq(rollback(NULL, NULL), STATUS_CONFLICT);
    cr_expect_str_eq(fault.detail,
                     "The service chat has no rollback target: v2 is newer than the stable release; "
                     "v3 was left by a rollback; v1 is the stable release now");
    cr_expect_str_eq(fault.next_step,
                     "To go to one all the same: serin rollback chat --to v2 --reason \"...\"");
}

Test(rollout_rollback, many_releases_fit_the_refusal, .fini = close_world)
{
    char row[NAME_MAX_LENGTH + 1];
    open_baked();
    complete("v1");
    for (int i = 0; i < 20; i++) {
        snprintf(row, sizeof row, "z-name-as-long-as-a-name-of-a-release-may-be-%018d", i);
        world_sql(
            &world,
            "INSERT INTO releases (service, name, content, digest, behaviour, created_by) "
            "SELECT service, '%s', content, digest, behaviour, created_by FROM releases WHERE name = 'v3'",
            row);
    }
    cr_assert_eq(rollback(NULL, NULL), STATUS_CONFLICT);
    cr_expect(strstr(fault.detail, "; and 1") != NULL && strstr(fault.detail, " more") != NULL, "%s",
              fault.detail);
    cr_expect(strstr(fault.next_step, "--to") == NULL, "%s", fault.next_step);
}

/* v2 completed a rollout before evidence rolled its content back; v3 never completed one. */
Test(rollout_rollback, a_quarantined_release_is_named_only_where_no_other_was_baked, .fini = close_world)
{
    open_baked();
    complete("v1");
    complete("v2");
    cr_assert_str_eq(after("v1", "far back"), "v1");
    world_sql(&world,
              "INSERT INTO quarantines (service, behaviour, rollout, reason, since) "
              "SELECT 'chat', sha256('v2'), max(id), 'test', serin_now() FROM rollouts");
    cr_assert_eq(rollback(NULL, NULL), STATUS_CONFLICT);
    cr_expect_str_eq(fault.detail,
                     "The service chat has no rollback target: v2 is quarantined; v3 never "
                     "completed a rollout; v1 is the stable release now");
    cr_expect_str_eq(fault.next_step,
                     "To go to one all the same: serin rollback chat --to v2 --reason \"...\"");
    cr_expect_eq(rollback("v2", NULL), STATUS_CONFLICT);
    cr_expect_str_eq(fault.detail, "Release v2 is quarantined");
    complete("v3");
    cr_assert_str_eq(after("v1", "far back again"), "v1");
    cr_assert_eq(rollback(NULL, NULL), STATUS_CONFLICT);
    cr_expect_str_eq(fault.next_step,
                     "To go to one all the same: serin rollback chat --to v3 --reason \"...\"");
}

Test(rollout_rollback, one_that_was_never_proven_takes_a_reason_and_says_so, .fini = close_world)
{
    open_baked();
    complete("v1");
    complete("v2");
    cr_expect_eq(rollback("v3", NULL), STATUS_CONFLICT);
    cr_expect_str_eq(fault.detail, "Release v3 was never proven: it has completed no rollout");
    cr_expect_str_eq(fault.next_step, "Give a reason (--reason) to go to it all the same.");
    cr_assert_str_eq(after("v3", "it must be"), "v3");
    cr_expect_str_eq(
        world_text(&world,
                   "SELECT convert_from(convert_to(body, 'UTF8'), 'UTF8')::json ->> 'reason' FROM events "
                   "WHERE type = 'service.rolled_back'"),
        "Rolled back by hand from v2 to v3. v3 was never proven. Reason given: it must be");
    cr_assert_str_eq(after(NULL, NULL), "v2", "what was never baked is left for the newest that was");
}

Test(rollout_rollback, law2_a_freeze_stops_the_way_forward_and_no_way_back, .fini = close_world)
{
    open_baked();
    complete("v1");
    complete("v2");
    world_sql(&world, "INSERT INTO freezes (reason, since, by) VALUES ('INC-1', serin_now(), 'test')");
    cr_expect_eq(rollback("v3", "now"), STATUS_CONFLICT);
    cr_expect_str_eq(fault.detail,
                     "Advances are frozen everywhere (INC-1), and release v3 was never proven: "
                     "going to it is no way back");
    cr_expect(strstr(fault.next_step, "serin rollback chat") != NULL &&
                  strstr(fault.next_step, "serin freeze --lift") != NULL,
              "%s", fault.next_step);
    cr_expect_str_eq(after("v1", NULL), "v1", "to a baked one, by name");
    cr_expect_str_eq(after("v2", NULL), "v2", "also to a newer one that was baked");
    cr_expect_str_eq(after(NULL, NULL), "v1");
    world_sql(&world, "UPDATE freezes SET lifted_at = serin_now(), lifted_by = 'test'");
    cr_assert_str_eq(after("v3", "mended outside"), "v3");
    char *id = strdup(world_start(&world, "v2"));
    world_sql(&world, "INSERT INTO freezes (reason, since, by) VALUES ('INC-2', serin_now(), 'test')");
    cr_expect_str_eq(after("v3", NULL), "v3", "staying at the stable release only ends the rollout");
    cr_expect_str_eq(world_text(&world, "SELECT phase FROM rollouts WHERE id = '%s'", id), "rolled_back");
    free(id);
}

Test(rollout_rollback, ending_a_live_rollout_is_the_rollback_whatever_its_phase, .fini = close_world)
{
    open_baked();
    complete("v1");
    complete("v2");
    for (int paused = 0; paused < 2; paused++) {
        char *id = strdup(world_start(&world, "v3")), result[ID_MAX];
        db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
        cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
        if (paused == 1)
            cr_assert_eq(rollout_command(world.db, id, &(struct rollout_command){.verb = VERB_PAUSE},
                                         "tester", result, &fault),
                         STATUS_OK);
        cr_assert_eq(db_commit(world.db, &fault), STATUS_OK);
        cr_expect_str_eq(after(NULL, NULL), "v2", "nothing of v3 served: v2 stays");
        cr_expect_str_eq(left, "", "nothing was left");
        cr_expect_str_eq(ended, id);
        cr_expect_str_eq(world_text(&world, "SELECT reason FROM rollouts WHERE id = '%s'", id),
                         "Rolled back by hand; all traffic stays at v2.");
        free(id);
    }
    cr_expect_str_eq(after(NULL, NULL), "v1", "with no live rollout it goes back");
    cr_expect_str_eq(left, "v2");
}

/* The service with its releases, and nothing rolled out yet. */
static void open_new(void)
{
    open_baked();
    world_sql(&world, "DELETE FROM route_state");
    world_sql(&world, "ALTER TABLE routes DISABLE TRIGGER USER; DELETE FROM routes");
    world_sql(&world, "ALTER TABLE routes ENABLE TRIGGER USER");
}

Test(rollout_rollback, a_service_without_a_route_is_told_to_start_its_first_rollout, .fini = close_world)
{
    open_new();
    cr_expect_eq(rollback("v1", "why not"), STATUS_CONFLICT);
    cr_expect_str_eq(fault.detail,
                     "chat has no stable release to roll back from, and release v1 was never "
                     "proven: it has completed no rollout");
    cr_expect_str_eq(fault.next_step, "Start its rollout: serin rollout start chat v1");
    cr_expect_eq(rollback(NULL, NULL), STATUS_CONFLICT);
    cr_expect_str_eq(fault.detail, "The service chat has no route: there is nothing to roll back");
    cr_expect_str_eq(fault.next_step, "Start a rollout: serin rollout start chat RELEASE");
    char *id = strdup(world_start(&world, "v1"));
    cr_assert_eq(rollback(NULL, NULL), STATUS_OK, "a pending first rollout ends: %s", fault.detail);
    cr_expect_str_eq(world_text(&world, "SELECT phase || ': ' || reason FROM rollouts WHERE id = '%s'", id),
                     "rolled_back: Rolled back by hand; the service has no route, as before.");
    struct text answer;
    text_init(&answer, 4096);
    cr_assert_eq(views_rollback(world.db, "chat", left, ended, &answer, &fault), STATUS_OK, "%s",
                 fault.detail);
    cr_expect(strstr(text_get(&answer), "\"route\" : null") != NULL, "%s", text_get(&answer));
    text_free(&answer);
    free(id);
}

Test(rollout_rollback, a_first_release_serves_on_when_its_successor_never_began, .fini = close_world)
{
    char *id, *next;
    open_new();
    id = strdup(world_start(&world, "v1"));
    cr_assert_str_eq(world_tick(&world, id), "start.first");
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    char started[ID_MAX];
    struct rollout_start start = {
        .service = "chat", .release = "v2", .supersede = true, .allow_no_gateway = true};
    cr_assert_eq(rollout_start(world.db, &start, "tester", started, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(db_commit(world.db, &fault), STATUS_OK);
    next = strdup(started);
    cr_assert_eq(rollback(NULL, NULL), STATUS_OK, "%s", fault.detail);
    cr_expect_str_eq(left, "");
    cr_expect_str_eq(world_text(&world, "SELECT reason FROM rollouts WHERE id = '%s'", next),
                     "Rolled back by hand; v1 serves on.");
    cr_expect_str_eq(
        world_text(&world, "SELECT canary || canary_weight FROM routes ORDER BY epoch DESC LIMIT 1"),
        "v110000");
    cr_expect_eq(rollback(NULL, NULL), STATUS_CONFLICT);
    cr_expect_str_eq(
        fault.detail,
        "chat serves v1, its first release, which is not stable yet: there is none to go back to");
    free(id);
    free(next);
}

Test(rollout_rollback, a_first_release_that_serves_leaves_the_service_without_a_route, .fini = close_world)
{
    open_new();
    char *id = strdup(world_start(&world, "v1"));
    cr_assert_str_eq(world_tick(&world, id), "start.first");
    cr_assert_eq(rollback(NULL, NULL), STATUS_OK, "%s", fault.detail);
    cr_expect_str_eq(left, "v1");
    cr_expect_str_eq(world_text(&world, "SELECT reason FROM rollouts WHERE id = '%s'", id),
                     "Rolled back by hand; the service has no route now, and gateways get 404.");
    cr_expect_str_eq(world_text(&world,
                                "SELECT coalesce(stable, canary, 'none') FROM routes ORDER BY epoch "
                                "DESC LIMIT 1"),
                     "none");
    free(id);
}
