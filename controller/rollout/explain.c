/* Why a rollout is where it is, for people and for programs: counts, what the evidence says in plain words,
   what is still needed, what to do now, and every number behind it. */
#include "rollout/explain.h"

#include "base/json.h"
#include "decision/replay.h"
#include "decision/reporting.h"
#include "rollout/coarse.h"
#include "rollout/rollout.h"
#include "spec/inputs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAYS_MAX = 900 };

static struct json_object *arm(int64_t n, int64_t k)
{
    struct json_object *object = json_object_new_object();
    if (object != NULL) {
        explain_put(object, "n", json_object_new_int64(n));
        explain_put(object, "k", json_object_new_int64(k));
    }
    return object;
}

static struct json_object *arms(const struct counts *counts)
{
    struct json_object *object = json_object_new_object();
    if (object != NULL) {
        explain_put(object, "canary", arm(counts->n_c, counts->k_c));
        explain_put(object, "stable", arm(counts->n_b, counts->k_b));
    }
    return object;
}

static struct json_object *seconds_or_null(double seconds)
{
    return seconds >= 0 && isfinite(seconds) ? json_object_new_int64((int64_t)ceil(fmin(seconds, 1e15)))
                                             : NULL;
}

/* A moment of evidence time; < 0 = none. */
static struct wall_time moment(const struct rollout_state *state, double at_s)
{
    struct wall_time time = {0};
    if (at_s > 0)
        time.us = state_base_s(state) * 1000000 + (int64_t)(at_s * 1e6);
    return time;
}

/* What a fail does in this rollout: where there is nothing to go back to, it pauses. */
static const char *action_name(const struct rollout_state *state, enum guardrail_action action)
{
    static const char *const names[] = {"rollback", "pause", "notify"};
    return names[action == ACTION_ROLLBACK && state->row.stable[0] == '\0' ? ACTION_PAUSE : action];
}

/* Nobody has ever reported it in this rollout: there is no moment up to which it was counted. */
static bool unreported(const struct rollout_state *state, enum sli sli)
{
    struct counts all = reporting_of(&state->evidence.evidence, sli, true);
    return reporting_nobody(&all);
}

static struct json_object *guardrail_object(const struct rollout_state *state, enum sli sli,
                                            enum verdict verdict, const struct fault *source,
                                            const struct cohort_unmatched *unmatched, uint32_t unseen)
{
    const struct guardrail *guardrail = &state->spec.policy.guardrail[sli];
    const struct sli_evidence *evidence = &state->evidence.evidence.sli[sli];
    struct json_object *object = json_object_new_object();
    char says[SAYS_MAX], needs[200] = "", human[CLOCK_TEXT_MAX];
    double eta = explain_eta(state, sli, verdict);
    if (object == NULL)
        return NULL;
    explain_guardrail_words(state, sli, verdict, source, says, sizeof says);
    explain_absent_words(sli, unmatched, says, sizeof says);
    explain_unseen_words(state, sli, unseen, says, sizeof says);
    if (phase_live(state->row.phase) && state->row.step >= 1 && explain_proof_missing(state, sli)) {
        const char *unreported = explain_unreported_short(state, sli);
        if (unreported != NULL)
            snprintf(needs, sizeof needs, "proof that %s is not worse: %s", sli_name(sli), unreported);
        else if (eta > 0)
            snprintf(needs, sizeof needs, "proof that %s is not worse: about %s more for a healthy canary",
                     sli_name(sli), clock_format_human((int64_t)(fmin(eta, 1e9) * 1000), human));
        else
            snprintf(needs, sizeof needs, "proof that %s is not worse", sli_name(sli));
    }
    explain_put_text(object, "sli", sli_name(sli));
    explain_put_text(object, "action", action_name(state, guardrail->action));
    explain_put_text(object, "verdict", verdict_name(verdict));
    explain_put(object, "muted", json_object_new_boolean((state->muted & 1u << sli) != 0));
    explain_put(object, "total", arms(&evidence->total));
    explain_put(object, "step", arms(&evidence->step_total));
    explain_put_time(object, "counted_until",
                     moment(state, unreported(state, sli) ? -1 : explain_counted_s(state, sli)));
    explain_put_number(object, "ceiling", guardrail->ceiling > 0 ? guardrail->ceiling * 100 : (double)NAN);
    explain_put_text(object, "says", says);
    explain_put_text(object, "needs", needs);
    explain_put(object, "eta_s", seconds_or_null(eta));
    explain_put(object, "evidence", explain_evidence(state, sli));
    explain_put(object, "policy", explain_guardrail_policy(state, sli));
    return object;
}

/* The newest moment up to which the counts of every guardrail that anybody reports are complete; -1 = not all
   have begun. */
static double counted_s(const struct rollout_state *state)
{
    double least = INFINITY;
    for (int i = 0; i < SLI_COUNT; i++)
        if (state->spec.policy.guardrail[i].used && !unreported(state, (enum sli)i))
            least = fmin(least, explain_counted_s(state, (enum sli)i));
    return isfinite(least) ? least : -1;
}

/* Why the metrics source fails; null while it does not. */
static struct json_object *source_object(const struct fault *source)
{
    struct json_object *object = source->detail[0] != '\0' ? json_object_new_object() : NULL;
    if (object != NULL) {
        explain_put_text(object, "detail", source->detail);
        explain_put_text(object, "next_step", source->next_step);
    }
    return object;
}

static struct json_object *data_object(const struct rollout_state *state, const struct fault *source,
                                       uint32_t unseen)
{
    struct json_object *object = json_object_new_object();
    const struct evidence *evidence = &state->evidence.evidence;
    char says[SAYS_MAX];
    if (object == NULL)
        return NULL;
    int64_t blind_us = state->row.blind_since.us != 0 ? state->world.now.us - state->row.blind_since.us : 0;
    explain_quality_words(state, says, sizeof says);
    explain_put_text(object, "quality",
                     state->evidence.has_quality ? quality_name(state->evidence.quality) : "none");
    explain_put_text(object, "says", says);
    explain_put_time(object, "counted_until", moment(state, counted_s(state)));
    explain_put_number(object, "rps", evidence->rps >= 0 ? evidence->rps : (double)NAN);
    explain_put(object, "blind_s", json_object_new_int64(blind_us / 1000000));
    explain_put(object, "source_error", source_object(source));
    explain_put(object, "unseen", explain_unseen_object(state, unseen));
    return object;
}

static struct json_object *judgement_object(const struct rollout_state *state,
                                            const struct judgement *judgement,
                                            const struct explain_against *against)
{
    struct json_object *object = json_object_new_object();
    char says[SAYS_MAX];
    if (object == NULL)
        return NULL;
    if (judgement->action != JUDGE_CONTINUE || !explain_against_words(state, against, says, sizeof says))
        explain_judgement_words(judgement, says, sizeof says);
    explain_put_text(object, "action", judgement_action_name(judgement->action));
    explain_put_text(object, "reason", judgement_reason_name(judgement->reason));
    explain_put_text(
        object, "unmuted",
        against->unmuted.action != JUDGE_CONTINUE ? judgement_action_name(against->unmuted.action) : "");
    explain_put_text(object, "says", says);
    return object;
}

static struct json_object *watch_object(const struct rollout_state *state)
{
    struct json_object *object = json_object_new_object();
    char says[SAYS_MAX];
    bool compares;
    if (object == NULL)
        return NULL;
    explain_watch_words(state, &compares, says, sizeof says);
    explain_put(object, "compares", json_object_new_boolean(compares));
    explain_put_text(object, "says", says);
    return object;
}

static enum status gateways_object(struct db *db, const struct rollout_state *state, struct json_object **out,
                                   struct fault *fault)
{
    struct json_object *object = json_object_new_object(), *behind = json_object_new_array();
    struct route_gateway *gateways = NULL;
    char says[COARSE_SAYS_MAX];
    size_t count = 0;
    enum status status = routes_gateways(db, state->row.service, &gateways, &count, fault);
    for (size_t i = 0; i < count; i++)
        if (gateways[i].behind)
            json_object_array_add(behind, json_object_new_string(gateways[i].instance));
    explain_put(object, "live", json_object_new_int64((int64_t)count));
    explain_put(object, "behind", behind);
    (void)coarse_says(&state->coarsest, state->route.canary_weight, says);
    explain_put_text(object, "problem", says);
    free(gateways);
    if (status == STATUS_OK)
        *out = object;
    else
        json_object_put(object);
    return status;
}

static void put_place(const struct rollout_state *state, struct json_object *out)
{
    const struct rollout_row *row = &state->row;
    explain_put_text(out, "rollout", row->id);
    explain_put_text(out, "service", row->service);
    explain_put_text(out, "release", row->release);
    explain_put_text(out, "stable", row->stable);
    explain_put_text(out, "phase", phase_name(row->phase));
    explain_put(out, "step", json_object_new_int(row->step));
    explain_put(out, "steps", json_object_new_int64((int64_t)state->plan.steps));
    explain_put(out, "weight", json_object_new_int(row->weight));
    explain_put_text(out, "rule", row->rule);
    explain_put(out, "reason", json_object_new_string(row->reason));
    explain_put_time(out, "since", row->phase_since);
}

/* What the evidence says, also of a rollout that has ended: its snapshot has no judgement then. */
static struct judgement judged(struct rollout_state *state)
{
    struct judgement judgement = {.action = JUDGE_CONTINUE, .log_g_rel = -INFINITY, .log_g_all = -INFINITY};
    if (state->row.phase != PHASE_PENDING)
        judgement =
            evidence_judge(&state->evidence.evidence, &state->spec.policy, state->muted, state->row.fix);
    return judgement;
}

static void put_guardrails(const struct rollout_state *state, const enum verdict verdicts[SLI_COUNT],
                           const struct fault *source, const struct cohort_unmatched *unmatched,
                           uint32_t unseen, struct json_object *out)
{
    struct json_object *guardrails = json_object_new_array();
    for (int i = 0; guardrails != NULL && i < SLI_COUNT; i++)
        if (state->spec.policy.guardrail[i].used)
            json_object_array_add(
                guardrails, guardrail_object(state, (enum sli)i, verdicts[i], source, unmatched, unseen));
    explain_put(out, "guardrails", guardrails);
}

/* The inputs as they are known outside the loop: what only its look at the newest counts gives is left out.
 */
static struct json_object *inputs_known(const struct snapshot *snapshot)
{
    static const char *const observed[] = {"late", "stray", "blind_rollback"};
    struct json_object *inputs = spec_write_inputs(snapshot);
    for (size_t i = 0; i < sizeof observed / sizeof observed[0] && inputs != NULL; i++)
        json_object_object_del(inputs, observed[i]);
    return inputs;
}

/* Of the newest seconds that are old enough for every deadline. */
static enum status find_unmatched(struct db *db, const struct rollout_state *state,
                                  struct cohort_unmatched *out, struct fault *fault)
{
    double counted = INFINITY;
    *out = (struct cohort_unmatched){0};
    for (int i = 0; i < SLI_COUNT; i++)
        if (state->spec.policy.guardrail[i].used && sli_deadline((enum sli)i))
            counted = fmin(counted, state->evidence.evidence.sli[i].last_tick);
    if (!isfinite(counted) || counted <= 0 || !state->evidence.has_quality ||
        state->evidence.quality != QUALITY_COHORT)
        return STATUS_OK;
    int64_t base_s = state_base_s(state), to_s = base_s + (int64_t)counted;
    int64_t from_s = to_s - EXPLAIN_UNMATCHED_S > base_s ? to_s - EXPLAIN_UNMATCHED_S : base_s;
    return cohorts_unmatched(db, state->row.service, state->row.release, state->row.stable, from_s, to_s, out,
                             fault);
}

static enum status build(struct db *db, struct rollout_state *state, enum verdict verdicts[SLI_COUNT],
                         struct json_object *out, struct fault *fault)
{
    struct json_object *gateways = NULL;
    struct snapshot snapshot;
    char next_step[SAYS_MAX], since_then[NAME_SIZE + 64], unknown[120];
    double eta;
    struct judgement judgement = judged(state);
    struct fault source = {.detail = ""};
    struct cohort_unmatched unmatched;
    enum status status = routes_coarsest(db, state->row.service, COARSE_LIVE_S, &state->coarsest, fault);
    if (status == STATUS_OK)
        status = gateways_object(db, state, &gateways, fault);
    if (status == STATUS_OK)
        status = find_unmatched(db, state, &unmatched, fault);
    for (int i = 0; i < SLI_COUNT && status == STATUS_OK && source.detail[0] == '\0'; i++)
        if (verdicts[i] == VERDICT_ERROR)
            status = rollouts_source_fault(db, state->row.id, &source, fault);
    if (status != STATUS_OK) {
        json_object_put(gateways);
        return status;
    }
    for (int i = 0; i < SLI_COUNT; i++)
        verdicts[i] = verdicts[i] == VERDICT_COUNT ? VERDICT_INCONCLUSIVE : verdicts[i];
    state_snapshot(state, 0, &snapshot);
    uint32_t unseen = explain_unseen(state);
    struct explain_against against = explain_against(state, &snapshot);
    explain_next_step(state, &snapshot, &against, &source, next_step, sizeof next_step);
    put_place(state, out);
    explain_since_then(state, since_then, sizeof since_then);
    explain_put_text(out, "since_then", since_then);
    explain_put_text(out, "next_step", next_step);
    explain_put(out, "data", data_object(state, &source, unseen));
    explain_put(out, "watch", watch_object(state));
    explain_put(out, "judgement", judgement_object(state, &judgement, &against));
    explain_put(out, "muted", explain_mutes(state));
    put_guardrails(state, verdicts, &source, &unmatched, unseen, out);
    explain_put(out, "needs", explain_needs(state, &snapshot, verdicts, &eta, unknown, sizeof unknown));
    explain_put(out, "eta_s", seconds_or_null(eta));
    explain_put_text(out, "eta_unknown", unknown);
    explain_put_text(out, "frozen", state->world.frozen ? state->world.freeze_reason : "");
    explain_put(out, "gateways", gateways);
    explain_put(out, "split", explain_split(state));
    explain_put(out, "policy", explain_policy(state));
    explain_put(out, "inputs", inputs_known(&snapshot));
    return STATUS_OK;
}

enum status rollout_explain(struct db *db, const char *id, struct text *out, struct fault *fault)
{
    struct rollout_state *state = NULL;
    enum verdict verdicts[SLI_COUNT];
    struct json_object *object = json_object_new_object();
    enum status status = object != NULL ? state_load(db, id, false, &state, fault)
                                        : fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    if (status == STATUS_OK)
        status = rollouts_verdicts(db, id, verdicts, fault);
    if (status == STATUS_OK)
        status = build(db, state, verdicts, object, fault);
    if (status == STATUS_OK)
        text_puts(out, json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
                                                                  JSON_C_TO_STRING_NOSLASHESCAPE));
    state_free(state);
    json_object_put(object);
    return status == STATUS_OK ? text_status(out) : status;
}
