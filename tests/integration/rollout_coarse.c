/* A gateway that cannot apply every weight, as HAProxy with agent-checks: what is refused, what is said, and
   that nobody is suspected of what it applies instead. */
#include "rollout/rollout.h"
#include "rollout/state.h"
#include "support/world.h"

#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(rollout_coarse, .timeout = 120);

static struct world world;

static void close_world(void)
{
    world_close(&world);
}

static void open_world(const char *weight, const char *holdback)
{
    char policy[512];
    snprintf(
        policy, sizeof policy,
        "{\"guardrails\":{\"refusal\":{\"maturity\":\"2s\",\"budget_share\":0}},\"blind\":\"60s\","
        "\"holdback\":\"%s\",\"plan\":{\"steps\":[{\"weight\":\"%s\",\"bake\":\"2h\",\"deadline\":\"20h\"},"
        "{\"weight\":\"100%%\",\"bake\":\"2h\"}]}}",
        holdback, weight);
    world_open(&world, "{\"refusal\":{\"objective\":90}}", policy);
    world_sql(&world, "UPDATE services SET sticky = 'none'");
    world_at(&world, 1);
}

/* edge-1 asks, and takes weights that are multiples of 0.5 %; it has not applied the newest route. */
static void edge_asks(void)
{
    world_sql(&world,
              "INSERT INTO gateways (service, instance, applied_epoch, heard_at, weight_step) "
              "VALUES ('chat', 'edge-1', 1, serin_now(), 50) "
              "ON CONFLICT (service, instance) DO UPDATE SET heard_at = excluded.heard_at");
}

static enum status start(struct fault *fault)
{
    char id[ID_MAX];
    struct rollout_start order = {.service = "chat", .release = "v2", .allow_no_gateway = true};
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 20000));
    cr_assert_eq(db_begin(world.db, fault), STATUS_OK);
    enum status status = rollout_start(world.db, &order, "tester", id, fault);
    db_rollback(world.db);
    return status;
}

static enum status command(const char *id, enum verb verb, int weight, struct fault *fault)
{
    char result[ID_MAX];
    struct rollout_command order = {.verb = verb, .weight = weight};
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 20000));
    cr_assert_eq(db_begin(world.db, fault), STATUS_OK);
    enum status status = rollout_command(world.db, id, &order, "oncall", result, fault);
    if (status == STATUS_OK)
        cr_assert_eq(db_commit(world.db, fault), STATUS_OK);
    else
        db_rollback(world.db);
    return status;
}

static char *begin(void)
{
    char *id = strdup(world_start(&world, "v2"));
    world_at(&world, 2);
    cr_assert_str_eq(world_tick(&world, id), "start");
    return id;
}

/* A text of the explanation; a static buffer. */
static const char *explained(const char *id, const char *object, const char *name)
{
    static char found[1024];
    struct fault fault = {0};
    struct text out;
    struct json_object *whole, *part, *member = NULL;
    text_init(&out, 1 << 20);
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 20000));
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    cr_assert_eq(rollout_explain(world.db, id, &out, &fault), STATUS_OK, "%s", fault.detail);
    db_rollback(world.db);
    whole = json_tokener_parse(text_get(&out));
    part = object != NULL ? json_object_object_get(whole, object) : whole;
    cr_assert(json_object_object_get_ex(part, name, &member), "%s", name);
    snprintf(found, sizeof found, "%s", member != NULL ? json_object_get_string(member) : "");
    json_object_put(whole);
    text_free(&out);
    return found;
}

Test(rollout_coarse, nothing_starts_with_a_weight_that_a_live_gateway_cannot_apply, .fini = close_world)
{
    struct fault fault = {0};
    open_world("0.2%", "0%");
    cr_expect_eq(start(&fault), STATUS_OK, "no such gateway: %s", fault.detail);
    edge_asks();
    cr_expect_eq(start(&fault), STATUS_CONFLICT);
    cr_expect_str_eq(
        fault.detail,
        "The gateway edge-1 cannot apply 0.2 %, the weight of step 1: its weights are multiples of "
        "0.5 %");
    cr_expect_not_null(strstr(fault.next_step, "the nearest that it can apply is 0.5 %."), "%s",
                       fault.next_step);
    world_sql(&world, "UPDATE gateways SET heard_at = serin_now() - interval '61 s'");
    cr_expect_eq(start(&fault), STATUS_OK, "it is silent: %s", fault.detail);
}

Test(rollout_coarse, nothing_starts_with_a_holdback_that_a_live_gateway_cannot_apply, .fini = close_world)
{
    struct fault fault = {0};
    open_world("7.5%", "1.3%");
    edge_asks();
    cr_expect_eq(start(&fault), STATUS_CONFLICT);
    cr_expect_not_null(strstr(fault.detail, "cannot apply 98.7 %, what the holdback leaves to step 2:"), "%s",
                       fault.detail);
    cr_expect_not_null(strstr(fault.next_step,
                              "holdback of the policy: the nearest that it can apply are 98.5 % "
                              "and 99 %."),
                       "%s", fault.next_step);
}

Test(rollout_coarse, a_lower_weight_is_set_and_what_a_gateway_makes_of_it_is_said, .fini = close_world)
{
    static const char says[] =
        "edge-1 cannot apply 0.2 %: its weights are multiples of 0.5 %. It applies 0 %.";
    struct fault fault = {0};
    char sentence[200];
    open_world("7.5%", "0%");
    char *id = begin();
    edge_asks();
    cr_expect_str_eq(explained(id, "gateways", "problem"), "", "it can apply 7.5 %%");
    cr_assert_eq(command(id, VERB_SET_WEIGHT, 20, &fault), STATUS_OK, "%s", fault.detail);
    snprintf(sentence, sizeof sentence, "Lowered by hand from 7.5 %% to 0.2 %%, and paused there. %s", says);
    cr_expect_str_eq(explained(id, NULL, "reason"), sentence);
    cr_expect_str_eq(explained(id, "gateways", "problem"), says);
    const char *next = explained(id, NULL, "next_step");
    cr_expect_eq(strncmp(next, says, strlen(says)), 0, "%s", next);
    cr_expect_not_null(strstr(next, " 0%'), promote the rollout, or abort it."), "%s", next);
    cr_expect_null(strstr(next, "goes on from this weight"), "it would wait there: %s", next);
    /* beside what else is to be done */
    world_sql(&world, "INSERT INTO freezes (reason, since, by) VALUES ('holidays', serin_now(), 'anna')");
    cr_assert_eq(command(id, VERB_RESUME, 0, &fault), STATUS_OK, "%s", fault.detail);
    next = explained(id, NULL, "next_step");
    cr_expect_not_null(strstr(next, "serin freeze --lift"), "%s", next);
    cr_expect_not_null(strstr(next, says), "%s", next);
    /* what it refuses names a weight that works */
    cr_expect_eq(command(id, VERB_SET_WEIGHT, 50, &fault), STATUS_CONFLICT);
    cr_expect_str_eq(fault.detail, "The weight is 0.2 %; set-weight only lowers it.");
    cr_expect_str_eq(
        fault.next_step,
        "A lower one, which edge-1 can apply too, is 0 %. To go up, use 'serin rollout promote'.");
    cr_assert_eq(command(id, VERB_SET_WEIGHT, 0, &fault), STATUS_OK, "%s", fault.detail);
    cr_expect_str_eq(explained(id, "gateways", "problem"), "");
    free(id);
}

Test(rollout_coarse, where_every_weight_can_be_applied_nothing_is_said, .fini = close_world)
{
    struct fault fault = {0};
    open_world("7.5%", "0%");
    char *id = begin();
    cr_assert_eq(command(id, VERB_SET_WEIGHT, 20, &fault), STATUS_OK, "%s", fault.detail);
    cr_expect_str_eq(explained(id, NULL, "reason"), "Lowered by hand from 7.5 % to 0.2 %, and paused there.");
    cr_expect_str_eq(explained(id, "gateways", "problem"), "");
    cr_expect_eq(command(id, VERB_SET_WEIGHT, 50, &fault), STATUS_CONFLICT);
    cr_expect_str_eq(fault.next_step, "A lower one is 0.1 %. To go up, use 'serin rollout promote'.");
    free(id);
}

/* It gives the canary nothing at 0.2 %: that is no wrong share, now or after the rollout has been mended. */
Test(rollout_coarse, a_gateway_that_applies_less_is_no_wrong_share, .fini = close_world)
{
    struct fault fault = {0};
    struct rollout_state *state = NULL;
    open_world("5%", "0%");
    char *id = begin();
    edge_asks();
    cr_assert_eq(command(id, VERB_SET_WEIGHT, 20, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(command(id, VERB_RESUME, 0, &fault), STATUS_OK, "%s", fault.detail);
    for (int second = 3; second < 500; second++) {
        world_count(&world, second, "v1", 200, 1);
        if (second % 5 != 0)
            continue;
        world_at(&world, second + 4);
        world_gateway_applies(&world); /* another one */
        world_tick(&world, id);
    }
    cr_assert_eq(state_load(world.db, id, false, &state, &fault), STATUS_OK);
    cr_expect_geq(state->evidence.evidence.split.blocks, 5);
    cr_expect_not(state->evidence.evidence.split.crossed);
    cr_expect_str_eq(world_text(&world, "SELECT max(w_lo) FROM split_blocks WHERE seq > 1"), "0");
    state_free(state);
    free(id);
}
