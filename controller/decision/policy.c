/* Defaults, and what follows from a plan. */
#include "decision/policy.h"

#include <string.h>

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void guardrail_default(const struct slo *slo, enum sli sli, struct guardrail *out)
{
    double ceiling =
        1.5 * (1e6 - (double)slo->objective_ppm) / 1e6; /* in this order: 95 % gives 0.075 exactly */
    *out = (struct guardrail){.used = true,
                              .action = ACTION_ROLLBACK,
                              .on_blind = BLIND_AS_POLICY,
                              .budget_rate = (1e6 - (double)slo->objective_ppm) / 1e6,
                              .share = 1,
                              .tolerance = 1.10,
                              .ceiling = ceiling < 0.95 ? ceiling : 0.95,
                              .margin_ratio = 2.0,
                              .eta = 1,
                              .budget_share = 0.002,
                              .maturity_s = 10};
    /* a request that is not over by its deadline must be counted after it */
    if (sli_deadline(sli) && slo->threshold_ms > 0)
        out->maturity_s = larger(out->maturity_s, (slo->threshold_ms + 999) / 1000);
    if (sli_latency(sli) || sli == SLI_ERROR || sli == SLI_TIMEOUT)
        out->block_s = 5; /* a blip of one pod must not fill three blocks */
}

void policy_default(const struct slos *slos, struct policy *out)
{
    memset(out, 0, sizeof *out);
    for (int i = 0; i < SLI_COUNT; i++)
        if (slos->of[i].used)
            guardrail_default(&slos->of[i], (enum sli)i, &out->guardrail[i]);
    out->alpha = 0.01;
    out->alpha_ni = 0.05;
    out->pace = PACE_EVIDENCE;
    out->attr_wait_s = 90;
    out->shared_hold_s = 300;
    out->warmup_s = 60;
    out->blanking_s = 60;
    out->blind_s = 300;
    out->on_blind = BLIND_PAUSE;
    out->paused_limit_s = 86400;
    out->holdback = 200;
    out->burn[0] = (struct burn_rule){{17.3, 300, 60}, ACTION_ROLLBACK};
    out->burn[1] = (struct burn_rule){{7.2, 1800, 180}, ACTION_PAUSE};
    out->burn[2] = (struct burn_rule){{3.6, 7200, 600}, ACTION_PAUSE};
    out->split_check = true;
    out->key_effect = 1;
    out->strata = 1;
    out->alert_action = ALERT_HOLD;
}

enum guardrail_action policy_burn_action(const struct policy *policy, enum sli sli, int window)
{
    enum guardrail_action own = policy->guardrail[sli].action, asked = policy->burn[window].action;
    return own > asked ? own : asked; /* from the strongest, rollback, to the weakest */
}

enum blind_action policy_on_blind(const struct policy *policy, enum sli sli)
{
    enum blind_action own = policy->guardrail[sli].on_blind;
    return own == BLIND_AS_POLICY ? policy->on_blind : own;
}

int64_t policy_shared_hold_s(const struct policy *policy, enum sli sli)
{
    int64_t own = policy->guardrail[sli].shared_hold_s;
    return own > 0 ? own : policy->shared_hold_s;
}

void policy_allowances(const struct slos *slos, struct policy *policy)
{
    for (int i = 0; i < SLI_COUNT; i++) {
        struct guardrail *guardrail = &policy->guardrail[i];
        if (guardrail->used && slos->of[i].used && policy->rps_milli > 0)
            guardrail->allowed = guardrail->budget_share * (1e6 - (double)slos->of[i].objective_ppm) / 1e6 *
                                 ((double)policy->rps_milli / 1000.0) * 2.592e6;
    }
}

bool policy_gives_rate(const struct policy *policy, enum sli sli)
{
    for (int i = 0; i < (int)sli; i++)
        if (policy->guardrail[i].used)
            return false;
    return true;
}

void plan_default(struct plan *out)
{
    static const int32_t weights[] = {100, 500, 2500, 5000, 10000};
    memset(out, 0, sizeof *out);
    out->steps = sizeof weights / sizeof weights[0];
    for (size_t i = 0; i < out->steps; i++)
        out->step[i] = (struct plan_step){.weight = weights[i], .bake_s = 60, .deadline_s = 86400};
    out->step[out->steps - 1].bake_s = 600;
    out->step[out->steps - 1].deadline_s = 0;
}

int32_t plan_weight(const struct plan *plan, const struct policy *policy, size_t step)
{
    int32_t weight = plan->step[step].weight;
    int32_t top = WEIGHT_FULL - policy->holdback;
    return weight > top ? top : weight;
}

double plan_margin(const struct plan *plan, size_t step)
{
    size_t next = step + 1 < plan->steps ? step + 1 : plan->steps - 1;
    double margin = 0.005 / ((double)plan->step[next].weight / WEIGHT_FULL);
    return margin < 0.01 ? 0.01 : margin > 0.05 ? 0.05 : margin;
}
