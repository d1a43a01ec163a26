/* What is proven against the canary although the evidence does not act on it: a guardrail that only pauses or
   says so, and one that is muted. And that nothing is known while data are missing. */
#include "base/json.h"
#include "rollout/explain.h"
#include "rollout/reason.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct wall_time muted_until(const struct rollout_state *state, int watch)
{
    struct json_object *list = NULL, *name, *until;
    struct wall_time at = {0};
    if (json_parse(text_get(&state->row.muted), state->row.muted.length, &list, NULL) != STATUS_OK)
        return at;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        if (json_object_object_get_ex(one, "sli", &name) && json_object_object_get_ex(one, "until", &until) &&
            strcmp(json_object_get_string(name), watch_name(watch)) == 0 &&
            !clock_parse(json_object_get_string(until), &at))
            at = (struct wall_time){0};
    }
    json_object_put(list);
    return at;
}

/* The judgement without the mutes of guardrails, where it would act; and the muted ones that would pause or
   say so. On a copy: what is muted must not be latched. */
static void find_muted(const struct rollout_state *state, const struct snapshot *snapshot,
                       struct explain_against *out)
{
    const uint32_t guardrails = (1u << SLI_COUNT) - 1;
    struct evidence *copy = (state->muted & guardrails) != 0 ? malloc(sizeof *copy) : NULL;
    if (copy == NULL)
        return;
    *copy = state->evidence.evidence;
    for (int i = 0; i < SLI_COUNT; i++)
        if ((state->muted >> i & 1) != 0 && evidence_alarm(copy, &state->spec.policy, (enum sli)i))
            out->muted |= 1u << i;
    struct judgement judgement =
        evidence_judge(copy, &state->spec.policy, state->muted & ~guardrails, state->row.fix);
    bool leaves = judgement.action == JUDGE_ROLLBACK || judgement.action == JUDGE_RETURN;
    bool stays = snapshot->judgement == JUDGE_CONTINUE || snapshot->judgement == JUDGE_HOLD;
    if ((leaves && stays) || (judgement.action == JUDGE_HOLD && snapshot->judgement == JUDGE_CONTINUE)) {
        out->unmuted = judgement;
        /* in a sum of several the one that is muted need not be the largest */
        if ((state->muted >> judgement.lead & 1) != 0)
            out->muted = 1u << judgement.lead;
        else
            out->muted |= state->muted & guardrails;
    }
    for (int i = SLI_COUNT - 1; i >= 0; i--)
        if ((out->muted >> i & 1) != 0)
            out->lead = (enum sli)i;
    if (out->muted != 0)
        out->until = muted_until(state, (int)out->lead);
    free(copy);
}

struct explain_against explain_against(const struct rollout_state *state, const struct snapshot *snapshot)
{
    struct explain_against out = {.unmuted = {.action = JUDGE_CONTINUE}};
    if (!phase_live(state->row.phase) || state->row.phase == PHASE_PENDING)
        return out;
    out.failed = (uint32_t)snapshot->failed;
    out.blind_s = snapshot->blind_since_ms >= 0 ? (snapshot->now_ms - snapshot->blind_since_ms) / 1000 : -1;
    find_muted(state, snapshot, &out);
    return out;
}

/* --- in words -------------------------------------------------------------------------------------- */

static void names(uint32_t set, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < SLI_COUNT && used < size; i++)
        if ((set >> i & 1) != 0)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "",
                                     sli_name((enum sli)i));
}

/* What comes when the mute ends. A fail that is known by then has been acted upon. */
static const char *then_comes(const struct rollout_state *state, const struct explain_against *against)
{
    switch (against->unmuted.action) {
    case JUDGE_ROLLBACK:
        return state->row.stable[0] != '\0' ? "it is rolled back" : "it pauses and pages";
    case JUDGE_RETURN:
        return state->row.stable[0] != '\0' ? "it goes back without blame" : "it pauses and pages";
    case JUDGE_HOLD:
        return "it is held";
    case JUDGE_CONTINUE:
        break;
    }
    if (((uint32_t)state->row.alarmed >> against->lead & 1) != 0)
        return "nothing advances until a person acts";
    return state->spec.policy.guardrail[against->lead].action == ACTION_PAUSE
               ? "it pauses and pages"
               : "it pages, and nothing advances until a person acts";
}

/* "muted until 2026-11-25T04:30:00Z (4 min): then it is rolled back" */
static void mute_text(const struct rollout_state *state, const struct explain_against *against, char *out,
                      size_t size)
{
    char until[CLOCK_TEXT_MAX], left[CLOCK_TEXT_MAX];
    int64_t left_ms = (against->until.us - state->world.now.us) / 1000;
    snprintf(out, size, "muted until %s (%s): then %s", clock_format(against->until, until),
             clock_format_human(left_ms > 0 ? (left_ms + 999) / 1000 * 1000 : 0, left),
             then_comes(state, against));
}

static void muted_words(const struct rollout_state *state, const struct explain_against *against, char *out,
                        size_t size)
{
    char mute[260], what[300], slis[160];
    names(against->muted, slis, sizeof slis);
    switch (against->unmuted.action) {
    case JUDGE_ROLLBACK:
    case JUDGE_RETURN:
    case JUDGE_HOLD:
        explain_judgement_words(&against->unmuted, what, sizeof what);
        break;
    case JUDGE_CONTINUE:
        snprintf(what, sizeof what, "The guardrail %s has failed.", slis);
        break;
    }
    mute_text(state, against, mute, sizeof mute);
    snprintf(out, size, "%s But %s is %s.", what, sli_name(against->lead), mute);
}

static void failed_words(const struct rollout_state *state, const struct explain_against *against, char *out,
                         size_t size)
{
    char slis[160], counts[200];
    enum sli first = SLI_COUNT;
    bool notify = true;
    for (int i = SLI_COUNT - 1; i >= 0; i--)
        if ((against->failed >> i & 1) != 0) {
            first = (enum sli)i;
            notify = notify && state->spec.policy.guardrail[i].action == ACTION_NOTIFY;
        }
    names(against->failed, slis, sizeof slis);
    reason_counts(&state->evidence.evidence.sli[first].total, counts, sizeof counts);
    snprintf(out, size,
             "Proven against the canary: the guardrail %s has failed (%s: %s). %s nothing advances until a "
             "person acts, and it does not go back by itself.",
             slis, sli_name(first), counts, notify ? "Its action is to notify, which pages:" : "So");
}

bool explain_against_words(const struct rollout_state *state, const struct explain_against *against,
                           char *out, size_t size)
{
    char human[CLOCK_TEXT_MAX];
    if (against->unmuted.action == JUDGE_ROLLBACK || against->unmuted.action == JUDGE_RETURN) {
        muted_words(state, against, out, size);
        return true;
    }
    if (against->failed != 0) {
        failed_words(state, against, out, size);
        return true;
    }
    if (against->muted != 0) {
        muted_words(state, against, out, size);
        return true;
    }
    if (against->blind_s >= 0) {
        snprintf(out, size,
                 "Nothing is known of the canary now: a guardrail has had no data for %s. Up to then nothing "
                 "was proven against it.",
                 clock_format_human(against->blind_s * 1000, human));
        return true;
    }
    return false;
}

bool explain_mute_ends(const struct rollout_state *state, const struct explain_against *against, char *out,
                       size_t size)
{
    char mute[260];
    if (against->muted == 0)
        return false;
    mute_text(state, against, mute, sizeof mute);
    snprintf(out, size,
             "%s is %s. To go back now: serin rollout abort %s. If the mute is right: roll out a policy in "
             "which %s may be as it is, or mute it for longer.",
             sli_name(against->lead), mute, state->row.id, sli_name(against->lead));
    return true;
}

struct json_object *explain_mutes(const struct rollout_state *state)
{
    struct json_object *list = NULL, *kept = json_object_new_array(), *name;
    int watch;
    if (json_parse(text_get(&state->row.muted), state->row.muted.length, &list, NULL) != STATUS_OK)
        return kept;
    for (size_t i = 0; kept != NULL && i < json_object_array_length(list); i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        if (json_object_object_get_ex(one, "sli", &name) &&
            watch_parse(json_object_get_string(name), &watch) && (state->muted >> watch & 1) != 0)
            json_object_array_add(kept, json_object_get(one));
    }
    json_object_put(list);
    return kept;
}
