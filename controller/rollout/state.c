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

/* The budget lane's allowance needs a rate; it was frozen into the policy as expected_rps. */
static void fill_allowances(const struct slos *slos, struct policy *policy)
{
    for (int i = 0; i < SLI_COUNT; i++) {
        struct guardrail *guardrail = &policy->guardrail[i];
        if (guardrail->used && slos->of[i].used && policy->rps_milli > 0)
            guardrail->allowed = guardrail->budget_share * (1e6 - (double)slos->of[i].objective_ppm) / 1e6 *
                                 ((double)policy->rps_milli / 1000.0) * 2.592e6;
    }
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
        fill_allowances(&state->slos, &state->spec.policy);
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

/* ms since the rollout was created; -1 for "never". */
static int64_t since_start_ms(const struct rollout_state *state, struct wall_time at)
{
    return at.us == 0 ? -1 : (at.us - state->row.created_at.us) / 1000;
}

/* The most that any SLI has counted: one that nobody reports must not stop a plan that goes by time. */
static int64_t step_requests(const struct rollout_state *state)
{
    int64_t most = 0;
    for (int i = 0; i < SLI_COUNT; i++)
        if (state->spec.policy.guardrail[i].used && state->evidence.evidence.sli[i].step_total.n_c > most)
            most = state->evidence.evidence.sli[i].step_total.n_c;
    return most;
}

static void find_alarms(struct rollout_state *state, struct snapshot *out)
{
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct guardrail *guardrail = &state->spec.policy.guardrail[i];
        uint32_t bit = 1u << i;
        if (guardrail->used && (state->muted & bit) == 0 && state->evidence.evidence.sli[i].failed)
            out->failed |= bit;
        if (!guardrail->used || guardrail->action == ACTION_ROLLBACK || (state->muted & bit) != 0 ||
            !evidence_alarm(&state->evidence.evidence, &state->spec.policy, (enum sli)i) ||
            (state->row.alarmed & bit) != 0)
            continue;
        if (guardrail->action == ACTION_PAUSE)
            out->alarms |= bit;
        else
            out->notices |= bit;
    }
}

/* Burn windows of guardrails that may act; what rolls back is the judgement's. */
static void find_burns(const struct rollout_state *state, struct snapshot *out)
{
    const struct policy *policy = &state->spec.policy;
    for (int i = 0; i < SLI_COUNT; i++) {
        uint32_t bit = 1u << i, burning = evidence_burning(&state->evidence.evidence, policy, (enum sli)i);
        /* a guardrail that has failed has had its say */
        bool acted =
            (state->row.alarmed & bit << ALARMED_BURN) != 0 || state->evidence.evidence.sli[i].failed;
        for (int window = 0; window < BURN_WINDOWS && (state->muted & bit) == 0; window++) {
            enum guardrail_action action = policy_burn_action(policy, (enum sli)i, window);
            if ((burning >> window & 1) == 0)
                continue;
            if (action == ACTION_PAUSE)
                out->burning |= bit;
            if (action == ACTION_PAUSE && !acted)
                out->burn_alarms |= bit;
            if (action == ACTION_NOTIFY && !acted)
                out->burn_notices |= bit;
        }
    }
}

void state_snapshot(struct rollout_state *state, int32_t new_weight, struct snapshot *out)
{
    const struct rollout_row *row = &state->row;
    const struct policy *policy = &state->spec.policy;
    struct evidence *evidence = &state->evidence.evidence;
    struct judgement judgement = {.action = JUDGE_CONTINUE};
    if (phase_live(row->phase) && row->phase != PHASE_PENDING && !state->bare)
        judgement = evidence_judge(evidence, policy, state->muted, row->fix);

    memset(out, 0, sizeof *out);
    out->now_ms = since_start_ms(state, state->world.now);
    out->phase = row->phase;
    out->resume_phase = row->resume_phase;
    out->step = row->step;
    out->steps = (int64_t)state->plan.steps;
    out->weight = row->weight;
    out->new_weight = new_weight;
    out->phase_since_ms = since_start_ms(state, row->phase_since);
    out->step_entered_ms = since_start_ms(state, row->step_entered_at);
    out->step_since_ms = since_start_ms(state, row->step_since);
    out->blind_since_ms = since_start_ms(state, row->blind_since);
    if (row->step >= 1 && (size_t)row->step <= state->plan.steps) {
        const struct plan_step *step = &state->plan.step[row->step - 1];
        out->bake_s = step->bake_s;
        out->deadline_s = step->deadline_s;
        out->min_requests = step->min_requests;
    }
    out->step_requests = step_requests(state);
    out->paused_limit_s = policy->paused_limit_s;
    out->blind_s = policy->blind_s;
    out->blind_rollback = state->blind_rollback;
    out->stray = (state->muted >> WATCH_SPLIT & 1) != 0 ? 0 : state->stray;
    out->pace_time = policy->pace == PACE_TIME;
    out->has_stable = row->stable[0] != '\0';
    out->frozen = state->world.frozen;
    out->corpora_ready = state->world.corpora_ready;
    out->judgement = judgement.action;
    out->judgement_reason = judgement.reason;
    out->lead = judgement.lead;
    out->log_g_rel = judgement.log_g_rel;
    out->log_g_all = judgement.log_g_all;
    out->breach_since_s = evidence->breach_since;
    out->proven = !state->bare && evidence_proven(evidence, policy);
    out->idle = evidence_idle(evidence);
    out->muted = state->muted;
    out->evidence_s = evidence->now_s;
    out->log_split = split_log(&evidence->split.split);
    out->log_coverage = coverage_log(evidence, policy, NULL);
    out->late = (state->muted >> WATCH_LATE & 1) != 0 ? 0 : state->late & ~state->muted;
    if (!state->bare) {
        find_alarms(state, out);
        find_burns(state, out);
    }
}

/* --- as JSON
 * ------------------------------------------------------------------------------------------------------ */

static struct json_object *write_int(int64_t value)
{
    return json_object_new_int64(value);
}

/* JSON has no infinities: they are written as words. */
static struct json_object *write_num(double value)
{
    char text[32];
    if (isfinite(value)) {
        snprintf(text, sizeof text, "%.17g", value);
        return json_object_new_double_s(value, text);
    }
    return json_object_new_string(value > 0 ? "inf" : "-inf");
}

static struct json_object *write_bool(bool value)
{
    return json_object_new_boolean(value);
}

struct json_object *snapshot_write(const struct snapshot *snapshot)
{
    struct json_object *object = json_object_new_object();
    bool good = object != NULL;
    struct json_object *value;
#define X(type, name)                                                                                        \
    value = good ? write_##type(snapshot->name) : NULL;                                                      \
    good = value != NULL && json_object_object_add(object, #name, value) == 0;
    SNAPSHOT_TABLE(X)
#undef X
    if (good)
        return object;
    json_object_put(object);
    return NULL;
}

static bool read_int(struct json_object *value, int64_t *out)
{
    *out = json_object_get_int64(value);
    return json_object_is_type(value, json_type_int);
}

static bool read_num(struct json_object *value, double *out)
{
    if (json_object_is_type(value, json_type_string)) {
        *out = strcmp(json_object_get_string(value), "inf") == 0 ? INFINITY : -INFINITY;
        return true;
    }
    *out = json_object_get_double(value);
    return json_object_is_type(value, json_type_double) || json_object_is_type(value, json_type_int);
}

static bool read_bool(struct json_object *value, bool *out)
{
    *out = json_object_get_boolean(value);
    return json_object_is_type(value, json_type_boolean);
}

bool snapshot_read(struct json_object *value, struct snapshot *out)
{
    struct json_object *field = NULL;
    memset(out, 0, sizeof *out);
#define X(type, name)                                                                                        \
    if (!json_object_object_get_ex(value, #name, &field) || !read_##type(field, &out->name))                 \
        return false;
    SNAPSHOT_TABLE(X)
#undef X
    return true;
}
