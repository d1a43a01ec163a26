/* Law 7 attacked with random rollouts: random policies, plans, traffic, faults, commands and take-overs, run
   by the code that the daemon uses; each decision that changed something comes out with the same bits. */
#include "decision_support.h"

#include "decision/course.h"
#include "decision/replay.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(decision_replay_random, .timeout = 110);

enum { BLOCKS_MAX = 60000, SPLITS_MAX = 200, DECISIONS_MAX = 200, SECONDS = 2400, ROLLOUTS = 150 };

static struct {
    struct dice dice;
    struct slos slos;
    struct policy policy;
    struct plan plan;
    struct course course;
    struct surroundings around;
    struct evidence evidence;
    struct block block[BLOCKS_MAX];
    struct split_block split[SPLITS_MAX];
    struct replay_decision decision[DECISIONS_MAX];
    struct weight_change weight[EVIDENCE_WEIGHTS_MAX];
    int64_t blocks, splits;
    size_t decisions;
    char rule[REPLAY_RULE_MAX]; /* the row that fired last */
    int32_t rps;
    double canary_rate, stable_rate; /* bad shares, for all SLIs */
} run;

static bool chance(double share)
{
    return dice_share(&run.dice) < share;
}

static void random_policy(void)
{
    static const int32_t objectives[] = {900000, 950000, 990000, 999000};
    for (int i = 0; i < SLI_COUNT; i++)
        if (i == 0 || chance(0.25))
            run.slos.of[i] = (struct slo){.used = true,
                                          .objective_ppm = objectives[dice_below(&run.dice, 4)],
                                          .threshold_ms = sli_deadline((enum sli)i) ? 3000 : 0};
    policy_default(&run.slos, &run.policy);
    for (int i = 0; i < SLI_COUNT; i++) {
        struct guardrail *guardrail = &run.policy.guardrail[i];
        guardrail->action =
            i > 0 && chance(0.3) ? (chance(0.5) ? ACTION_PAUSE : ACTION_NOTIFY) : ACTION_ROLLBACK;
        guardrail->ceiling = chance(0.2) ? 0 : guardrail->ceiling;
        guardrail->eta = chance(0.3) ? 0.5 : 1;
    }
    run.policy.holdback = chance(0.3) ? 0 : 200;
    run.policy.rps_milli = chance(0.5) ? run.rps * 1000 : 0;
    run.policy.keyed = chance(0.3);
    run.policy.key_effect = run.policy.keyed ? 2 : 1;
    run.policy.pace = chance(0.3) ? PACE_TIME : PACE_EVIDENCE;
    policy_allowances(&run.slos, &run.policy);
    plan_default(&run.plan);
    for (size_t i = 0; i < run.plan.steps; i++)
        run.plan.step[i].bake_s = 30 + dice_below(&run.dice, 90);
}

/* Stores the decision with what it looked at, as rollout/change.c does, before anything is changed. */
static void store(const struct snapshot *snapshot, enum verb verb, double at_s,
                  const struct decision *decision)
{
    struct replay_decision *out = &run.decision[run.decisions++];
    *out = (struct replay_decision){.snapshot = *snapshot,
                                    .verb = verb,
                                    .phase = decision->phase,
                                    .step = decision->step,
                                    .blocks = run.blocks,
                                    .splits = run.evidence.split.blocks,
                                    .at_s = at_s};
    snprintf(out->rule, sizeof out->rule, "%s", decision->rule->id);
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct sli_evidence *sli = &run.evidence.sli[i];
        if (run.policy.guardrail[i].used)
            out->lane[i] = (struct replay_lane){.known = true,
                                                .weight = sli->weight,
                                                .relative = evidence_lane_log(&sli->relative),
                                                .absolute = evidence_lane_log(&sli->absolute),
                                                .promotion = evidence_ni(&run.evidence, (enum sli)i)};
    }
}

static void act(enum verb verb, double at_s, int32_t new_weight)
{
    const unsigned routes =
        EFFECT_ROUTE_STEP | EFFECT_ROUTE_STABLE | EFFECT_ROUTE_PROMOTE | EFFECT_ROUTE_WEIGHT;
    struct snapshot snapshot;
    run.around.now_us = 1000000 + (int64_t)(at_s * 1e6);
    course_snapshot(&run.course, &run.around, &run.policy, &run.plan, &run.evidence, new_weight, &snapshot);
    struct decision decision = decide(&snapshot, verb);
    unsigned effects = decision.rule->effects;
    bool same =
        strcmp(decision.rule->id, run.rule) == 0 && (effects & (routes | EFFECT_ALARM | EFFECT_MUTE)) == 0;
    if ((effects & EFFECT_REFUSE) != 0)
        return;
    if (!same && decision.rule->event != NULL && run.decisions < DECISIONS_MAX)
        store(&snapshot, verb, at_s, &decision);
    snprintf(run.rule, sizeof run.rule, "%s", decision.rule->id);
    run.course.alarmed |= course_acted_on(decision.rule, &snapshot);
    if ((effects & routes) != 0) {
        int32_t weight = course_weight(&run.course, &run.policy, &run.plan, &decision, new_weight);
        bool canary = (effects & (EFFECT_ROUTE_STEP | EFFECT_ROUTE_WEIGHT)) != 0;
        if (canary && weight != run.course.weight)
            evidence_weight(&run.evidence, at_s, weight, (effects & EFFECT_ROUTE_STEP) != 0);
        run.course.weight = weight;
    }
    course_move(&run.course, &decision, run.around.now_us);
}

static void random_command(double at_s)
{
    static const enum verb verbs[] = {VERB_PAUSE,   VERB_RESUME,     VERB_RESUME,
                                      VERB_PROMOTE, VERB_SET_WEIGHT, VERB_MUTE};
    enum verb verb = verbs[dice_below(&run.dice, (int64_t)(sizeof verbs / sizeof verbs[0]))];
    if (verb == VERB_MUTE)
        run.around.muted ^= chance(0.5) ? 1u : 1u << WATCH_SPLIT;
    act(verb, at_s, verb == VERB_SET_WEIGHT ? run.course.weight / 2 : 0);
}

static struct sli_counts draw(int64_t canary, int64_t stable)
{
    struct counts one = {canary, dice_binomial(&run.dice, canary, run.canary_rate), stable,
                         dice_binomial(&run.dice, stable, run.stable_rate)};
    struct sli_counts counts = sli_counts_of(one);
    if (chance(0.3)) { /* two strata, and a few outcomes without the SLI */
        counts.strata = 2;
        counts.stratum[1] = (struct counts){canary / 2, one.k_c / 2, stable / 2, one.k_b / 2};
        counts.coverage[0] = (struct counts){canary, canary / 10, stable, stable / 20};
        counts.coverage[1] = (struct counts){canary / 2, canary / 8, stable / 2, stable / 20};
    }
    return counts;
}

static void tick(int64_t t)
{
    int64_t n = run.rps, canary = dice_binomial(&run.dice, n, (double)run.course.weight / WEIGHT_FULL);
    bool draining = strcmp(run.rule, "step.drain") == 0;
    for (int i = 0; i < SLI_COUNT; i++) {
        struct block closed[2];
        struct sli_counts counts = draw(canary, n - canary);
        int count = evidence_tick(&run.evidence, &run.policy, &run.plan, (enum sli)i, QUALITY_COHORT,
                                  (double)t, 1, &counts, i == 0, draining, closed);
        for (int j = 0; j < count; j++)
            run.block[run.blocks++] = closed[j];
    }
    struct admissions admissions = {(double)t, 1, canary, n - canary, run.course.weight, run.course.weight};
    if (chance(0.02)) /* a gateway that is behind */
        admissions.w_lo = 0;
    if (run.splits < SPLITS_MAX &&
        evidence_admissions(&run.evidence, &run.policy, &admissions, &run.split[run.splits]))
        run.splits++;
}

/* Another replica takes over: it has what was stored. */
static void take_over(void)
{
    static unsigned char stored[EVIDENCE_CODEC_MAX];
    static struct evidence again;
    size_t length = evidence_encode(&run.evidence, stored);
    cr_assert(evidence_decode(stored, length, &again));
    run.evidence = again;
}

static void roll(uint64_t seed)
{
    memset(&run, 0, sizeof run);
    run.dice = dice_seeded(seed);
    run.rps = (int32_t)(5 + dice_below(&run.dice, 60));
    random_policy();
    run.course = course_begin(1000000, !chance(0.15), chance(0.1));
    run.around.corpora_ready = true;
    evidence_init(&run.evidence, &run.policy, &run.plan, 1.0);
    run.canary_rate = run.stable_rate = 0.005;
    for (int64_t t = 0; t < SECONDS && phase_live(run.course.phase); t++) {
        if (chance(0.002))
            run.canary_rate = chance(0.5) ? 0.3 : 0.005;
        if (chance(0.002))
            run.stable_rate = chance(0.5) ? 0.3 : 0.005;
        if (chance(0.003))
            run.canary_rate = run.stable_rate = chance(0.6) ? 0.004 : 0.4;
        if (chance(0.01))
            take_over();
        tick(t);
        int64_t now_us = 1000000 + (t + 1) * 1000000;
        course_note(&run.course, run.course.step_entered_us != 0 ? now_us : 0, now_us, chance(0.001));
        course_note_burns(&run.course, &run.evidence, &run.policy);
        act(VERB_TICK, (double)t + 1.25, 0);
        if (chance(0.004))
            random_command((double)t + 1.5);
    }
}

static void expect_replay(uint64_t seed)
{
    static struct replay walk;
    struct replay_result result;
    replay_begin(&walk, &(struct replay_rollout){.policy = &run.policy,
                                                 .plan = &run.plan,
                                                 .weight = run.evidence.weight,
                                                 .weights = (size_t)run.evidence.weights,
                                                 .tick_s = 1.0,
                                                 .fix = run.course.fix});
    for (size_t i = 0; i < run.decisions; i++) {
        const struct replay_decision *stored = &run.decision[i];
        replay_next(&walk, stored);
        while (walk.blocks < stored->blocks)
            cr_assert(replay_block(&walk, &run.block[walk.blocks]));
        while (walk.splits < stored->splits)
            cr_assert(replay_split(&walk, &run.split[walk.splits]));
        replay_decide(&walk, &result);
        cr_assert(replay_equal(&result), "seed %d, decision %zu, %s at %g s: now %s, %s %g; action %d",
                  (int)seed, i, stored->rule, stored->at_s, result.decision.rule->id,
                  result.largest != NULL ? result.largest : "nothing", result.difference, result.action);
        cr_expect(result.bits, "seed %d, decision %zu, %s: %s by %g", (int)seed, i, stored->rule,
                  result.largest != NULL ? result.largest : "nothing", result.difference);
    }
}

Test(decision_replay_random, every_decision_has_the_same_bits)
{
    char seen[4096] = "";
    size_t decisions = 0, kinds = 0;
    for (uint64_t seed = 1; seed <= ROLLOUTS; seed++) {
        roll(seed);
        expect_replay(seed);
        decisions += run.decisions;
        for (size_t i = 0; i < run.decisions; i++) {
            char mark[REPLAY_RULE_MAX + 2];
            snprintf(mark, sizeof mark, " %s ", run.decision[i].rule);
            if (strstr(seen, mark) == NULL && strlen(seen) + strlen(mark) < sizeof seen) {
                strcat(seen, mark);
                kinds++;
            }
        }
    }
    cr_log_info("%zu decisions of %zu rules:%s", decisions, kinds, seen);
    cr_expect_gt(decisions, 5 * ROLLOUTS);
    cr_expect_gt(kinds, 20, "%s", seen);
}
