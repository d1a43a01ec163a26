/* Rows of the attribution table that burn windows, the split check and coverage lead to, and their order. */
#include "decision_support.h"

#include "decision/coverage.h"

#include <criterion/criterion.h>
#include <math.h>

static const enum sli A = SLI_REFUSAL, B = SLI_CONTENT_FILTER, C = SLI_ERROR;

static const struct counts fine = {50, 0, 450, 2}, burning = {50, 15, 450, 2}, unseen = {50, 15, 0, 0},
                           all_burn = {50, 15, 450, 140};

/* Two SLIs with a 99 % objective, blocks of 5 s, one window of 17.3x. A third one that says nothing has
   nearly all of alpha, so that the sums do not cross where a lane alone does. */
static void two(struct bench *bench, int32_t weight, enum guardrail_action action)
{
    bench_init(bench, 3, weight, 5);
    bench->policy.guardrail[C].share = 1e100;
    for (int i = 0; i < BURN_WINDOWS; i++)
        bench->policy.burn[i] = (struct burn_rule){.window = {0}};
    bench->policy.burn[1] = (struct burn_rule){{17.3, 60, 10}, action};
    bench->policy.guardrail[A].budget_rate = bench->policy.guardrail[B].budget_rate = 0.01;
}

static struct judgement go(struct bench *bench, double t_s, struct counts a, struct counts b, uint32_t muted,
                           bool fix)
{
    bench_tick(bench, A, t_s, a, false);
    bench_tick(bench, B, t_s, b, false);
    return evidence_judge(&bench->evidence, &bench->policy, muted, fix);
}

static void expect(struct judgement judgement, enum judgement_action action, enum judgement_reason reason,
                   enum sli lead, double t_s)
{
    cr_expect(judgement.action == action && judgement.reason == reason && judgement.lead == lead,
              "at %g: action %d, reason %d, lead %s", t_s, judgement.action, judgement.reason,
              sli_name(judgement.lead));
}

/* Runs until something is decided, for at most 600 s. */
static struct judgement until(struct bench *bench, double *t, struct counts a, struct counts b,
                              uint32_t muted)
{
    struct judgement judgement = {.action = JUDGE_CONTINUE};
    for (double end = *t + 600; judgement.action == JUDGE_CONTINUE && *t < end; *t += 5)
        judgement = go(bench, *t, a, b, muted, false);
    return judgement;
}

Test(decision_rows, a_burn_of_canary_alone_rolls_back)
{
    struct bench bench;
    double t = 0;
    two(&bench, 1000, ACTION_ROLLBACK);
    expect(until(&bench, &t, fine, burning, 0), JUDGE_ROLLBACK, REASON_BURN, B, t);
    cr_expect(t >= 30 && t <= 60, "30 %% of a window of 60 s: %g", t);
    cr_expect(bench.evidence.sli[B].failed && !bench.evidence.sli[A].failed);
    for (int i = 0; i < 100; i++, t += 5)
        expect(go(&bench, t, fine, fine, 3, true), JUDGE_ROLLBACK, REASON_BURN, B, t);
}

/* An SLI with a long deadline is counted long after the others; its windows end where its own counts do. */
Test(decision_rows, a_burn_is_seen_however_late_an_sli_matures)
{
    for (double lag = 0; lag <= 300; lag += 50) {
        struct bench bench;
        struct judgement judgement = {.action = JUDGE_CONTINUE};
        two(&bench, 1000, ACTION_ROLLBACK);
        double t = 0;
        for (; judgement.action == JUDGE_CONTINUE && t < 900; t += 5) {
            bench_tick(&bench, A, t, fine, false);
            if (t >= lag)
                bench_tick(&bench, B, t - lag, burning, false);
            judgement = evidence_judge(&bench.evidence, &bench.policy, 0, false);
        }
        expect(judgement, JUDGE_ROLLBACK, REASON_BURN, B, t);
        cr_expect(t - lag <= 60, "lag %g: %g", lag, t);
    }
}

/* Stable is not seen: waiting is no proof, so the burn only holds. */
Test(decision_rows, a_burn_without_stables_side_only_holds)
{
    struct bench bench;
    double t = 0;
    two(&bench, 1000, ACTION_ROLLBACK);
    struct judgement judgement = until(&bench, &t, unseen, fine, 0);
    for (; t < 600; t += 5) {
        expect(judgement, JUDGE_HOLD, REASON_ATTRIBUTING, A, t);
        judgement = go(&bench, t, unseen, fine, 0, false);
    }
    /* at full weight there is no side to wait for */
    two(&bench, WEIGHT_FULL, ACTION_ROLLBACK);
    t = 0;
    expect(until(&bench, &t, unseen, fine, 0), JUDGE_ROLLBACK, REASON_BURN, A, t);
}

Test(decision_rows, a_burn_that_ends_leaves_no_trace)
{
    struct bench bench;
    double t = 0;
    two(&bench, 1000, ACTION_ROLLBACK);
    expect(until(&bench, &t, unseen, fine, 0), JUDGE_HOLD, REASON_ATTRIBUTING, A, t);
    cr_expect(bench.evidence.breach_since == -1, "a burn is no breach that waiting would prove");
    for (int i = 0; i < 100; i++, t += 5)
        go(&bench, t, (struct counts){50, 0, 0, 0}, fine, 0, false);
    expect(go(&bench, t, (struct counts){50, 0, 0, 0}, fine, 0, false), JUDGE_CONTINUE, REASON_NONE, C, t);
    cr_expect(bench.evidence.breach_since == -1);
    cr_expect_not(bench.evidence.sli[A].failed);
}

/* Both burn: nobody is blamed, the rollout holds. Stable's sickness is told by 1.5 x (1 - objective). */
Test(decision_rows, a_burn_of_both_holds)
{
    struct bench bench;
    two(&bench, 1000, ACTION_ROLLBACK);
    cr_expect(bench.policy.guardrail[A].ceiling <= 0, "there is no ceiling");
    for (double t = 0; t < 280; t += 5) {
        struct judgement judgement = go(&bench, t, all_burn, fine, 0, false);
        expect(judgement, JUDGE_HOLD, REASON_SHARED, A, t);
        cr_expect_eq(evidence_burning(&bench.evidence, &bench.policy, A), 0u, "at %g", t);
    }
    cr_expect(bench.evidence.sli[A].sick && bench.evidence.sli[A].absolute.mass.t_prev == -1);
    /* stable gets well, canary does not */
    double t = 280;
    struct judgement judgement = {.action = JUDGE_HOLD};
    for (; judgement.action < JUDGE_RETURN && t < 900; t += 5)
        judgement = go(&bench, t, burning, fine, 0, false);
    expect(judgement, JUDGE_ROLLBACK, REASON_BURN, A, t);
}

Test(decision_rows, only_what_is_meant_to_rolls_back)
{
    struct bench bench;
    const enum guardrail_action own[] = {ACTION_ROLLBACK, ACTION_PAUSE, ACTION_ROLLBACK, ACTION_ROLLBACK},
                                windows[] = {ACTION_PAUSE, ACTION_ROLLBACK, ACTION_NOTIFY, ACTION_ROLLBACK};
    const uint32_t muted[] = {0, 0, 0, 1u << SLI_REFUSAL};
    for (int i = 0; i < 4; i++) {
        two(&bench, 1000, windows[i]);
        bench.policy.guardrail[A].action = own[i];
        for (double t = 0; t < 300; t += 5)
            cr_expect_eq(go(&bench, t, burning, fine, muted[i], false).action, JUDGE_CONTINUE, "case %d", i);
        cr_expect_eq(evidence_burning(&bench.evidence, &bench.policy, A), 2u, "it burns all the same");
        cr_expect_eq(evidence_burning(&bench.evidence, &bench.policy, B), 0u);
        cr_expect_not(bench.evidence.sli[A].failed, "case %d", i);
    }
    expect(evidence_judge(&bench.evidence, &bench.policy, 0, false), JUDGE_ROLLBACK, REASON_BURN, A, 300);
    bench.policy.guardrail[A].used = false;
    cr_expect_eq(evidence_burning(&bench.evidence, &bench.policy, A), 0u, "not used");
}

/* A window does what its rule says, and never more than its guardrail may. */
Test(decision_rows, a_window_does_no_more_than_its_guardrail)
{
    struct bench bench;
    static const enum guardrail_action weaker[3][3] = {{ACTION_ROLLBACK, ACTION_PAUSE, ACTION_NOTIFY},
                                                       {ACTION_PAUSE, ACTION_PAUSE, ACTION_NOTIFY},
                                                       {ACTION_NOTIFY, ACTION_NOTIFY, ACTION_NOTIFY}};
    for (int own = 0; own < 3; own++)
        for (int asked = 0; asked < 3; asked++) {
            two(&bench, 1000, (enum guardrail_action)asked);
            bench.policy.guardrail[A].action = (enum guardrail_action)own;
            cr_expect_eq(policy_burn_action(&bench.policy, A, 1), weaker[own][asked], "%d, %d", own, asked);
        }
}

/* What is worse than stable is said before what burns; a ceiling too. */
Test(decision_rows, blame_names_the_stronger_reason)
{
    struct bench bench;
    double t = 0;
    two(&bench, 1000, ACTION_ROLLBACK);
    until(&bench, &t, burning, fine, 1u << SLI_REFUSAL);
    cr_expect_neq(evidence_burning(&bench.evidence, &bench.policy, A), 0u);
    struct bench again = bench;
    again.policy.guardrail[C].share = 1e-9;
    expect(evidence_judge(&again.evidence, &again.policy, 0, false), JUDGE_ROLLBACK, REASON_WORSE, A, t);
    two(&bench, WEIGHT_FULL, ACTION_ROLLBACK);
    bench.policy.guardrail[A].ceiling = 0.05;
    t = 0;
    until(&bench, &t, unseen, fine, 1u << SLI_REFUSAL);
    cr_expect_neq(evidence_burning(&bench.evidence, &bench.policy, A), 0u);
    bench.policy.guardrail[C].share = 1e-9;
    expect(evidence_judge(&bench.evidence, &bench.policy, 0, false), JUDGE_ROLLBACK, REASON_CEILING, A, t);
}

/* Both arms of A are bad from the start of the weight on; how long until it goes back? */
static double returned_after(int64_t of_policy, int64_t of_guardrail)
{
    struct bench bench;
    struct judgement judgement = {.action = JUDGE_CONTINUE};
    two(&bench, 5000, ACTION_ROLLBACK);
    bench.policy.shared_hold_s = of_policy;
    bench.policy.guardrail[A].shared_hold_s = of_guardrail;
    bench.policy.guardrail[A].ceiling = 0.05;
    double t = 0;
    for (; judgement.action < JUDGE_RETURN && t < 2000; t += 5)
        judgement = go(&bench, t, (struct counts){250, 80, 250, 80}, fine, 0, false);
    expect(judgement, JUDGE_RETURN, REASON_SHARED_CAUSE, A, t);
    cr_expect_not(bench.evidence.sli[A].failed, "nobody is blamed");
    return t;
}

Test(decision_rows, shared_hold_is_the_guardrails_own)
{
    double by_policy = returned_after(300, 0), shorter = returned_after(300, 60),
           longer = returned_after(60, 900);
    cr_expect(near(by_policy - shorter, 240) && near(longer - by_policy, 600), "%g %g %g", by_policy, shorter,
              longer);
    cr_expect_gt(shorter, 60);
}

/* Split and coverage hold only where nothing stronger does, and each by its own name. */
Test(decision_rows, holds_in_their_order)
{
    struct bench bench;
    two(&bench, 1000, ACTION_ROLLBACK);
    bench.policy.guardrail[C].used = false;
    double t = 0;
    for (; t < 100; t += 5)
        go(&bench, t, fine, fine, 0, false);
    struct evidence *evidence = &bench.evidence;
    const uint32_t no_split = 1u << WATCH_SPLIT, no_coverage = 1u << WATCH_COVERAGE;
    expect(evidence_judge(evidence, &bench.policy, 0, false), JUDGE_CONTINUE, REASON_NONE, A, t);
    evidence->coverage_crossed = true;
    evidence->sli[B].coverage.log_m[3] = 20;
    expect(evidence_judge(evidence, &bench.policy, 0, false), JUDGE_HOLD, REASON_COVERAGE, B, t);
    expect(evidence_judge(evidence, &bench.policy, no_split, false), JUDGE_HOLD, REASON_COVERAGE, B, t);
    expect(evidence_judge(evidence, &bench.policy, no_coverage, false), JUDGE_CONTINUE, REASON_NONE, A, t);
    evidence->split.crossed = true;
    expect(evidence_judge(evidence, &bench.policy, 0, false), JUDGE_HOLD, REASON_SPLIT, A, t);
    expect(evidence_judge(evidence, &bench.policy, no_coverage, false), JUDGE_HOLD, REASON_SPLIT, A, t);
    expect(evidence_judge(evidence, &bench.policy, no_split, false), JUDGE_HOLD, REASON_COVERAGE, B, t);
    expect(evidence_judge(evidence, &bench.policy, no_split | no_coverage, false), JUDGE_CONTINUE,
           REASON_NONE, A, t);
    cr_expect_eq(evidence_judge(evidence, &bench.policy, 3, false).reason, REASON_SPLIT,
                 "muted guardrails do not mute it");
    bench.policy.guardrail[A].allowed = 1;
    evidence->sli[A].budget_x = 2;
    evidence->sli[A].budget_y[5] = 10;
    expect(evidence_judge(evidence, &bench.policy, 0, false), JUDGE_HOLD, REASON_BUDGET, A, t);
    evidence->sli[B].sick = true;
    expect(evidence_judge(evidence, &bench.policy, 0, false), JUDGE_HOLD, REASON_SHARED, B, t);
    cr_expect_eq(evidence_judge(evidence, &bench.policy, 0, true).reason, REASON_BUDGET, "a fix knows that");
    cr_expect_eq(evidence->latched.action, JUDGE_CONTINUE);
}
