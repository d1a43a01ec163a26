/* The rollout in memory against the one in Postgres: the same counts, second by second, give the same rules,
   phases, weights and the same bits of evidence. What a backtest says is what the daemon would have done. */
#include "decision/offline.h"
#include "rollout/rollout.h"
#include "rollout/state.h"
#include "support/world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(rollout_offline, .timeout = 240);

/* the clock of a world stands still, and the time to settle follows it: its least, one second, is left */
enum { MATURITY = 2, OTHER_MATURITY = 4, SETTLE = 1, SECONDS_MAX = 1200 };

#define SLOS "{\"refusal\":{\"objective\":90},\"content_filter\":{\"objective\":90}}"
/* Two guardrails whose blocks end at different times, so that steps have to drain them. */
#define POLICY(action)                                                                                       \
    "{\"expected_rps\":100,\"guardrails\":{\"refusal\":{\"maturity\":\"2s\",\"block\":\"7s\",\"action\":"    \
    "\"" action                                                                                              \
    "\"},\"content_filter\":{\"maturity\":\"4s\",\"block\":\"5s\"}},\"blind\":\"60s\",\"plan\":{\"steps\":[" \
    "{\"weight\":500,\"bake\":\"10s\"},{\"weight\":5000,\"bake\":\"10s\"},{\"weight\":10000,\"bake\":"       \
    "\"30s\"}]}}"

/* Bad requests of a hundred, as a world gives them at a second. */
struct shares {
    int stable, canary;
    bool reports; /* the gateway is there */
};

struct both {
    struct world world;
    char id[ID_MAX];
    struct offline offline;
    struct counts counts[SECONDS_MAX]; /* of refusal, as admitted; content_filter has none that is bad */
    bool given[SECONDS_MAX];
};

static struct both both;

static void begin(const char *policy)
{
    struct fault fault = {0};
    struct rollout_state *state = NULL;
    world_open(&both.world, SLOS, policy);
    snprintf(both.id, sizeof both.id, "%s", world_start(&both.world, "v2"));
    db_deadline(both.world.db, clock_mono_after_ms(clock_mono(), 20000));
    cr_assert_eq(state_load(both.world.db, both.id, false, &state, &fault), STATUS_OK);
    struct offline_options options = {
        .tick_s = 1, .apply_s = 1, .quality = QUALITY_COHORT, .has_stable = true};
    offline_init(&both.offline, &state->spec.policy, &state->plan, &options);
    state_free(state);
}

static void close_world(void)
{
    world_close(&both.world);
}

static void count(enum sli sli, int second)
{
    struct block closed[2];
    if (second < 0 || !both.given[second])
        return;
    struct counts one = both.counts[second];
    if (sli == SLI_CONTENT_FILTER)
        one.k_c = one.k_b = 0;
    struct sli_counts counts = sli_counts_of(one);
    counts.coverage[0] = (struct counts){.n_c = one.n_c, .n_b = one.n_b};
    offline_count(&both.offline, sli, second, 1, &counts, closed);
}

static struct offline_decision decide_offline(int now)
{
    int second = now - 1 - MATURITY - SETTLE;
    struct split_block split;
    offline_turn(&both.offline, now);
    if (second >= 0) {
        const struct counts *one = &both.counts[second];
        offline_admissions(&both.offline, second, 1, one->n_c, one->n_b, &split);
        count(SLI_REFUSAL, second);
        count(SLI_CONTENT_FILTER, now - 1 - OTHER_MATURITY - SETTLE);
    }
    return offline_decide(&both.offline, now, false);
}

/* One second: requests are admitted at the weight that gateways have, then both decide. */
static void live(int second, struct shares shares)
{
    int canary = (int)(offline_weight_at(&both.offline, second) / 100), stable = 100 - canary;
    struct counts counts = {canary, 0, stable, 0};
    /* bad ones spread over the seconds, so that their share of a few requests is kept over time */
    counts.k_c = (second + 1) * canary * shares.canary / 100 - second * canary * shares.canary / 100;
    counts.k_b = (second + 1) * stable * shares.stable / 100 - second * stable * shares.stable / 100;
    both.counts[second] = shares.reports ? counts : (struct counts){0};
    both.given[second] = shares.reports;
    if (shares.reports) {
        world_count(&both.world, second, "v1", stable, (int)counts.k_b);
        if (canary > 0)
            world_count(&both.world, second, "v2", canary, (int)counts.k_c);
        world_sql(&both.world, "UPDATE observations SET n[%d] = n[1] WHERE n[%d] <> n[1]",
                  SLI_CONTENT_FILTER + 1, SLI_CONTENT_FILTER + 1);
    }
    int now = second + 1;
    world_at(&both.world, now);
    if (shares.reports)
        world_gateway_applies(&both.world);
    const char *rule = world_tick(&both.world, both.id);
    struct offline_decision offline = decide_offline(now);
    cr_assert_str_eq(offline.rule->id, rule, "second %d", second);
}

static void compare(void)
{
    struct fault fault = {0};
    struct rollout_state *state = NULL;
    db_deadline(both.world.db, clock_mono_after_ms(clock_mono(), 20000));
    cr_assert_eq(state_load(both.world.db, both.id, false, &state, &fault), STATUS_OK);
    cr_expect_eq(state->row.phase, both.offline.course.phase);
    cr_expect_eq(state->row.step, both.offline.course.step);
    cr_expect_eq(state->row.weight, both.offline.course.weight);
    cr_expect_eq(state->row.unproven, both.offline.course.unproven);
    static unsigned char stored[EVIDENCE_CODEC_MAX], memory[EVIDENCE_CODEC_MAX];
    size_t length = evidence_encode(&state->evidence.evidence, stored);
    cr_assert_eq(evidence_encode(&both.offline.evidence, memory), length);
    cr_expect_eq(memcmp(stored, memory, length), 0, "the evidence differs");
    state_free(state);
}

/* Lives through the seconds until the rollout has ended; returns when. */
static int run(int from, int to, struct shares shares)
{
    int second = from;
    for (; second < to && !offline_ended(&both.offline); second++) {
        live(second, shares);
        if (second % 20 == 0)
            compare();
    }
    compare();
    return second;
}

Test(rollout_offline, a_healthy_rollout_is_the_same_in_memory, .fini = close_world)
{
    begin(POLICY("rollback"));
    run(0, SECONDS_MAX, (struct shares){2, 2, true});
    cr_expect_eq(both.offline.course.phase, PHASE_COMPLETED, "%s",
                 both.offline.rule != NULL ? both.offline.rule->id : "");
}

Test(rollout_offline, a_bad_canary_is_taken_back_at_the_same_second, .fini = close_world)
{
    begin(POLICY("rollback"));
    int at = run(0, 90, (struct shares){2, 2, true});
    at = run(at, SECONDS_MAX, (struct shares){2, 30, true});
    cr_expect_eq(both.offline.course.phase, PHASE_ROLLED_BACK);
    cr_expect_lt(at, SECONDS_MAX);
}

Test(rollout_offline, a_shared_breach_is_held_alike, .fini = close_world)
{
    begin(POLICY("rollback"));
    int at = run(0, 60, (struct shares){2, 2, true});
    at = run(at, at + 60, (struct shares){60, 60, true});
    at = run(at, at + 120, (struct shares){2, 2, true});
    cr_expect(!offline_ended(&both.offline) || both.offline.course.phase == PHASE_COMPLETED);
}

Test(rollout_offline, a_guardrail_that_pauses_does_so_in_both, .fini = close_world)
{
    begin(POLICY("pause"));
    int at = run(0, 60, (struct shares){2, 40, true});
    run(at, at + 60, (struct shares){2, 40, true});
    cr_expect_eq(both.offline.course.phase, PHASE_PAUSED);
}

Test(rollout_offline, silence_blinds_both, .fini = close_world)
{
    begin(POLICY("rollback"));
    int at = run(0, 60, (struct shares){2, 2, true});
    run(at, at + 150, (struct shares){2, 2, false});
    cr_expect_eq(both.offline.course.phase, PHASE_PAUSED);
    cr_expect_str_eq(both.offline.rule->id, "blind.pause");
}
