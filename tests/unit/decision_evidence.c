/* How ticks become blocks: weights, steps, draining, dropped ticks, clocks, verdicts. */
#include "decision_support.h"

#include "decision/ni.h"
#include "decision/pace.h"
#include "decision/recent.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const struct counts healthy = {5, 0, 95, 2};

static int tick_of(struct bench *bench, enum sli sli, enum data_quality quality, double t_s, bool draining)
{
    struct sli_counts all = sli_counts_of(healthy);
    return evidence_tick(&bench->evidence, &bench->policy, &bench->plan, sli, quality, t_s,
                         bench->evidence.tick_s, &all, false, draining, bench->closed);
}

Test(decision_evidence, without_weight_only_stable_is_watched)
{
    struct bench bench;
    const struct sli_evidence *sli = &bench.evidence.sli[SLI_REFUSAL];
    bench_init(&bench, 1, -1, 1);
    bench.policy.guardrail[SLI_REFUSAL].ceiling = 0.05;
    bench.policy.guardrail[SLI_REFUSAL].allowed = 10;
    for (int t = 0; t < 50; t++)
        bench_tick(&bench, SLI_REFUSAL, t, (struct counts){0, 0, 100, 40}, true);
    cr_expect(sli->sick && sli->sick_before && recent_proven(sli->stable));
    cr_expect(recent_value(sli->canary) == 1 && recent_value(sli->worse) == 1);
    cr_expect(sli->relative.mass.t_prev == -1 && sli->absolute.mass.t_prev == -1 && sli->budget_x == 0);
    cr_expect(sli->total.n_b == 0 && ni_log(sli) == 0 && sli->step == -1);
    cr_expect(near(bench.evidence.rps_next, 100));
    cr_expect_not(evidence_proven(&bench.evidence, &bench.policy));
    /* theta of the first step is what stable did lately, with one bad in a hundred before it was seen */
    evidence_weight(&bench.evidence, 50, 100, true);
    bench_tick(&bench, SLI_REFUSAL, 50, (struct counts){0, 0, 0, 0}, true);
    cr_expect_gt(sli->ni_bad[0], 35);
    cr_expect(sli->relative.mass.t_prev == 50 && sli->relative.mass.u == 0.5);
}

Test(decision_evidence, a_block_never_mixes_two_weights)
{
    struct bench bench;
    bench_init(&bench, 1, 100, 1);
    bench.policy.guardrail[SLI_REFUSAL].block_s = 10;
    evidence_weight(&bench.evidence, 4.5, 500, true);
    for (int t = 0; t < 5; t++)
        cr_expect_eq(tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, t, false), 0);
    cr_expect_eq(tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, 5, false), 1);
    cr_expect(bench.closed[0].start_s == 0 && bench.closed[0].length_s == 5 && bench.closed[0].weight == 100);
    cr_expect(bench.closed[0].new_step && bench.closed[0].counts.stratum[0].n_b == 5 * 95);
    for (int t = 6; t < 14; t++)
        cr_expect_eq(tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, t, false), 0);
    cr_expect_eq(tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, 14, false), 1);
    cr_expect(bench.closed[0].start_s == 5 && bench.closed[0].length_s == 10 &&
              bench.closed[0].weight == 500);
    cr_expect(bench.closed[0].new_step);
    tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, 15, false);
    cr_expect_not(bench.evidence.sli[SLI_REFUSAL].open_step);
}

Test(decision_evidence, a_change_and_its_tick_may_close_two_blocks)
{
    struct bench bench;
    bench_init(&bench, 1, 100, 1);
    bench.policy.guardrail[SLI_REFUSAL].block_s = 3;
    tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, 0, false);
    bench.policy.guardrail[SLI_REFUSAL].block_s = 0;
    evidence_weight(&bench.evidence, 1, 500, true);
    cr_expect_eq(tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, 1, false), 2);
    cr_expect(bench.closed[0].weight == 100 && bench.closed[1].weight == 500);
}

Test(decision_evidence, a_raise_starts_the_step_anew)
{
    struct bench bench;
    const struct sli_evidence *sli = &bench.evidence.sli[SLI_REFUSAL];
    bench_init(&bench, 1, 100, 1);
    int t = 0;
    for (; !evidence_proven(&bench.evidence, &bench.policy); t++)
        bench_tick(&bench, SLI_REFUSAL, t, (struct counts){50, 0, 950, 19}, true);
    cr_expect_eq(evidence_verdict(&bench.evidence, &bench.policy, SLI_REFUSAL, t, false), VERDICT_PASS);
    cr_expect_eq(sli->step_total.n_c, 50 * t);
    double proven = evidence_ni(&bench.evidence, SLI_REFUSAL), rel = evidence_lane_log(&sli->relative);

    evidence_weight(&bench.evidence, t, 50, false); /* lowered by hand */
    cr_expect(evidence_ni(&bench.evidence, SLI_REFUSAL) == proven);
    bench_tick(&bench, SLI_REFUSAL, t, (struct counts){0, 0, 0, 0}, true);
    cr_expect(near(evidence_ni(&bench.evidence, SLI_REFUSAL), proven) && sli->step == 0 && sli->weight == 50);
    cr_expect_eq(sli->step_total.n_c, 50 * t);

    evidence_weight(&bench.evidence, t + 1, 500, true); /* not yet reached by the SLI */
    cr_expect(evidence_ni(&bench.evidence, SLI_REFUSAL) == 0);
    cr_expect_not(evidence_proven(&bench.evidence, &bench.policy));
    cr_expect_eq(evidence_verdict(&bench.evidence, &bench.policy, SLI_REFUSAL, t, false),
                 VERDICT_INCONCLUSIVE);
    bench_tick(&bench, SLI_REFUSAL, t + 1, (struct counts){0, 0, 0, 0}, true);
    cr_expect(ni_log(sli) == 0 && sli->step == 1 && sli->step_total.n_c == 0 && sli->total.n_c == 50 * t);
    cr_expect(near(evidence_lane_log(&sli->relative), rel), "the lanes go on");
    cr_expect_eq(sli->relative.mass.steps_left, 3);
}

Test(decision_evidence, the_step_is_the_one_with_that_weight)
{
    struct bench bench;
    const struct sli_evidence *sli = &bench.evidence.sli[SLI_REFUSAL];
    bench_init(&bench, 1, 100, 1);
    tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, 0, false);
    cr_expect_eq(sli->step, 0);
    evidence_weight(&bench.evidence, 1, bench.plan.step[2].weight, true); /* a step was skipped */
    tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, 1, false);
    cr_expect_eq(sli->step, 2);
    evidence_weight(&bench.evidence, 2, 4321, true); /* none has it */
    tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, 2, false);
    cr_expect_eq(sli->step, 3);
    evidence_weight(&bench.evidence, 3, WEIGHT_FULL - bench.policy.holdback, true);
    tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, 3, false);
    cr_expect_eq(sli->step, 4);
    bench_init(&bench, 1, WEIGHT_FULL, 1); /* a first release */
    tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, 0, false);
    cr_expect_eq(sli->step, 4);
}

/* The prior mass of steps is spent once, however often the weight is raised. */
Test(decision_evidence, more_raises_than_planned)
{
    struct bench bench;
    const struct lane_mass *mass = &bench.evidence.sli[SLI_REFUSAL].relative.mass;
    bench_init(&bench, 1, 100, 1);
    for (int t = 0; t < 20; t++) {
        evidence_weight(&bench.evidence, t + 1, 100, true);
        tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, t, false);
        double background = 0.25 * (1 - 1 / (1 + t / 3600.0)), steps = 0.25 / 4 * (t < 4 ? t : 4);
        cr_expect(near(mass->u, 0.5 - background - steps), "%d", t);
    }
    cr_expect_eq(mass->steps_left, 0);
}

/* The margin of the step decides how much is proven: 5 points in the first, 1 in the third. */
Test(decision_evidence, the_margin_is_the_steps)
{
    double log_e[3];
    for (int i = 0; i < 3; i++) {
        struct bench bench;
        bench_init(&bench, 1, 100, 1);
        bench.policy.guardrail[SLI_REFUSAL].margin_ratio = 1.01;
        if (i == 1)
            evidence_weight(&bench.evidence, 0, bench.plan.step[3].weight, true);
        if (i == 2)
            bench.policy.guardrail[SLI_REFUSAL].margin_add = 0.05;
        for (int t = 0; t < 5; t++)
            bench_tick(&bench, SLI_REFUSAL, t, (struct counts){50, 1, 950, 19}, true);
        log_e[i] = evidence_ni(&bench.evidence, SLI_REFUSAL);
    }
    cr_expect(
        near(plan_margin(&(struct plan){.steps = 2, .step = {{.weight = 100}, {.weight = 500}}}, 0), 0.05));
    cr_expect_gt(log_e[0], log_e[1] + 1);
    cr_expect(near(log_e[0], log_e[2]));
}

Test(decision_evidence, draining_opens_no_block)
{
    struct bench bench;
    bench_init(&bench, 2, 100, 1);
    bench.policy.guardrail[SLI_CONTENT_FILTER].block_s = 4;
    for (int i = 0; i < 2; i++)
        tick_of(&bench, (enum sli)i, QUALITY_COHORT, 0, false);
    cr_expect_not(evidence_idle(&bench.evidence));
    for (int t = 1; t < 4; t++)
        for (int i = 0; i < 2; i++)
            cr_expect_eq(tick_of(&bench, (enum sli)i, QUALITY_COHORT, t, true), i == 1 && t == 3);
    cr_expect(evidence_idle(&bench.evidence));
    cr_expect_eq(bench.evidence.sli[SLI_REFUSAL].rows_dropped, 300);
    cr_expect_eq(bench.evidence.sli[SLI_CONTENT_FILTER].rows_dropped, 0);
    cr_expect(bench.evidence.now_s == 4);
    tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, 4, true);
    cr_expect(evidence_idle(&bench.evidence));
}

Test(decision_evidence, completion_counters_are_blanked_after_a_change)
{
    struct bench bench;
    bench_init(&bench, 2, 100, 1);
    evidence_weight(&bench.evidence, 100.5, 500, true);
    for (int t = 0; t < 200; t++) {
        tick_of(&bench, SLI_REFUSAL, QUALITY_COMPLETION, t, false);
        tick_of(&bench, SLI_CONTENT_FILTER, QUALITY_COHORT, t, false);
    }
    /* 0 .. 59, the tick across the change, and 101 .. 160 */
    cr_expect_eq(bench.evidence.sli[SLI_REFUSAL].rows_dropped, 100 * (60 + 1 + 60));
    cr_expect_eq(bench.evidence.sli[SLI_REFUSAL].total.n_c, 5 * (200 - 121));
    cr_expect_eq(bench.evidence.sli[SLI_CONTENT_FILTER].rows_dropped, 0);
    cr_expect_eq(bench.evidence.sli[SLI_REFUSAL].relative.mass.steps_left, 3);
}

Test(decision_evidence, latency_is_dropped_while_canary_warms_up)
{
    struct bench bench;
    bench_init(&bench, SLI_LATENCY + 1, -1, 1);
    evidence_weight(&bench.evidence, 30, 100, true);
    evidence_weight(&bench.evidence, 120, 500, true);
    for (int t = 0; t < 200; t++)
        for (enum sli sli = SLI_TIMEOUT; sli <= SLI_LATENCY; sli++)
            tick_of(&bench, sli, QUALITY_COHORT, t, false);
    cr_expect_eq(bench.evidence.sli[SLI_TIMEOUT].rows_dropped, 0);
    cr_expect_eq(bench.evidence.sli[SLI_TTFT].rows_dropped, 6000);
    cr_expect_eq(bench.evidence.sli[SLI_LATENCY].rows_dropped, 6000);
    cr_expect_eq(bench.evidence.sli[SLI_LATENCY].total.n_c, 5 * 110);
    cr_expect(bench.evidence.canary_since == 30);
}

Test(decision_evidence, wrong_ticks_are_counted_and_dropped)
{
    const int64_t big = ((int64_t)1 << 53) + 1;
    const struct counts wrong[] = {{-1, 0, 1, 0}, {1, 2, 1, 0},  {1, -1, 1, 0},  {1, 0, -1, 0},
                                   {1, 0, 1, 2},  {1, 0, 1, -1}, {big, 0, 1, 0}, {1, 0, big, 0}};
    struct bench bench;
    struct sli_counts all = sli_counts_of(healthy);
    bench_init(&bench, 1, 100, 1);
    const struct sli_evidence *sli = &bench.evidence.sli[SLI_REFUSAL];
    for (int i = 0; i < 8; i++)
        cr_expect_eq(bench_tick(&bench, SLI_REFUSAL, i, wrong[i], true), 0);
    cr_expect(sli->invalid_ticks == 8 && sli->last_tick == -1 && bench.evidence.now_s == 0);
    cr_expect(bench.evidence.rps == -1 && bench.evidence.rps_next == -1);
    tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, 5, false);
    cr_expect_eq(sli->total.n_c, 5);
    static const double times[][2] = {{4, 1},   {5, 1},   {6, 0},        {6, -1},
                                      {NAN, 1}, {6, NAN}, {6, INFINITY}, {-1, 1}};
    for (int i = 0; i < 8; i++)
        evidence_tick(&bench.evidence, &bench.policy, &bench.plan, SLI_REFUSAL, QUALITY_COHORT, times[i][0],
                      times[i][1], &all, true, false, bench.closed);
    cr_expect_eq(sli->invalid_ticks, 16);
    cr_expect(sli->total.n_c == 5 && bench.evidence.now_s == 6);
}

Test(decision_evidence, a_missing_tick_is_absent)
{
    struct bench bench;
    bench_init(&bench, 1, 100, 1);
    bench.policy.guardrail[SLI_REFUSAL].block_s = 5;
    tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, 0, false);
    cr_expect_eq(tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, 20, false), 1);
    cr_expect(bench.closed[0].length_s == 21 && bench.closed[0].counts.stratum[0].n_c == 10);
}

/* Planned for 1 request a second, but then come 100: the block need not wait 16 s. */
Test(decision_evidence, a_block_is_full_when_traffic_rises)
{
    struct bench bench;
    bench_init(&bench, 1, 500, 1);
    bench_tick(&bench, SLI_REFUSAL, 0, (struct counts){0, 0, 1, 0}, true);
    cr_expect_eq(bench_tick(&bench, SLI_REFUSAL, 1, (struct counts){0, 0, 1, 0}, true), 0);
    cr_expect(near(bench.evidence.sli[SLI_REFUSAL].block_end, 17));
    cr_expect_eq(bench_tick(&bench, SLI_REFUSAL, 2, (struct counts){5, 0, 95, 0}, true), 1);
    bench.policy.guardrail[SLI_REFUSAL].block_s = 5;
    for (int t = 3; t < 8; t++)
        cr_expect_eq(bench_tick(&bench, SLI_REFUSAL, t, (struct counts){5, 0, 95, 0}, true), t == 7, "%d", t);
}

Test(decision_evidence, the_rate_of_a_tick_counts_from_the_next)
{
    struct bench bench;
    bench_init(&bench, 2, 500, 1);
    bench_tick(&bench, SLI_REFUSAL, 0, (struct counts){0, 0, 10, 0}, true);
    bench_tick(&bench, SLI_CONTENT_FILTER, 0, (struct counts){0, 0, 8, 0}, true);
    cr_expect(bench.evidence.rps == -1 && bench.evidence.rps_next == 10);
    bench_tick(&bench, SLI_CONTENT_FILTER, 1, (struct counts){0, 0, 70, 0}, true);
    cr_expect(bench.evidence.rps == 10 && near(bench.evidence.rps_next, 10 + (1 - exp(-1 / 60.0)) * 60));
    bench_tick(&bench, SLI_REFUSAL, 1, (struct counts){0, 0, 20, 0}, true);
    cr_expect(near(bench.evidence.rps_next, 10 + (1 - exp(-1 / 60.0)) * 60), "the largest counts");
    bench_tick(&bench, SLI_REFUSAL, 2, (struct counts){0, 0, 0, 0}, false);
    double rps = bench.evidence.rps;
    bench_tick(&bench, SLI_CONTENT_FILTER, 2, (struct counts){0, 0, 0, 0}, false);
    cr_expect(near(rps, 10 + (1 - exp(-1 / 60.0)) * 60) && bench.evidence.rps == rps);
    /* what is not used has no evidence, but may measure */
    bench_tick(&bench, SLI_ERROR, 3, (struct counts){0, 0, 90, 0}, true);
    cr_expect_gt(bench.evidence.rps_next, rps);
    cr_expect(bench.evidence.sli[SLI_ERROR].last_tick == -1 && bench.evidence.now_s == 3);
    /* older hints say nothing */
    bench_tick(&bench, SLI_CONTENT_FILTER, 10, healthy, true);
    double next = bench.evidence.rps_next;
    bench_tick(&bench, SLI_REFUSAL, 5, (struct counts){0, 0, 9000, 0}, true);
    cr_expect(bench.evidence.rps_next == next);
}

/* The SLI that the rate is taken of may be one that nobody reports. What says it later comes beside an
   outcome without it, and is the same request. */
Test(decision_evidence, requests_without_the_sli_are_requests)
{
    static const struct {
        struct counts with, coverage;
        double rps;
    } cases[] = {{{0}, {4, 4, 96, 96}, 100},
                 {{1, 0, 9, 0}, {4, 3, 96, 87}, 90},
                 {{4, 0, 96, 0}, {8, 4, 192, 96}, 100},
                 {{4, 0, 96, 0}, {0}, 100}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench;
        bench_init(&bench, 1, 500, 1);
        struct sli_counts counts = {.strata = 1, .stratum = {cases[i].with}, .coverage = {cases[i].coverage}};
        evidence_tick(&bench.evidence, &bench.policy, &bench.plan, SLI_REFUSAL, QUALITY_COHORT, 0, 1, &counts,
                      true, false, bench.closed);
        cr_expect(near(bench.evidence.rps_next, cases[i].rps), "%zu: %g", i, bench.evidence.rps_next);
    }
}

/* Each SLI has its own lag and passes a change at its own tick. */
Test(decision_evidence, slis_pass_a_change_at_their_own_ticks)
{
    struct bench bench;
    bench_init(&bench, 2, 100, 1);
    evidence_weight(&bench.evidence, 20, 500, true);
    for (int now = 0; now < 40; now++) {
        tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, now, false);
        if (now >= 10)
            tick_of(&bench, SLI_CONTENT_FILTER, QUALITY_COHORT, now - 10, false);
        cr_expect_eq(bench.evidence.sli[SLI_REFUSAL].weight, now < 20 ? 100 : 500);
        if (now >= 10)
            cr_expect_eq(bench.evidence.sli[SLI_CONTENT_FILTER].weight, now < 30 ? 100 : 500);
    }
    cr_expect(bench.evidence.now_s == 40 && bench.evidence.sli[SLI_CONTENT_FILTER].last_tick == 30);
}

Test(decision_evidence, more_changes_than_there_is_room_for)
{
    struct bench bench;
    bench_init(&bench, 3, 100, 1);
    bench.policy.guardrail[SLI_CONTENT_FILTER].block_s = 1000;
    tick_of(&bench, SLI_CONTENT_FILTER, QUALITY_COHORT, 0, false);
    for (int i = 1; i <= 200; i++) {
        evidence_weight(&bench.evidence, i, 100 + i, i % 50 == 0);
        tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, i, false);
        cr_expect_eq(bench.evidence.sli[SLI_REFUSAL].weight, 100 + i);
    }
    cr_expect_eq(bench.evidence.weights, EVIDENCE_WEIGHTS_MAX);
    cr_expect_eq(bench.evidence.sli[SLI_REFUSAL].step, 4);
    cr_expect_eq(bench.evidence.sli[SLI_CONTENT_FILTER].rows_dropped, 100, "it gave up its open block");
    for (enum sli sli = SLI_CONTENT_FILTER; sli <= SLI_ERROR; sli++) {
        tick_of(&bench, sli, QUALITY_COHORT, 300, false);
        cr_expect(bench.evidence.sli[sli].weight == 300 && bench.evidence.sli[sli].step == 4);
    }
}

Test(decision_evidence, changes_do_not_go_back_in_time)
{
    struct bench bench;
    bench_init(&bench, 1, 100, 1);
    evidence_weight(&bench.evidence, 10, 500, true);
    evidence_weight(&bench.evidence, 5, 200, false);
    cr_expect(bench.evidence.weight[2].at_s == 10);
    tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, 9, false);
    cr_expect_eq(bench.evidence.sli[SLI_REFUSAL].weight, 100);
    tick_of(&bench, SLI_REFUSAL, QUALITY_COHORT, 10, false);
    cr_expect(bench.evidence.sli[SLI_REFUSAL].weight == 200 && bench.evidence.sli[SLI_REFUSAL].step == 1);
}

Test(decision_evidence, eta_weakens_a_block)
{
    struct bench full, half;
    bench_init(&full, 1, 5000, 1);
    bench_init(&half, 1, 5000, 1);
    half.policy.guardrail[SLI_REFUSAL].eta = 0.5;
    bench_tick(&full, SLI_REFUSAL, 0, (struct counts){50, 6, 50, 5}, true);
    bench_tick(&half, SLI_REFUSAL, 0, (struct counts){50, 6, 50, 5}, true);
    for (int j = 0; j < EVIDENCE_GRID; j++)
        cr_expect(near(half.evidence.sli[0].relative.log_m[j] - log(0.5),
                       0.5 * (full.evidence.sli[0].relative.log_m[j] - log(0.5))));
    cr_expect(near(half.evidence.sli[0].ni_add, 0.5 * full.evidence.sli[0].ni_add));
}

Test(decision_evidence, verdicts_in_their_order)
{
    struct bench bench;
    bench_init(&bench, 1, 100, 15);
    struct evidence *evidence = &bench.evidence;
    const struct policy *policy = &bench.policy;
    cr_expect_eq(evidence_verdict(evidence, policy, SLI_REFUSAL, 10 + 60, false), VERDICT_INCONCLUSIVE);
    cr_expect_eq(evidence_verdict(evidence, policy, SLI_REFUSAL, 10 + 60.5, false), VERDICT_NO_DATA);
    bench_tick(&bench, SLI_REFUSAL, 0, healthy, true);
    cr_expect_eq(evidence_verdict(evidence, policy, SLI_REFUSAL, 15, false), VERDICT_INCONCLUSIVE);
    cr_expect_eq(evidence_verdict(evidence, policy, SLI_REFUSAL, 15 + 10 + 60, false), VERDICT_INCONCLUSIVE);
    cr_expect_eq(evidence_verdict(evidence, policy, SLI_REFUSAL, 15 + 10 + 60.5, false), VERDICT_NO_DATA);
    cr_expect_eq(evidence_verdict(evidence, policy, SLI_REFUSAL, 15, true), VERDICT_NO_DATA);
    evidence->tick_s = 30;
    cr_expect_eq(evidence_verdict(evidence, policy, SLI_REFUSAL, 15 + 10 + 119, false), VERDICT_INCONCLUSIVE);
    evidence->sli[SLI_REFUSAL].ni_add = 100;
    cr_expect_eq(evidence_verdict(evidence, policy, SLI_REFUSAL, 15, false), VERDICT_PASS);
    cr_expect_eq(evidence_verdict(evidence, policy, SLI_REFUSAL, 15, true), VERDICT_NO_DATA);
    evidence->sli[SLI_REFUSAL].failed = true;
    cr_expect_eq(evidence_verdict(evidence, policy, SLI_REFUSAL, 1e6, true), VERDICT_FAIL);
    cr_expect_str_eq(verdict_name(VERDICT_NO_DATA), "no_data");
    cr_expect_str_eq(verdict_name(VERDICT_ERROR), "error");
}

Test(decision_evidence, all_used_guardrails_must_be_proven)
{
    struct bench bench;
    bench_init(&bench, 2, 100, 1);
    cr_expect(near(evidence_ni_threshold(&bench.evidence, &bench.policy), log(100)));
    bench.evidence.sli[SLI_REFUSAL].weight_next = bench.evidence.sli[SLI_CONTENT_FILTER].weight_next = 1;
    bench.evidence.sli[SLI_REFUSAL].ni_add = 100;
    cr_expect_not(evidence_proven(&bench.evidence, &bench.policy));
    bench.evidence.sli[SLI_CONTENT_FILTER].ni_add = 100;
    cr_expect(evidence_proven(&bench.evidence, &bench.policy));
    bench.policy.guardrail[SLI_REFUSAL].used = bench.policy.guardrail[SLI_CONTENT_FILTER].used = false;
    cr_expect_not(evidence_proven(&bench.evidence, &bench.policy), "nothing is watched");
}

Test(decision_evidence, eta_in_seconds)
{
    struct bench bench;
    bench_init(&bench, 1, 100, 1);
    struct evidence *evidence = &bench.evidence;
    cr_expect(evidence_eta_s(evidence, &bench.policy, &bench.plan, 0, SLI_REFUSAL) == -1);
    bench_tick(&bench, SLI_REFUSAL, 0, (struct counts){0, 0, 100, 2}, true);
    evidence->sli[SLI_REFUSAL].stable_bad = 0.02 * 1e9;
    evidence->sli[SLI_REFUSAL].stable_seen = 1e9;
    /* p 2 %, 5 points, w 1 %: N = ln(2 5/.05)/growth, which is a little less than KL(.02 || .07) */
    double divergence = 0.02 * log(0.02 / 0.07) + 0.98 * log(0.98 / 0.93);
    double growth = pace_growth(0.01, 0.02, 2, 0.05);
    cr_expect(growth > 0.96 * divergence && growth < divergence, "%g of %g", growth, divergence);
    double n = log(200) / growth,
           eta_s = evidence_eta_s(evidence, &bench.policy, &bench.plan, 0, SLI_REFUSAL);
    cr_expect(fabs(eta_s / n - 1) < 1e-6, "%g, not %g", eta_s, n);
    evidence->sli[SLI_REFUSAL].ni_add = 3;
    double known = evidence_ni(evidence, SLI_REFUSAL),
           left = log(100) - known + log(2) * (1 - known / log(100));
    double left_s = evidence_eta_s(evidence, &bench.policy, &bench.plan, 0, SLI_REFUSAL);
    cr_expect(fabs(left_s / (eta_s * left / log(200)) - 1) < 1e-6, "%g", left_s);
    evidence->sli[SLI_REFUSAL].ni_add = 30;
    cr_expect(evidence_eta_s(evidence, &bench.policy, &bench.plan, 0, SLI_REFUSAL) == 0);
    evidence->sli[SLI_REFUSAL].ni_add = 0;
    bench.policy.holdback = 0;
    cr_expect(evidence_eta_s(evidence, &bench.policy, &bench.plan, 4, SLI_REFUSAL) == -1,
              "there is no stable");
}

/* Growth against the block e-values themselves, at the expected counts of large blocks. */
Test(decision_evidence, growth_is_that_of_large_blocks)
{
    static const double weights[] = {0.01, 0.05, 0.25, 0.5, 0.98}, rates[] = {0.005, 0.025, 0.1, 0.4};
    const double n = 1e9, margin = 0.02, odds = 2;
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++)
        for (size_t j = 0; j < sizeof rates / sizeof rates[0]; j++) {
            double w = weights[i], p = rates[j];
            struct counts counts = {(int64_t)(n * w), (int64_t)(n * w * p), (int64_t)(n * (1 - w)),
                                    (int64_t)(n * (1 - w) * p)};
            double add = evalue_ni_add(&counts, p, margin) / (n * w);
            double ratio =
                fmax(evalue_ni_ratio(&counts, 1.0, odds), evalue_ni_ratio(&counts, 0.6, odds)) / (n * w);
            double want = fmax(add, ratio), got = pace_growth(w, p, odds, margin);
            cr_expect(fabs(got - want) <= 1e-3 * want + 1e-9, "w %g, p %g: %g, not %g", w, p, got, want);
        }
    cr_expect_eq(pace_growth(0, 0.1, 2, 0.02), 0);
    cr_expect_eq(pace_growth(1, 0.1, 2, 0.02), 0);
    cr_expect_eq(pace_growth(0.5, 0, 2, 0.02), 0);
    cr_expect_gt(pace_growth(0.5, 0.999, 2, 0.02), 0, "also where p + d is above 1");
}
