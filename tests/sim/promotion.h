/* A simulated rollout that goes through its plan: each step when it has dwelt, is proven, and nothing holds.
 */
#pragma once

#include "rollout.h"

struct promotion {
    struct rollout *r;
    size_t step;
    double entered_s;
    bool draining, complete; /* complete: the last weight of the plan has been reached */
};

/* After rollout_begin(). Sets the first weight. */
void promotion_begin(struct promotion *p, struct rollout *r);
struct judgement promotion_tick(struct promotion *p, double dt_s, const struct counts *counts);
