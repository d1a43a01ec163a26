/* The split check; formulas in the header. */
#include "decision/split.h"

#include <math.h>
#include <string.h>

enum { RATIOS = SPLIT_GRID / 2 };

static const double ratios[RATIOS] = {1.2, 1.5, 2.0, 5.0, 25.0};
static const double tolerance_drawn = 1.05, tolerance_keyed = 1.25, alpha = 0.001, cap = 3.5;

void split_init(struct split *split, int32_t planned_weights)
{
    split->planned_weights = planned_weights;
    lane_components_init(&split->mass, split->log_m, SPLIT_GRID, planned_weights);
}

void split_watch_init(struct split_watch *watch, int32_t planned_weights)
{
    memset(watch, 0, sizeof *watch);
    split_init(&watch->split, planned_weights);
    watch->block_start = watch->last_tick = watch->raise_seen = watch->share = -1;
    watch->gap_from = watch->gap_to = -1;
}

double split_update(struct split *split, const struct split_block *block, bool keyed, double eta)
{
    double tolerance = keyed ? tolerance_keyed : tolerance_drawn, n_c = (double)block->n_c,
           n = (double)block->n;
    double above = tolerance * block->w_hi / (1 - block->w_hi + tolerance * block->w_hi);
    double below = block->w_lo / tolerance / (1 - block->w_lo + block->w_lo / tolerance);
    struct lane_rules rules = {.eta = eta, .cap = cap, .planned_weights = split->planned_weights};
    double log_e[SPLIT_GRID];
    for (int i = 0; i < RATIOS; i++) {
        double r = ratios[i];
        log_e[i] = n_c * log(r) - n * log1p(above * (r - 1));
        log_e[RATIOS + i] = -n_c * log(r) - n * log1p(below * (1 / r - 1));
    }
    lane_components_update(&split->mass, split->log_m, SPLIT_GRID, &rules, block->start_s, block->new_step,
                           log_e);
    return split_log(split);
}

double split_log(const struct split *split)
{
    return lane_components_log(&split->mass, split->log_m, SPLIT_GRID);
}

bool split_crossed(const struct split *split)
{
    return split_log(split) >= -log(alpha);
}

bool split_covers_keys(double w, double sum_a, double sum_a2)
{
    return w > 0 && w < 1 && sum_a > 0 && 3 * sqrt((1 - w) * sum_a2 / (w * sum_a * sum_a)) < 0.25;
}
