/* Why a rollout is where it is, for people: counts, what the evidence says in plain words, what is still
 * needed. */
#include "rollout/rollout.h"

#include "decision/shares.h"
#include "rollout/change.h"
#include "rollout/reason.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool put(struct json_object *object, const char *name, struct json_object *value)
{
    if (json_object_object_add(object, name, value) == 0)
        return true;
    json_object_put(value);
    return false;
}

static bool put_text(struct json_object *object, const char *name, const char *value)
{
    return put(object, name, value != NULL && value[0] != '\0' ? json_object_new_string(value) : NULL);
}

static bool put_time(struct json_object *object, const char *name, struct wall_time time)
{
    char text[CLOCK_TEXT_MAX];
    return put(object, name, time.us == 0 ? NULL : json_object_new_string(clock_format(time, text)));
}

/* Six significant digits are enough for people; what is not finite is null. */
static bool put_number(struct json_object *object, const char *name, double value)
{
    char text[32];
    if (!isfinite(value))
        return put(object, name, NULL);
    snprintf(text, sizeof text, "%.6g", value);
    return put(object, name, json_object_new_double_s(strtod(text, NULL), text));
}

static struct json_object *arm(int64_t n, int64_t k)
{
    struct json_object *object = json_object_new_object();
    if (object != NULL) {
        put(object, "n", json_object_new_int64(n));
        put(object, "k", json_object_new_int64(k));
    }
    return object;
}

static struct json_object *arms(const struct counts *counts)
{
    struct json_object *object = json_object_new_object();
    if (object != NULL) {
        put(object, "canary", arm(counts->n_c, counts->k_c));
        put(object, "stable", arm(counts->n_b, counts->k_b));
    }
    return object;
}

/* --- in words
 * ------------------------------------------------------------------------------------------------------ */

static void judgement_words(const struct judgement *judgement, char *out, size_t size)
{
    const char *lead = sli_name(judgement->lead);
    char odds[120];
    reason_odds(fmax(judgement->log_g_rel, judgement->log_g_all), odds, sizeof odds);
    switch (judgement->reason) {
    case REASON_WORSE:
        snprintf(out, size, "The canary is proven worse than stable in %s: %s.", lead, odds);
        return;
    case REASON_CEILING:
        snprintf(out, size, "The canary is proven above its ceiling in %s, on its own: %s.", lead, odds);
        return;
    case REASON_SHARED_CAUSE:
        snprintf(out, size,
                 "Both releases have been above the ceiling in %s for too long; the canary is not blamed.",
                 lead);
        return;
    case REASON_ATTRIBUTING:
        snprintf(out, size, "The canary is above its ceiling in %s; waiting to see whether stable is too.",
                 lead);
        return;
    case REASON_SHARED:
        snprintf(out, size, "Stable itself is above the ceiling in %s: a shared cause, nobody is blamed.",
                 lead);
        return;
    case REASON_BUDGET:
        snprintf(out, size, "The rollout has spent its share of the error budget in %s.", lead);
        return;
    case REASON_BURN:
        snprintf(out, size, "The canary burns its error budget too fast in %s, on its own.", lead);
        return;
    case REASON_SPLIT:
        snprintf(out, size, "The canary does not get the share of the requests that its weight says.");
        return;
    case REASON_COVERAGE:
        snprintf(out, size, "%s is measured less often for the canary than for stable.", lead);
        return;
    case REASON_COUNT:
    case REASON_NONE:
        break;
    }
    if (odds[0] != '\0')
        snprintf(out, size, "Nothing is proven against the canary; the most suspicious is %s: %s.", lead,
                 odds);
    else
        snprintf(out, size, "Nothing speaks against the canary.");
}

static void guardrail_words(const struct rollout_state *state, enum sli sli, enum verdict verdict, char *out,
                            size_t size)
{
    const struct sli_evidence *evidence = &state->evidence.evidence.sli[sli];
    char counts[200], odds[120];
    const struct counts *total = &evidence->total;
    reason_counts(sli, total, counts, sizeof counts);
    /* as it counts in the sum that decides: with this guardrail's share of alpha */
    struct shares shares = policy_shares(&state->spec.policy, sli);
    reason_odds(evidence_lane_log(&evidence->relative) + log(shares.sli * shares.relative), odds,
                sizeof odds);
    switch (verdict) {
    case VERDICT_FAIL:
        snprintf(out, size, "Failed: %s%s%s.", counts, odds[0] != '\0' ? "; " : "", odds);
        return;
    case VERDICT_PASS:
        snprintf(out, size, "Proven not worse in this step: %s.", counts);
        return;
    case VERDICT_NO_DATA:
        snprintf(out, size, "No data right now; so far %s.", counts);
        return;
    case VERDICT_ERROR:
        snprintf(out, size, "The metrics source fails; so far %s.", counts);
        return;
    case VERDICT_INCONCLUSIVE:
    case VERDICT_COUNT:
        break;
    }
    if (odds[0] != '\0')
        snprintf(out, size, "Not proven yet, a little suspicious: %s; %s.", counts, odds);
    else
        snprintf(out, size, "Not proven yet, nothing suspicious: %s.", counts);
}

static bool proof_missing(const struct rollout_state *state, enum sli sli)
{
    return evidence_ni(&state->evidence.evidence, sli) <
           evidence_ni_threshold(&state->evidence.evidence, &state->spec.policy);
}

static double eta_of(const struct rollout_state *state, enum sli sli)
{
    if (state->row.step < 1 || !phase_live(state->row.phase))
        return -1;
    if (!proof_missing(state, sli))
        return 0;
    if (state->row.weight == 0) /* nothing comes to be proven by */
        return -1;
    return evidence_eta_s(&state->evidence.evidence, &state->spec.policy, &state->plan,
                          (size_t)state->row.step - 1, sli);
}

static struct json_object *evidence_object(const struct rollout_state *state, enum sli sli)
{
    const struct sli_evidence *evidence = &state->evidence.evidence.sli[sli];
    const struct policy *policy = &state->spec.policy;
    struct shares shares = policy_shares(policy, sli);
    struct json_object *object = json_object_new_object();
    if (object != NULL) {
        put_number(object, "log_relative", evidence_lane_log(&evidence->relative));
        put_number(object, "log_absolute",
                   policy->guardrail[sli].ceiling > 0 ? evidence_lane_log(&evidence->absolute) : (double)NAN);
        put_number(object, "log_threshold", -log(policy->alpha * shares.sli * shares.relative));
        put_number(object, "log_noninferiority", evidence_ni(&state->evidence.evidence, sli));
        put_number(object, "log_noninferiority_threshold",
                   evidence_ni_threshold(&state->evidence.evidence, policy));
    }
    return object;
}

static const char *const action_names[] = {"rollback", "pause", "notify"};

static struct json_object *guardrail_object(const struct rollout_state *state, enum sli sli,
                                            enum verdict verdict)
{
    const struct guardrail *guardrail = &state->spec.policy.guardrail[sli];
    const struct sli_evidence *evidence = &state->evidence.evidence.sli[sli];
    struct json_object *object = json_object_new_object();
    char says[600], needs[200] = "", human[CLOCK_TEXT_MAX];
    double eta = eta_of(state, sli);
    if (object == NULL)
        return NULL;
    if (verdict == VERDICT_COUNT)
        verdict = VERDICT_INCONCLUSIVE;
    guardrail_words(state, sli, verdict, says, sizeof says);
    if (phase_live(state->row.phase) && state->row.step >= 1 && proof_missing(state, sli)) {
        if (eta > 0)
            snprintf(needs, sizeof needs, "proof that %s is not worse: about %s more for a healthy canary",
                     sli_name(sli), clock_format_human((int64_t)(eta * 1000), human));
        else
            snprintf(needs, sizeof needs, "proof that %s is not worse", sli_name(sli));
    }
    put_text(object, "sli", sli_name(sli));
    put_text(object, "action", action_names[guardrail->action]);
    put_text(object, "verdict", verdict_name(verdict));
    put(object, "muted", json_object_new_boolean((state->muted & 1u << sli) != 0));
    put(object, "total", arms(&evidence->total));
    put(object, "step", arms(&evidence->step_total));
    put_number(object, "ceiling", guardrail->ceiling > 0 ? guardrail->ceiling * 100 : (double)NAN);
    put_text(object, "says", says);
    put_text(object, "needs", needs);
    put(object, "eta_s", eta >= 0 && isfinite(eta) ? json_object_new_int64((int64_t)ceil(eta)) : NULL);
    put(object, "evidence", evidence_object(state, sli));
    return object;
}

/* --- what is still needed
 * --------------------------------------------------------------------------------------------- */

static void need(struct json_object *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void need(struct json_object *list, const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_object_array_add(list, json_object_new_string(text));
}

/* Seconds that the clock alone still asks for in this step. */
static double dwell_left(const struct rollout_state *state)
{
    const struct plan_step *step = &state->plan.step[state->row.step - 1];
    if (state->row.step_since.us == 0)
        return (double)step->bake_s;
    double gone = (double)(state->world.now.us - state->row.step_since.us) / 1e6;
    return gone < (double)step->bake_s ? (double)step->bake_s - gone : 0;
}

static struct json_object *needs_list(const struct rollout_state *state, double *eta)
{
    struct json_object *list = json_object_new_array();
    char human[CLOCK_TEXT_MAX];
    *eta = -1;
    if (list == NULL || !phase_live(state->row.phase))
        return list;
    if (state->world.frozen)
        need(list, "the freeze to be lifted");
    if (state->row.phase == PHASE_PENDING && !state->world.corpora_ready)
        need(list, "every corpus of %s to be reported ready", state->row.release);
    if (state->row.phase == PHASE_PAUSED)
        need(list, "somebody to resume, promote or abort it");
    if (state->row.step < 1)
        return list;
    if (state->row.step_since.us == 0)
        need(list, "the live gateways to apply the weight");
    *eta = dwell_left(state);
    if (*eta > 0)
        need(list, "%s more at this weight", clock_format_human((int64_t)(*eta * 1000), human));
    for (int i = 0; i < SLI_COUNT; i++) {
        double more = state->spec.policy.guardrail[i].used ? eta_of(state, (enum sli)i) : 0;
        if (!state->spec.policy.guardrail[i].used || !proof_missing(state, (enum sli)i) ||
            state->spec.policy.pace == PACE_TIME || state->row.phase == PHASE_BAKING)
            continue;
        need(list, more > 0 ? "proof that %s is not worse: about %s" : "proof that %s is not worse%s",
             sli_name((enum sli)i), more > 0 ? clock_format_human((int64_t)(more * 1000), human) : "");
        *eta = more < 0 ? -1 : fmax(*eta, more);
        if (more < 0)
            break;
    }
    return list;
}

static struct json_object *data_object(const struct rollout_state *state)
{
    struct json_object *object = json_object_new_object();
    const struct evidence *evidence = &state->evidence.evidence;
    if (object == NULL)
        return NULL;
    put_text(object, "quality", state->evidence.has_quality ? quality_name(state->evidence.quality) : "none");
    struct wall_time until = {0};
    if (evidence->now_s > 0)
        until.us = state_base_s(state) * 1000000 + (int64_t)(evidence->now_s * 1e6);
    put_time(object, "counted_until", until);
    put_number(object, "rps", evidence->rps >= 0 ? evidence->rps : (double)NAN);
    int64_t blind_us = state->row.blind_since.us != 0 ? state->world.now.us - state->row.blind_since.us : 0;
    put(object, "blind_s", json_object_new_int64(blind_us / 1000000));
    return object;
}

static struct json_object *judgement_object(const struct judgement *judgement)
{
    static const char *const actions[] = {"continue", "hold", "return", "rollback"};
    static const char *const reasons[] = {"none",   "worse",  "ceiling", "shared_cause", "attributing",
                                          "shared", "budget", "burn",    "split",        "coverage"};
    struct json_object *object = json_object_new_object();
    char says[400];
    if (object == NULL)
        return NULL;
    judgement_words(judgement, says, sizeof says);
    put_text(object, "action", actions[judgement->action]);
    put_text(object, "reason", reasons[judgement->reason]);
    put_text(object, "says", says);
    return object;
}

static enum status gateways_object(struct db *db, const struct rollout_state *state, struct json_object **out,
                                   struct fault *fault)
{
    struct json_object *object = json_object_new_object(), *behind = json_object_new_array();
    struct route_gateway *gateways = NULL;
    size_t count = 0;
    enum status status = routes_gateways(db, state->row.service, &gateways, &count, fault);
    for (size_t i = 0; i < count; i++)
        if (gateways[i].behind)
            json_object_array_add(behind, json_object_new_string(gateways[i].instance));
    put(object, "live", json_object_new_int64((int64_t)count));
    put(object, "behind", behind);
    free(gateways);
    if (status == STATUS_OK)
        *out = object;
    else
        json_object_put(object);
    return status;
}

static enum status build(struct db *db, struct rollout_state *state, const enum verdict verdicts[SLI_COUNT],
                         struct json_object *out, struct fault *fault)
{
    const struct rollout_row *row = &state->row;
    struct json_object *guardrails = json_object_new_array(), *gateways = NULL;
    struct judgement judgement = {.action = JUDGE_CONTINUE, .log_g_rel = -INFINITY, .log_g_all = -INFINITY};
    double eta;
    if (row->phase != PHASE_PENDING)
        judgement = evidence_judge(&state->evidence.evidence, &state->spec.policy, state->muted, row->fix);
    enum status status = gateways_object(db, state, &gateways, fault);
    if (status != STATUS_OK) {
        json_object_put(guardrails);
        return status;
    }
    put_text(out, "rollout", row->id);
    put_text(out, "service", row->service);
    put_text(out, "release", row->release);
    put_text(out, "stable", row->stable);
    put_text(out, "phase", phase_name(row->phase));
    put(out, "step", json_object_new_int(row->step));
    put(out, "steps", json_object_new_int64((int64_t)state->plan.steps));
    put(out, "weight", json_object_new_int(row->weight));
    put_text(out, "rule", row->rule);
    put(out, "reason", json_object_new_string(row->reason));
    put_time(out, "since", row->phase_since);
    put(out, "data", data_object(state));
    put(out, "judgement", judgement_object(&judgement));
    for (int i = 0; i < SLI_COUNT; i++)
        if (state->spec.policy.guardrail[i].used)
            json_object_array_add(guardrails, guardrail_object(state, (enum sli)i, verdicts[i]));
    put(out, "guardrails", guardrails);
    put(out, "needs", needs_list(state, &eta));
    put(out, "eta_s", eta >= 0 && isfinite(eta) ? json_object_new_int64((int64_t)ceil(eta)) : NULL);
    put_text(out, "frozen", state->world.frozen ? state->world.freeze_reason : "");
    put(out, "gateways", gateways);
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
