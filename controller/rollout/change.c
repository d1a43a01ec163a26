/* From a decision to its rows. */
#include "rollout/change.h"

#include "base/json.h"
#include "rollout/reason.h"
#include "spec/inputs.h"
#include "spec/record_digest.h"
#include "store/events.h"

#include <stdio.h>
#include <string.h>

static int64_t lease_s = 900;

void change_set_lease(int64_t seconds)
{
    lease_s = seconds;
}

int64_t change_lease(void)
{
    return lease_s;
}

enum { ROUTE_EFFECTS = EFFECT_ROUTE_STEP | EFFECT_ROUTE_STABLE | EFFECT_ROUTE_PROMOTE | EFFECT_ROUTE_WEIGHT };

/* The route that the decision asks for; false if the present one is that already (nothing to write), or if it
   is a first release that serves until this rollout, which has not served, would have taken its place. */
static bool wanted_route(const struct rollout_state *state, const struct decision *decision,
                         int32_t new_weight, struct route_row *route)
{
    const struct rollout_row *row = &state->row;
    memset(route, 0, sizeof *route);
    snprintf(route->rollout, sizeof route->rollout, "%s", row->id);
    snprintf(route->stable, sizeof route->stable, "%s", row->stable);
    route->written_at = state->world.now;
    struct course course = state_course(state);
    route->canary_weight = course_weight(&course, &state->spec.policy, &state->plan, decision, new_weight);
    if (decision->rule->effects & EFFECT_ROUTE_PROMOTE)
        snprintf(route->stable, sizeof route->stable, "%s", row->release);
    else if (decision->rule->effects & (EFFECT_ROUTE_STEP | EFFECT_ROUTE_WEIGHT))
        snprintf(route->canary, sizeof route->canary, "%s", row->release);
    if (route->stable[0] == '\0' && route->canary[0] == '\0' && strcmp(state->route.rollout, row->id) != 0)
        return false;
    return strcmp(route->stable, state->route.stable) != 0 ||
           strcmp(route->canary, state->route.canary) != 0 ||
           route->canary_weight != state->route.canary_weight;
}

static enum status write_route(struct db *db, struct rollout_state *state, const struct decision *decision,
                               const struct change *change, struct fault *fault)
{
    struct route_row route;
    bool raised = (decision->rule->effects & EFFECT_ROUTE_STEP) != 0;
    bool differs = wanted_route(state, decision, change->new_weight, &route);
    state->row.weight = route.canary_weight;
    if (!differs)
        return STATUS_OK;
    enum status status = routes_write(db, state->row.service, state->row.salt, lease_s, &route, fault);
    if (status != STATUS_OK)
        return status;
    state->route = route;
    if (phase_live(decision->phase) && !state->bare) {
        evidence_weight(&state->evidence.evidence, state_seconds(state, state->world.now),
                        route.canary_weight, raised);
        /* the weight belongs to the evidence: it is stored here even when no tick stores it */
        status = rollouts_store_evidence(db, state->row.id, &state->evidence, NULL, 0, state->row.lease_epoch,
                                         fault);
    }
    return status;
}

/* Moves the row's phase, step and times as the decision says. */
static void move(struct rollout_state *state, const struct decision *decision)
{
    struct course course = state_course(state);
    course_move(&course, decision, state->world.now.us);
    state_keep(state, &course);
}

static bool put(struct json_object *object, const char *name, struct json_object *value)
{
    if (value != NULL && json_object_object_add(object, name, value) == 0)
        return true;
    json_object_put(value);
    return false;
}

static bool put_real(struct json_object *object, const char *name, double value)
{
    return put(object, name, spec_write_real(value));
}

/* Where each SLI stood: a replay holds its own numbers against these. */
static struct json_object *lanes(const struct rollout_state *state)
{
    const struct evidence *evidence = &state->evidence.evidence;
    struct json_object *object = json_object_new_object();
    bool good = object != NULL;
    for (int i = 0; i < SLI_COUNT && good; i++) {
        const struct sli_evidence *sli = &evidence->sli[i];
        struct json_object *lane = state->spec.policy.guardrail[i].used ? json_object_new_object() : NULL;
        if (lane == NULL)
            continue;
        good = put(lane, "weight", json_object_new_int(sli->weight)) &&
               put_real(lane, "relative", evidence_lane_log(&sli->relative)) &&
               put_real(lane, "absolute", evidence_lane_log(&sli->absolute)) &&
               put_real(lane, "promotion", evidence_ni(evidence, (enum sli)i));
        if (!good)
            json_object_put(lane);
        else
            good = put(object, sli_name((enum sli)i), lane);
    }
    if (good)
        return object;
    json_object_put(object);
    return NULL;
}

/* The evidence as the decision sees it: to be taken before the weight is changed. `at_s` is the decision's
   own time. NULL on no memory. */
static struct json_object *evidence_seen(const struct rollout_state *state)
{
    struct json_object *object = json_object_new_object();
    if (object != NULL && put(object, "bare", json_object_new_boolean(state->bare)) &&
        put_real(object, "at_s", state_seconds(state, state->world.now)) && put(object, "slis", lanes(state)))
        return object;
    json_object_put(object);
    return NULL;
}

/* Digests of the frozen documents that the decision went by: they stand in the hashed event, so that a record
   with others is found out. NULL where they cannot be read (a rollout is left without them), or no memory. */
static struct json_object *frozen(const struct rollout_state *state)
{
    const struct {
        const char *name;
        const struct text *text;
    } documents[] = {{"slos", &state->row.slos}, {"policy", &state->row.policy}, {"plan", &state->row.plan}};
    struct json_object *object = json_object_new_object();
    bool good = object != NULL;
    for (size_t i = 0; i < sizeof documents / sizeof documents[0] && good; i++) {
        struct json_object *value = NULL;
        struct digest digest;
        char hex[DIGEST_HEX];
        good =
            json_parse(text_get(documents[i].text), documents[i].text->length, &value, NULL) == STATUS_OK &&
            spec_digest(value, &digest) == STATUS_OK &&
            put(object, documents[i].name, json_object_new_string(digest_hex(&digest, hex)));
        json_object_put(value);
    }
    if (good)
        return object;
    json_object_put(object);
    return NULL;
}

/* The alerts that fired when it was decided, for people; the counts that decided are in the inputs. */
static struct json_object *alerts_seen(const struct rollout_state *state)
{
    struct json_object *list = json_object_new_array();
    bool good = list != NULL;
    for (int i = 0; i < state->alert_count && good; i++) {
        struct json_object *one = json_object_new_object();
        good = one != NULL && put(one, "name", json_object_new_string(state->alert[i].name)) &&
               put(one, "fingerprint", json_object_new_string(state->alert[i].fingerprint)) &&
               put(one, "release", json_object_new_string(state->alert[i].release)) &&
               json_object_array_add(list, one) == 0;
        if (!good)
            json_object_put(one);
    }
    if (good)
        return list;
    json_object_put(list);
    return NULL;
}

/* What the event keeps: enough to replay the decision (law 7), and what a person wants to see. */
static struct json_object *event_data(const struct rollout_state *state, const struct snapshot *snapshot,
                                      struct json_object *seen, const struct rule *rule,
                                      const struct change *change, const char *from_phase)
{
    struct json_object *data = json_object_new_object();
    const struct rollout_row *row = &state->row;
    bool good = data != NULL && put(data, "verb", json_object_new_string(verb_name(change->verb))) &&
                put(data, "from_phase", json_object_new_string(from_phase)) &&
                put(data, "phase", json_object_new_string(phase_name(row->phase))) &&
                put(data, "step", json_object_new_int(row->step)) &&
                put(data, "weight", json_object_new_int(row->weight)) &&
                put(data, "epoch", json_object_new_int64(state->route.epoch)) &&
                put(data, "unproven", json_object_new_boolean(row->unproven)) &&
                put(data, "page", json_object_new_boolean((rule->effects & EFFECT_PAGE) != 0)) &&
                put(data, "blocks", json_object_new_int64(state->evidence.blocks)) &&
                put(data, "split_blocks", json_object_new_int64(state->evidence.evidence.split.blocks)) &&
                put(data, "version", json_object_new_string(SERIN_VERSION)) &&
                put(data, "evidence", json_object_get(seen)) &&
                put(data, "inputs", spec_write_inputs(snapshot));
    struct json_object *documents = good ? frozen(state) : NULL;
    if (documents != NULL)
        good = put(data, "frozen", documents);
    if (good && state->alert_count > 0)
        good = put(data, "alerts", alerts_seen(state));
    if (good && rule->next_step != NULL)
        good = put(data, "next_step", json_object_new_string(rule->next_step));
    if (good && row->stable[0] != '\0')
        good = put(data, "stable", json_object_new_string(row->stable));
    if (good)
        return data;
    json_object_put(data);
    return NULL;
}

static enum status write_event(struct db *db, const struct rollout_state *state,
                               const struct snapshot *snapshot, struct json_object *seen,
                               const struct rule *rule, const struct change *change, const char *from_phase,
                               const char *reason, struct fault *fault)
{
    char id[ID_MAX];
    struct json_object *data = event_data(state, snapshot, seen, rule, change, from_phase);
    if (data == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    struct event event = {.type = rule->event,
                          .service = state->row.service,
                          .rollout = state->row.id,
                          .release = state->row.release,
                          .rule = rule->id,
                          .actor = change->actor,
                          .reason = reason,
                          .data = data};
    enum status status = events_append(db, &event, id, fault);
    json_object_put(data);
    return status;
}

/* Adds the mute to the row's list; an older one of the same guardrail is replaced. */
static enum status add_mute(struct rollout_state *state, const struct change *change, struct fault *fault)
{
    struct json_object *list = NULL, *kept = json_object_new_array(), *one = json_object_new_object();
    enum status status = json_parse(text_get(&state->row.muted), state->row.muted.length, &list, fault);
    bool good = status == STATUS_OK && kept != NULL && one != NULL;
    for (size_t i = 0; good && i < json_object_array_length(list); i++) {
        struct json_object *old = json_object_array_get_idx(list, i), *sli;
        if (json_object_object_get_ex(old, "sli", &sli) &&
            strcmp(json_object_get_string(sli), watch_name(change->muted)) != 0)
            good = json_object_array_add(kept, json_object_get(old)) == 0;
    }
    good = good && put(one, "sli", json_object_new_string(watch_name(change->muted))) &&
           put(one, "until", json_object_new_string(change->until)) &&
           put(one, "reason", json_object_new_string(change->said != NULL ? change->said : "")) &&
           put(one, "by", json_object_new_string(change->actor)) && json_object_array_add(kept, one) == 0;
    if (good) {
        text_clear(&state->row.muted);
        status = json_canonical(kept, &state->row.muted);
    } else {
        json_object_put(one);
        status = fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    }
    json_object_put(list);
    json_object_put(kept);
    return status;
}

static enum status refuse(const struct rule *rule, const struct reason_context *context, struct fault *fault)
{
    char sentence[512];
    struct reason_context unsaid = *context;
    reason_fill(rule->sentence, context, sentence, sizeof sentence);
    fault_set(fault, STATUS_CONFLICT, "%s", sentence);
    unsaid.said = NULL;
    if (rule->next_step != NULL) {
        reason_fill(rule->next_step, &unsaid, sentence, sizeof sentence);
        fault_next(fault, "%s", sentence);
    }
    return STATUS_CONFLICT;
}

/* The row remembers what has been acted on, so that it is told once. */
static void act_on(struct rollout_state *state, const struct rule *rule, const struct snapshot *snapshot)
{
    state->row.alarmed |= course_acted_on(rule, snapshot);
    if (course_acts_on_alerts(rule))
        state->row.alerts_acted = state->alert_newest;
}

/* The same rule as before, by its sentence: which alerts it names may have changed. No event: each of them
   had its own. */
static enum status refresh(struct db *db, struct rollout_state *state, const struct rule *rule,
                           const struct reason_context *context, struct fault *fault)
{
    char reason[sizeof state->row.reason];
    if (strstr(rule->sentence, "{alerts}") == NULL)
        return STATUS_OK;
    reason_fill(rule->sentence, context, reason, sizeof reason);
    if (strcmp(reason, state->row.reason) == 0)
        return STATUS_OK;
    memcpy(state->row.reason, reason, sizeof reason);
    return rollouts_update_reason(db, &state->row, fault);
}

/* What does not change the phase but the operator wants to know: the row's rule and sentence, when they are
 * others. */
static enum status note(struct db *db, struct rollout_state *state, const struct snapshot *snapshot,
                        const struct decision *decision, const struct change *change,
                        const struct reason_context *context, struct fault *fault)
{
    const struct rule *rule = decision->rule;
    bool same = strcmp(state->row.rule, rule->id) == 0;
    if (rule->sentence[0] == '\0' || change->verb != VERB_TICK)
        return STATUS_OK;
    if (same && (rule->effects & EFFECT_ALARM) == 0)
        return refresh(db, state, rule, context, fault);
    snprintf(state->row.rule, sizeof state->row.rule, "%s", rule->id);
    reason_fill(rule->sentence, context, state->row.reason, sizeof state->row.reason);
    act_on(state, rule, snapshot);
    enum status status = STATUS_OK;
    if (rule->event != NULL) {
        struct json_object *seen = evidence_seen(state);
        status = write_event(db, state, snapshot, seen, rule, change, phase_name(state->row.phase),
                             state->row.reason, fault);
        json_object_put(seen);
    }
    return status == STATUS_OK ? rollouts_update(db, &state->row, fault) : status;
}

static enum status transit(struct db *db, struct rollout_state *state, const struct snapshot *snapshot,
                           const struct decision *decision, const struct change *change,
                           const struct reason_context *context, struct fault *fault)
{
    const struct rule *rule = decision->rule;
    const char *from_phase = phase_name(state->row.phase);
    enum status status = STATUS_OK;
    char reason[sizeof state->row.reason];
    struct json_object *seen = evidence_seen(state);
    reason_fill(rule->sentence, context, reason, sizeof reason);

    if (rule->effects & EFFECT_MUTE)
        status = add_mute(state, change, fault);
    if (status == STATUS_OK && (rule->effects & ROUTE_EFFECTS) != 0)
        status = write_route(db, state, decision, change, fault);
    if (status != STATUS_OK)
        goto out;
    move(state, decision);
    act_on(state, rule, snapshot);
    if ((rule->effects & EFFECT_MUTE) == 0) { /* a mute is no reason for being where it is */
        snprintf(state->row.rule, sizeof state->row.rule, "%s", rule->id);
        memcpy(state->row.reason, reason, sizeof reason);
    }
    if (rule->effects & EFFECT_QUARANTINE)
        status = rollouts_add_quarantine(db, &state->row, reason, state->world.now, fault);
    if (status == STATUS_OK && (rule->effects & EFFECT_ROUTE_PROMOTE))
        status = rollouts_add_bake(db, &state->row, state->world.now, fault);
    if (status == STATUS_OK)
        status = write_event(db, state, snapshot, seen, rule, change, from_phase, reason, fault);
    if (status == STATUS_OK)
        status = rollouts_update(db, &state->row, fault);
out:
    json_object_put(seen);
    return status;
}

enum status change_run(struct db *db, struct rollout_state *state, const struct change *change,
                       const struct rule **rule, struct fault *fault)
{
    struct snapshot snapshot;
    state_snapshot(state, change->new_weight, &snapshot);
    struct decision decision = decide(&snapshot, change->verb);
    struct reason_context context = {.state = state,
                                     .snapshot = &snapshot,
                                     .said = change->said,
                                     .muted = change->verb == VERB_MUTE ? watch_name(change->muted) : NULL,
                                     .until = change->until};
    if (rule != NULL)
        *rule = decision.rule;
    if (decision.rule->effects & EFFECT_REFUSE)
        return refuse(decision.rule, &context, fault);
    bool stays = decision.phase == state->row.phase && decision.step == state->row.step &&
                 (decision.rule->effects & (ROUTE_EFFECTS | EFFECT_MUTE)) == 0;
    if (stays)
        return note(db, state, &snapshot, &decision, change, &context, fault);
    return transit(db, state, &snapshot, &decision, change, &context, fault);
}
