/* Where a rollback of a service goes: the rollback target, and who is one again. */
#include "rollout/rollout.h"
#include "support/world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(rollout_rollback, .timeout = 120);

static struct world world;
static struct fault fault;

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
    char left[NAME_MAX_LENGTH + 1], ended[ID_MAX];
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
                     "To go to one all the same: serin rollback chat --to v3 --reason \"...\"");
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
    cr_expect(strstr(fault.next_step, "--to z-name-as-long") != NULL, "%s", fault.next_step);
}
