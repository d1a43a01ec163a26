/* Reading a rollout, and the snapshot that a decision is made from. */
#include "rollout/state.h"

#include "base/json.h"
#include "base/log.h"
#include "decision/coverage.h"
#include "spec/plan.h"
#include "spec/slos.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status parse(const struct text *document, const char *what, struct json_object **out,
                         struct fault *fault)
{
    enum status status = json_parse(text_get(document), document->length, out, fault);
    if (status != STATUS_OK)
        fault_set(fault, STATUS_INTERNAL, "The stored %s cannot be read", what);
    return status == STATUS_OK ? STATUS_OK : STATUS_INTERNAL;
}

enum status state_read_documents(struct rollout_state *state, struct fault *fault)
{
    struct json_object *slos = NULL, *policy = NULL, *plan = NULL;
    enum status status = parse(&state->row.slos, "objectives", &slos, fault);
    if (status == STATUS_OK)
        status = spec_read_slos(slos, "", &state->slos, fault);
    if (status == STATUS_OK)
        status = parse(&state->row.policy, "policy", &policy, fault);
    if (status == STATUS_OK)
        status = spec_read_policy(policy, "", &state->slos, &state->spec, fault);
    if (status == STATUS_OK)
        status = parse(&state->row.plan, "plan", &plan, fault);
    if (status == STATUS_OK)
        status = spec_read_plan(plan, "", &state->plan, fault);
    if (status == STATUS_OK)
        policy_allowances(&state->slos, &state->spec.policy);
    else if (status == STATUS_INVALID)
        status = fault_set(fault, STATUS_INTERNAL, "The frozen documents of rollout %s cannot be read",
                           state->row.id);
    json_object_put(slos);
    json_object_put(policy);
    json_object_put(plan);
    return status;
}

/* The set of guardrails whose mute has not run out. */
static enum status read_muted(struct rollout_state *state, struct fault *fault)
{
    struct json_object *list = NULL;
    enum status status = parse(&state->row.muted, "list of mutes", &list, fault);
    for (size_t i = 0; status == STATUS_OK && i < json_object_array_length(list); i++) {
        struct json_object *one = json_object_array_get_idx(list, i), *sli_text, *until_text;
        int muted;
        struct wall_time until;
        if (json_object_object_get_ex(one, "sli", &sli_text) &&
            json_object_object_get_ex(one, "until", &until_text) &&
            watch_parse(json_object_get_string(sli_text), &muted) &&
            clock_parse(json_object_get_string(until_text), &until) && until.us > state->world.now.us)
            state->muted |= 1u << muted;
    }
    json_object_put(list);
    return status;
}

static enum status read_judged(struct db *db, struct rollout_state *state, struct fault *fault)
{
    enum status status = state_read_documents(state, fault);
    if (status == STATUS_OK)
        status = rollouts_load_evidence(db, state->row.id, &state->evidence, fault);
    return status;
}

/* The alerts of the service that fire now: those that name this rollout's releases, or none. */
static enum status read_alerts(struct db *db, struct rollout_state *state, struct fault *fault)
{
    struct firing_alert *all = calloc(ALERTS_EACH_MAX, sizeof *all);
    int read = 0;
    int64_t count;
    if (all == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    enum status status = alerts_firing(db, state->row.service, all, ALERTS_EACH_MAX, &read, &count, fault);
    for (int i = 0; i < read; i++) {
        bool canary = strcmp(all[i].release, state->row.release) == 0;
        if (!canary && all[i].release[0] != '\0' && strcmp(all[i].release, state->row.stable) != 0)
            continue;
        bool fresh = all[i].firing > state->row.alerts_acted;
        *(canary ? &state->alerts.canary : &state->alerts.others) += 1;
        *(canary ? &state->alerts.fresh_canary : &state->alerts.fresh_others) += fresh;
        if (all[i].firing > state->alert_newest)
            state->alert_newest = all[i].firing;
        if (state->alert_count < ALERTS_SHOWN)
            state->alert[state->alert_count++] = all[i];
    }
    free(all);
    return status;
}

static enum status load(struct db *db, const char *id, bool lock, bool leaving, struct rollout_state **out,
                        struct fault *fault)
{
    struct rollout_state *state = calloc(1, sizeof *state);
    *out = NULL;
    if (state == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    enum status status =
        lock ? rollouts_lock(db, id, &state->row, fault) : rollouts_read(db, id, &state->row, fault);
    if (status == STATUS_OK)
        status = read_judged(db, state, fault);
    /* a fault of the content, not of the database */
    if (status == STATUS_INTERNAL && leaving) {
        log_event(LOG_ERROR, "rollout", "evidence or documents cannot be read; leaving does not need them",
                  "rollout", id, "error", fault->detail, NULL);
        state->bare = true;
        status = STATUS_OK;
    }
    if (status == STATUS_OK)
        status = rollouts_world(db, state->row.service, state->row.release, &state->world, fault);
    if (status == STATUS_OK)
        status = routes_current(db, state->row.service, &state->route, fault);
    if (status == STATUS_OK && !state->bare)
        status = read_muted(state, fault);
    if (status == STATUS_OK && !leaving)
        status = read_alerts(db, state, fault);
    if (status != STATUS_OK) {
        state_free(state);
        return status;
    }
    *out = state;
    return STATUS_OK;
}

enum status state_load(struct db *db, const char *id, bool lock, struct rollout_state **out,
                       struct fault *fault)
{
    return load(db, id, lock, false, out, fault);
}

enum status state_load_to_leave(struct db *db, const char *id, struct rollout_state **out,
                                struct fault *fault)
{
    return load(db, id, true, true, out, fault);
}

void state_free(struct rollout_state *state)
{
    if (state == NULL)
        return;
    rollout_row_free(&state->row);
    evidence_row_free(&state->evidence);
    free(state);
}

int64_t state_base_s(const struct rollout_state *state)
{
    return state->row.created_at.us / 1000000;
}

double state_seconds(const struct rollout_state *state, struct wall_time at)
{
    return (double)(at.us - state_base_s(state) * 1000000) / 1e6;
}

struct course state_course(const struct rollout_state *state)
{
    const struct rollout_row *row = &state->row;
    return (struct course){.created_us = row->created_at.us,
                           .phase = row->phase,
                           .resume_phase = row->resume_phase,
                           .step = row->step,
                           .weight = row->weight,
                           .phase_since_us = row->phase_since.us,
                           .step_entered_us = row->step_entered_at.us,
                           .step_since_us = row->step_since.us,
                           .blind_since_us = row->blind_since.us,
                           .ended_us = row->ended_at.us,
                           .fix = row->fix,
                           .unproven = row->unproven,
                           .has_stable = row->stable[0] != '\0',
                           .alarmed = row->alarmed};
}

void state_keep(struct rollout_state *state, const struct course *course)
{
    struct rollout_row *row = &state->row;
    row->phase = course->phase;
    row->resume_phase = course->resume_phase;
    row->step = course->step;
    row->weight = course->weight;
    row->phase_since.us = course->phase_since_us;
    row->step_entered_at.us = course->step_entered_us;
    row->step_since.us = course->step_since_us;
    row->blind_since.us = course->blind_since_us;
    row->ended_at.us = course->ended_us;
    row->unproven = course->unproven;
    row->alarmed = course->alarmed;
}

void state_snapshot(struct rollout_state *state, int32_t new_weight, struct snapshot *out)
{
    struct course course = state_course(state);
    struct surroundings around = {.now_us = state->world.now.us,
                                  .frozen = state->world.frozen,
                                  .corpora_ready = state->world.corpora_ready,
                                  .muted = state->muted,
                                  .late = state->late,
                                  .stray = state->stray,
                                  .blind_rollback = state->blind_rollback,
                                  .source = state->source,
                                  .alerts = state->alerts};
    course_snapshot(&course, &around, &state->spec.policy, &state->plan,
                    state->bare ? NULL : &state->evidence.evidence, new_weight, out);
}
