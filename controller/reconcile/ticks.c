/* Ticks into evidence. */
#include "reconcile/ticks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t ticks_next(const struct rollout_state *state, enum sli sli)
{
    double last = state->evidence.evidence.sli[sli].last_tick;
    return last < 0 ? 0 : (int64_t)ceil(last - 1e-9);
}

enum status ticks_give(struct observe_result *result, enum sli sli, double t_s, double dt_s,
                       const struct sli_counts *counts, struct fault *fault)
{
    struct rollout_state *state = result->state;
    struct block closed[2];
    bool draining = strcmp(state->row.rule, "step.drain") == 0;
    struct policy *policy = &state->spec.policy;
    policy->blanking_s += result->blanking_more_s;
    int made = evidence_tick(&state->evidence.evidence, policy, &state->plan, sli, state->evidence.quality,
                             t_s, dt_s, counts, policy_gives_rate(policy, sli), draining, closed);
    policy->blanking_s -= result->blanking_more_s;
    result->observation.changed = true;
    if (made == 0)
        return STATUS_OK;
    size_t count = result->observation.block_count;
    struct block *grown = realloc(result->blocks, (count + (size_t)made) * sizeof *grown);
    if (grown == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    memcpy(grown + count, closed, (size_t)made * sizeof *grown);
    result->blocks = grown;
    result->observation.block_count = count + (size_t)made;
    return STATUS_OK;
}

enum status ticks_admissions(struct observe_result *result, double t_s, double dt_s, int64_t canary,
                             int64_t stable, struct fault *fault)
{
    struct rollout_state *state = result->state;
    struct evidence *evidence = &state->evidence.evidence;
    struct admissions tick = {.t_s = t_s, .dt_s = dt_s, .n_c = canary, .n_b = stable};
    struct split_block closed;
    evidence_weight_range(evidence, t_s, t_s + dt_s, &tick.w_lo, &tick.w_hi);
    if (tick.w_lo > 0) /* a gateway that cannot apply it applies the next lower one that it can */
        tick.w_lo -= tick.w_lo % result->weight_step;
    result->observation.changed = true;
    if (!evidence_admissions(evidence, &state->spec.policy, &tick, &closed))
        return STATUS_OK;
    size_t count = result->observation.split_block_count;
    struct split_block *grown = realloc(result->split_blocks, (count + 1) * sizeof *grown);
    if (grown == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    grown[count] = closed;
    result->split_blocks = grown;
    result->observation.split_block_count = count + 1;
    return STATUS_OK;
}
