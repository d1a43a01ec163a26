/* A simulated rollout: eight SLIs, admissions by chance, the production decision in virtual time. */
#pragma once

#include "decision/evidence.h"

#include "draw.h"

enum { SIM_SLIS = 8 };

struct sim {
    /* the world */
    double rps, tick_s;
    double stable[SIM_SLIS], canary[SIM_SLIS]; /* bad shares */
    double ceiling[SIM_SLIS];                  /* 0 = none */
    struct draw draw;
    /* the rollout */
    struct policy policy;
    struct plan plan;
    struct evidence evidence;
    int32_t weight;
    double now_s;
    int64_t canary_requests;
};

/* SLIs with the usual bad shares (refusal 2 %, timeout .3, error .5, ttft 5, latency 5, schema 1, retrieval
   1, truncated .5) in both arms, no ceilings; a plan of 5 steps; no weight yet. */
void sim_init(struct sim *sim, double rps, double tick_s, uint64_t seed, uint64_t stream);
/* Takes the bad shares and ceilings as they are now. Before the first tick. */
void sim_start(struct sim *sim);
void sim_weight(struct sim *sim, int32_t weight); /* by the plan, from now on */
struct judgement sim_tick(struct sim *sim);

/* The argument `at` of the command line as a number >= 0, or `otherwise`. Ends the program if it is none. */
double sim_argument(int argc, char **argv, int at, double otherwise);
