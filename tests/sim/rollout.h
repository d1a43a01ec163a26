/* A simulated rollout: the production decision in virtual time, fed with counts. */
#pragma once

#include "decision/evidence.h"

#include "draw.h"

enum { SIM_SLIS = 8 };

/* Bad shares of the eight SLIs: refusal 2 %, timeout .3, error .5, ttft 5, latency 5, schema_invalid 1,
   empty_retrieval 1, truncated .5. */
extern const enum sli usual_sli[SIM_SLIS];
extern const double usual_bad[SIM_SLIS];

struct rollout {
    int slis; /* that are fed */
    enum sli sli[SIM_SLIS];
    struct policy policy;
    struct plan plan;
    struct evidence evidence;
    double tick_s, now_s;
    int32_t weight;
    struct judgement last;
    enum data_quality quality;
};

/* One SLI at the share that one of eight has. The other seven say nothing, so they add nothing to the sums: a
   guardrail that only notifies holds their part of alpha. Edit r->policy, then rollout_begin(). ceiling 0: no
   ceiling, and no burn rules. block_s: shortest block. */
void rollout_of_one(struct rollout *r, enum sli sli, double ceiling, int64_t block_s, double tick_s);
/* The eight usual SLIs, each with ceiling[i] (0 = none) and the default guardrail otherwise. */
void rollout_of_eight(struct rollout *r, const double ceiling[SIM_SLIS], double tick_s);
/* A plan with these weights (1/10,000) in `steps` steps. Before rollout_begin(); the default is
 * 1-5-10-25-50-100 %. */
void rollout_plan(struct rollout *r, const int32_t *weights, size_t steps);
/* Turns on the budget lane at this traffic. Before rollout_begin(). */
void rollout_budget(struct rollout *r, double rps);
void rollout_begin(struct rollout *r);

void rollout_weight(struct rollout *r, int32_t weight, bool raised); /* from now on */
/* One tick of dt_s: counts of each of r->slis. Judges. */
struct judgement rollout_feed(struct rollout *r, double dt_s, const struct counts *counts);
/* The same for one SLI in strata, or with coverage. */
struct judgement rollout_feed_full(struct rollout *r, double dt_s, const struct sli_counts *counts);
/* The same with draining: no new block is opened. */
struct judgement rollout_drain(struct rollout *r, double dt_s, const struct counts *counts);
bool rollout_ended(const struct rollout *r); /* rolled back or returned */

/* Traffic of one SLI: Poisson arrivals, independent outcomes. `seen`: share of stable's outcomes that arrive.
 */
struct arms {
    double rps, w, bad_c, bad_b, seen_b;
};
struct counts arms_draw(const struct arms *arms, double dt_s, struct draw *draw);
/* The same requests with eight SLIs: n is common. bad[i] of canary and stable. */
void arms_draw_eight(double rps, double w, double dt_s, const double bad_c[SIM_SLIS],
                     const double bad_b[SIM_SLIS], struct draw *draw, struct counts out[SIM_SLIS]);
/* odds(result) = odds(p) x odds_ratio */
double bad_at_odds(double p, double odds_ratio);
