/* Prometheus counters into ticks: completion counts, one tick an interval. */
#include "reconcile/scrape.h"

#include "base/log.h"
#include "reconcile/ticks.h"
#include "sources/prometheus.h"

#include <stdlib.h>
#include <string.h>

static enum status give_ticks(struct observe_result *result, const struct prometheus_tick *tick,
                              struct wall_time wall_then, struct fault *fault)
{
    const struct rollout_state *state = result->state;
    /* the source is read on this machine's clock, evidence lives on the database's: what counts is how long
     * ago it was */
    double now = state_seconds(state, state->world.now), wall = (double)wall_then.us / 1e6;
    enum status status = STATUS_OK;
    if (tick->first || !tick->valid)
        return STATUS_OK;
    for (int i = 0; i < SLI_COUNT && status == STATUS_OK; i++) {
        double from = now - (wall - tick->from_s), length = tick->to_s - tick->from_s;
        /* the two clocks are not read at the same instant: a tick begins where the one before has ended */
        double last = state->evidence.evidence.sli[i].last_tick;
        if (from < last && last - from < length)
            from = last;
        if (!state->spec.policy.guardrail[i].used || !tick->has[i] || from < 0 || length <= 0)
            continue;
        struct sli_counts counts = sli_counts_of(tick->counts[i]);
        status = ticks_give(result, (enum sli)i, from, length, &counts, fault);
    }
    return status;
}

static void source_failed(struct observe_result *result, const struct fault *fault)
{
    result->observation.source_error = true;
    result->observation.source_fault = *fault;
    log_event(LOG_WARN, "reconcile", "metrics source failed", "rollout", result->state->row.id, "error",
              fault->detail, "next_step", fault->next_step, NULL);
}

enum status scrape_rollout(struct observe_result *result, struct fault *fault)
{
    struct rollout_state *state = result->state;
    struct prometheus *reader = prometheus_new();
    struct prometheus_tick *tick = calloc(1, sizeof *tick);
    struct text cursor;
    struct fault source_fault;
    struct wall_time wall_then = clock_wall(); /* at about state->world.now */
    int64_t since_ms = (state->world.now.us - state->evidence.observed_at.us) / 1000;
    text_init(&cursor, PROMETHEUS_CURSOR_MAX);
    enum status status =
        tick != NULL && reader != NULL ? STATUS_OK : fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    if (status != STATUS_OK)
        goto out;
    bool never = state->evidence.source_state.length <= 2; /* "{}" */
    if (!never && since_ms < state->spec.source.interval_ms)
        goto out;
    status = prometheus_read(reader, &state->spec.source,
                             state->row.stable[0] != '\0' ? state->row.stable : NULL, state->row.release,
                             text_get(&state->evidence.source_state), tick, &cursor, &source_fault);
    if (status != STATUS_OK) {
        source_failed(result, &source_fault);
        status = STATUS_OK;
        goto out;
    }
    if (tick->warned) {
        log_event(LOG_WARN, "reconcile", "metrics source warns; the answer is not used", "rollout",
                  state->row.id, NULL);
        goto out;
    }
    state->evidence.quality = QUALITY_COMPLETION;
    state->evidence.has_quality = true;
    result->observation.changed = true;
    text_clear(&state->evidence.source_state);
    text_puts(&state->evidence.source_state, text_get(&cursor));
    status = text_status(&state->evidence.source_state);
    if (status == STATUS_OK)
        status = give_ticks(result, tick, wall_then, fault);
out:
    text_free(&cursor);
    free(tick);
    prometheus_free(reader);
    return status;
}
