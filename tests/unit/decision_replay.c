/* Stored decisions, computed anew (law 7): a rollout run from ticks, and what the replay makes of its blocks.
 */
#include "decision/replay.h"

#include "decision/coverage.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

TestSuite(decision_replay, .timeout = 60);

enum { BLOCKS_MAX = 4000, DECISIONS_MAX = 64 };

/* A rollout as a store would hold it. */
static struct {
    struct slos slos;
    struct policy policy;
    struct plan plan;
    struct evidence evidence;
    struct block block[BLOCKS_MAX];
    int64_t blocks;
    struct replay_decision decision[DECISIONS_MAX];
    size_t decisions;
    bool fix;
} run;

static void begin(void)
{
    memset(&run, 0, sizeof run);
    run.slos.of[SLI_REFUSAL] = (struct slo){.used = true, .objective_ppm = 950000};
    run.slos.of[SLI_ERROR] = (struct slo){.used = true, .objective_ppm = 990000};
    policy_default(&run.slos, &run.policy);
    run.policy.rps_milli = 100000;
    policy_allowances(&run.slos, &run.policy);
    plan_default(&run.plan);
    evidence_init(&run.evidence, &run.policy, &run.plan, 1.0);
}

/* Stores a decision at this moment, as rollout/change.c does. */
static void decide_at(double at_s, enum verb verb, enum phase phase)
{
    struct replay_decision *out = &run.decision[run.decisions++];
    struct judgement judgement = evidence_judge(&run.evidence, &run.policy, 0, run.fix);
    *out =
        (struct replay_decision){.verb = verb,
                                 .blocks = run.blocks,
                                 .at_s = at_s,
                                 .splits = run.evidence.split.blocks,
                                 .snapshot = {.evidence_s = run.evidence.now_s,
                                              .now_ms = (int64_t)(at_s * 1000),
                                              .phase = phase,
                                              .resume_phase = phase,
                                              .step = 1,
                                              .steps = 5,
                                              .weight = 100,
                                              .phase_since_ms = 0,
                                              .step_entered_ms = 0,
                                              .step_since_ms = 0,
                                              .blind_since_ms = -1,
                                              .paused_limit_s = 86400,
                                              .has_stable = true,
                                              .corpora_ready = true,
                                              .judgement = judgement.action,
                                              .judgement_reason = judgement.reason,
                                              .lead = judgement.lead,
                                              .log_g_rel = judgement.log_g_rel,
                                              .log_g_all = judgement.log_g_all,
                                              .breach_since_s = run.evidence.breach_since,
                                              .log_split = split_log(&run.evidence.split.split),
                                              .log_coverage = coverage_log(&run.evidence, &run.policy, NULL),
                                              .proven = evidence_proven(&run.evidence, &run.policy)}};
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct sli_evidence *sli = &run.evidence.sli[i];
        if (run.policy.guardrail[i].used)
            out->lane[i] = (struct replay_lane){.known = true,
                                                .weight = sli->weight,
                                                .relative = evidence_lane_log(&sli->relative),
                                                .absolute = evidence_lane_log(&sli->absolute),
                                                .promotion = evidence_ni(&run.evidence, (enum sli)i)};
    }
    struct decision decision = decide(&out->snapshot, verb);
    snprintf(out->rule, sizeof out->rule, "%s", decision.rule->id);
    out->phase = decision.phase;
    out->step = decision.step;
}

/* Ticks from..to with these counts in every second. */
static void ticks(int from, int to, struct counts refusal, struct counts error)
{
    const struct counts counts[] = {[SLI_REFUSAL] = refusal, [SLI_ERROR] = error};
    for (int t = from; t < to; t++) {
        struct block closed[2];
        for (enum sli sli = SLI_REFUSAL; sli <= SLI_ERROR; sli++) {
            if (!run.policy.guardrail[sli].used)
                continue;
            struct sli_counts of = sli_counts_of(counts[sli]);
            int count = evidence_tick(&run.evidence, &run.policy, &run.plan, sli, QUALITY_COHORT, t, 1.0, &of,
                                      true, false, closed);
            for (int i = 0; i < count; i++)
                run.block[run.blocks++] = closed[i];
        }
        evidence_judge(&run.evidence, &run.policy, 0, run.fix);
    }
}

/* Replays everything into `results`. */
static void replay(struct replay_result results[DECISIONS_MAX])
{
    static struct replay walk;
    replay_begin(&walk, &(struct replay_rollout){.policy = &run.policy,
                                                 .plan = &run.plan,
                                                 .weight = run.evidence.weight,
                                                 .weights = (size_t)run.evidence.weights,
                                                 .tick_s = 1.0,
                                                 .fix = run.fix});
    for (size_t i = 0; i < run.decisions; i++) {
        replay_next(&walk, &run.decision[i]);
        while (walk.blocks < run.decision[i].blocks)
            cr_assert(replay_block(&walk, &run.block[walk.blocks]));
        replay_decide(&walk, &results[i]);
    }
}

static void expect_all_equal(void)
{
    static struct replay_result results[DECISIONS_MAX];
    replay(results);
    for (size_t i = 0; i < run.decisions; i++) {
        cr_expect(replay_equal(&results[i]), "decision %zu, %s: %g in %s; now %s", i, run.decision[i].rule,
                  results[i].difference, results[i].largest != NULL ? results[i].largest : "nothing",
                  results[i].decision.rule->id);
        cr_expect(results[i].compared);
        cr_expect(results[i].bits, "decision %zu, %s", i, run.decision[i].rule);
    }
}

static const struct counts well = {5, 0, 95, 2}, ill = {5, 3, 95, 2}, both = {5, 3, 95, 50};

Test(decision_replay, a_rollout_with_several_weights_has_the_same_bits)
{
    begin();
    ticks(0, 3, (struct counts){0, 0, 100, 2}, (struct counts){0, 0, 100, 0});
    evidence_weight(&run.evidence, 3.4, 500, true);
    ticks(3, 60, well, well);
    decide_at(60.7, VERB_TICK, PHASE_PROGRESSING);
    decide_at(61.2, VERB_PAUSE, PHASE_PROGRESSING);
    evidence_weight(&run.evidence, 61.2, 2500, true);
    decide_at(61.9, VERB_TICK, PHASE_PROGRESSING); /* between the change and the first tick under it */
    ticks(62, 90, (struct counts){25, 1, 75, 1}, (struct counts){25, 0, 75, 0});
    decide_at(90.1, VERB_TICK, PHASE_PROGRESSING);
    evidence_weight(&run.evidence, 91.0, 1000, false); /* set-weight */
    ticks(91, 140, (struct counts){10, 4, 90, 1}, (struct counts){10, 0, 90, 0});
    decide_at(140.5, VERB_TICK, PHASE_PROGRESSING);
    cr_expect_str_eq(run.decision[4].rule, "evidence.worse");
    expect_all_equal();
}

Test(decision_replay, a_judgement_that_was_reached_between_decisions_stays)
{
    static struct replay_result results[DECISIONS_MAX];
    begin();
    evidence_weight(&run.evidence, 0, 500, true);
    ticks(0, 30, well, well);
    decide_at(30.5, VERB_TICK, PHASE_PROGRESSING);
    ticks(30, 90, ill, well); /* proven on the way, and more is said against it afterwards */
    decide_at(90.5, VERB_TICK, PHASE_PAUSED);
    ticks(90, 100, ill, well);
    decide_at(100.5, VERB_TICK, PHASE_PAUSED);
    expect_all_equal();
    replay(results);
    cr_expect_gt(results[1].latched, run.decision[0].blocks);
    cr_expect_lt(results[1].latched, run.decision[1].blocks);
    cr_expect_eq(results[2].latched, results[1].latched);
}

Test(decision_replay, what_both_arms_suffer_comes_out_the_same)
{
    begin();
    evidence_weight(&run.evidence, 0, 500, true);
    ticks(0, 30, well, well);
    ticks(30, 100, both, well);
    decide_at(100.2, VERB_TICK, PHASE_PROGRESSING);
    cr_expect_str_eq(run.decision[0].rule, "hold.shared");
    ticks(100, 700, both, well);
    decide_at(700.2, VERB_TICK, PHASE_PROGRESSING);
    cr_expect_str_eq(run.decision[1].rule, "evidence.shared_cause");
    expect_all_equal();
}

/* Nothing says that it is not stable's fault too, so the breach waits; it ends with the first block that
   closes after the wait. */
Test(decision_replay, a_breach_that_waited_comes_out_the_same)
{
    const struct counts unseen = {5, 4, 0, 0}, none = {0};
    int t = 0;
    begin();
    run.policy.guardrail[SLI_REFUSAL].used = false;
    run.policy.attr_wait_s = 92; /* blocks are of 5 s */
    for (int i = 0; i < BURN_WINDOWS; i++)
        run.policy.burn[i].window.factor = 0;
    evidence_weight(&run.evidence, 0, 500, true);
    ticks(0, 30, none, well);
    for (t = 30; t < 400 && run.evidence.latched.action == JUDGE_CONTINUE; t++) {
        ticks(t, t + 1, none, unseen);
        if (run.decisions == 0 && run.evidence.breach_since >= 0 && t - run.evidence.breach_since > 30)
            decide_at(t + 1.5, VERB_TICK, PHASE_PROGRESSING);
    }
    decide_at(t + 0.5, VERB_TICK, PHASE_PROGRESSING);
    cr_expect_str_eq(run.decision[0].rule, "hold.attributing");
    cr_expect_str_eq(run.decision[1].rule, "evidence.ceiling");
    expect_all_equal();
}

/* At 100 % there is nobody else to blame: a breach that waits is over with the first tick there, which no
   stored block has seen yet. */
Test(decision_replay, a_breach_that_reaches_all_traffic_comes_out_the_same)
{
    const struct counts unseen = {5, 4, 0, 0}, none = {0};
    int t = 30;
    begin();
    run.policy.guardrail[SLI_REFUSAL].used = false;
    for (int i = 0; i < BURN_WINDOWS; i++)
        run.policy.burn[i].window.factor = 0;
    evidence_weight(&run.evidence, 0, 500, true);
    ticks(0, t, none, well);
    for (; t < 200 && run.evidence.breach_since < 0; t++)
        ticks(t, t + 1, none, unseen);
    evidence_weight(&run.evidence, t, WEIGHT_FULL, true);
    ticks(t, t + 1, none, unseen);
    decide_at(t + 1.5, VERB_TICK, PHASE_BAKING);
    cr_expect_str_eq(run.decision[0].rule, "evidence.ceiling");
    cr_expect_eq(run.block[run.blocks - 1].weight, 500);
    expect_all_equal();
}

Test(decision_replay, what_was_changed_since_is_found)
{
    static struct replay_result results[DECISIONS_MAX];
    begin();
    evidence_weight(&run.evidence, 0, 500, true);
    ticks(0, 30, well, well);
    decide_at(30.5, VERB_TICK, PHASE_PROGRESSING);
    ticks(30, 60, ill, well);
    decide_at(60.5, VERB_TICK, PHASE_PROGRESSING);
    expect_all_equal();

    struct block kept = run.block[40];
    struct counts *counts = &run.block[40].counts.stratum[0];
    counts->k_c += counts->k_c < counts->n_c ? 1 : -1;
    replay(results);
    cr_expect(!replay_equal(&results[1]), "a bad request more or less");
    cr_expect_gt(results[1].difference, REPLAY_TOLERANCE);
    run.block[40] = kept;

    struct replay_decision stored = run.decision[1];
    snprintf(run.decision[1].rule, sizeof run.decision[1].rule, "hold.shared");
    replay(results);
    cr_expect(!results[1].rule && results[1].action);
    run.decision[1] = stored;
    run.decision[1].phase = PHASE_PAUSED;
    replay(results);
    cr_expect(!replay_equal(&results[1]) && !results[1].phase);
    run.decision[1] = stored;
    run.decision[1].snapshot.log_g_rel = nextafter(run.decision[1].snapshot.log_g_rel, INFINITY);
    replay(results);
    cr_expect(replay_equal(&results[1]) && !results[1].bits, "one bit is told, and is equal");
    run.decision[1].snapshot.log_g_rel += 1e-6;
    replay(results);
    cr_expect(!replay_equal(&results[1]));
    cr_expect_str_eq(results[1].largest, "log_g_rel");
    run.decision[1] = stored;
    run.decision[1].snapshot.judgement = JUDGE_CONTINUE;
    replay(results);
    cr_expect(!results[1].action);
}

Test(decision_replay, an_event_that_does_not_say_what_was_counted_is_still_computed)
{
    static struct replay_result results[DECISIONS_MAX];
    begin();
    evidence_weight(&run.evidence, 0, 500, true);
    ticks(0, 60, well, well);
    decide_at(60.5, VERB_TICK, PHASE_PROGRESSING);
    run.decision[0].older = true;
    run.decision[0].snapshot.evidence_s = -1;
    memset(run.decision[0].lane, 0, sizeof run.decision[0].lane);
    replay(results);
    cr_expect(replay_equal(&results[0]) && results[0].bits);
}

Test(decision_replay, blocks_that_cannot_be_are_refused)
{
    static struct replay walk;
    begin();
    replay_begin(&walk, &(struct replay_rollout){.policy = &run.policy, .plan = &run.plan, .tick_s = 1.0});
    struct block good = {
        .sli = SLI_REFUSAL, .start_s = 5, .length_s = 1, .weight = 500, .counts = sli_counts_of(well)};
    struct block bad = good;
    bad.sli = SLI_LATENCY;
    cr_expect(!replay_block(&walk, &bad), "not watched");
    bad = good, bad.start_s = NAN;
    cr_expect(!replay_block(&walk, &bad));
    bad = good, bad.length_s = 0;
    cr_expect(!replay_block(&walk, &bad));
    bad = good, bad.counts.stratum[0].k_c = 6;
    cr_expect(!replay_block(&walk, &bad));
    bad = good, bad.weight = 10001;
    cr_expect(!replay_block(&walk, &bad));
    cr_expect_eq(walk.blocks, 0);
    cr_expect(replay_block(&walk, &good));
    cr_expect(!replay_block(&walk, &good), "before the end of the last one");
}
