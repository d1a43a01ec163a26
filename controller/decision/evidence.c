/* Ticks become blocks, blocks become evidence. */
#include "decision/evidence.h"

#include "decision/block.h"
#include "decision/budget.h"
#include "decision/closing.h"
#include "decision/ni.h"
#include "decision/recent.h"

#include <math.h>
#include <string.h>

static const double time_slack_s = 1e-9; /* two times closer than this are the same */
static const double rps_memory_s = 60;
static const double stable_prior_bad = 1, stable_prior_seen = 100; /* 1 % until stable has been seen */

/* --- start ----------------------------------------------------------------------------------------- */

void evidence_sli_init(struct sli_evidence *sli, int32_t planned_weights)
{
    memset(sli, 0, sizeof *sli);
    evidence_lane_init(&sli->relative, planned_weights);
    evidence_lane_init(&sli->absolute, planned_weights);
    evidence_lane_init(&sli->coverage, planned_weights);
    for (int i = 0; i < BURN_WINDOWS; i++)
        burn_init(&sli->burn[i]);
    recent_init(sli->stable);
    recent_init(sli->canary);
    recent_init(sli->worse);
    budget_init(sli);
    ni_start(sli, stable_prior_bad / stable_prior_seen);
    sli->block_start = sli->block_end = sli->block_last = -1;
    sli->closed_s = -1;
    sli->shared_since = sli->last_sick = sli->weight_seen = sli->last_tick = -1;
    sli->step = -1;
}

void evidence_init(struct evidence *evidence, const struct policy *policy, const struct plan *plan,
                   double tick_s)
{
    (void)policy;
    memset(evidence, 0, sizeof *evidence);
    evidence->planned_weights = plan->steps > 0 ? (int32_t)plan->steps : 1;
    for (int i = 0; i < SLI_COUNT; i++)
        evidence_sli_init(&evidence->sli[i], evidence->planned_weights);
    evidence->tick_s = tick_s;
    evidence->rps = evidence->rps_next = evidence->rps_tick = -1;
    evidence->breach_since = evidence->canary_since = -1;
    split_watch_init(&evidence->split, evidence->planned_weights);
}

/* --- weights --------------------------------------------------------------------------------------- */

/* The plan's next step with this weight after the one at hand, else simply the next. */
static int32_t next_step(const struct sli_evidence *sli, const struct policy *policy, const struct plan *plan,
                         int32_t weight)
{
    for (size_t step = (size_t)sli->step + 1; step < plan->steps; step++) /* from 0 where there is none yet */
        if (plan_weight(plan, policy, step) == weight || plan->step[step].weight == weight)
            return (int32_t)step;
    return sli->step + 1;
}

static void start_step(struct sli_evidence *sli, int32_t step)
{
    sli->step = step;
    sli->step_pending = true;
    memset(&sli->step_total, 0, sizeof sli->step_total);
    memset(&sli->step_coverage, 0, sizeof sli->step_coverage);
    ni_start(sli, (sli->stable_bad + stable_prior_bad) / (sli->stable_seen + stable_prior_seen));
}

/* Requests that count for nothing. */
static void drop(struct sli_evidence *sli, const struct sli_counts *counts)
{
    struct counts total = sli_counts_total(counts), sum = {.n_c = sli->rows_dropped};
    counts_add(&sum, &(struct counts){.n_c = total.n_c});
    counts_add(&sum, &(struct counts){.n_c = total.n_b});
    sli->rows_dropped = sum.n_c;
}

/* An SLI that has not reached the oldest change when its place is needed gives up its open block. */
static void forget_oldest(struct evidence *evidence)
{
    const struct weight_change *oldest = &evidence->weight[0];
    for (int i = 0; i < SLI_COUNT; i++) {
        struct sli_evidence *sli = &evidence->sli[i];
        if (sli->weight_next > 0) {
            sli->weight_next--;
            continue;
        }
        if (sli->block_start >= 0)
            drop(sli, &sli->open);
        sli->block_start = -1;
        sli->weight = oldest->weight;
        sli->weight_seen = oldest->at_s;
        if (oldest->raised)
            start_step(sli, sli->step + 1);
    }
    evidence->weights--;
    memmove(evidence->weight, evidence->weight + 1, (size_t)evidence->weights * sizeof evidence->weight[0]);
}

void evidence_weight(struct evidence *evidence, double at_s, int32_t weight, bool raised)
{
    if (evidence->weights == EVIDENCE_WEIGHTS_MAX)
        forget_oldest(evidence);
    if (evidence->weights > 0 && at_s < evidence->weight[evidence->weights - 1].at_s)
        at_s = evidence->weight[evidence->weights - 1].at_s;
    evidence->weight[evidence->weights++] =
        (struct weight_change){.at_s = at_s, .weight = weight, .raised = raised, .applied = -1};
    if (evidence->canary_since < 0 && weight > 0)
        evidence->canary_since = at_s;
}

void evidence_weight_applied(struct evidence *evidence, double at_s)
{
    if (evidence->weights > 0 && evidence->weight[evidence->weights - 1].applied < 0)
        evidence->weight[evidence->weights - 1].applied = at_s;
}

void evidence_lease_gap(struct evidence *evidence, double from_s, double to_s)
{
    struct split_watch *watch = &evidence->split;
    bool open = watch->gap_to > watch->last_tick;
    watch->gap_from = open && watch->gap_from < from_s ? watch->gap_from : from_s;
    watch->gap_to = to_s;
}

void evidence_weight_range(const struct evidence *evidence, double from_s, double to_s, int32_t *lo,
                           int32_t *hi)
{
    *lo = *hi = -1;
    for (int32_t i = evidence->weights; i >= 0; i--) { /* 0: no weight, before the first change */
        const struct weight_change *change = i > 0 ? &evidence->weight[i - 1] : NULL;
        int32_t weight = change != NULL ? change->weight : 0;
        if (change != NULL && change->at_s >= to_s)
            continue;
        *lo = *lo < 0 || weight < *lo ? weight : *lo;
        *hi = weight > *hi ? weight : *hi;
        if (change != NULL && change->applied >= 0 && change->applied <= from_s)
            break; /* whatever was before is in use no more */
    }
    if (evidence->split.gap_from < to_s && from_s < evidence->split.gap_to)
        *lo = 0;
}

/* The next change was made by t_s. */
static bool weight_due(const struct evidence *evidence, const struct sli_evidence *sli, double t_s)
{
    return sli->weight_next < evidence->weights &&
           evidence->weight[sli->weight_next].at_s <= t_s + time_slack_s;
}

static void pass_weight(const struct evidence *evidence, const struct policy *policy, const struct plan *plan,
                        struct sli_evidence *sli)
{
    const struct weight_change *change = &evidence->weight[sli->weight_next++];
    sli->weight = change->weight;
    sli->weight_seen = change->at_s;
    if (change->raised)
        start_step(sli, next_step(sli, policy, plan, change->weight));
}

/* --- ticks ----------------------------------------------------------------------------------------- */

static bool valid(const struct sli_evidence *sli, double t_s, double dt_s, const struct sli_counts *counts)
{
    bool time = t_s >= 0 && dt_s > 0 && t_s + dt_s < INFINITY;
    return sli_counts_valid(counts) && time && (sli->last_tick < 0 || t_s > sli->last_tick - 1e-6);
}

/* Requests of a tick, whether they have the SLI or not. What says it later comes beside the outcome that did
   not, so the two are not added up. */
static double requests_of(const struct sli_counts *counts)
{
    struct counts total = sli_counts_total(counts), covered = sli_counts_covered(counts);
    double with = (double)total.n_c + (double)total.n_b, without = (double)covered.k_c + (double)covered.k_b;
    return with > without ? with : without;
}

/* The rate of a tick counts from the next one on. */
static void measure_rate(struct evidence *evidence, double t_s, double dt_s, const struct sli_counts *counts,
                         bool hint)
{
    if (evidence->rps_next >= 0 && t_s > evidence->rps_tick) {
        evidence->rps = evidence->rps_next;
        evidence->rps_next = -1;
    }
    bool first = t_s > evidence->rps_tick, again = t_s >= evidence->rps_tick && evidence->rps_next >= 0;
    if (!hint || (!first && !again))
        return;
    double n = requests_of(counts) / dt_s;
    double rps = evidence->rps < 0 ? n : evidence->rps - expm1(-dt_s / rps_memory_s) * (n - evidence->rps);
    if (first || rps > evidence->rps_next)
        evidence->rps_next = rps;
    evidence->rps_tick = t_s;
}

/* The tick may not count: counters by completion time near a weight change, latency while the canary warms
 * up. */
static bool blanked(const struct evidence *evidence, const struct policy *policy, enum sli id,
                    enum data_quality quality, double t_s, double dt_s)
{
    const struct sli_evidence *sli = &evidence->sli[id];
    double since = evidence->canary_since;
    if (sli_latency(id) && since >= 0 && t_s >= since - time_slack_s &&
        t_s < since + (double)policy->warmup_s)
        return true;
    if (quality != QUALITY_COMPLETION)
        return false;
    bool after = sli->weight_seen >= 0 && t_s < sli->weight_seen + (double)policy->blanking_s;
    bool across =
        sli->weight_next < evidence->weights && evidence->weight[sli->weight_next].at_s < t_s + dt_s;
    return after || across;
}

static void open_block(const struct evidence *evidence, const struct policy *policy, enum sli id, double t_s,
                       struct sli_evidence *sli)
{
    double length = block_length_s(evidence->rps, (double)sli->weight / WEIGHT_FULL, evidence->tick_s,
                                   (double)policy->guardrail[id].block_s);
    sli->block_start = t_s;
    sli->block_end = t_s + length;
    sli->open_step = sli->step_pending;
    sli->step_pending = false;
    memset(&sli->open, 0, sizeof sli->open);
}

static int finish_block(struct evidence *evidence, const struct policy *policy, const struct plan *plan,
                        enum sli id, struct block *closed)
{
    struct sli_evidence *sli = &evidence->sli[id];
    *closed = (struct block){
        .sli = id,
        .start_s = sli->block_start,
        .length_s = sli->block_last - sli->block_start,
        .weight = sli->weight,
        .new_step = sli->open_step,
        .counts = sli->open,
    };
    closing_apply(evidence, policy, plan, closed);
    sli->block_start = sli->block_end = sli->block_last = -1;
    sli->open_step = false;
    memset(&sli->open, 0, sizeof sli->open);
    return 1;
}

static void advance(struct evidence *evidence, struct sli_evidence *sli, double end_s)
{
    sli->last_tick = end_s > sli->last_tick ? end_s : sli->last_tick;
    evidence->now_s = end_s > evidence->now_s ? end_s : evidence->now_s;
}

int evidence_tick(struct evidence *evidence, const struct policy *policy, const struct plan *plan,
                  enum sli id, enum data_quality quality, double t_s, double dt_s,
                  const struct sli_counts *counts, bool rps_hint, bool draining, struct block closed[2])
{
    struct sli_evidence *sli = &evidence->sli[id];
    int written = 0;
    if (!valid(sli, t_s, dt_s, counts)) {
        sli->invalid_ticks++;
        return 0;
    }
    measure_rate(evidence, t_s, dt_s, counts, rps_hint);
    if (!policy->guardrail[id].used)
        return 0;
    while (weight_due(evidence, sli, t_s)) {
        if (sli->block_start >= 0)
            written += finish_block(evidence, policy, plan, id, &closed[written]);
        pass_weight(evidence, policy, plan, sli);
    }
    advance(evidence, sli, t_s + dt_s);
    if (blanked(evidence, policy, id, quality, t_s, dt_s) || (draining && sli->block_start < 0)) {
        drop(sli, counts);
        return written;
    }
    if (sli->block_start < 0)
        open_block(evidence, policy, id, t_s, sli);
    sli_counts_add(&sli->open, counts);
    sli->block_last = t_s + dt_s;
    double length = t_s + dt_s - sli->block_start;
    if (t_s + dt_s >= sli->block_end - time_slack_s ||
        block_full(requests_of(&sli->open), (double)sli->weight / WEIGHT_FULL, length,
                   (double)policy->guardrail[id].block_s))
        written += finish_block(evidence, policy, plan, id, &closed[written]);
    return written;
}

void evidence_block(struct evidence *evidence, const struct policy *policy, const struct plan *plan,
                    const struct block *block)
{
    struct sli_evidence *sli = &evidence->sli[block->sli];
    if (!policy->guardrail[block->sli].used)
        return;
    while (weight_due(evidence, sli, block->start_s))
        pass_weight(evidence, policy, plan, sli);
    if (block->new_step && !sli->step_pending)
        start_step(sli, next_step(sli, policy, plan, block->weight));
    sli->step_pending = false;
    sli->weight = block->weight;
    if (block->weight > 0 && evidence->canary_since < 0)
        evidence->canary_since = block->start_s;
    closing_apply(evidence, policy, plan, block);
    advance(evidence, sli, block->start_s + block->length_s);
}

bool evidence_idle(const struct evidence *evidence)
{
    for (int i = 0; i < SLI_COUNT; i++)
        if (evidence->sli[i].block_start >= 0)
            return false;
    return true;
}
