/* What a polled source says into ticks: one tick an interval. */
#include "reconcile/scrape.h"

#include "reconcile/ticks.h"

static enum status give_ticks(struct observe_result *result, const struct source_tick *tick,
                              struct wall_time wall_then, struct fault *fault)
{
    const struct rollout_state *state = result->state;
    /* the source is read on this machine's clock, evidence lives on the database's: what counts is how long
     * ago it was */
    double now = state_seconds(state, state->world.now), wall = (double)wall_then.us / 1e6;
    enum status status = STATUS_OK;
    if (!tick->valid)
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

/* Says in the observation that the source cannot be used as it should, and why. */
static void complain(struct observe_result *result, enum source_health health, const struct fault *fault)
{
    result->observation.source = health;
    result->observation.source_fault = *fault;
}

static void warned(struct observe_result *result, const struct source_driver *driver, const char *words)
{
    struct fault fault = {.detail = ""};
    fault_set(&fault, STATUS_PEER, "%s says that its answer may be incomplete%s%s", driver->name,
              words[0] != '\0' ? ": " : "", words);
    fault_next(&fault, "Look at what %s itself says about the query; the answer is not used.", driver->name);
    complain(result, SOURCE_WARNS, &fault);
}

static enum status use(struct observe_result *result, const struct source_driver *driver,
                       const struct source_tick *tick, const struct text *cursor, struct wall_time wall_then,
                       struct fault *fault)
{
    struct rollout_state *state = result->state;
    state->evidence.quality = driver->quality;
    state->evidence.has_quality = true;
    result->observation.changed = true;
    text_clear(&state->evidence.source_state);
    text_puts(&state->evidence.source_state, text_get(cursor));
    enum status status = text_status(&state->evidence.source_state);
    return status == STATUS_OK ? give_ticks(result, tick, wall_then, fault) : status;
}

static enum status take(struct observe_result *result, const struct desk_round *round, struct fault *fault)
{
    struct rollout_state *state = result->state;
    const struct source_driver *driver = source_driver(state->spec.source.kind);
    struct source_want want = {.service = state->row.service,
                               .stable = state->row.stable[0] != '\0' ? state->row.stable : NULL,
                               .canary = state->row.release};
    struct wall_time wall_then = clock_wall(); /* at about state->world.now */
    struct source_tick tick;
    struct text cursor;
    struct fault source_fault = {.detail = ""};
    text_init(&cursor, SOURCE_CURSOR_MAX);
    enum status status =
        desk_take(round, &want, text_get(&state->evidence.source_state), &tick, &cursor, &source_fault);
    if (status == STATUS_PEER) {
        complain(result, SOURCE_FAILS, &source_fault);
        status = STATUS_OK;
    } else if (status != STATUS_OK) {
        *fault = source_fault;
    } else if (tick.warned) {
        warned(result, driver, desk_warning(round));
    } else if (tick.first || tick.to_s > tick.from_s) {
        status = use(result, driver, &tick, &cursor, wall_then, fault);
    }
    text_free(&cursor);
    return status;
}

/* A round that this rollout has used already need not be compared again and again. */
static bool due(const struct rollout_state *state)
{
    bool never = state->evidence.source_state.length <= 2; /* "{}" */
    int64_t since_ms = (state->world.now.us - state->evidence.observed_at.us) / 1000;
    return never || since_ms >= state->spec.source.interval_ms / 2;
}

enum status scrape_rollout(struct desk *desk, struct observe_result *result, struct fault *fault)
{
    struct desk_news news = {.round = NULL};
    struct fault asked = {.status = STATUS_OK};
    /* no room at the desk is a source that fails: the rollout must go on being decided */
    if (desk_ask(desk, &result->state->spec.source, &news, &asked) != STATUS_OK) {
        complain(result, SOURCE_FAILS, &asked);
        return STATUS_OK;
    }
    enum status status = STATUS_OK;
    if (news.failed)
        complain(result, SOURCE_FAILS, &news.fault);
    if (news.round != NULL && due(result->state))
        status = take(result, news.round, fault);
    desk_give_back(news.round);
    return status;
}
