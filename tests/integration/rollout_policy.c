/* What a policy changes: actions of guardrails, on_blind, pace, mutes, the first release. */
#include "rollout/rollout.h"
#include "support/world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(rollout_policy, .timeout = 120);

#define SLOS  "{\"refusal\":{\"objective\":90}}"
#define STEPS "\"plan\":{\"steps\":[{\"weight\":500,\"bake\":\"5s\"},{\"weight\":10000,\"bake\":\"5s\"}]}"

static struct world world;

static void open_with(const char *guardrail, const char *rest)
{
    char policy[1024];
    snprintf(
        policy, sizeof policy,
        "{\"guardrails\":{\"refusal\":{\"maturity\":\"2s\",\"budget_share\":0%s}},\"blind\":\"20s\"%s," STEPS
        "}",
        guardrail, rest);
    world_open(&world, SLOS, policy);
}

static void close_world(void)
{
    world_close(&world);
}

static const char *field(const char *id, const char *column)
{
    return world_text(&world, "SELECT %s FROM rollouts WHERE id = '%s'", column, id);
}

static char *begin(const char *release)
{
    char *id = strdup(world_start(&world, release));
    world_at(&world, 1);
    world_gateway_applies(&world);
    world_tick(&world, id);
    return id;
}

static void run(const char *id, int from, int to, int canary, int bad)
{
    for (int second = from; second < to && strcmp(field(id, "ended_at IS NOT NULL"), "f") == 0; second++) {
        world_count(&world, second, "v1", 95, 2);
        world_count(&world, second, "v2", canary, bad);
        world_at(&world, second + 4);
        world_gateway_applies(&world);
        world_tick(&world, id);
    }
}

static void mute(const char *id, const char *until)
{
    char result[ID_MAX];
    struct fault fault = {0};
    struct rollout_command command = {
        .verb = VERB_MUTE, .muted = SLI_REFUSAL, .until = until, .reason = "the judge is broken"};
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    cr_assert_eq(rollout_command(world.db, id, &command, "tester", result, &fault), STATUS_OK, "%s",
                 fault.detail);
    cr_assert_eq(db_commit(world.db, &fault), STATUS_OK);
}

Test(rollout_policy, action_pause_pauses_once_and_blames_nobody, .fini = close_world)
{
    open_with(",\"action\":\"pause\"", "");
    char *id = begin("v2");
    run(id, 2, 40, 5, 3);
    cr_expect_str_eq(field(id, "phase"), "paused");
    cr_expect_str_eq(field(id, "rule"), "alarm.pause");
    cr_expect_str_eq(
        world_text(&world, "SELECT count(*) FROM events WHERE body::jsonb->>'rule' = 'alarm.pause'"), "1");
    cr_expect_str_eq(world_text(&world, "SELECT count(*) FROM quarantines"), "0");
    free(id);
}

Test(rollout_policy, action_notify_says_so_once_and_goes_on, .fini = close_world)
{
    open_with(",\"action\":\"notify\"", "");
    char *id = begin("v2");
    run(id, 2, 40, 5, 3);
    cr_expect_str_eq(field(id, "phase"), "progressing");
    cr_expect_str_eq(world_text(&world, "SELECT count(*) FROM events WHERE type = 'rollout.noticed'"), "1");
    free(id);
}

Test(rollout_policy, a_mute_stops_the_guardrail_while_it_lasts, .fini = close_world)
{
    open_with("", "");
    char *id = begin("v2");
    mute(id, "30s");
    run(id, 2, 25, 5, 3);
    cr_expect_str_eq(field(id, "phase"), "progressing", "muted until second 31");
    run(id, 25, 45, 5, 3);
    cr_expect_str_eq(field(id, "phase"), "rolled_back", "what was gathered is not forgotten");
    free(id);
}

/* The explanation's JSON, in a static buffer. */
static const char *explained(const char *id)
{
    static char copy[1 << 16];
    struct text out;
    struct fault fault = {0};
    text_init(&out, 1 << 20);
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    cr_assert_eq(rollout_explain(world.db, id, &out, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(db_commit(world.db, &fault), STATUS_OK);
    snprintf(copy, sizeof copy, "%s", text_get(&out));
    text_free(&out);
    return copy;
}

#define SAYS(id, part)       cr_expect_not_null(strstr(explained(id), part), "no \"%s\" in %s", part, explained(id))
#define NEVER_SAYS(id, part) cr_expect_null(strstr(explained(id), part), "\"%s\" in %s", part, explained(id))

Test(rollout_policy, explain_says_what_is_proven_where_the_action_is_to_notify, .fini = close_world)
{
    open_with(",\"action\":\"notify\"", "");
    char *id = begin("v2");
    run(id, 2, 5, 5, 0);
    SAYS(id, "Nothing speaks against the canary.");
    run(id, 5, 40, 5, 3);
    cr_expect_str_eq(field(id, "rule"), "hold.failed");
    SAYS(id, "Proven against the canary: the guardrail refusal has failed (refusal: canary 105 of 190");
    SAYS(id, "nothing advances until a person acts");
    NEVER_SAYS(id, "Nothing speaks against");
    free(id);
}

Test(rollout_policy, explain_says_what_comes_when_a_mute_ends, .fini = close_world)
{
    open_with("", "");
    char *id = begin("v2");
    mute(id, "60s");
    run(id, 2, 5, 5, 0);
    SAYS(id, "goes on by itself");
    SAYS(id, "\"muted\":[{");
    SAYS(id, "\"unmuted\":null");
    run(id, 5, 40, 5, 3);
    cr_expect_str_eq(field(id, "phase"), "progressing");
    SAYS(id, "\"unmuted\":\"rollback\"");
    SAYS(id, "The canary is proven worse than stable in refusal");
    SAYS(id, "But refusal is muted until ");
    SAYS(id, "then it is rolled back");
    NEVER_SAYS(id, "Nothing speaks against");
    NEVER_SAYS(id, "goes on by itself");
    cr_expect_str_eq(field(id, "phase"), "progressing", "looking latches nothing");
    run(id, 40, 70, 5, 3);
    cr_expect_str_eq(field(id, "rule"), "evidence.worse", "and so it is");
    SAYS(id, "\"muted\":[]");
    free(id);
}

Test(rollout_policy, explain_says_that_nothing_is_known_without_data, .fini = close_world)
{
    open_with("", "");
    char *id = begin("v2");
    run(id, 2, 10, 5, 0);
    for (int second = 10; second < 85; second += 5) {
        world_at(&world, second);
        world_sql(&world, "UPDATE gateways SET heard_at = serin_now()");
        world_tick(&world, id);
    }
    cr_expect_str_eq(field(id, "rule"), "hold.blind");
    SAYS(id, "Nothing is known of the canary now: a guardrail has had no data for ");
    NEVER_SAYS(id, "Nothing speaks against");
    free(id);
}

Test(rollout_policy, explain_says_why_a_guardrail_has_counted_nothing_beside_one_that_has,
     .fini = close_world)
{
    world_open(&world,
               "{\"refusal\":{\"objective\":90},\"error\":{\"objective\":90},\"timeout\":{\"objective\":90},"
               "\"ttft\":{\"objective\":90,\"threshold\":\"2s\"}}",
               "{\"guardrails\":{\"refusal\":{\"maturity\":\"2s\"},\"error\":{\"maturity\":\"2s\",\"block\":"
               "\"60s\"},"
               "\"timeout\":{\"maturity\":\"60s\"},\"ttft\":{\"maturity\":\"2s\"}},\"blind\":\"1h\"," STEPS
               "}");
    char *id = begin("v2");
    for (int second = 2; second < 30; second++) {
        world_count(&world, second, "v1", 95, 2);
        world_count(&world, second, "v2", 5, 0);
        world_sql(&world, "UPDATE observations SET n[3] = n[1], k[3] = k[1]");
        world_at(&world, second + 4);
        world_gateway_applies(&world);
        world_tick(&world, id);
    }
    SAYS(id, "Not proven yet: the canary's first block is still open, with ");
    SAYS(id, "Not proven yet: a request counts at an age of 60 s, and none of the canary's is.");
    SAYS(id, "in its first 60 s, the warm-up, is left out");
    NEVER_SAYS(id, "nothing of the canary has been counted");
    free(id);
}

Test(rollout_policy, on_blind_rollback_goes_back_without_quarantine, .fini = close_world)
{
    open_with("", ",\"on_blind\":\"rollback\"");
    char *id = begin("v2");
    run(id, 2, 10, 5, 0);
    for (int second = 10; second < 200; second += 5) {
        world_at(&world, second);
        world_sql(&world, "UPDATE gateways SET heard_at = serin_now()");
        world_tick(&world, id);
    }
    cr_expect_str_eq(field(id, "phase"), "rolled_back");
    cr_expect_str_eq(field(id, "rule"), "blind.rollback");
    cr_expect_str_eq(world_text(&world, "SELECT count(*) FROM quarantines"), "0");
    free(id);
}

Test(rollout_policy, pace_time_advances_unproven_and_says_so, .fini = close_world)
{
    open_with("", ",\"pace\":\"time\"");
    char *id = begin("v2");
    run(id, 2, 60, 1, 0);
    cr_expect_str_eq(field(id, "phase"), "completed");
    cr_expect_str_eq(field(id, "unproven"), "t");
    cr_expect_str_eq(
        world_text(
            &world,
            "SELECT body::jsonb->>'reason' FROM events WHERE body::jsonb->>'rule' = 'advance.time_bake'"),
        "Advanced by time, unproven; baking at 98 %.");
    free(id);
}

Test(rollout_policy, pace_time_does_not_advance_without_requests, .fini = close_world)
{
    open_with("", ",\"pace\":\"time\"");
    char *id = begin("v2");
    for (int second = 2; second < 60; second++) {
        world_count(&world, second, "v1", 95, 2);
        world_at(&world, second + 4);
        world_gateway_applies(&world);
        world_tick(&world, id);
    }
    cr_expect_str_eq(field(id, "rule"), "step.requests");
    free(id);
}

Test(rollout_policy, a_first_release_that_breaks_its_ceiling_is_paused_as_there_is_nothing_behind_it,
     .fini = close_world)
{
    open_with("", "");
    world_sql(&world, "INSERT INTO routes (service, epoch, written_at) VALUES ('chat', 2, serin_now())");
    world_sql(&world, "UPDATE route_state SET epoch = 2");
    char *id = begin("v2");
    cr_expect_str_eq(field(id, "phase"), "baking");
    cr_expect_str_eq(world_text(&world, "SELECT canary_weight FROM routes ORDER BY epoch DESC LIMIT 1"),
                     "10000");
    for (int second = 2; second < 30; second++) {
        world_count(&world, second, "v2", 50, 25);
        world_at(&world, second + 4);
        world_gateway_applies(&world);
        world_tick(&world, id);
    }
    cr_expect_str_eq(field(id, "phase"), "paused");
    cr_expect_str_eq(field(id, "rule"), "evidence.first_ceiling");
    free(id);
}

Test(rollout_policy, too_little_error_budget_refuses_a_start_but_not_a_fix, .fini = close_world)
{
    world_open(&world, SLOS, "{}");
    world_sql(&world,
              "INSERT INTO observation_minutes (service, minute, release, admissions, outcomes, n, k, sums, "
              "summed) "
              "SELECT 'chat', extract(epoch FROM serin_now())::bigint / 60 - 5, 'v1', 5000, 5000, "
              "'{5000,0,0,0,0,0,0,0,0,0,0}', '{900,0,0,0,0,0,0,0,0,0,0}', array_fill(0, '{6}'), "
              "array_fill(0, '{6}')");
    struct fault fault = {0};
    char id[ID_MAX];
    struct rollout_start start = {.service = "chat", .release = "v2", .allow_no_gateway = true};
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    cr_expect_eq(rollout_start(world.db, &start, "tester", id, &fault), STATUS_CONFLICT);
    cr_expect(strstr(fault.detail, "error budget of refusal") != NULL, "%s", fault.detail);
    cr_expect(strstr(fault.next_step, "--fix") != NULL);
    start.fix = true;
    cr_expect_eq(rollout_start(world.db, &start, "tester", id, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(db_commit(world.db, &fault), STATUS_OK);
}

Test(rollout_policy, a_fail_that_only_pauses_still_stops_every_promotion, .fini = close_world)
{
    struct fault fault = {0};
    char result[ID_MAX];
    open_with(",\"action\":\"pause\"", "");
    char *id = begin("v2");
    run(id, 2, 30, 5, 3);
    cr_assert_str_eq(field(id, "rule"), "alarm.pause");
    enum verb verbs[] = {VERB_RESUME, VERB_PROMOTE}; /* into the bake, by hand */
    for (int i = 0; i < 2; i++) {
        struct rollout_command command = {.verb = verbs[i]};
        db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
        cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
        cr_assert_eq(rollout_command(world.db, id, &command, "tester", result, &fault), STATUS_OK, "%s",
                     fault.detail);
        cr_assert_eq(db_commit(world.db, &fault), STATUS_OK);
    }
    run(id, 30, 120, 50, 1);
    cr_expect_str_eq(field(id, "phase"), "baking", "%s", field(id, "reason"));
    cr_expect_str_eq(field(id, "rule"), "hold.failed");
    free(id);
}

Test(rollout_policy, leaving_needs_no_evidence_that_can_be_read, .fini = close_world)
{
    open_with("", "");
    char *id = begin("v2"), result[ID_MAX], left[NAME_MAX_LENGTH + 1];
    struct fault fault = {0};
    for (int i = 0; i < 2; i++) {
        world_sql(&world, "UPDATE rollout_evidence SET state = '\\xdeadbeef'");
        db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
        cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
        if (i == 0)
            cr_expect_eq(rollout_command(world.db, id, &(struct rollout_command){.verb = VERB_ABORT},
                                         "tester", result, &fault),
                         STATUS_OK, "%s", fault.detail);
        else
            cr_expect_eq(rollout_rollback(world.db, "chat", NULL, NULL, "tester", left, result, &fault),
                         STATUS_OK, "%s", fault.detail);
        cr_assert_eq(db_commit(world.db, &fault), STATUS_OK);
        cr_expect_str_eq(field(id, "phase"), i == 0 ? "aborted" : "rolled_back");
        cr_expect_str_eq(world_text(&world, "SELECT canary_weight FROM routes ORDER BY epoch DESC LIMIT 1"),
                         "0");
        free(id);
        id = i == 0 ? begin("v3") : NULL;
    }
}

Test(rollout_policy, a_restored_database_pauses_what_was_live, .fini = close_world)
{
    open_with("", "");
    char *id = begin("v2");
    run(id, 2, 10, 5, 0);
    world_sql(&world, "UPDATE route_rev SET incarnation = incarnation + 1");
    world_tick(&world, id);
    cr_expect_str_eq(field(id, "phase"), "paused");
    cr_expect_str_eq(field(id, "rule"), "restored");
    cr_expect_str_eq(
        world_text(&world, "SELECT stable || ' ' || canary_weight FROM routes ORDER BY epoch DESC LIMIT 1"),
        "v1 0");
    cr_expect_str_eq(world_tick(&world, id), "paused", "once");
    free(id);
}

static enum status resume(const char *id, struct fault *fault)
{
    char result[ID_MAX];
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(db_begin(world.db, fault), STATUS_OK);
    enum status status = rollout_command(world.db, id, &(struct rollout_command){.verb = VERB_RESUME},
                                         "tester", result, fault);
    if (status == STATUS_OK)
        cr_assert_eq(db_commit(world.db, fault), STATUS_OK);
    else
        db_rollback(world.db);
    return status;
}

Test(rollout_policy, who_resumes_after_a_restore_begins_the_step_anew_at_its_own_weight, .fini = close_world)
{
    struct fault fault = {0};
    open_with("", "");
    char *id = begin("v2");
    run(id, 2, 6, 5, 0);
    world_sql(&world, "UPDATE route_rev SET incarnation = incarnation + 1");
    world_tick(&world, id);
    cr_assert_str_eq(field(id, "canary_weight || ' ' || step"), "0 1");
    world_sql(&world, "INSERT INTO freezes (reason, since, by) VALUES ('test', serin_now(), 'tester')");
    cr_expect_eq(resume(id, &fault), STATUS_CONFLICT, "while frozen no canary gets more weight");
    cr_expect_str_eq(field(id, "phase"), "paused");
    world_sql(&world, "UPDATE freezes SET lifted_at = serin_now(), lifted_by = 'tester'");
    cr_assert_eq(resume(id, &fault), STATUS_OK, "%s", fault.detail);
    cr_expect_str_eq(field(id, "phase || ' ' || rule"), "progressing resume.step");
    cr_expect_str_eq(
        world_text(&world, "SELECT canary || ' ' || canary_weight FROM routes ORDER BY epoch DESC LIMIT 1"),
        "v2 500");
    cr_expect_str_eq(field(id, "step_since IS NULL"), "t", "the bake of the step counts when it is applied");
    run(id, 12, 160, 50, 1);
    cr_expect_str_eq(field(id, "step"), "2", "%s", field(id, "reason"));
    free(id);
}

Test(rollout_policy, superseding_a_first_release_leaves_it_serving, .fini = close_world)
{
    struct fault fault = {0};
    char result[ID_MAX];
    open_with("", "");
    world_sql(&world, "INSERT INTO routes (service, epoch, written_at) VALUES ('chat', 2, serin_now())");
    world_sql(&world, "UPDATE route_state SET epoch = 2");
    char *id = begin("v2");
    struct rollout_start start = {
        .service = "chat", .release = "v3", .allow_no_gateway = true, .supersede = true};
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    cr_assert_eq(rollout_start(world.db, &start, "tester", result, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(db_commit(world.db, &fault), STATUS_OK);
    cr_expect_str_eq(field(id, "phase"), "aborted");
    cr_expect_str_eq(
        world_text(&world, "SELECT canary || ' ' || canary_weight FROM routes ORDER BY epoch DESC LIMIT 1"),
        "v2 10000");
    world_tick(&world, result);
    cr_expect_str_eq(
        world_text(&world, "SELECT canary || ' ' || canary_weight FROM routes ORDER BY epoch DESC LIMIT 1"),
        "v3 10000");
    free(id);
}

Test(rollout_policy, every_notice_is_told, .fini = close_world)
{
    world_open(&world, "{\"refusal\":{\"objective\":90},\"content_filter\":{\"objective\":90}}",
               "{\"guardrails\":{\"refusal\":{\"maturity\":\"2s\",\"action\":\"notify\",\"budget_share\":0},"
               "\"content_filter\":{\"maturity\":\"2s\",\"action\":\"notify\",\"budget_share\":0}},\"blind\":"
               "\"1h\"," STEPS "}");
    char *id = begin("v2");
    for (int second = 2; second < 60; second++) {
        world_count(&world, second, "v1", 95, 2);
        world_count(&world, second, "v2", 5, 3);
        world_sql(&world, "UPDATE observations SET n[2] = n[1], k[2] = k[1] WHERE release = 'v1' OR %d > 20",
                  second);
        world_at(&world, second + 4);
        world_gateway_applies(&world);
        world_tick(&world, id);
    }
    cr_expect_str_eq(world_text(&world, "SELECT alarmed FROM rollouts WHERE id = '%s'", id), "3");
    cr_expect_str_eq(world_text(&world, "SELECT count(*) FROM events WHERE type = 'rollout.noticed'"), "2");
    free(id);
}
