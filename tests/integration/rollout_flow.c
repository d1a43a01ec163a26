/* Rollouts against a real Postgres with a clock moved by hand: the loop's rules, and laws 2 to 8 attacked. */
#include "reconcile/observe.h"
#include "rollout/rollout.h"
#include "rollout/state.h"
#include "spec/record.h"
#include "store/blocks.h"
#include "support/world.h"

#include "base/json.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(rollout_flow, .timeout = 120);

#define SLOS "{\"refusal\":{\"objective\":90}}"
#define POLICY                                                                                               \
    "{\"guardrails\":{\"refusal\":{\"maturity\":\"2s\",\"budget_share\":0}},\"blind\":\"60s\",\"plan\":{"    \
    "\"steps\":["                                                                                            \
    "{\"weight\":500,\"bake\":\"10s\"},{\"weight\":5000,\"bake\":\"10s\"},{\"weight\":10000,\"bake\":"       \
    "\"30s\"}]}}"

static struct world world;

static void open_world(void)
{
    world_open(&world, SLOS, POLICY);
}

static void close_world(void)
{
    world_close(&world);
}

static const char *field(const char *id, const char *column)
{
    return world_text(&world, "SELECT %s FROM rollouts WHERE id = '%s'", column, id);
}

/* Seconds [from, to): per second `stable` and `canary` requests, of which some are bad; a tick after each.
   Returns the last rule, or stops early when the rollout has ended. */
static const char *run(const char *id, int from, int to, int stable, int stable_bad, int canary,
                       int canary_bad)
{
    static char last[64];
    for (int second = from; second < to; second++) {
        world_count(&world, second, "v1", stable, stable_bad);
        if (canary > 0)
            world_count(&world, second, "v2", canary, canary_bad);
        world_at(&world, second + 4);
        world_gateway_applies(&world);
        snprintf(last, sizeof last, "%s", world_tick(&world, id));
        if (strcmp(field(id, "ended_at IS NOT NULL"), "t") == 0)
            break;
    }
    return last;
}

static char *begin(void)
{
    char *id = strdup(world_start(&world, "v2"));
    world_at(&world, 1);
    world_gateway_applies(&world);
    cr_assert_str_eq(world_tick(&world, id), "start");
    cr_assert_str_eq(field(id, "canary_weight"), "500");
    return id;
}

static void command(const char *id, enum verb verb, enum status expected)
{
    struct fault fault = {0};
    char result[ID_MAX];
    struct rollout_command request = {.verb = verb, .reason = "test"};
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 20000));
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    enum status status = rollout_command(world.db, id, &request, "tester", result, &fault);
    cr_assert_eq(status, expected, "%d: %s", status, fault.detail);
    if (status == STATUS_OK)
        cr_assert_eq(db_commit(world.db, &fault), STATUS_OK);
    else
        db_rollback(world.db);
}

Test(rollout_flow, a_bad_canary_is_rolled_back_in_one_transaction, .init = open_world, .fini = close_world)
{
    char *id = begin();
    run(id, 2, 60, 95, 2, 5, 3);
    cr_assert_str_eq(field(id, "phase"), "rolled_back");
    cr_assert_str_eq(field(id, "canary_weight"), "0");
    cr_assert_str_eq(
        world_text(&world, "SELECT stable || ' ' || canary_weight FROM routes ORDER BY epoch DESC LIMIT 1"),
        "v1 0");
    cr_assert_str_eq(world_text(&world, "SELECT count(*) FROM quarantines WHERE lifted_at IS NULL"), "1");
    cr_assert_str_eq(world_text(&world, "SELECT verdict FROM verdicts ORDER BY id DESC LIMIT 1"), "fail");
    cr_assert_str_eq(world_text(&world, "SELECT count(*) FROM events WHERE type = 'rollout.rolled_back'"),
                     "1");
    free(id);
}

Test(rollout_flow, a_healthy_canary_is_promoted_by_proof, .init = open_world, .fini = close_world)
{
    char *id = begin();
    run(id, 2, 90, 95, 2, 60, 1);
    run(id, 90, 600, 50, 1, 50, 1);
    cr_assert_str_eq(field(id, "phase"), "completed", "%s", field(id, "reason"));
    cr_assert_str_eq(world_text(&world, "SELECT stable FROM routes ORDER BY epoch DESC LIMIT 1"), "v2");
    cr_assert_str_eq(world_text(&world, "SELECT release FROM bakes ORDER BY id DESC LIMIT 1"), "v2");
    cr_assert_str_eq(world_text(&world,
                                "SELECT string_agg(body::jsonb->>'rule', ' ' ORDER BY seq) FROM events "
                                "WHERE type IN ('rollout.advanced', 'rollout.completed')"),
                     "start advance advance.bake bake.done");
    free(id);
}

Test(rollout_flow, law3_nothing_advances_without_proof, .init = open_world, .fini = close_world)
{
    char *id = begin();
    /* no bad outcome anywhere and almost no canary requests: nothing is proven, however long it takes */
    for (int second = 2; second < 200; second++) {
        world_count(&world, second, "v1", 1, 0);
        world_at(&world, second + 4);
        world_gateway_applies(&world);
        world_tick(&world, id);
    }
    cr_assert_str_eq(field(id, "step"), "1");
    cr_assert_str_eq(field(id, "rule"), "step.requests");
    free(id);
}

Test(rollout_flow, law4_missing_data_hold_then_pause, .init = open_world, .fini = close_world)
{
    char *id = begin();
    run(id, 2, 20, 95, 2, 5, 0);
    /* the gateway goes on polling, but reports nothing any more */
    for (int second = 20; second < 300; second += 5) {
        world_at(&world, second);
        world_sql(&world, "UPDATE gateways SET heard_at = serin_now()");
        world_tick(&world, id);
    }
    cr_assert_str_eq(field(id, "phase"), "paused");
    cr_assert_str_eq(field(id, "rule"), "blind.pause");
    cr_assert_str_eq(world_text(&world, "SELECT verdict FROM verdicts ORDER BY id DESC LIMIT 1"), "no_data");
    free(id);
}

Test(rollout_flow, law4_a_gateway_that_died_is_dropped_in_both_arms, .init = open_world, .fini = close_world)
{
    char *id = begin();
    /* requests were admitted, no outcome is known, and the gateway was never heard again */
    for (int second = 2; second < 40; second++)
        world_sql(&world,
                  "INSERT INTO observations (service, bucket_s, release, gateway, admissions, outcomes, n, "
                  "k, late, sums, summed) "
                  "SELECT 'chat', extract(epoch FROM created_at)::bigint + %d, r, 'dead', 50, 0, "
                  "array_fill(0, '{11}'), "
                  "array_fill(0, '{11}'), array_fill(0, '{11}'), array_fill(0, '{6}'), array_fill(0, '{6}') "
                  "FROM rollouts, unnest(ARRAY['v1', 'v2']) r WHERE id = '%s'",
                  second, id);
    world_at(&world, 60);
    world_gateway_applies(&world);
    world_tick(&world, id);
    struct fault fault = {0};
    struct rollout_state *state = NULL;
    cr_assert_eq(state_load(world.db, id, false, &state, &fault), STATUS_OK);
    cr_expect_eq(state->evidence.evidence.sli[SLI_REFUSAL].total.n_c, 0);
    cr_expect_eq(state->evidence.evidence.sli[SLI_REFUSAL].total.n_b, 0);
    cr_expect_neq(state->row.blind_since.us, 0, "more than a tenth of the admissions is blind");
    state_free(state);
    free(id);
}

Test(rollout_flow, law4_blindness_lasts_through_turns_without_a_new_second, .init = open_world,
     .fini = close_world)
{
    char *id = begin();
    run(id, 2, 20, 95, 2, 5, 0);
    /* one of two gateways has died with a fifth of the requests open; the other reports on */
    for (int second = 20; second < 120; second++) {
        world_count(&world, second, "v1", 80, 1);
        world_count(&world, second, "v2", 5, 0);
        world_sql(&world,
                  "INSERT INTO observations (service, bucket_s, release, gateway, admissions, outcomes, n, "
                  "k, late, sums, "
                  "summed) SELECT service, bucket_s, release, 'dead', 20, 0, array_fill(0, '{11}'), "
                  "array_fill(0, '{11}'), "
                  "late, sums, summed FROM observations WHERE release = 'v1' AND gateway = 'gw' ORDER BY "
                  "bucket_s DESC "
                  "LIMIT 1");
        for (int half = 0; half < 2; half++) { /* two turns in each second */
            world_at(&world, second + 4 + half * 0.5);
            world_gateway_applies(&world);
            world_tick(&world, id);
        }
    }
    cr_expect_str_eq(field(id, "phase"), "paused");
    cr_expect_str_eq(field(id, "rule"), "blind.pause");
    free(id);
}

Test(rollout_flow, law4_a_silent_gateway_is_dropped_with_what_it_did_report, .init = open_world,
     .fini = close_world)
{
    char *id = begin();
    struct fault fault = {0};
    struct rollout_state *state = NULL;
    /* the dead gateway reported all of stable's requests, and half of the canary's before it died */
    for (int second = 2; second < 12; second++) {
        world_count(&world, second, "v1", 50, 1);
        world_count(&world, second, "v2", 20, 2);
        world_sql(&world,
                  "UPDATE observations SET gateway = 'dead', admissions = admissions + CASE release WHEN "
                  "'v2' THEN 20 "
                  "ELSE 0 END WHERE gateway = 'gw'");
    }
    world_at(&world, 40);
    world_gateway_applies(&world);
    world_tick(&world, id);
    cr_assert_eq(state_load(world.db, id, false, &state, &fault), STATUS_OK);
    const struct sli_evidence *refusal = &state->evidence.evidence.sli[SLI_REFUSAL];
    cr_expect_eq(refusal->total.n_c + refusal->open.stratum[0].n_c, 0);
    cr_expect_eq(refusal->total.n_b + refusal->open.stratum[0].n_b, 0,
                 "both arms, or the comparison is biased");
    state_free(state);
    free(id);
}

Test(rollout_flow, law5_a_breach_in_both_arms_blames_nobody, .init = open_world, .fini = close_world)
{
    char *id = begin();
    run(id, 2, 20, 95, 2, 5, 0);
    const char *rule = run(id, 20, 60, 95, 48, 5, 2);
    cr_assert_str_eq(rule, "hold.shared");
    cr_assert_str_eq(field(id, "phase"), "progressing");
    /* it began after the weight was raised and outlasts shared_hold: back to stable, without blame */
    run(id, 60, 500, 95, 48, 5, 2);
    cr_assert_str_eq(field(id, "phase"), "rolled_back");
    cr_assert_str_eq(field(id, "rule"), "evidence.shared_cause");
    cr_assert_str_eq(world_text(&world, "SELECT count(*) FROM quarantines"), "0");
    free(id);
}

Test(rollout_flow, law2_abort_needs_nothing_and_nothing_undoes_it, .init = open_world, .fini = close_world)
{
    char *id = begin();
    /* somebody else holds the lease, data are missing, and an observation is under way */
    world_sql(&world, "UPDATE rollouts SET lease_owner = 'other', lease_epoch = 7, lease_until = 'infinity'");
    command(id, VERB_ABORT, STATUS_OK);
    cr_assert_str_eq(field(id, "phase"), "aborted");
    cr_assert_str_eq(world_text(&world, "SELECT canary_weight FROM routes ORDER BY epoch DESC LIMIT 1"), "0");
    int64_t epoch = strtoll(world_text(&world, "SELECT max(epoch) FROM routes"), NULL, 10);
    cr_assert_str_eq(world_tick(&world, id), "superseded");
    command(id, VERB_PROMOTE, STATUS_CONFLICT);
    command(id, VERB_RESUME, STATUS_CONFLICT);
    command(id, VERB_ABORT, STATUS_OK);
    cr_assert_eq(strtoll(world_text(&world, "SELECT max(epoch) FROM routes"), NULL, 10), epoch);
    free(id);
}

Test(rollout_flow, law8_an_old_lease_writes_nothing, .init = open_world, .fini = close_world)
{
    char *id = begin();
    char before[64];
    snprintf(before, sizeof before, "%s", world_text(&world, "SELECT md5(state) FROM rollout_evidence"));
    struct observe_result result;
    struct fault fault = {0};
    for (int second = 2; second < 20; second++) {
        world_count(&world, second, "v1", 95, 2);
        world_count(&world, second, "v2", 5, 5);
    }
    world_at(&world, 60);
    world_gateway_applies(&world);
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 20000));
    cr_assert_eq(observe_rollout(world.db, NULL, id, 0, &result, &fault), STATUS_OK, "%s", fault.detail);
    world_sql(&world, "UPDATE rollouts SET lease_epoch = 1, lease_owner = 'other'");
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    cr_assert_eq(tick_run(world.db, id, &result.observation, NULL, &fault), STATUS_SUPERSEDED);
    db_rollback(world.db);
    observe_free(&result);
    cr_assert_str_eq(world_text(&world, "SELECT md5(state) FROM rollout_evidence"), before);
    cr_assert_str_eq(world_text(&world, "SELECT count(*) FROM blocks"), "0");
    cr_assert_str_eq(field(id, "phase"), "progressing");
    free(id);
}

/* A stored decision, from the body of its event. */
static void read_decision(int at, struct replay_decision *out)
{
    struct json_object *body = NULL;
    struct fault fault = {0};
    size_t missing = 0;
    const char *text = world_text(&world,
                                  "SELECT body FROM events WHERE body::jsonb->'data' ? 'inputs' ORDER BY seq "
                                  "LIMIT 1 OFFSET %d",
                                  at);
    cr_assert_eq(json_parse(text, strlen(text), &body, &fault), STATUS_OK);
    cr_assert_eq(spec_read_decision(body, "", out, &missing, &fault), STATUS_OK, "%s %s", fault.detail,
                 fault.error[0].detail);
    cr_expect_eq(missing, 0);
    json_object_put(body);
}

static int replay_all(const char *id)
{
    struct fault fault = {0};
    struct rollout_state *state = NULL;
    struct block *blocks = NULL;
    struct split_block *splits = NULL;
    size_t count = 0, split_count = 0;
    static struct replay replay;
    struct replay_decision decision;
    struct replay_result result;
    cr_assert_eq(state_load(world.db, id, false, &state, &fault), STATUS_OK);
    cr_assert_eq(blocks_read(world.db, id, 0, 1000000, &blocks, &count, &fault), STATUS_OK);
    cr_assert_eq(split_blocks_read(world.db, id, 0, 1000000, &splits, &split_count, &fault), STATUS_OK);
    replay_begin(&replay, &(struct replay_rollout){.policy = &state->spec.policy,
                                                   .plan = &state->plan,
                                                   .weight = state->evidence.evidence.weight,
                                                   .weights = (size_t)state->evidence.evidence.weights,
                                                   .tick_s = 1.0,
                                                   .fix = state->row.fix});
    int events = atoi(world_text(&world, "SELECT count(*) FROM events WHERE body::jsonb->'data' ? 'inputs'"));
    for (int at = 0; at < events; at++) {
        read_decision(at, &decision);
        cr_assert_leq((size_t)decision.blocks, count);
        cr_assert_leq((size_t)decision.splits, split_count);
        replay_next(&replay, &decision);
        while (replay.blocks < decision.blocks)
            cr_assert(replay_block(&replay, &blocks[replay.blocks]));
        while (replay.splits < decision.splits)
            cr_assert(replay_split(&replay, &splits[replay.splits]));
        replay_decide(&replay, &result);
        cr_expect_str_eq(result.decision.rule->id, decision.rule);
        cr_expect(replay_equal(&result), "%s: differs by %g in %s", decision.rule, result.difference,
                  result.largest != NULL ? result.largest : "nothing");
        cr_expect(result.bits, "%s: one build gives the same bits", decision.rule);
    }
    free(blocks);
    free(splits);
    state_free(state);
    return events;
}

/* Law 7: from the stored events and blocks alone, each decision comes out the same. */
Test(rollout_flow, law7_every_decision_replays, .init = open_world, .fini = close_world)
{
    char *id = begin();
    run(id, 2, 40, 95, 2, 60, 1);
    command(id, VERB_PAUSE, STATUS_OK);
    command(id, VERB_RESUME, STATUS_OK);
    run(id, 40, 140, 50, 1, 50, 20);
    cr_assert_str_eq(field(id, "phase"), "rolled_back");
    cr_expect_geq(replay_all(id), 5);
    free(id);
}

/* The ways back that depend on time as well as on counts: how long a breach has lasted, and in which arms. */
Test(rollout_flow, law7_shared_causes_replay, .init = open_world, .fini = close_world)
{
    char *id = begin();
    run(id, 2, 20, 95, 2, 5, 0);
    run(id, 20, 500, 95, 48, 5, 2);
    cr_assert_str_eq(field(id, "rule"), "evidence.shared_cause");
    cr_expect_geq(replay_all(id), 3);
    free(id);
}

Test(rollout_flow, law7_a_breach_without_stable_replays, .init = open_world, .fini = close_world)
{
    char *id = begin();
    run(id, 2, 20, 95, 2, 5, 0);
    for (int second = 20; second < 400; second++) { /* stable is not seen any more */
        world_count(&world, second, "v2", 5, 4);
        world_at(&world, second + 4);
        world_gateway_applies(&world);
        if (strcmp(world_tick(&world, id), "evidence.ceiling") == 0)
            break;
    }
    cr_assert_str_eq(field(id, "rule"), "evidence.ceiling");
    cr_expect_geq(replay_all(id), 3);
    free(id);
}

Test(rollout_flow, law6_a_fail_is_kept_whatever_comes_later, .init = open_world, .fini = close_world)
{
    char *id = begin();
    run(id, 2, 60, 95, 2, 5, 3);
    struct fault fault = {0};
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 20000));
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    cr_expect_eq(
        rollouts_add_verdict(world.db, id, SLI_REFUSAL, VERDICT_PASS, (struct wall_time){1}, "{}", &fault),
        STATUS_CONFLICT);
    db_rollback(world.db);
    /* not even a take-over begins anew: the evidence that is loaded has the verdict latched */
    struct rollout_state *state = NULL;
    cr_assert_eq(state_load(world.db, id, false, &state, &fault), STATUS_OK);
    for (int i = 0; i < 10000; i++) {
        struct block closed[2];
        double t = ceil(state->evidence.evidence.now_s);
        struct sli_counts counts = sli_counts_of((struct counts){500, 0, 500, 50});
        evidence_tick(&state->evidence.evidence, &state->spec.policy, &state->plan, SLI_REFUSAL,
                      QUALITY_COHORT, t, 1.0, &counts, true, false, closed);
    }
    cr_expect_eq(evidence_judge(&state->evidence.evidence, &state->spec.policy, 0, false).action,
                 JUDGE_ROLLBACK);
    cr_expect_eq(evidence_verdict(&state->evidence.evidence, &state->spec.policy, SLI_REFUSAL,
                                  state->evidence.evidence.now_s, false),
                 VERDICT_FAIL);
    state_free(state);
    free(id);
}
