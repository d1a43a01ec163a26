/* Breaches of a ceiling. */
#include "breach.h"

#include "pool.h"

#include "decision/budget.h"
#include "decision/shares.h"

#include <math.h>

static const double short_tick_s = 5, long_tick_s = 60;

void breach_add(struct breach *breach, double length_s, double bad_c, double bad_b, double seen_b,
                double tick_s)
{
    double from = breach->phases > 0 ? breach->phase[breach->phases - 1].until_s : 0;
    if (breach->phases < PHASES_MAX && length_s > 0)
        breach->phase[breach->phases++] = (struct phase){from + length_s, bad_c, bad_b, seen_b, tick_s};
}

void breach_quiet(struct breach *breach, double length_s, double p0)
{
    if (length_s > 2 * long_tick_s)
        breach_add(breach, length_s - long_tick_s, p0, p0, 1, long_tick_s);
    breach_add(breach, length_s > 2 * long_tick_s ? long_tick_s : length_s, p0, p0, 1, short_tick_s);
}

struct job_list {
    const struct settings *settings;
    const struct breach *list;
    int runs, table;
    struct breach_outcome *outcomes;
};

static bool budget_alone(const struct rollout *r)
{
    enum sli sli = r->sli[0];
    struct shares shares = policy_shares(&r->policy, sli);
    const struct guardrail *guardrail = &r->policy.guardrail[sli];
    return shares.budget > 0 &&
           log(shares.sli * shares.budget) +
                   budget_log(&r->evidence.sli[sli], guardrail->allowed, guardrail->eta) >=
               -log(r->policy.alpha);
}

static void note(struct rollout *r, struct breach_outcome *outcome)
{
    switch (r->last.action) {
    case JUDGE_ROLLBACK:
        outcome->rolled_back_s = r->now_s;
        outcome->by_budget = budget_alone(r);
        break;
    case JUDGE_RETURN:
        outcome->returned_s = r->now_s;
        break;
    case JUDGE_HOLD:
        if (isinf(outcome->first_hold_s))
            outcome->first_hold_s = r->now_s;
        if (isinf(outcome->page_s) && r->last.reason == REASON_BUDGET)
            outcome->page_s = r->now_s;
        outcome->last_hold_s = r->now_s;
        break;
    case JUDGE_CONTINUE:
        break;
    }
}

static void job(void *context, size_t at)
{
    struct job_list *jobs = context;
    int i = (int)at / jobs->runs;
    const struct breach *breach = &jobs->list[i];
    struct draw draw =
        draw_seeded(jobs->settings->seed, settings_stream(jobs->table, i, (int)at % jobs->runs));
    struct breach_outcome *outcome = &jobs->outcomes[at];
    struct rollout r;
    *outcome = (struct breach_outcome){INFINITY, INFINITY, INFINITY, -1, INFINITY, false};
    rollout_of_one(&r, SLI_ERROR, breach->ceiling, 5, 1);
    if (breach->budget_rate > 0) {
        r.policy.guardrail[SLI_ERROR].budget_rate = breach->budget_rate;
        rollout_budget(&r, breach->rps);
    }
    rollout_begin(&r);
    rollout_weight(&r, (int32_t)lround(breach->w * WEIGHT_FULL), true);
    for (int p = 0; p < breach->phases; p++) {
        const struct phase *phase = &breach->phase[p];
        struct arms arms = {breach->rps, breach->w, phase->bad_c, phase->bad_b, phase->seen_b};
        while (r.now_s < phase->until_s - 1e-9) {
            double left = phase->until_s - r.now_s, dt = left < phase->tick_s ? left : phase->tick_s;
            struct counts counts = arms_draw(&arms, dt, &draw);
            rollout_feed(&r, dt, &counts);
            note(&r, outcome);
            if (rollout_ended(&r))
                return;
        }
    }
}

void breach_run(const struct settings *settings, int table, const struct breach *list, int count, int runs,
                struct breach_outcome *outcomes)
{
    struct job_list jobs = {settings, list, runs, table, outcomes};
    pool_run(settings->threads, (size_t)count * (size_t)runs, job, &jobs);
}

double breach_blamed(const struct breach_outcome *outcomes, int runs)
{
    int blamed = 0;
    for (int i = 0; i < runs; i++)
        blamed += isfinite(outcomes[i].rolled_back_s);
    return (double)blamed / runs;
}

double breach_returned(const struct breach_outcome *outcomes, int runs)
{
    int returned = 0;
    for (int i = 0; i < runs; i++)
        returned += isfinite(outcomes[i].returned_s);
    return (double)returned / runs;
}
