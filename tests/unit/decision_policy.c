/* SLIs, defaults of policies and plans, the split of alpha. */
#include "decision_support.h"

#include "decision/shares.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

Test(decision_policy, slis_have_names)
{
    enum sli sli = SLI_COUNT;
    for (int i = 0; i < SLI_COUNT; i++) {
        cr_expect(sli_parse(sli_name((enum sli)i), &sli));
        cr_expect_eq((int)sli, i);
    }
    cr_expect(sli_parse("ttft", &sli) && sli == SLI_TTFT);
    cr_expect_not(sli_parse("", &sli));
    cr_expect_not(sli_parse("Refusal", &sli));
    cr_expect(sli_deadline(SLI_TIMEOUT) && sli_deadline(SLI_LATENCY) && !sli_deadline(SLI_ERROR));
    cr_expect(sli_latency(SLI_TTFT) && !sli_latency(SLI_TIMEOUT));
}

Test(decision_policy, defaults_follow_the_objectives)
{
    struct slos slos;
    struct policy policy;
    memset(&slos, 0, sizeof slos);
    slos.of[SLI_REFUSAL] = (struct slo){.used = true, .objective_ppm = 960000};
    slos.of[SLI_LATENCY] = (struct slo){.used = true, .objective_ppm = 990000, .threshold_ms = 30500};
    slos.of[SLI_TTFT] = (struct slo){.used = true, .objective_ppm = 100000, .threshold_ms = 2000};
    policy_default(&slos, &policy);
    const struct guardrail *refusal = &policy.guardrail[SLI_REFUSAL],
                           *latency = &policy.guardrail[SLI_LATENCY];
    cr_expect(refusal->used && refusal->action == ACTION_ROLLBACK && near(refusal->ceiling, 0.06));
    cr_expect(near(refusal->tolerance, 1.1) && refusal->margin_ratio == 2 && refusal->eta == 1 &&
              refusal->share == 1);
    cr_expect(near(refusal->budget_share, 0.002) && refusal->allowed == 0 && refusal->cap == 0);
    cr_expect(refusal->block_s == 0 && refusal->maturity_s == 10);
    cr_expect(latency->block_s == 5 && latency->maturity_s == 31 && near(latency->ceiling, 0.015));
    cr_expect(near(policy.guardrail[SLI_TTFT].ceiling, 0.95) && policy.guardrail[SLI_TTFT].maturity_s == 10);
    cr_expect_not(policy.guardrail[SLI_ERROR].used);
    cr_expect(near(policy.alpha, 0.01) && near(policy.alpha_ni, 0.05) && policy.pace == PACE_EVIDENCE);
    cr_expect(policy.attr_wait_s == 90 && policy.shared_hold_s == 300 && policy.warmup_s == 60 &&
              policy.blanking_s == 60);
    cr_expect(policy.blind_s == 300 && policy.on_blind == BLIND_PAUSE && policy.holdback == 200);
}

Test(decision_policy, default_plan)
{
    static const double margins[] = {0.05, 0.02, 0.01, 0.01, 0.01};
    static const int32_t weights[] = {100, 500, 2500, 5000, 9800};
    struct plan plan;
    struct policy policy;
    plan_default(&plan);
    support_policy(&policy, 1);
    cr_assert_eq(plan.steps, 5);
    for (size_t i = 0; i < 5; i++) {
        cr_expect(near(plan_margin(&plan, i), margins[i]), "%zu", i);
        cr_expect_eq(plan_weight(&plan, &policy, i), weights[i]);
        cr_expect_eq(plan.step[i].bake_s, i < 4 ? 60 : 600);
        cr_expect_eq(plan.step[i].deadline_s, i < 4 ? 86400 : 0);
    }
    policy.holdback = 0;
    cr_expect_eq(plan_weight(&plan, &policy, 4), WEIGHT_FULL);
}

/* 0.01 to reach 50 and 100 %, 0.02 for 25 %, 0.05 for 10 % and less; between them by exposure. */
Test(decision_policy, margin_by_exposure)
{
    static const struct {
        int32_t next;
        double margin;
    } rows[] = {{100, .05}, {500, .05}, {1000, .05}, {2000, .025}, {2500, .02}, {5000, .01}, {10000, .01}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct plan plan = {.steps = 2, .step = {{.weight = 10}, {.weight = rows[i].next}}};
        cr_expect(near(plan_margin(&plan, 0), rows[i].margin), "%d", rows[i].next);
    }
}

Test(decision_policy, alpha_is_split_once)
{
    struct policy policy;
    double sum = 0;
    support_policy(&policy, 4);
    for (int i = 0; i < 4; i++) {
        struct guardrail *guardrail = &policy.guardrail[i];
        guardrail->share = 1 + i;
        guardrail->action = (enum guardrail_action)(i % 3);
        guardrail->ceiling = i & 1 ? 0.05 : 0;
        guardrail->allowed = i & 2 ? 100 : 0;
        guardrail->cap = 0;
    }
    static const double lanes[4][3] = {{1, 0, 0}, {.75, .25, 0}, {.95, 0, .05}, {.75, .20, .05}};
    for (int i = 0; i < 4; i++) {
        struct shares shares = policy_shares(&policy, (enum sli)i);
        sum += shares.sli;
        cr_expect(near(shares.sli, (1 + i) / 10.0));
        cr_expect(near(shares.relative, lanes[i][0]) && near(shares.absolute, lanes[i][1]) &&
                  near(shares.budget, lanes[i][2]));
        cr_expect(near(shares.cap, log(1 / (0.01 * shares.sli * shares.relative)) / 2));
        if (shares.absolute > 0)
            cr_expect(near(shares.bound, log(32 / (0.01 * shares.sli * shares.absolute))));
    }
    cr_expect(near(sum, 1));
    policy.guardrail[2].cap = 3.5;
    cr_expect(policy_shares(&policy, (enum sli)2).cap == 3.5);
}

/* The default cap: two blocks, however bad, cannot roll back, in any number of SLIs; three can. */
Test(decision_policy, cap_asks_for_three_blocks)
{
    for (int slis = 1; slis <= SLI_COUNT; slis++) {
        struct bench bench;
        bench_init(&bench, slis, 5000, 1);
        for (int i = 0; i < slis; i++) {
            bench.policy.guardrail[i].cap = 0;
            bench.policy.guardrail[i].ceiling = 0.05;
        }
        for (int t = 0; t < 4; t++) {
            bench_tick(&bench, SLI_REFUSAL, t, (struct counts){1000, 1000, 1000, 0}, true);
            struct judgement judgement = evidence_judge(&bench.evidence, &bench.policy, 0, false);
            cr_expect_eq(judgement.action == JUDGE_ROLLBACK, t >= 2, "%d SLIs, block %d", slis, t);
        }
    }
}
