/* What holds a rollout beside the evidence of its guardrails: shares of admissions, missing and late
   measurements, burn windows; strata; and gateways that do not keep to an applied route. */
#include "reconcile/announce.h"
#include "rollout/rollout.h"
#include "rollout/state.h"
#include "store/blocks.h"
#include "support/world.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(rollout_checks, .timeout = 120);

enum { BEGINNING = 1800000000 };

static struct world world;

static void close_world(void)
{
    world_close(&world);
}

static const char *field(const char *id, const char *expression)
{
    return world_text(&world, "SELECT %s FROM rollouts WHERE id = '%s'", expression, id);
}

static void open_world(const char *slos, const char *guardrails, const char *more)
{
    char policy[1024];
    snprintf(
        policy, sizeof policy,
        "{\"guardrails\":{%s},\"blind\":\"60s\"%s,\"plan\":{\"steps\":[{\"weight\":\"5%%\",\"bake\":\"2h\","
        "\"deadline\":\"20h\"},{\"weight\":\"100%%\",\"bake\":\"2h\"}]}}",
        guardrails, more);
    world_open(&world, slos, policy);
}

/* What one gateway reports of one second: refusals (n, k), without the SLI, late and bad. */
struct second {
    const char *release, *stratum;
    int n, k, absent, late;
};

static void count(int second, const struct second *row)
{
    world_sql(
        &world,
        "INSERT INTO observations (service, bucket_s, release, gateway, stratum, admissions, outcomes, n, k, "
        "late, "
        "absent, sums, summed) VALUES ('chat', %d, '%s', 'gw', '%s', %d, %d, '{%d,0,0,0,0,0,0,0,0,0,0}', "
        "'{%d,0,0,0,0,0,0,0,0,0,0}', '{%d,0,0,0,0,0,0,0,0,0,0}', '{%d,0,0,0,0,0,0,0,0,0,0}', "
        "array_fill(0, '{6}'), array_fill(0, '{6}'))",
        BEGINNING + second, row->release, row->stratum, row->n + row->absent, row->n + row->absent, row->n,
        row->k, row->late, row->absent);
}

static char *begin(void)
{
    char *id = strdup(world_start(&world, "v2"));
    world_at(&world, 1);
    world_gateway_applies(&world);
    cr_assert_str_eq(world_tick(&world, id), "start");
    return id;
}

/* Seconds [from, to) with these rows each, observed every `every` seconds. Stops when the rule is `until`. */
static const char *run(const char *id, int from, int to, int every, const struct second *rows, int count_rows,
                       const char *until)
{
    static char last[64];
    for (int second = from; second < to; second++) {
        for (int i = 0; i < count_rows; i++)
            count(second, &rows[i]);
        if (second % every != 0)
            continue;
        world_at(&world, second + 4); /* maturity 2 s, settle 1 s on a clock that stands */
        world_gateway_applies(&world);
        snprintf(last, sizeof last, "%s", world_tick(&world, id));
        if (strcmp(last, until) == 0 || strcmp(field(id, "ended_at IS NOT NULL"), "t") == 0)
            break;
    }
    return last;
}

static void mute(const char *id, int what)
{
    struct fault fault = {0};
    char result[ID_MAX];
    struct rollout_command request = {.verb = VERB_MUTE, .muted = what, .until = "1h", .reason = "known"};
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 20000));
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    cr_assert_eq(rollout_command(world.db, id, &request, "oncall", result, &fault), STATUS_OK, "%s",
                 fault.detail);
    cr_assert_eq(db_commit(world.db, &fault), STATUS_OK);
}

#define REFUSAL "\"refusal\":{\"maturity\":\"2s\",\"budget_share\":0}"
#define SLO_90  "{\"refusal\":{\"objective\":90}}"

Test(rollout_checks, a_share_that_is_not_the_weight_holds_until_it_is_muted, .fini = close_world)
{
    open_world(SLO_90, REFUSAL, "");
    world_sql(&world, "UPDATE services SET sticky = 'none'");
    char *id = begin();
    const struct second rows[] = {{"v1", "", 80, 1, 0, 0}, {"v2", "", 20, 0, 0, 0}};
    cr_assert_str_eq(run(id, 2, 400, 5, rows, 2, "hold.split"), "hold.split", "%s", field(id, "reason"));
    cr_expect_not_null(
        strstr(field(id, "reason"), "is given 20.0 % of the requests where its weight says 5 %"), "%s",
        field(id, "reason"));
    cr_expect_str_eq(
        world_text(
            &world,
            "SELECT body::jsonb->'data'->>'page' FROM events WHERE body::jsonb->>'rule' = 'hold.split'"),
        "true");
    cr_expect_geq(atoi(world_text(&world, "SELECT count(*) FROM split_blocks")), 3,
                  "no single block can hold it");
    mute(id, WATCH_SPLIT);
    cr_expect_str_neq(world_tick(&world, id), "hold.split");
    free(id);
}

Test(rollout_checks, the_share_of_the_weight_holds_nothing, .fini = close_world)
{
    open_world(SLO_90, REFUSAL, "");
    world_sql(&world, "UPDATE services SET sticky = 'none'");
    char *id = begin();
    const struct second rows[] = {{"v1", "", 95, 1, 0, 0}, {"v2", "", 5, 0, 0, 0}};
    cr_assert_str_eq(run(id, 2, 900, 20, rows, 2, "hold.split"), "step.dwell");
    cr_expect_geq(atoi(world_text(&world, "SELECT count(*) FROM split_blocks")), 13);
    free(id);
}

/* While the gateways have not all applied a weight, either may be in use. */
Test(rollout_checks, a_change_that_is_not_applied_yet_is_no_wrong_share, .fini = close_world)
{
    struct fault fault = {0};
    struct rollout_state *state = NULL;
    open_world(SLO_90, REFUSAL, "");
    char *id = begin();
    int32_t lo, hi;
    cr_assert_eq(state_load(world.db, id, false, &state, &fault), STATUS_OK);
    evidence_weight_range(&state->evidence.evidence, 5, 6, &lo, &hi);
    cr_expect(lo == 0 && hi == 500, "%d to %d", lo, hi);
    state_free(state);
    const struct second rows[] = {{"v1", "", 95, 1, 0, 0}, {"v2", "", 5, 0, 0, 0}};
    run(id, 2, 30, 1, rows, 2, "");
    cr_assert_eq(state_load(world.db, id, false, &state, &fault), STATUS_OK);
    evidence_weight_range(&state->evidence.evidence, 20, 21, &lo, &hi);
    cr_expect(lo == 500 && hi == 500, "%d to %d", lo, hi);
    state_free(state);
    free(id);
}

Test(rollout_checks, a_canary_that_is_measured_less_often_holds, .fini = close_world)
{
    open_world(SLO_90, REFUSAL, "");
    char *id = begin();
    const struct second rows[] = {{"v1", "", 90, 2, 5, 0}, {"v2", "", 2, 0, 3, 0}};
    cr_assert_str_eq(run(id, 2, 300, 5, rows, 2, "hold.coverage"), "hold.coverage", "%s",
                     field(id, "reason"));
    cr_expect_not_null(strstr(field(id, "reason"), "refusal is measured less often for v2 than for v1"), "%s",
                       field(id, "reason"));
    mute(id, WATCH_COVERAGE);
    cr_expect_str_neq(world_tick(&world, id), "hold.coverage");
    free(id);
}

Test(rollout_checks, bad_outcomes_that_come_too_late_hold, .fini = close_world)
{
    open_world(SLO_90, REFUSAL, "");
    char *id = begin();
    const struct second rows[] = {{"v1", "", 95, 4, 0, 1}, {"v2", "", 5, 0, 0, 0}};
    cr_assert_str_eq(run(id, 2, 300, 5, rows, 2, "hold.late"), "hold.late", "%s", field(id, "reason"));
    cr_expect_not_null(strstr(field(id, "reason"), "a tenth of the bad outcomes of refusal"), "%s",
                       field(id, "reason"));
    free(id);
}

/* With admissions known, a deadline SLI counts a request without an outcome as bad at its deadline; that it
   is known to be bad later adds nothing. */
Test(rollout_checks, a_deadline_that_was_missed_is_not_late, .fini = close_world)
{
    open_world("{\"timeout\":{\"objective\":90,\"threshold\":\"2s\"}}",
               "\"timeout\":{\"maturity\":\"2s\",\"budget_share\":0,\"tolerance\":10,\"ceiling\":null}", "");
    char *id = begin();
    for (int second = 2; second < 200; second++) {
        world_sql(
            &world,
            "INSERT INTO observations (service, bucket_s, release, gateway, admissions, outcomes, "
            "late_outcomes, n, k, "
            "late, sums, summed) SELECT 'chat', %d, r.release, 'gw', r.n, r.n - 2, 2, "
            "ARRAY[0,0,0,r.n - 2,0,0,0,0,0,0,0], '{0,0,0,0,0,0,0,0,0,0,0}', '{0,0,0,2,0,0,0,0,0,0,0}', "
            "array_fill(0, '{6}'), array_fill(0, '{6}') FROM (VALUES ('v1', 95), ('v2', 5)) r (release, n)",
            BEGINNING + second);
        if (second % 5 != 0)
            continue;
        world_at(&world, second + 4);
        world_gateway_applies(&world);
        cr_assert_str_neq(world_tick(&world, id), "hold.late");
    }
    free(id);
}

/* In an outage of the loop the canary's lease runs out, and gateways go to stable by themselves: no wrong
 * share. */
Test(rollout_checks, a_lease_that_ran_out_in_an_outage_is_no_wrong_share, .fini = close_world)
{
    open_world(SLO_90, REFUSAL, "");
    world_sql(&world, "UPDATE services SET sticky = 'none'");
    char *id = begin();
    const struct second both[] = {{"v1", "", 95, 1, 0, 0}, {"v2", "", 5, 0, 0, 0}};
    const struct second alone[] = {{"v1", "", 100, 1, 0, 0}};
    run(id, 2, 100, 5, both, 2, "");
    for (int second = 100; second < 100 + 900 + 600; second++) /* 15 min of lease, and 10 min without one */
        count(second, second < 1000 ? &both[0] : &alone[0]);
    for (int second = 100; second < 1000; second++)
        count(second, &both[1]);
    for (int turn = 0; turn < 4; turn++) {
        world_at(&world, 1604);
        world_gateway_applies(&world);
        cr_assert_str_neq(world_tick(&world, id), "hold.split", "%s", field(id, "reason"));
    }
    cr_expect_gt(atoi(world_text(&world, "SELECT count(*) FROM split_blocks WHERE w_lo = 0 AND n_c = 0")), 5);
    free(id);
}

/* Refusals are 1 % of one class of requests and 20 % of another, in both releases; the canary gets more of
 * the other. */
static const char *mixed(const char *strata, char *id_out[1])
{
    open_world("{\"refusal\":{\"objective\":70}}", REFUSAL, strata);
    char *id = begin();
    const struct second rows[] = {{"v1", "easy", 190, 2, 0, 0},
                                  {"v1", "hard", 10, 2, 0, 0},
                                  {"v2", "easy", 10, 0, 0, 0},
                                  {"v2", "hard", 10, 2, 0, 0}};
    id_out[0] = id;
    return run(id, 2, 400, 10, rows, 4, "evidence.worse");
}

Test(rollout_checks, another_mix_is_no_difference_where_strata_are_declared, .fini = close_world)
{
    char *id;
    cr_assert_str_eq(mixed(",\"split_check\":{\"enabled\":false},\"strata\":[\"easy\",\"hard\"]", &id),
                     "step.dwell", "%s", field(id, "reason"));
    struct block *blocks = NULL;
    struct fault fault = {0};
    size_t total = 0;
    cr_assert_eq(blocks_read(world.db, id, 0, 100000, &blocks, &total, &fault), STATUS_OK);
    cr_assert_gt(total, 10);
    cr_expect_eq(blocks[total - 1].counts.strata, 3);
    cr_expect_eq(blocks[total - 1].counts.stratum[2].n_c % 10, 0);
    cr_expect_gt(blocks[total - 1].counts.stratum[1].n_b, 0);
    free(blocks);
    free(id);
}

Test(rollout_checks, another_mix_looks_like_a_difference_where_they_are_not, .fini = close_world)
{
    char *id;
    cr_assert_str_eq(mixed(",\"split_check\":{\"enabled\":false}", &id), "evidence.worse",
                     "the test above must be able to fail");
    free(id);
}

/* 4x what the SLO allows is under a ceiling of 5x, and no worse than a stable that does it too; but it burns.
 */
Test(rollout_checks, a_slow_burn_pauses_once_and_then_holds_while_it_burns, .fini = close_world)
{
    open_world("{\"refusal\":{\"objective\":99}}",
               "\"refusal\":{\"maturity\":\"2s\",\"budget_share\":0,\"ceiling\":5}",
               ",\"burn\":[{\"factor\":3,\"long\":\"4m\",\"short\":\"1m\",\"action\":\"pause\"}]");
    char *id = begin();
    const struct second rows[] = {{"v1", "", 95, 4, 0, 0}, {"v2", "", 25, 1, 0, 0}};
    cr_assert_str_eq(run(id, 2, 600, 5, rows, 2, "burn.pause"), "burn.pause", "%s", field(id, "reason"));
    cr_expect_str_eq(field(id, "phase"), "paused");
    struct fault fault = {0};
    char result[ID_MAX];
    struct rollout_command resume = {.verb = VERB_RESUME, .reason = "seen"};
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 20000));
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    cr_assert_eq(rollout_command(world.db, id, &resume, "oncall", result, &fault), STATUS_OK);
    cr_assert_eq(db_commit(world.db, &fault), STATUS_OK);
    cr_expect_str_eq(world_tick(&world, id), "hold.burn");
    free(id);
}

Test(rollout_checks, requests_to_a_release_that_no_route_names_hold, .fini = close_world)
{
    open_world(SLO_90, REFUSAL, "");
    char *id = begin();
    const struct second rows[] = {{"v1", "", 95, 1, 0, 0}, {"v2", "", 5, 0, 0, 0}, {"v3", "", 1, 0, 0, 0}};
    cr_assert_str_eq(run(id, 2, 120, 1, rows, 3, "hold.stray"), "hold.stray", "%s", field(id, "reason"));
    free(id);
}

Test(rollout_checks, a_gateway_that_goes_on_after_a_rollback_pages_once, .fini = close_world)
{
    struct fault fault = {0};
    open_world(SLO_90, REFUSAL, "");
    char *id = begin();
    const struct second bad[] = {{"v1", "", 95, 1, 0, 0}, {"v2", "", 5, 4, 0, 0}};
    run(id, 2, 60, 1, bad, 2, "evidence.worse");
    cr_assert_str_eq(field(id, "phase"), "rolled_back", "%s", field(id, "rule || reason"));
    world_gateway_applies(&world);
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 20000));
    cr_assert_eq(announce_applied(world.db, &fault), STATUS_OK);
    cr_assert_eq(announce_strays(world.db, &fault), STATUS_OK);
    cr_expect_str_eq(world_text(&world, "SELECT count(*) FROM events WHERE type = 'route.strayed'"), "0");
    int second = 100;
    count(second, &bad[1]);
    world_at(&world, second + 2);
    for (int i = 0; i < 2; i++) {
        db_deadline(world.db, clock_mono_after_ms(clock_mono(), 20000));
        cr_assert_eq(announce_strays(world.db, &fault), STATUS_OK, "%s", fault.detail);
    }
    cr_expect_str_eq(world_text(&world, "SELECT count(*) FROM events WHERE type = 'route.strayed'"), "1");
    cr_expect_str_eq(
        world_text(&world,
                   "SELECT body::jsonb->'data'->>'gateways' FROM events WHERE type = 'route.strayed'"),
        "gw");
    free(id);
}

/* The policy pauses when data are missing; this guardrail asks to go back. */
Test(rollout_checks, a_guardrail_can_say_itself_what_missing_data_do, .fini = close_world)
{
    open_world(SLO_90, "\"refusal\":{\"maturity\":\"2s\",\"budget_share\":0,\"on_blind\":\"rollback\"}", "");
    char *id = begin();
    const struct second rows[] = {{"v1", "", 95, 1, 0, 0}, {"v2", "", 5, 0, 0, 0}};
    run(id, 2, 20, 1, rows, 2, "");
    world_at(&world, 90);
    cr_expect_str_eq(world_tick(&world, id), "hold.blind");
    world_at(&world, 200);
    cr_expect_str_eq(world_tick(&world, id), "blind.rollback");
    cr_expect_str_eq(world_text(&world, "SELECT count(*) FROM quarantines"), "0", "nobody is blamed");
    free(id);
}

/* Where the first block begins, of counts that stand for `interval_s` each. */
static double first_block(int interval_s)
{
    open_world(SLO_90, REFUSAL, ",\"blanking\":\"20s\"");
    char *id = begin();
    const struct second rows[] = {{"v1", "", 95, 1, 0, 0}, {"v2", "", 5, 0, 0, 0}};
    for (int second = 2; second < 100; second++) {
        run(id, second, second + 1, 1000, rows, 2, "none");
        world_sql(&world, "UPDATE observations SET admissions = 0, interval_s = %d WHERE bucket_s = %d",
                  interval_s, BEGINNING + second);
        if (second % 10 != 0)
            continue;
        world_at(&world, second + 4);
        world_gateway_applies(&world);
        world_tick(&world, id);
    }
    const char *start = world_text(&world, "SELECT coalesce(min(start_s), -1) FROM blocks WHERE n_c > 0");
    double first = strtod(start, NULL);
    free(id);
    world_close(&world);
    return first;
}

Test(rollout_checks, counts_by_completion_are_left_out_until_their_interval_is_over)
{
    double admitted = first_block(0), second = first_block(1), ten = first_block(10);
    cr_assert(admitted >= 0 && admitted < 5, "by admission: %g", admitted);
    cr_assert(second - admitted >= 15, "by completion: %g, not long after %g", second, admitted);
    cr_assert_float_eq(ten - second, 9, 1e-9, "of ten seconds each: %g, of one: %g", ten, second);
}

static void explained(const char *id, const char *part, bool there)
{
    struct fault fault = {0};
    struct text said;
    text_init(&said, 1 << 20);
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(rollout_explain(world.db, id, &said, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(strstr(text_get(&said), part) != NULL, there, "%s", text_get(&said));
    text_free(&said);
}

Test(rollout_checks, a_deadline_says_how_many_had_no_outcome_and_how_many_no_admission, .fini = close_world)
{
    open_world("{\"refusal\":{\"objective\":90},\"ttft\":{\"objective\":90,\"threshold\":\"1s\"}}",
               "\"refusal\":{\"maturity\":\"2s\",\"budget_share\":0},"
               "\"ttft\":{\"maturity\":\"2s\",\"budget_share\":0}",
               ",\"warmup\":\"0s\"");
    char *id = strdup(world_start(&world, "v2"));
    world_at(&world, 1);
    world_gateway_applies(&world);
    world_tick(&world, id);
    for (int second = 2; second < 200; second++) {
        count(second, &(struct second){.release = "v1", .stratum = "", .n = 95});
        count(second, &(struct second){.release = "v2", .stratum = "", .n = 5});
        world_at(&world, second + 4);
        world_gateway_applies(&world);
        world_tick(&world, id);
    }
    explained(id, "Without an outcome", false);
    /* as a gateway does that reports all its admissions with one age */
    world_sql(&world,
              "UPDATE observations SET outcomes = outcomes - 1 WHERE bucket_s %% 2 = 0 AND release = 'v2'");
    explained(id, "Without an outcome, and so bad: ", true);
    explained(id, " canary requests and 0 of ", true);
    explained(id, "without their admission", false);
    world_sql(&world,
              "UPDATE observations SET outcomes = outcomes + 1 WHERE bucket_s %% 2 = 1 AND release = 'v1'");
    explained(id, "outcomes came in seconds without their admission", true);
    free(id);
}
