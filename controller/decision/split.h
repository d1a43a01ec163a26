/* The split check: does canary get the share of admissions that its weight says? Per 60 s block, n_c of n
   admissions; w_lo, w_hi = smallest and largest weight that any gateway applied during the block.
   odds(q) = q/(1-q), T = 1.05 for random draws, 1.25 for keyed services; P+ has odds T odds(w_hi), P- has
   odds odds(w_lo)/T; r in {1.2, 1.5, 2, 5, 25}:
       up:    le = n_c ln r - n log1p(P+ (r-1))          down:  le = -n_c ln r - n log1p(P- (1/r - 1))
   These 10 components form one lane (lane.h). It holds and pages at M >= 1/alpha = 1000, with at least 3
   blocks, and never rolls back. Valid for independent draws with a share in the tolerated band. Derivation:
   "Split check". */
#pragma once

#include "decision/lane.h"

enum { SPLIT_GRID = 10, SPLIT_BLOCK_S = 60 };

struct split {
    double log_m[SPLIT_GRID];
    struct lane_mass mass;
    int32_t planned_weights;
};

struct split_block {
    double start_s;
    int64_t n_c, n;    /* admissions of canary, of both arms */
    double w_lo, w_hi; /* as shares, 0..1, w_lo <= w_hi */
    bool new_step;     /* the first block after the weight was raised */
};

/* The split block that is being filled, and what was found. */
struct split_watch {
    struct split split;
    double block_start; /* s; -1 = none is open */
    double last_tick;   /* end of the newest tick, s; -1 = none */
    int64_t n_c, n;
    double w_lo, w_hi;
    bool new_step;
    double gap_from, gap_to; /* between these the lease on canary weight had run out, s; -1 = never */
    double raise_seen; /* time of the newest increase by the plan that a block has begun after; -1 = none */
    bool crossed;      /* M has reached 1/alpha: it stays so */
    bool uncovered;    /* the keys of the newest block are too few or too heavy for the check: it is off */
    int64_t blocks;    /* closed */
    double share;      /* of canary in the newest block; -1 = none */
};

/* Admissions of one tick, and the smallest and largest weight that a gateway may have applied during it. */
struct admissions {
    double t_s, dt_s;
    int64_t n_c, n_b;
    int32_t w_lo, w_hi; /* 1/10,000 */
};

void split_watch_init(struct split_watch *watch, int32_t planned_weights);

void split_init(struct split *split, int32_t planned_weights);
/* eta: 1 for random draws; for keyed services 1/deff, deff = sum a^2 / sum a >= 1 over the requests a of each
   key and hour of stable (the policy's key_effect). Returns ln M. */
double split_update(struct split *split, const struct split_block *block, bool keyed, double eta);
double split_log(const struct split *split);   /* ln M */
bool split_crossed(const struct split *split); /* M >= 1000 */

/* Heavy keys that sit on one side for good are a bias no eta cures; T covers it while
   3 sqrt((1-w) sum a^2 / (w (sum a)^2)) < 0.25. False: switch the check off for weight w (0..1) and say so.
 */
bool split_covers_keys(double w, double sum_a, double sum_a2);
