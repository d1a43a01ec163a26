/* SLIs that nobody reports: told from those that are rare, that only the canary lacks, or whose requests are
   young; and no time is foretold for them. */
#include "decision/reporting.h"

#include "decision/offline.h"
#include "decision_support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

TestSuite(decision_reporting, .timeout = 60);

/* A second in which outcomes came: `with` the SLI and without it, of either release. */
static struct sli_counts second_of(int64_t with_c, int64_t without_c, int64_t with_b, int64_t without_b)
{
    struct sli_counts counts = sli_counts_of((struct counts){.n_c = with_c, .n_b = with_b});
    counts.coverage[0] = (struct counts){with_c + without_c, without_c, with_b + without_b, without_b};
    return counts;
}

static void give(struct bench *bench, enum sli sli, int t, struct sli_counts counts)
{
    evidence_tick(&bench->evidence, &bench->policy, &bench->plan, sli, QUALITY_COHORT, t, 1, &counts, true,
                  false, bench->closed);
}

static uint32_t missing(const struct bench *bench)
{
    return reporting_missing(&bench->evidence, &bench->policy, 0, INFINITY);
}

Test(decision_reporting, who_has_it_decides_whether_it_is_missing)
{
    static const struct {
        const char *what;
        int64_t each[4]; /* a second */
        int seconds;
        bool missing;
    } cases[] = {{"nobody has it", {0, 5, 0, 95}, 10, true},
                 {"a first release has no stable", {0, 20, 0, 0}, 10, true},
                 {"too few to say so", {0, 1, 0, 9}, 9, false},
                 {"just enough", {0, 1, 0, 9}, 10, true},
                 {"only stable has it: the canary's doing", {0, 5, 1, 94}, 100, false},
                 {"a sample of the canary has it", {1, 99, 0, 100}, 100, false},
                 {"no request of the canary came", {0, 0, 0, 100}, 10, false},
                 {"counters cannot tell", {5, 0, 95, 0}, 10, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench;
        const int64_t *each = cases[i].each;
        bench_init(&bench, 1, 500, 1);
        for (int t = 0; t < cases[i].seconds; t++)
            give(&bench, SLI_REFUSAL, t, second_of(each[0], each[1], each[2], each[3]));
        cr_expect_eq(missing(&bench), cases[i].missing ? 1u << SLI_REFUSAL : 0, "%s", cases[i].what);
    }
}

Test(decision_reporting, young_requests_and_muted_guardrails_are_not_missing)
{
    struct bench bench;
    bench_init(&bench, 2, 500, 1);
    bench.policy.guardrail[SLI_REFUSAL].maturity_s = 3600;
    for (int t = 0; t < 10; t++) {
        give(&bench, SLI_REFUSAL, t, second_of(0, 5, 0, 95));
        give(&bench, SLI_CONTENT_FILTER, t, second_of(0, 5, 0, 95));
    }
    const struct evidence *evidence = &bench.evidence;
    const uint32_t refusal = 1u << SLI_REFUSAL, filter = 1u << SLI_CONTENT_FILTER;
    cr_expect_eq(reporting_missing(evidence, &bench.policy, 0, 59), 0);
    cr_expect_eq(reporting_missing(evidence, &bench.policy, 0, 3659), filter);
    cr_expect_eq(reporting_missing(evidence, &bench.policy, 0, 3660), refusal | filter);
    cr_expect_eq(reporting_missing(evidence, &bench.policy, filter, 3660), refusal);
    bench.policy.guardrail[SLI_REFUSAL].used = false;
    cr_expect_eq(reporting_missing(evidence, &bench.policy, 0, 3660), filter);
}

/* What was reported in the step before says nothing of this one, and one report is enough. */
Test(decision_reporting, each_step_is_looked_at_for_itself)
{
    struct bench bench;
    bench_init(&bench, 1, 500, 1);
    for (int t = 0; t < 10; t++)
        give(&bench, SLI_REFUSAL, t, second_of(5, 0, 95, 0));
    evidence_weight(&bench.evidence, 10, 1000, true);
    cr_expect_eq(missing(&bench), 0, "nothing has come in the new step");
    for (int t = 10; t < 20; t++)
        give(&bench, SLI_REFUSAL, t, second_of(0, 10, 0, 90));
    struct counts step = reporting_of(&bench.evidence, SLI_REFUSAL, false);
    struct counts all = reporting_of(&bench.evidence, SLI_REFUSAL, true);
    cr_expect(step.n_c == 100 && step.k_c == 100 && step.n_b == 900 && step.k_b == 900,
              "the open block is in");
    cr_expect(all.n_c == 150 && all.k_c == 100);
    cr_expect_eq(missing(&bench), 1u << SLI_REFUSAL);
    give(&bench, SLI_REFUSAL, 20, second_of(0, 10, 1, 89));
    cr_expect_eq(missing(&bench), 0);
}

Test(decision_reporting, blocks_alone_give_the_same)
{
    struct bench bench, again;
    bench_init(&bench, 1, 500, 1);
    bench_init(&again, 1, 500, 1);
    for (int t = 0; t < 40; t++) {
        if (t == 20)
            evidence_weight(&bench.evidence, 20, 1000, true);
        if (t == 20)
            evidence_weight(&again.evidence, 20, 1000, true);
        struct sli_counts counts = second_of(t < 20, 5, 0, 95);
        int closed = evidence_tick(&bench.evidence, &bench.policy, &bench.plan, SLI_REFUSAL, QUALITY_COHORT,
                                   t, 1, &counts, true, false, bench.closed);
        for (int i = 0; i < closed; i++)
            evidence_block(&again.evidence, &again.policy, &again.plan, &bench.closed[i]);
    }
    cr_expect_gt(again.evidence.sli[SLI_REFUSAL].step_coverage.n_c, 0);
    cr_expect(same_blocks(&again.evidence.sli[SLI_REFUSAL], &bench.evidence.sli[SLI_REFUSAL]));
}

Test(decision_reporting, no_time_is_foretold_for_what_does_not_come)
{
    static const struct {
        const char *what;
        int64_t each[4];
        double share;
    } cases[] = {{"all", {5, 0, 95, 0}, 1},
                 {"nobody", {0, 5, 0, 95}, 0},
                 {"not the canary", {0, 5, 95, 0}, 0},
                 {"a tenth", {1, 9, 9, 81}, 10 / 90.0},
                 {"said beside", {5, 5, 95, 95}, 1},
                 {"of counters", {5, 0, 95, 0}, 1}};
    double all_s = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench;
        const int64_t *each = cases[i].each;
        bench_init(&bench, 1, 500, 1);
        struct sli_counts counts = second_of(each[0], each[1], each[2], each[3]);
        if (i == 5)
            memset(counts.coverage, 0, sizeof counts.coverage);
        give(&bench, SLI_REFUSAL, 0, counts);
        cr_expect(near(reporting_share(&bench.evidence, SLI_REFUSAL), cases[i].share), "%s", cases[i].what);
        double eta_s = evidence_eta_s(&bench.evidence, &bench.policy, &bench.plan, 0, SLI_REFUSAL);
        cr_expect((eta_s < 0) == (cases[i].share == 0), "%s: %g", cases[i].what, eta_s);
        all_s = i == 0 ? eta_s : all_s;
        if (i == 3)
            cr_expect_gt(eta_s, 5 * all_s, "%g, and %g of all", eta_s, all_s);
    }
}

/* --- whole rollouts -------------------------------------------------------------------------------- */

/* Refusal comes with each request, error with every `nth` (0: with none). Returns the second in which the
   rule first was hold.unreported; -1 = it never was. */
static int held_at(enum pace pace, uint32_t muted, int nth, int seconds, struct offline *offline)
{
    struct slos slos;
    struct policy policy;
    struct plan plan;
    int held = -1, came = 0;
    memset(&slos, 0, sizeof slos);
    slos.of[SLI_REFUSAL] = slos.of[SLI_ERROR] = (struct slo){.used = true, .objective_ppm = 900000};
    policy_default(&slos, &policy);
    policy.pace = pace;
    policy.rps_milli = 100000;
    plan_default(&plan);
    struct offline_options options = {.tick_s = 1, .apply_s = 1, .has_stable = true};
    offline_init(offline, &policy, &plan, &options);
    offline->muted = muted;
    for (int t = 0; t < seconds && !offline_ended(offline); t++) {
        struct block closed[2];
        int64_t n_c = offline_weight_at(offline, t) / 100, n_b = 100 - n_c;
        came += n_c > 0;
        int64_t with = nth > 0 && came > 0 && came % nth == 0 ? 1 : 0;
        struct sli_counts refusal = second_of(n_c, 0, n_b, 0);
        struct sli_counts error =
            second_of(n_c > 0 ? with : 0, n_c - (n_c > 0 ? with : 0), with, n_b - (n_b > 0 ? with : 0));
        offline_count(offline, SLI_REFUSAL, t, 1, &refusal, closed);
        offline_count(offline, SLI_ERROR, t, 1, &error, closed);
        offline_decide(offline, t + 1, false);
        if (held < 0 && strcmp(offline->rule->id, "hold.unreported") == 0)
            held = t;
    }
    return held;
}

Test(decision_reporting, law4_what_nobody_reports_pages_within_the_blind_time_and_never_advances)
{
    static struct offline offline;
    int held = held_at(PACE_EVIDENCE, 0, 0, 7200, &offline);
    cr_expect(held >= 300 && held <= 310, "%d", held);
    cr_expect_str_eq(offline.rule->id, "hold.unreported");
    cr_expect(offline.course.step == 1 && offline.course.phase == PHASE_PROGRESSING);
    cr_expect_eq(held_at(PACE_EVIDENCE, 1u << SLI_ERROR, 0, 7200, &offline), -1, "what is muted");
    cr_expect_eq(held_at(PACE_EVIDENCE, 0, 100, 7200, &offline), -1, "what is rare");
    cr_expect_eq(held_at(PACE_TIME, 0, 0, 7200, &offline), -1, "a plan that goes by time");
    cr_expect_eq(offline.course.phase, PHASE_COMPLETED);
}
