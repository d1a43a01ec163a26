/* Attribution over several SLIs: rows 1 to 6, what latches, what waits. */
#include "decision_support.h"

#include <criterion/criterion.h>

static const enum sli A = SLI_REFUSAL, B = SLI_CONTENT_FILTER;

static const struct counts fine = {20, 0, 80, 1}, canary_bad = {20, 10, 80, 1}, both_bad = {50, 25, 50, 25},
                           unseen_bad = {20, 10, 0, 0}, stable_bad = {0, 0, 100, 50};

/* Two SLIs with ceilings, blocks of one tick of 5 s. */
static void two(struct bench *bench, int32_t weight)
{
    bench_init(bench, 2, weight, 5);
    bench->policy.guardrail[A].ceiling = bench->policy.guardrail[B].ceiling = 0.05;
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

Test(decision_judge, worse_blames_the_sli_that_is)
{
    struct bench bench;
    struct judgement judgement = {.action = JUDGE_CONTINUE};
    two(&bench, 2000);
    double t = 0;
    for (; judgement.action == JUDGE_CONTINUE && t < 100; t += 5)
        judgement = go(&bench, t, fine, canary_bad, 0, false);
    expect(judgement, JUDGE_ROLLBACK, REASON_WORSE, B, t);
    cr_expect(bench.evidence.sli[B].failed && !bench.evidence.sli[A].failed);
    cr_expect_eq(evidence_verdict(&bench.evidence, &bench.policy, B, t, false), VERDICT_FAIL);
    for (int i = 0; i < 200; i++, t += 5) /* nothing measured later undoes it, and no mute */
        expect(go(&bench, t, fine, fine, 3, true), JUDGE_ROLLBACK, REASON_WORSE, B, t);
}

Test(decision_judge, a_muted_guardrail_does_not_act)
{
    struct bench bench;
    two(&bench, 2000);
    for (double t = 0; t < 100; t += 5)
        expect(go(&bench, t, fine, canary_bad, 1u << B, false), JUDGE_CONTINUE, REASON_NONE, A, t);
    struct judgement judgement = evidence_judge(&bench.evidence, &bench.policy, 3, false);
    expect(judgement, JUDGE_CONTINUE, REASON_NONE, A, 100);
    cr_expect(judgement.log_g_rel == -1000 && judgement.log_g_all == -1000);
    expect(evidence_judge(&bench.evidence, &bench.policy, 0, false), JUDGE_ROLLBACK, REASON_WORSE, B, 100);
}

Test(decision_judge, no_stable_no_wait)
{
    struct bench bench;
    struct judgement judgement = {.action = JUDGE_CONTINUE};
    two(&bench, WEIGHT_FULL);
    double t = 0;
    for (; judgement.action == JUDGE_CONTINUE && t < 100; t += 5)
        judgement = go(&bench, t, (struct counts){20, 0, 0, 0}, unseen_bad, 0, false);
    expect(judgement, JUDGE_ROLLBACK, REASON_CEILING, B, t);
    cr_expect_lt(t, 40);
}

/* An unseen breach of A waits 90 s; while stable is sick in B, the wait begins anew. */
static double unseen_breach(double sick_for, bool fix)
{
    struct bench bench;
    double breach = -1, t = 0;
    struct judgement judgement = {.action = JUDGE_CONTINUE};
    two(&bench, 2000);
    for (; judgement.action < JUDGE_RETURN && t < 600; t += 5) {
        judgement = go(&bench, t, unseen_bad, t < sick_for ? stable_bad : fine, 0, fix);
        if (breach < 0 && judgement.reason == REASON_ATTRIBUTING) {
            breach = t + 5;
            cr_expect(judgement.action == JUDGE_HOLD && judgement.lead == A);
        }
    }
    expect(judgement, JUDGE_ROLLBACK, REASON_CEILING, A, t);
    return t - breach;
}

Test(decision_judge, a_breach_waits_for_stables_side)
{
    double plain = unseen_breach(0, false);
    cr_expect(near(plain, 90), "%g", plain);
    double sick = unseen_breach(200, false), fixing = unseen_breach(200, true);
    cr_expect_gt(sick, 200, "%g", sick);
    cr_expect(near(fixing, 90), "a fix does not wait for stable to get well: %g", fixing);
}

/* Both arms bad from 0 on: back after shared_hold, unless stable was so before canary had weight. */
static struct judgement shared(double before_s, bool recovered, bool fix)
{
    struct bench bench;
    struct judgement judgement = {.action = JUDGE_CONTINUE};
    two(&bench, -1);
    double t = 0;
    for (; t < before_s; t += 5)
        go(&bench, t, recovered && t > before_s / 2 ? (struct counts){0, 0, 100, 0} : stable_bad,
           (struct counts){0, 0, 80, 1}, 0, fix);
    evidence_weight(&bench.evidence, t, 5000, true);
    for (double start = t; judgement.action < JUDGE_RETURN && t < start + 1200; t += 5)
        judgement = go(&bench, t, both_bad, fine, 0, fix);
    return judgement;
}

Test(decision_judge, a_shared_breach_goes_back_unless_it_is_older)
{
    expect(shared(0, false, false), JUDGE_RETURN, REASON_SHARED_CAUSE, A, 0);
    expect(shared(300, false, false), JUDGE_HOLD, REASON_SHARED, A, 300);
    expect(shared(600, true, false), JUDGE_RETURN, REASON_SHARED_CAUSE, A, 600);
    cr_expect_eq(shared(300, false, true).action, JUDGE_CONTINUE, "a fix of a sick stable goes on");
    cr_expect_eq(shared(0, false, true).action, JUDGE_CONTINUE, "nor is there anything to go back to");
}

/* Stable stays broken, canary has become well: nothing to go back for. */
Test(decision_judge, a_well_canary_is_not_sent_back)
{
    struct bench bench;
    two(&bench, 5000);
    for (double t = 0; t < 900; t += 5) {
        struct judgement judgement =
            go(&bench, t, t < 200 ? both_bad : (struct counts){50, 0, 50, 25}, fine, 0, false);
        cr_expect(judgement.action < JUDGE_RETURN, "at %g", t);
    }
    cr_expect(bench.evidence.sli[A].last_sick - bench.evidence.sli[A].shared_since > 300);
    expect(go(&bench, 900, fine, fine, 0, false), JUDGE_HOLD, REASON_SHARED, A, 900);
}

Test(decision_judge, only_rollback_guardrails_take_part)
{
    struct bench bench;
    two(&bench, 2000);
    bench.policy.guardrail[B].action = ACTION_PAUSE;
    double t = 0;
    for (; !evidence_alarm(&bench.evidence, &bench.policy, B) && t < 100; t += 5)
        expect(go(&bench, t, fine, canary_bad, 0, false), JUDGE_CONTINUE, REASON_NONE, A, t);
    cr_expect_lt(t, 60);
    cr_expect(bench.evidence.sli[B].failed);
    cr_expect_not(evidence_alarm(&bench.evidence, &bench.policy, A), "it rolls back instead");
    cr_expect_not(evidence_alarm(&bench.evidence, &bench.policy, SLI_ERROR), "not used");
    for (int i = 0; i < 500; i++, t += 5)
        go(&bench, t, fine, fine, 0, false);
    cr_expect(evidence_alarm(&bench.evidence, &bench.policy, B));
    /* stable's sickness in what takes no part holds nothing */
    two(&bench, 2000);
    bench.policy.guardrail[B].action = ACTION_NOTIFY;
    for (t = 0; t < 100; t += 5)
        expect(go(&bench, t, fine, both_bad, 0, false), JUDGE_CONTINUE, REASON_NONE, A, t);
    cr_expect(bench.evidence.sli[B].sick);
}

/* Twice as bad, but tolerated: the budget's share is spent, then proven to be spent. */
Test(decision_judge, a_spent_budget_holds)
{
    struct bench bench;
    struct judgement judgement = {.action = JUDGE_CONTINUE};
    two(&bench, 5000);
    bench.policy.guardrail[A].tolerance = 3;
    bench.policy.guardrail[A].ceiling = 0;
    bench.policy.guardrail[A].allowed = 200;
    double t = 0, held = -1;
    for (; judgement.action < JUDGE_RETURN && t < 40000; t += 5) {
        judgement = go(&bench, t, (struct counts){100, 4, 100, 2}, fine, 0, false);
        if (held < 0 && judgement.action == JUDGE_HOLD) {
            held = t;
            expect(judgement, JUDGE_HOLD, REASON_BUDGET, A, t);
            cr_expect(bench.evidence.sli[A].budget_x >= 200);
        }
    }
    cr_expect(held >= 495, "%g", held);
    expect(judgement, JUDGE_ROLLBACK, REASON_WORSE, A, t);
    cr_expect_gt(t, held + 100);
}

Test(decision_judge, a_breach_that_ends_clears_its_clock)
{
    struct bench bench;
    two(&bench, 2000);
    double t = 0;
    for (; bench.evidence.breach_since < 0 && t < 100; t += 5)
        go(&bench, t, unseen_bad, fine, 0, false);
    cr_expect(bench.evidence.breach_since == t);
    for (; bench.evidence.breach_since >= 0 && t < 200; t += 5)
        go(&bench, t, (struct counts){400, 0, 1600, 20}, fine, 0, false);
    cr_expect(bench.evidence.breach_since == -1 && bench.evidence.latched.action == JUDGE_CONTINUE);
}
