/* The explanation in words. */
#include "base/number.h"
#include "decision/shares.h"
#include "rollout/coarse.h"
#include "rollout/explain.h"
#include "rollout/reason.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void explain_judgement_words(const struct judgement *judgement, char *out, size_t size)
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
        snprintf(
            out, size,
            "Nothing is proven against the canary; the most suspicious is %s. By all guardrails and their "
            "ceilings together, %s.",
            lead, odds);
    else
        snprintf(out, size, "Nothing speaks against the canary.");
}

/* Why nothing of the canary has been counted, where others may have counted much of it. */
static void uncounted_words(const struct rollout_state *state, enum sli sli, const char *counts, char *out,
                            size_t size)
{
    const struct evidence *evidence = &state->evidence.evidence;
    const struct sli_evidence *of = &evidence->sli[sli];
    int64_t open = of->block_start >= 0 ? sli_counts_total(&of->open).n_c : 0;
    long long maturity_s = (long long)state->spec.policy.guardrail[sli].maturity_s;
    long long warmup_s = (long long)state->spec.policy.warmup_s;
    bool begun = state->evidence.has_quality && evidence->canary_since >= 0;
    bool young = state_seconds(state, state->world.now) < evidence->canary_since + (double)maturity_s + 60;
    char number[32];
    if (open > 0)
        snprintf(
            out, size,
            "Not proven yet: the canary's first block is still open, with %s of its requests, and counts "
            "when it is closed.",
            number_count(open, number));
    else if (begun && young && of->last_tick <= evidence->canary_since)
        snprintf(out, size,
                 "Not proven yet: a request counts at an age of %lld s, and none of the canary's is.",
                 maturity_s);
    else if (begun && sli_latency(sli) && of->last_tick <= evidence->canary_since + (double)warmup_s)
        snprintf(
            out, size,
            "Not proven yet: what the canary answers in its first %lld s, the warm-up, is left out; later "
            "requests count at an age of %lld s.",
            warmup_s, maturity_s);
    else
        snprintf(out, size, "Not proven yet, as nothing of the canary has been counted: %s.", counts);
}

void explain_guardrail_words(const struct rollout_state *state, enum sli sli, enum verdict verdict,
                             const struct fault *source, char *out, size_t size)
{
    const struct sli_evidence *evidence = &state->evidence.evidence.sli[sli];
    char counts[200], odds[120];
    reason_counts(&evidence->total, counts, sizeof counts);
    /* as it counts in the sum that decides: with this guardrail's share of alpha */
    struct shares shares = policy_shares(&state->spec.policy, sli);
    reason_odds(evidence_lane_log(&evidence->relative) + log(shares.sli * shares.relative), odds,
                sizeof odds);
    /* what decided is the sum of all, which the judgement tells; a second number would contradict it */
    const struct judgement *latched = &state->evidence.evidence.latched;
    if (latched->action != JUDGE_CONTINUE && latched->lead == sli)
        odds[0] = '\0';
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
        snprintf(out, size, "The metrics source fails%s%s; so far %s.", source->detail[0] != '\0' ? ": " : "",
                 source->detail, counts);
        return;
    case VERDICT_INCONCLUSIVE:
    case VERDICT_COUNT:
        break;
    }
    if (explain_unreported_words(state, sli, out, size))
        return;
    if (evidence->total.n_c == 0)
        uncounted_words(state, sli, counts, out, size);
    else if (odds[0] != '\0')
        snprintf(out, size, "Not proven yet, a little suspicious: %s; by this comparison alone, %s.", counts,
                 odds);
    else
        snprintf(out, size, "Not proven yet, nothing suspicious: %s.", counts);
}

void explain_absent_words(enum sli sli, const struct cohort_unmatched *unmatched, char *out, size_t size)
{
    size_t used = strlen(out);
    if (!sli_deadline(sli) || unmatched->canary_absent + unmatched->stable_absent == 0)
        return;
    snprintf(out + used, size - used,
             " Without an outcome, and so bad: %lld of %lld canary requests and %lld of %lld of stable in "
             "the last "
             "%d min.",
             (long long)unmatched->canary_absent, (long long)unmatched->canary_admissions,
             (long long)unmatched->stable_absent, (long long)unmatched->stable_admissions,
             EXPLAIN_UNMATCHED_S / 60);
    used = strlen(out);
    if (unmatched->misplaced > 0)
        snprintf(
            out + used, size - used,
            " But %lld outcomes came in seconds without their admission: a gateway's admissions must have "
            "the ages of their requests.",
            (long long)unmatched->misplaced);
}

void explain_quality_words(const struct rollout_state *state, char *out, size_t size)
{
    if (!state->evidence.has_quality) {
        snprintf(out, size, "Nothing has been counted yet.");
        return;
    }
    switch (state->evidence.quality) {
    case QUALITY_COHORT:
        snprintf(out, size,
                 "Each request counts when it was admitted, once it is old enough, alike in "
                 "both releases; one whose outcome never comes is seen. The best there is.");
        return;
    case QUALITY_AGED:
        snprintf(out, size,
                 "Each request counts when it began, but one whose "
                 "outcome never comes is not seen. Report admissions too, and it is.");
        return;
    case QUALITY_COMPLETION:
        snprintf(out, size,
                 "Slow answers come late and hung requests not at all, so "
                 "both releases are left out for %lld s after each change of the weight.",
                 (long long)state->spec.policy.blanking_s);
        return;
    }
}

/* "refusal at 7.5 %, error at 1.5 %": the guardrails that have a ceiling. */
static bool ceilings(const struct rollout_state *state, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < SLI_COUNT && used < size; i++) {
        const struct guardrail *guardrail = &state->spec.policy.guardrail[i];
        if (guardrail->used && guardrail->ceiling > 0)
            used += (size_t)snprintf(out + used, size - used, "%s%s at %.4g %%", used > 0 ? ", " : "",
                                     sli_name((enum sli)i), guardrail->ceiling * 100);
    }
    return used > 0;
}

void explain_watch_words(const struct rollout_state *state, bool *compares, char *out, size_t size)
{
    char list[400];
    bool any = ceilings(state, list, sizeof list), stable = state->row.stable[0] != '\0';
    int32_t holdback = state->spec.policy.holdback;
    *compares = stable && state->row.weight < WEIGHT_FULL && phase_live(state->row.phase);
    if (!any)
        snprintf(list, sizeof list, "but no guardrail has one, so nothing is watched");
    if (!phase_live(state->row.phase))
        snprintf(out, size, "The rollout has ended; it watches no more.");
    else if (!stable)
        snprintf(
            out, size,
            "There is no stable release to compare with: only the ceilings watch (%s), and nothing can be "
            "proven.",
            list);
    else if (holdback == 0)
        snprintf(out, size, "%s nothing is left to compare with (holdback 0): only the ceilings watch (%s).",
                 state->row.weight == WEIGHT_FULL ? "Now" : "At 100 %", list);
    else
        snprintf(
            out, size,
            "Stable keeps %.4g %% in the bake, so that the comparison goes on until the end; the ceilings "
            "watch as well.",
            holdback / 100.0);
}

/* --- what to do now -------------------------------------------------------------------------------- */

/* For where a rollout may stand without its rule saying what to do. */
static const struct {
    const char *rule, *text;
} nexts[] = {
    {"pending.corpus", "Report the index when it is ready: serin corpus-ready NAME VERSION."},
    {"step.applying",
     "Nothing, if the gateways poll; see 'serin gateways {service}'. A silent one counts as having applied "
     "it "
     "once its lease on canary weight has run out."},
    {"hold.blind",
     "See who should report and does not: 'serin gateways {service}'; with a metrics source, whether it "
     "answers."},
    {"pause", "'serin rollout resume {id}', or promote or abort it."},
    {"set_weight", "'serin rollout resume {id}' goes on from this weight; or abort it."},
    {"bake.done", "Nothing. To leave this release: serin rollback {service}."},
    {"abort", "'serin rollout retry {id}' starts it anew."},
    {"rollback", "'serin rollout retry {id}' starts it anew."},
};

bool explain_serves_alone(const struct rollout_state *state)
{
    return state->row.stable[0] == '\0' && state->row.step > 0 && phase_live(state->row.phase);
}

static const char *by_phase(const struct rollout_state *state)
{
    bool alone = explain_serves_alone(state);
    if (alone && state->row.phase == PHASE_PAUSED)
        return "'serin rollout resume {id}', or promote it. To replace it: serin rollout start {service} "
               "RELEASE "
               "--supersede; it serves until that one does.";
    if (alone)
        return "Nothing: it goes on by itself. Sooner: serin rollout promote {id}. There is no release to go "
               "back to; to replace it: serin rollout start {service} RELEASE --supersede.";
    switch (state->row.phase) {
    case PHASE_PAUSED:
        return "'serin rollout resume {id}', or promote or abort it.";
    case PHASE_COMPLETED:
        return "Nothing. To leave this release: serin rollback {service}.";
    case PHASE_ABORTED:
    case PHASE_ROLLED_BACK:
        return state->row.stable[0] != '\0'
                   ? "Nothing; all traffic is where it was before. 'serin rollout retry {id}' starts it anew."
                   : "'serin rollout retry {id}' starts it anew.";
    case PHASE_PENDING:
    case PHASE_PROGRESSING:
    case PHASE_BAKING:
    case PHASE_COUNT:
        break;
    }
    return "Nothing: it goes on by itself. Sooner: serin rollout promote {id}. Back: serin rollout abort "
           "{id}.";
}

bool explain_since_then(const struct rollout_state *state, char *out, size_t size)
{
    const struct route_row *route = &state->route;
    out[0] = '\0';
    if (phase_live(state->row.phase) || route->epoch == 0 || route->rollout[0] != '\0' ||
        route->written_at.us < state->row.phase_since.us)
        return false;
    snprintf(out, size, "Since then: rolled back by hand to %s.", route->stable);
    return true;
}

/* What the rule that holds asks for; NULL if nothing of its own. */
static const char *by_rule(const struct rollout_state *state)
{
    for (size_t i = 0; i < sizeof nexts / sizeof nexts[0]; i++)
        if (strcmp(nexts[i].rule, state->row.rule) == 0 &&
            !(explain_serves_alone(state) && strstr(nexts[i].text, "abort") != NULL))
            return nexts[i].text;
    return NULL;
}

/* Where the table of rules does not say what to do. */
static const char *unruled(const struct rollout_state *state)
{
    char since[NAME_SIZE + 64];
    const char *text = by_rule(state);
    if (explain_since_then(state, since, sizeof since))
        return "Nothing; see 'serin events {service}' for why it was rolled back.";
    return text != NULL ? text : by_phase(state);
}

/* Nothing else is to be done first. */
static bool explains_report(const struct rollout_state *state, const char *text)
{
    return strcmp(state->row.rule, "hold.unreported") == 0 || (text == NULL && by_rule(state) == NULL);
}

void explain_next_step(const struct rollout_state *state, const struct snapshot *snapshot,
                       const struct explain_against *against, const struct fault *source, char *out,
                       size_t size)
{
    char mute[600], coarse[COARSE_SAYS_MAX + 200];
    const struct rule *rule = rules_find(state->row.rule);
    struct reason_context context = {.state = state, .snapshot = snapshot};
    const char *text = rule != NULL ? rule->next_step : NULL;
    bool advances = phase_live(state->row.phase) && state->row.phase != PHASE_PAUSED;
    if (text == NULL && state->world.frozen && advances)
        text = "When it may go on: serin freeze --lift.";
    (void)coarse_next_step(state, coarse, sizeof coarse);
    bool ends = explain_mute_ends(state, against, mute, sizeof mute);
    if (source->next_step[0] != '\0' && phase_live(state->row.phase))
        snprintf(out, size, "%s", source->next_step);
    else if (coarse[0] != '\0' && (text == NULL || strcmp(state->row.rule, "set_weight") == 0))
        out[0] = '\0';
    else if (explains_report(state, text) && explain_unreported_next(state, out, size))
        ; /* it has said it */
    else if (text == NULL && ends && by_rule(state) == NULL)
        out[0] = '\0';
    else
        reason_fill(text != NULL ? text : unruled(state), &context, out, size);
    /* who reads an explanation is there already */
    char *pointer = strstr(out, "; 'serin explain'");
    if (pointer != NULL)
        snprintf(pointer, size - (size_t)(pointer - out), ".");
    size_t used = strlen(out);
    if (coarse[0] != '\0' && used < size)
        snprintf(out + used, size - used, "%s%s", used > 0 ? " " : "", coarse);
    used = strlen(out);
    if (ends && used < size)
        snprintf(out + used, size - used, "%s%s", used > 0 ? " " : "", mute);
    used = strlen(out);
    if (explain_serves_alone(state) && strstr(out, "bort") != NULL && strstr(out, "serve nothing") == NULL)
        snprintf(out + used, size - used, " To abort it is to serve nothing: there is no stable release.");
}
