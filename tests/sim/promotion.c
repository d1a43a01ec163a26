/* A simulated rollout that goes through its plan. */
#include "promotion.h"

static void enter(struct promotion *p, size_t step)
{
    p->step = step;
    p->entered_s = p->r->now_s;
    p->draining = false;
    p->complete = step + 1 == p->r->plan.steps;
    rollout_weight(p->r, plan_weight(&p->r->plan, &p->r->policy, step), true);
}

void promotion_begin(struct promotion *p, struct rollout *r)
{
    *p = (struct promotion){.r = r};
    enter(p, 0);
}

struct judgement promotion_tick(struct promotion *p, double dt_s, const struct counts *counts)
{
    struct rollout *r = p->r;
    struct judgement judgement = p->draining ? rollout_drain(r, dt_s, counts) : rollout_feed(r, dt_s, counts);
    double dwell_s = (double)r->plan.step[p->step].bake_s;
    if (p->complete || judgement.action != JUDGE_CONTINUE)
        return judgement;
    if (!p->draining)
        p->draining = r->now_s - p->entered_s >= dwell_s - 1e-9 && evidence_proven(&r->evidence, &r->policy);
    if (p->draining && evidence_idle(&r->evidence))
        enter(p, p->step + 1);
    return judgement;
}
