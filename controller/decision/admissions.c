/* Admissions of ticks into blocks of the split check. */
#include "decision/evidence.h"

static const double time_slack_s = 1e-9, hour_s = 3600;

/* Heavy or few keys may sit on one side for good; how many requests a key has is known as the design effect.
 */
static bool covered(const struct evidence *evidence, const struct policy *policy,
                    const struct split_block *block)
{
    double an_hour = evidence->rps > 0 ? evidence->rps * hour_s : (double)block->n * hour_s / SPLIT_BLOCK_S;
    return !policy->keyed || split_covers_keys(block->w_lo, an_hour, policy->key_effect * an_hour);
}

void evidence_split_block(struct evidence *evidence, const struct policy *policy,
                          const struct split_block *block)
{
    struct split_watch *watch = &evidence->split;
    watch->blocks++;
    watch->share = block->n > 0 ? (double)block->n_c / (double)block->n : -1;
    split_update(&watch->split, block, policy->keyed, policy->keyed ? 1 / policy->key_effect : 1);
    if (split_crossed(&watch->split))
        watch->crossed = true;
}

/* Time of the newest increase by the plan that was made by t_s; -1 = none. */
static double raised_by(const struct evidence *evidence, double t_s)
{
    double newest = -1;
    for (int32_t i = 0; i < evidence->weights; i++)
        if (evidence->weight[i].raised && evidence->weight[i].at_s <= t_s + time_slack_s)
            newest = evidence->weight[i].at_s;
    return newest;
}

static void open_block(struct split_watch *watch, const struct evidence *evidence,
                       const struct admissions *tick)
{
    double raised = raised_by(evidence, tick->t_s);
    watch->new_step = raised > watch->raise_seen;
    watch->raise_seen = raised;
    watch->block_start = tick->t_s;
    watch->n_c = watch->n = 0;
    watch->w_lo = 1;
    watch->w_hi = 0;
}

static bool close_block(struct evidence *evidence, const struct policy *policy, struct split_block *closed)
{
    struct split_watch *watch = &evidence->split;
    *closed = (struct split_block){.start_s = watch->block_start,
                                   .n_c = watch->n_c,
                                   .n = watch->n,
                                   .w_lo = watch->w_lo,
                                   .w_hi = watch->w_hi,
                                   .new_step = watch->new_step};
    watch->block_start = -1;
    watch->uncovered = !covered(evidence, policy, closed);
    if (watch->uncovered)
        return false;
    evidence_split_block(evidence, policy, closed);
    return true;
}

bool evidence_admissions(struct evidence *evidence, const struct policy *policy,
                         const struct admissions *tick, struct split_block *closed)
{
    struct split_watch *watch = &evidence->split;
    struct sli_counts counts = sli_counts_of((struct counts){.n_c = tick->n_c, .n_b = tick->n_b});
    double w_lo = (double)tick->w_lo / WEIGHT_FULL, w_hi = (double)tick->w_hi / WEIGHT_FULL;
    if (!policy->split_check || tick->w_hi <= 0 || tick->w_lo < 0 || tick->w_lo > tick->w_hi ||
        tick->w_hi > WEIGHT_FULL || !sli_counts_valid(&counts) || !(tick->t_s >= 0 && tick->dt_s > 0) ||
        tick->t_s < watch->last_tick - time_slack_s)
        return false;
    watch->last_tick = tick->t_s + tick->dt_s;
    if (watch->block_start < 0)
        open_block(watch, evidence, tick);
    struct counts sum = {.n_c = watch->n_c, .n_b = watch->n}; /* sums that stop at the end of their range */
    counts_add(&sum, &(struct counts){.n_c = tick->n_c, .n_b = tick->n_c + tick->n_b});
    watch->n_c = sum.n_c;
    watch->n = sum.n_b;
    watch->w_lo = w_lo < watch->w_lo ? w_lo : watch->w_lo;
    watch->w_hi = w_hi > watch->w_hi ? w_hi : watch->w_hi;
    if (watch->last_tick < watch->block_start + SPLIT_BLOCK_S - time_slack_s)
        return false;
    return close_block(evidence, policy, closed);
}
