/* A simulated rollout. */
#include "rollout.h"

#include <math.h>
#include <string.h>

const enum sli usual_sli[SIM_SLIS] = {
    SLI_REFUSAL, SLI_TIMEOUT,        SLI_ERROR,           SLI_TTFT,
    SLI_LATENCY, SLI_SCHEMA_INVALID, SLI_EMPTY_RETRIEVAL, SLI_TRUNCATED,
};
const double usual_bad[SIM_SLIS] = {.02, .003, .005, .05, .05, .01, .01, .005};

static const double month_s = 2.592e6;

static const int32_t usual_weights[] = {100, 500, 1000, 2500, 5000, 10000};

/* The objective whose default ceiling, 1.5 times what it allows, is `ceiling`. */
static struct slo slo_of(double ceiling)
{
    double allowed = ceiling > 0 ? ceiling / 1.5 : .01;
    return (struct slo){.used = true, .objective_ppm = (int32_t)lround(1e6 * (1 - allowed))};
}

static void start(struct rollout *r, const struct slos *slos, double tick_s)
{
    policy_default(slos, &r->policy);
    plan_default(&r->plan);
    rollout_plan(r, usual_weights, sizeof usual_weights / sizeof usual_weights[0]);
    r->tick_s = tick_s;
    r->quality = QUALITY_COHORT;
}

void rollout_of_one(struct rollout *r, enum sli sli, double ceiling, int64_t block_s, double tick_s)
{
    enum sli others = sli == SLI_RATE_LIMITED ? SLI_REFUSAL : SLI_RATE_LIMITED;
    struct slos slos;
    memset(r, 0, sizeof *r);
    memset(&slos, 0, sizeof slos);
    slos.of[sli] = slos.of[others] = slo_of(ceiling);
    start(r, &slos, tick_s);
    r->slis = 1;
    r->sli[0] = sli;
    struct guardrail *guardrail = &r->policy.guardrail[sli];
    guardrail->ceiling = ceiling;
    guardrail->block_s = block_s;
    r->policy.guardrail[others].action = ACTION_NOTIFY;
    r->policy.guardrail[others].share = SIM_SLIS - 1;
}

void rollout_of_eight(struct rollout *r, const double ceiling[SIM_SLIS], double tick_s)
{
    struct slos slos;
    memset(r, 0, sizeof *r);
    memset(&slos, 0, sizeof slos);
    for (int i = 0; i < SIM_SLIS; i++)
        slos.of[usual_sli[i]] = slo_of(ceiling[i]);
    start(r, &slos, tick_s);
    r->slis = SIM_SLIS;
    for (int i = 0; i < SIM_SLIS; i++) {
        r->sli[i] = usual_sli[i];
        r->policy.guardrail[usual_sli[i]].ceiling = ceiling[i];
    }
}

void rollout_plan(struct rollout *r, const int32_t *weights, size_t steps)
{
    struct plan_step usual = r->plan.step[0];
    r->plan.steps = steps;
    for (size_t i = 0; i < steps; i++) {
        r->plan.step[i] = usual;
        r->plan.step[i].weight = weights[i];
    }
}

void rollout_budget(struct rollout *r, double rps)
{
    for (int i = 0; i < r->slis; i++) {
        struct guardrail *guardrail = &r->policy.guardrail[r->sli[i]];
        guardrail->allowed = guardrail->budget_share * guardrail->budget_rate * rps * month_s;
    }
}

void rollout_begin(struct rollout *r)
{
    evidence_init(&r->evidence, &r->policy, &r->plan, r->tick_s);
    r->now_s = 0;
}

void rollout_weight(struct rollout *r, int32_t weight, bool raised)
{
    r->weight = weight;
    evidence_weight(&r->evidence, r->now_s, weight, raised);
}

static struct judgement feed(struct rollout *r, double dt_s, const struct sli_counts *counts, bool draining)
{
    int blocks = 0;
    for (int i = 0; i < r->slis; i++) {
        struct block closed[2];
        blocks += evidence_tick(&r->evidence, &r->policy, &r->plan, r->sli[i], r->quality, r->now_s, dt_s,
                                &counts[i], i == 0, draining, closed);
    }
    r->now_s += dt_s;
    /* while no block closes only the clock of attribution runs on */
    if (blocks > 0 || r->evidence.breach_since >= 0)
        r->last = evidence_judge(&r->evidence, &r->policy, 0, false);
    return r->last;
}

static struct judgement feed_plain(struct rollout *r, double dt_s, const struct counts *counts, bool draining)
{
    struct sli_counts full[SIM_SLIS];
    for (int i = 0; i < r->slis; i++) {
        full[i].strata = 1;
        full[i].stratum[0] = counts[i];
        full[i].coverage[0] = (struct counts){0, 0, 0, 0};
    }
    return feed(r, dt_s, full, draining);
}

struct judgement rollout_feed(struct rollout *r, double dt_s, const struct counts *counts)
{
    return feed_plain(r, dt_s, counts, false);
}

struct judgement rollout_feed_full(struct rollout *r, double dt_s, const struct sli_counts *counts)
{
    return feed(r, dt_s, counts, false);
}

struct judgement rollout_drain(struct rollout *r, double dt_s, const struct counts *counts)
{
    return feed_plain(r, dt_s, counts, true);
}

bool rollout_ended(const struct rollout *r)
{
    return r->last.action == JUDGE_ROLLBACK || r->last.action == JUDGE_RETURN;
}

struct counts arms_draw(const struct arms *arms, double dt_s, struct draw *draw)
{
    struct counts counts;
    counts.n_c = draw_poisson(draw, arms->rps * arms->w * dt_s);
    counts.n_b = draw_poisson(draw, arms->rps * (1 - arms->w) * dt_s * arms->seen_b);
    counts.k_c = draw_binomial(draw, counts.n_c, arms->bad_c);
    counts.k_b = draw_binomial(draw, counts.n_b, arms->bad_b);
    return counts;
}

void arms_draw_eight(double rps, double w, double dt_s, const double bad_c[SIM_SLIS],
                     const double bad_b[SIM_SLIS], struct draw *draw, struct counts out[SIM_SLIS])
{
    int64_t n_c = draw_poisson(draw, rps * w * dt_s), n_b = draw_poisson(draw, rps * (1 - w) * dt_s);
    for (int i = 0; i < SIM_SLIS; i++)
        out[i] = (struct counts){
            .n_c = n_c,
            .k_c = draw_binomial(draw, n_c, bad_c[i]),
            .n_b = n_b,
            .k_b = draw_binomial(draw, n_b, bad_b[i]),
        };
}

double bad_at_odds(double p, double odds_ratio)
{
    return odds_ratio * p / (1 - p + odds_ratio * p);
}
