/* A guardrail whose SLI nobody reports, while others count: it pages within the blind time, and the
   explanation says so instead of foretelling when it will be proven. */
#include "rollout/rollout.h"
#include "support/world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(rollout_unreported, .timeout = 120);

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

/* The explanation's JSON, in a static buffer. */
static const char *explained(const char *id)
{
    static char copy[1 << 16];
    struct text out;
    struct fault fault = {0};
    text_init(&out, 1 << 20);
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(rollout_explain(world.db, id, &out, &fault), STATUS_OK, "%s", fault.detail);
    snprintf(copy, sizeof copy, "%s", text_get(&out));
    text_free(&out);
    return copy;
}

#define SAYS(id, part)       cr_expect_not_null(strstr(explained(id), part), "no \"%s\" in %s", part, explained(id))
#define NEVER_SAYS(id, part) cr_expect_null(strstr(explained(id), part), "\"%s\" in %s", part, explained(id))

/* Requests of a second: errors are said of all of them, refusals of those in `with`. */
static void count(int second, const char *release, int requests, int with)
{
    world_sql(
        &world,
        "INSERT INTO observations (service, bucket_s, release, gateway, admissions, outcomes, n, k, late, "
        "absent, sums, summed) VALUES ('chat', %d, '%s', 'gw', %d, %d, '{%d,0,%d,0,0,0,0,0,0,0,0}', "
        "array_fill(0, '{11}'), array_fill(0, '{11}'), '{%d,0,0,0,0,0,0,0,0,0,0}', array_fill(0, '{6}'), "
        "array_fill(0, '{6}'))",
        BEGINNING + second, release, requests, requests, with, requests, requests - with);
}

static void open_world(const char *more)
{
    char policy[600];
    snprintf(
        policy, sizeof policy,
        "{\"guardrails\":{\"refusal\":{\"maturity\":\"2s\",\"budget_share\":0},\"error\":{\"maturity\":"
        "\"2s\",\"budget_share\":0}},\"blind\":\"100s\"%s,\"plan\":{\"steps\":[{\"weight\":\"5%%\",\"bake\":"
        "\"10s\",\"deadline\":\"20h\"},{\"weight\":\"100%%\",\"bake\":\"10s\"}]}}",
        more);
    world_open(&world, "{\"refusal\":{\"objective\":90},\"error\":{\"objective\":90}}", policy);
    world_sql(&world, "UPDATE services SET sticky = 'none'");
}

static char *begin(const char *more)
{
    open_world(more);
    char *id = strdup(world_start(&world, "v2"));
    world_at(&world, 1);
    world_gateway_applies(&world);
    cr_assert_str_eq(world_tick(&world, id), "start");
    return id;
}

enum { NO_STABLE = -1 }; /* as with_b: it has no requests */

/* Seconds [from, to); returns the second whose tick was the first by hold.unreported, -1 = none was. */
static int run(const char *id, int from, int to, int with_c, int with_b)
{
    for (int second = from; second < to; second++) {
        if (with_b != NO_STABLE)
            count(second, "v1", 95, with_b);
        count(second, "v2", 5, with_c);
        world_at(&world, second + 4); /* maturity 2 s, settle 1 s on a clock that stands */
        world_gateway_applies(&world);
        if (strcmp(world_tick(&world, id), "hold.unreported") == 0)
            return second + 4;
    }
    return -1;
}

Test(rollout_unreported, it_pages_within_the_blind_time_and_is_over_with_the_first_report,
     .fini = close_world)
{
    char *id = begin("");
    int held = run(id, 2, 300, 0, 0);
    cr_expect(held >= 102 && held <= 110, "%d s, of which the step has lasted all but the first ones", held);
    cr_expect_not_null(
        strstr(field(id, "reason"), "Holding: nobody reports refusal. Requests of v2 that were "), "%s",
        field(id, "reason"));
    cr_expect_not_null(strstr(field(id, "reason"), ", none of them with it."), "%s", field(id, "reason"));
    const char *event =
        "SELECT body::jsonb->'data'->>'%s' FROM events WHERE body::jsonb->>'rule' = "
        "'hold.unreported' AND body::jsonb->>'type' LIKE '%%rollout.held'";
    cr_expect_str_eq(world_text(&world, event, "page"), "true");
    cr_expect_not_null(strstr(world_text(&world, event, "next_step"), "Report it with each request"));
    cr_expect_eq(run(id, held, held + 60, 1, 0), -1, "%s", field(id, "reason"));
    cr_expect_str_eq(world_text(&world,
                                "SELECT count(*) FROM events WHERE body::jsonb->>'rule' = "
                                "'hold.unreported'"),
                     "1", "told once");
    free(id);
}

Test(rollout_unreported, the_explanation_names_it_and_foretells_nothing, .fini = close_world)
{
    char *id = begin(",\"holdback\":0");
    cr_assert_eq(run(id, 2, 60, 0, 0), -1, "not yet");
    SAYS(id, "\"says\":\"Nobody reports refusal. Requests of the canary that were counted: 2");
    SAYS(id,
         ", none of them with it. Report refusal (OpenTelemetry: the attribute serin.sli.refusal, true or "
         "false; outcomes: refusal in sli), or take it out of the objectives.");
    SAYS(id, "\"next_step\":\"Report refusal (");
    NEVER_SAYS(id, "\"next_step\":\"Nothing");
    SAYS(id, "\"needs\":\"proof that refusal is not worse: nobody reports it\"");
    SAYS(id, "\"eta_unknown\":\"refusal: nobody reports it\"");
    /* the other guardrail is as it was: its time is told, and up to when it was counted */
    SAYS(id, "\"sli\":\"refusal\"");
    const char *all = explained(id), *refusal = strstr(all, "\"sli\":\"refusal\"");
    const char *error = strstr(all, "\"sli\":\"error\""), *data = strstr(all, "\"data\":{");
    cr_assert(refusal != NULL && error != NULL && data != NULL);
    cr_expect(strncmp(strstr(refusal, "\"counted_until\":"), "\"counted_until\":null", 20) == 0);
    cr_expect(strncmp(strstr(refusal, "\"eta_s\":"), "\"eta_s\":null", 12) == 0);
    cr_expect(strncmp(strstr(error, "\"counted_until\":"), "\"counted_until\":\"2027-01-15T08:00:", 33) == 0,
              "%s", error);
    cr_expect(strncmp(strstr(data, "\"counted_until\":"), "\"counted_until\":\"2027-01-15T08:00:", 33) == 0);
    /* an average of its last minute: without requests that lack the SLI it would be 0 */
    cr_expect_gt(strtod(strstr(data, "\"rps\":") + 6, NULL), 50, "%s", data);
    /* a rule of its own says the same */
    cr_assert_gt(run(id, 60, 300, 0, 0), 0);
    SAYS(id, "\"next_step\":\"Report refusal (");
    SAYS(id, "\"eta_unknown\":\"refusal: nobody reports it\"");
    free(id);
}

Test(rollout_unreported, where_stable_has_no_requests_it_is_said_of_the_canary_alone, .fini = close_world)
{
    char *id = begin("");
    cr_assert_gt(run(id, 2, 300, 0, NO_STABLE), 0, "%s", field(id, "reason"));
    cr_expect_not_null(
        strstr(field(id, "reason"), "Holding: no request of v2 has refusal. Requests of v2 that were "), "%s",
        field(id, "reason"));
    SAYS(id, "\"says\":\"No request of the canary has refusal: ");
    SAYS(id, "\"eta_unknown\":\"refusal: no request of the canary has it\"");
    SAYS(id, "): no request of the canary has it, and it waits for that.");
    NEVER_SAYS(id, "obody");
    free(id);
}

Test(rollout_unreported, what_only_the_canary_lacks_is_told_apart, .fini = close_world)
{
    char *id = begin("");
    cr_assert_eq(run(id, 2, 150, 0, 95), -1);
    cr_expect_str_eq(field(id, "rule"), "hold.coverage");
    SAYS(id, "\"says\":\"refusal is not reported for the canary: of its requests ");
    free(id);
}

Test(rollout_unreported, what_is_rare_or_muted_holds_nothing, .fini = close_world)
{
    char *id = begin("");
    cr_assert_eq(run(id, 2, 6, 1, 3), -1);
    cr_assert_eq(run(id, 6, 200, 0, 0), -1, "%s", field(id, "reason"));
    free(id);
}

Test(rollout_unreported, a_plan_by_time_goes_on_and_says_that_nothing_is_watched, .fini = close_world)
{
    char *id = begin(",\"pace\":\"time\"");
    cr_assert_eq(run(id, 2, 10, 0, 0), -1);
    SAYS(id, "\"next_step\":\"Report refusal (");
    SAYS(id, "nobody does, so that nothing of it is watched while the plan goes on by time.");
    cr_assert_eq(run(id, 10, 150, 0, 0), -1);
    cr_expect_str_eq(field(id, "phase"), "completed", "%s", field(id, "reason"));
    free(id);
}

/* Where admissions are known, a request without an outcome is bad for a deadline. That is no measurement of
   an SLI that nobody reports: it would be all that is counted of it, and break every ceiling. */
static const char *with_lost(int with_ttft)
{
    world_open(
        &world, "{\"error\":{\"objective\":90},\"ttft\":{\"objective\":90,\"threshold\":\"1s\"}}",
        "{\"guardrails\":{\"error\":{\"maturity\":\"2s\",\"budget_share\":0},\"ttft\":{\"maturity\":\"2s\","
        "\"budget_share\":0}},\"warmup\":\"0s\",\"blind\":\"100s\",\"plan\":{\"steps\":[{\"weight\":\"5%\","
        "\"bake\":\"1h\",\"deadline\":\"20h\"},{\"weight\":\"100%\",\"bake\":\"10s\"}]}}");
    world_sql(&world, "UPDATE services SET sticky = 'none'");
    char *id = strdup(world_start(&world, "v2"));
    world_at(&world, 1);
    world_gateway_applies(&world);
    world_tick(&world, id);
    static char rule[64];
    for (int second = 2; second < 150; second++) {
        world_sql(
            &world,
            "INSERT INTO observations (service, bucket_s, release, gateway, admissions, outcomes, n, k, "
            "late, "
            "absent, sums, summed) SELECT 'chat', %d, r.release, 'gw', r.came + 1, r.came, "
            "ARRAY[0,0,r.came,0,r.came * %d,0,0,0,0,0,0], array_fill(0, '{11}'), array_fill(0, '{11}'), "
            "ARRAY[0,0,0,0,r.came * %d,0,0,0,0,0,0], array_fill(0, '{6}'), array_fill(0, '{6}') FROM (VALUES "
            "('v1', 94), ('v2', 4)) r (release, came)",
            BEGINNING + second, with_ttft, 1 - with_ttft);
        world_at(&world, second + 4);
        world_gateway_applies(&world);
        snprintf(rule, sizeof rule, "%s", world_tick(&world, id));
    }
    const char *counted = world_text(&world,
                                     "SELECT coalesce(sum(k_c + k_b), 0) FROM blocks WHERE rollout = '%s' "
                                     "AND sli = 4",
                                     id);
    cr_expect_eq(atoi(counted) > 0, with_ttft == 1, "%s", counted);
    free(id);
    return rule;
}

Test(rollout_unreported, requests_without_an_outcome_do_not_stand_for_it, .fini = close_world)
{
    cr_expect_str_eq(with_lost(0), "hold.unreported");
    world_close(&world);
    cr_expect_str_neq(with_lost(1), "hold.unreported", "what is reported counts them");
}

/* --- before it starts ------------------------------------------------------------------------------- */

/* What a start answers beside the rollout: forecast, then warnings. Static. */
static const char *foretold(const char *id)
{
    static char copy[4096];
    struct text forecast, warnings;
    struct fault fault = {0};
    text_init(&forecast, 1 << 16);
    text_init(&warnings, 1 << 16);
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(rollout_forecast(world.db, id, &forecast, &warnings, &fault), STATUS_OK, "%s", fault.detail);
    snprintf(copy, sizeof copy, "%s %s", text_get(&forecast), text_get(&warnings));
    text_free(&forecast);
    text_free(&warnings);
    return copy;
}

static const char *warned(const char *more, int seconds, int with)
{
    open_world(more);
    for (int second = -seconds; second < 0; second++)
        count(second, "v1", 10, with);
    return foretold(world_start(&world, "v2"));
}

Test(rollout_unreported, a_start_warns_of_what_stable_has_never_had, .fini = close_world)
{
    const char *said = warned("", 60, 0);
    cr_expect_not_null(
        strstr(said,
               " [{\"sli\":\"refusal\",\"detail\":\"Nobody reports refusal: none of the newest 600 "
               "requests of v1 has it, which were counted in the last 10 min, nor any of the day before."),
        "%s", said);
    cr_expect_not_null(strstr(said, "\"next_step\":\"Report refusal ("), "%s", said);
    cr_expect_null(strstr(said, "\"sli\":\"error\""), "%s", said);
    cr_expect_not_null(strstr(said, "\"total_s\":null"), "no time is foretold: %s", said);
    cr_expect_not_null(strstr(said, "\"proof_s\":null,\"slowest\":null,\"in_time\":false"), "%s", said);
}

Test(rollout_unreported, a_start_does_not_warn_of_what_comes_rarely_or_may_come, .fini = close_world)
{
    const char *said = warned("", 9, 0);
    cr_expect_not_null(strstr(said, "} []"), "90 requests say nothing: %s", said);
    world_close(&world);
    said = warned("", 60, 1);
    cr_expect_not_null(strstr(said, "} []"), "%s", said);
    cr_expect_null(strstr(said, "\"total_s\":null"), "%s", said);
    world_close(&world);
    open_world("");
    for (int second = -60; second < 0; second++)
        count(second, "v1", 10, 0);
    world_sql(
        &world,
        "INSERT INTO observation_minutes (service, minute, release, admissions, outcomes, n, k, sums, "
        "summed) "
        "VALUES ('chat', %d, 'v1', 9, 9, '{1,0,9,0,0,0,0,0,0,0,0}', array_fill(0, '{11}'), array_fill(0, "
        "'{6}'), array_fill(0, '{6}'))",
        BEGINNING / 60 - 600);
    said = foretold(world_start(&world, "v2"));
    cr_expect_not_null(strstr(said, "} []"), "it was reported ten hours ago: %s", said);
}

Test(rollout_unreported, a_start_reads_a_bounded_number_of_rows_however_many_gateways_report,
     .fini = close_world)
{
    open_world("");
    world_sql(
        &world,
        "INSERT INTO observations (service, bucket_s, release, gateway, admissions, outcomes, n, k, late, "
        "absent, sums, summed) SELECT 'chat', %d - s, 'v1', 'gw-' || g, 1, 1, '{0,0,1,0,0,0,0,0,0,0,0}', "
        "array_fill(0, '{11}'), array_fill(0, '{11}'), array_fill(0, '{11}'), array_fill(0, '{6}'), "
        "array_fill(0, '{6}') FROM generate_series(1, 60) s, generate_series(1, 1000) g",
        BEGINNING);
    const char *said = foretold(world_start(&world, "v2"));
    cr_expect_not_null(strstr(said, "none of the newest 20,000 requests of v1 has it"), "%s", said);
    cr_expect_not_null(strstr(said, "{\"rps\":1000,\"measured\":true"), "%s", said);
}
