/* What a rollout still needs for its next step, and how long that takes a healthy canary. */
#include "rollout/explain.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool explain_proof_missing(const struct rollout_state *state, enum sli sli)
{
    return evidence_ni(&state->evidence.evidence, sli) <
           evidence_ni_threshold(&state->evidence.evidence, &state->spec.policy);
}

double explain_eta(const struct rollout_state *state, enum sli sli, enum verdict verdict)
{
    if (state->row.step < 1 || !phase_live(state->row.phase))
        return -1;
    if (!explain_proof_missing(state, sli))
        return 0;
    if (explain_unreported_short(state, sli) != NULL)
        return -1;
    /* nothing comes to be proven by: no traffic, no stable, no data */
    if (state->row.weight == 0 || state->row.stable[0] == '\0' || verdict == VERDICT_NO_DATA ||
        verdict == VERDICT_ERROR)
        return -1;
    double eta = evidence_eta_s(&state->evidence.evidence, &state->spec.policy, &state->plan,
                                (size_t)state->row.step - 1, sli);
    return isfinite(eta) ? eta : -1;
}

static void need(struct json_object *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void need(struct json_object *list, const char *format, ...)
{
    char text[700];
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

/* What stands in the way, so that no time can be told; NULL = nothing does. */
static const char *obstacle(const struct rollout_state *state, const struct snapshot *snapshot)
{
    if (state->row.phase == PHASE_PAUSED)
        return "it is paused";
    if (state->world.frozen)
        return "advances are frozen";
    if (state->row.phase == PHASE_PENDING && !state->world.corpora_ready)
        return "a corpus is not ready";
    if (state->row.phase == PHASE_PENDING)
        return "it has not started yet";
    if (snapshot->judgement != JUDGE_CONTINUE)
        return "the evidence holds it";
    if (snapshot->failed != 0)
        return "a guardrail has failed, and a person must decide";
    if (strncmp(state->row.rule, "hold.", 5) == 0 && strcmp(state->row.rule, "hold.blind") != 0 &&
        strcmp(state->row.rule, "hold.unreported") != 0)
        return "it is held";
    if (snapshot->blind_since_ms >= 0)
        return "data are missing";
    if (state->row.step_since.us == 0)
        return "the gateways have not applied the weight yet";
    return NULL;
}

/* Whether any request has matured, as the first ones do only after their SLI's maturity. */
static bool counted(const struct rollout_state *state)
{
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct counts *total = &state->evidence.evidence.sli[i].total;
        if (total->n_c > 0 || total->n_b > 0)
            return true;
    }
    return false;
}

struct waiting {
    struct json_object *list;
    double eta;
    bool unknown;        /* some part of it cannot be told */
    uint32_t unable;     /* SLIs (1 << sli) of which it cannot be told when they are proven */
    uint32_t unreported; /* of them, those that nobody reports */
};

static void wait_for(struct waiting *waiting, double seconds)
{
    if (seconds < 0)
        waiting->unknown = true;
    else
        waiting->eta = fmax(waiting->eta, seconds);
}

static void need_requests(struct waiting *waiting, const struct rollout_state *state,
                          const struct snapshot *snapshot)
{
    const struct evidence *evidence = &state->evidence.evidence;
    int64_t least = snapshot->min_requests > 0 ? snapshot->min_requests : 1;
    int64_t more = least - snapshot->step_requests;
    double rps = evidence->rps * state->row.weight / WEIGHT_FULL;
    char human[CLOCK_TEXT_MAX];
    if (more <= 0)
        return;
    double seconds = rps > 0 ? (double)more / rps : -1;
    if (seconds >= 0)
        need(waiting->list, "%" PRId64 " more canary request%s at this weight: about %s", more,
             more == 1 ? "" : "s", clock_format_human((int64_t)(fmin(seconds, 1e9) * 1000), human));
    else
        need(waiting->list, "%" PRId64 " more canary request%s at this weight", more, more == 1 ? "" : "s");
    wait_for(waiting, seconds);
}

/* A bake does not end before each guardrail has counted something of the canary in it. */
static void need_counts(struct waiting *waiting, const struct rollout_state *state,
                        const struct snapshot *snapshot)
{
    double gone = (double)(state->world.now.us - state->row.step_since.us) / 1e6;
    for (int i = 0; i < SLI_COUNT; i++) {
        if ((snapshot->uncounted >> i & 1) == 0)
            continue;
        double left = (double)state->spec.policy.guardrail[i].maturity_s - gone;
        const char *unreported = explain_unreported_short(state, (enum sli)i);
        need(waiting->list, "a canary request of this step that is counted for %s%s%s", sli_name((enum sli)i),
             unreported != NULL ? ": " : "", unreported != NULL ? unreported : "");
        bool comes = unreported == NULL && state->row.step_since.us != 0 && left > 0;
        wait_for(waiting, comes ? left : -1);
        waiting->unreported |= unreported != NULL ? 1u << i : 0;
    }
}

static void need_proofs(struct waiting *waiting, const struct rollout_state *state,
                        const enum verdict verdicts[SLI_COUNT])
{
    char human[CLOCK_TEXT_MAX];
    for (int i = 0; i < SLI_COUNT; i++) {
        if (!state->spec.policy.guardrail[i].used || !explain_proof_missing(state, (enum sli)i))
            continue;
        double seconds = explain_eta(state, (enum sli)i, verdicts[i]);
        const char *unreported = explain_unreported_short(state, (enum sli)i);
        if (unreported != NULL)
            need(waiting->list, "proof that %s is not worse: %s", sli_name((enum sli)i), unreported);
        else if (seconds >= 0)
            need(waiting->list, "proof that %s is not worse: about %s", sli_name((enum sli)i),
                 clock_format_human((int64_t)(fmin(seconds, 1e9) * 1000), human));
        else
            need(waiting->list, "proof that %s is not worse", sli_name((enum sli)i));
        wait_for(waiting, seconds);
        waiting->unable |= seconds < 0 ? 1u << i : 0;
        waiting->unreported |= unreported != NULL ? 1u << i : 0;
    }
}

/* Names of `set`, "" for none and for all that are watched. */
static void name_some(const struct rollout_state *state, uint32_t set, char *out, size_t size)
{
    size_t used = 0;
    bool all = true;
    out[0] = '\0';
    for (int i = 0; i < SLI_COUNT; i++)
        all = all && (!state->spec.policy.guardrail[i].used || (set >> i & 1) != 0);
    for (int i = 0; i < SLI_COUNT && used < size && !all; i++)
        if ((set >> i & 1) != 0)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : " for ",
                                     sli_name((enum sli)i));
}

/* Why no time can be told although nothing stands in the way: another guardrail may well have its own. */
static void why_unknown(const struct rollout_state *state, uint32_t unable, uint32_t unreported, char *out,
                        size_t size)
{
    uint32_t empty = 0;
    char names[160];
    for (int i = 0; i < SLI_COUNT; i++)
        if ((unreported >> i & 1) != 0) {
            snprintf(out, size, "%s: %s", sli_name((enum sli)i),
                     explain_unreported_short(state, (enum sli)i));
            return;
        }
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct counts *total = &state->evidence.evidence.sli[i].total;
        empty |= (unable >> i & 1) != 0 && total->n_c == 0 && total->n_b == 0 ? 1u << i : 0;
    }
    name_some(state, empty != 0 ? empty : unable, names, sizeof names);
    if (empty != 0 || !counted(state))
        snprintf(out, size, "nothing has been counted yet%s", names);
    else
        snprintf(out, size, "there is too little traffic to tell%s", names);
}

static void need_decisions(struct json_object *list, const struct rollout_state *state,
                           const struct snapshot *snapshot)
{
    if (state->world.frozen)
        need(list, "the freeze to be lifted");
    if (state->row.phase == PHASE_PENDING && !state->world.corpora_ready)
        need(list, "the index of corpus %s to be reported ready", state->world.corpora);
    if (state->row.phase == PHASE_PAUSED)
        need(list, "somebody to resume%s it",
             explain_serves_alone(state) ? " or promote" : ", promote or abort");
    else if (snapshot->failed != 0)
        need(list, "somebody to decide about the guardrail that failed: promote, abort or mute it");
    if (snapshot->blind_since_ms >= 0)
        need(list, "data about both releases");
    if (snapshot->judgement == JUDGE_HOLD)
        need(list, "the evidence not to hold it any more");
}

struct json_object *explain_needs(const struct rollout_state *state, const struct snapshot *snapshot,
                                  const enum verdict verdicts[SLI_COUNT], double *eta, char *unknown,
                                  size_t size)
{
    struct waiting waiting = {.list = json_object_new_array()};
    const struct rollout_row *row = &state->row;
    char human[CLOCK_TEXT_MAX];
    *eta = -1;
    unknown[0] = '\0';
    if (waiting.list == NULL || !phase_live(row->phase))
        return waiting.list;
    const char *stopped = obstacle(state, snapshot);
    need_decisions(waiting.list, state, snapshot);
    if (row->step >= 1) {
        if (row->step_since.us == 0)
            need(waiting.list, "the live gateways to apply the weight");
        double dwell = dwell_left(state);
        if (dwell > 0)
            need(waiting.list, "%s more at this weight", clock_format_human((int64_t)(dwell * 1000), human));
        wait_for(&waiting, dwell);
        need_requests(&waiting, state, snapshot);
        if (row->phase == PHASE_BAKING)
            need_counts(&waiting, state, snapshot);
        /* a bake ends by its time also without proof */
        if (state->spec.policy.pace != PACE_TIME && row->phase != PHASE_BAKING &&
            row->resume_phase != PHASE_BAKING)
            need_proofs(&waiting, state, verdicts);
    }
    if (stopped != NULL)
        snprintf(unknown, size, "%s", stopped);
    else if (waiting.unknown)
        why_unknown(state, waiting.unable, waiting.unreported, unknown, size);
    else
        *eta = waiting.eta;
    return waiting.list;
}
