/* From a rollout to a snapshot, and from a decision to a rollout. */
#include "decision/course.h"

#include "decision/coverage.h"
#include "decision/reporting.h"

#include <string.h>

struct course course_begin(int64_t now_us, bool has_stable, bool fix)
{
    return (struct course){.created_us = now_us,
                           .phase = PHASE_PENDING,
                           .resume_phase = PHASE_PENDING,
                           .phase_since_us = now_us,
                           .has_stable = has_stable,
                           .fix = fix};
}

/* --- the snapshot ---------------------------------------------------------------------------------- */

/* ms since the rollout was created; -1 for "never". */
static int64_t since_start_ms(const struct course *course, int64_t at_us)
{
    return at_us == 0 ? -1 : (at_us - course->created_us) / 1000;
}

/* The most that any SLI has counted: one that nobody reports must not stop a plan that goes by time. */
static int64_t step_requests(const struct policy *policy, const struct evidence *evidence)
{
    int64_t most = 0;
    for (int i = 0; i < SLI_COUNT; i++)
        if (policy->guardrail[i].used && evidence->sli[i].step_total.n_c > most)
            most = evidence->sli[i].step_total.n_c;
    return most;
}

/* What has not looked at the canary in this step has not watched it. Under a plan that goes by time an SLI
   that nobody reports passes; one whose requests are still too young, or in an open block, does not. */
static int64_t uncounted(uint32_t muted, const struct policy *policy, const struct evidence *evidence)
{
    int64_t set = 0;
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct sli_evidence *sli = &evidence->sli[i];
        if (!policy->guardrail[i].used || (muted >> i & 1) != 0)
            continue;
        bool none = sli->step_total.n_c == 0 || !evidence_in_step(evidence, (enum sli)i);
        bool young = !evidence_in_step(evidence, (enum sli)i) ||
                     (sli->block_start >= 0 && sli_counts_total(&sli->open).n_c > 0);
        if (none && (policy->pace != PACE_TIME || young))
            set |= INT64_C(1) << i;
    }
    return set;
}

static void find_alarms(const struct course *course, uint32_t muted, const struct policy *policy,
                        struct evidence *evidence, struct snapshot *out)
{
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct guardrail *guardrail = &policy->guardrail[i];
        uint32_t bit = 1u << i;
        if (guardrail->used && (muted & bit) == 0 && evidence->sli[i].failed)
            out->failed |= bit;
        if (!guardrail->used || guardrail->action == ACTION_ROLLBACK || (muted & bit) != 0 ||
            !evidence_alarm(evidence, policy, (enum sli)i) || (course->alarmed & bit) != 0)
            continue;
        if (guardrail->action == ACTION_PAUSE)
            out->alarms |= bit;
        else
            out->notices |= bit;
    }
}

/* Burn windows of guardrails that may act; what rolls back is the judgement's. */
static void find_burns(const struct course *course, uint32_t muted, const struct policy *policy,
                       const struct evidence *evidence, struct snapshot *out)
{
    for (int i = 0; i < SLI_COUNT; i++) {
        uint32_t bit = 1u << i, burning = evidence_burning(evidence, policy, (enum sli)i);
        /* a guardrail that has failed has had its say */
        bool acted = (course->alarmed & bit << ALARMED_BURN) != 0 || evidence->sli[i].failed;
        for (int window = 0; window < BURN_WINDOWS && (muted & bit) == 0; window++) {
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

static void fill_evidence(const struct course *course, uint32_t muted, const struct policy *policy,
                          struct evidence *evidence, struct snapshot *out)
{
    struct judgement judgement = {.action = JUDGE_CONTINUE};
    if (phase_live(course->phase) && course->phase != PHASE_PENDING)
        judgement = evidence_judge(evidence, policy, muted, course->fix);
    out->step_requests = step_requests(policy, evidence);
    out->uncounted = uncounted(muted, policy, evidence);
    if (out->step_since_ms >= 0)
        out->unreported =
            reporting_missing(evidence, policy, muted, (double)(out->now_ms - out->step_since_ms) / 1000);
    out->judgement = judgement.action;
    out->judgement_reason = judgement.reason;
    out->lead = judgement.lead;
    out->log_g_rel = judgement.log_g_rel;
    out->log_g_all = judgement.log_g_all;
    out->breach_since_s = evidence->breach_since;
    out->proven = evidence_proven(evidence, policy);
    out->idle = evidence_idle(evidence);
    out->evidence_s = evidence->now_s;
    out->log_split = split_log(&evidence->split.split);
    out->log_coverage = coverage_log(evidence, policy, NULL);
    find_alarms(course, muted, policy, evidence, out);
    find_burns(course, muted, policy, evidence, out);
}

/* What the policy lets the alerts that fire do. A fix is to mend what is wrong now: only what names the
   canary stands in its way. */
static void find_alerts(const struct course *course, const struct alerts *alerts, uint32_t muted,
                        const struct policy *policy, struct snapshot *out)
{
    enum alert_action action = policy->alert_action;
    int64_t fresh = alerts->fresh_canary + (course->fix ? 0 : alerts->fresh_others);
    if ((muted >> WATCH_ALERT & 1) != 0)
        return;
    if (action == ALERT_ROLLBACK)
        out->alert_rollbacks = alerts->canary;
    if (action == ALERT_PAUSE)
        out->alert_pauses = fresh;
    if (action == ALERT_NOTIFY)
        out->alert_notices = fresh;
    else
        out->alert_holds = alerts->canary + (course->fix ? 0 : alerts->others);
}

void course_snapshot(const struct course *course, const struct surroundings *around,
                     const struct policy *policy, const struct plan *plan, struct evidence *evidence,
                     int32_t new_weight, struct snapshot *out)
{
    memset(out, 0, sizeof *out);
    out->now_ms = since_start_ms(course, around->now_us);
    out->phase = course->phase;
    out->resume_phase = course->resume_phase;
    out->step = course->step;
    out->steps = (int64_t)plan->steps;
    out->weight = course->weight;
    out->new_weight = new_weight;
    out->phase_since_ms = since_start_ms(course, course->phase_since_us);
    out->step_entered_ms = since_start_ms(course, course->step_entered_us);
    out->step_since_ms = since_start_ms(course, course->step_since_us);
    out->blind_since_ms = since_start_ms(course, course->blind_since_us);
    if (course->step >= 1 && (size_t)course->step <= plan->steps) {
        const struct plan_step *step = &plan->step[course->step - 1];
        out->bake_s = step->bake_s;
        out->deadline_s = step->deadline_s;
        out->min_requests = step->min_requests;
    }
    out->paused_limit_s = policy->paused_limit_s;
    out->blind_s = policy->blind_s;
    out->blind_rollback = around->blind_rollback;
    out->source = around->source;
    out->stray = (around->muted >> WATCH_SPLIT & 1) != 0 ? 0 : around->stray;
    out->pace_time = policy->pace == PACE_TIME;
    out->has_stable = course->has_stable;
    out->frozen = around->frozen;
    out->corpora_ready = around->corpora_ready;
    out->muted = around->muted;
    out->late = (around->muted >> WATCH_LATE & 1) != 0 ? 0 : around->late & ~around->muted;
    find_alerts(course, &around->alerts, around->muted, policy, out);
    if (evidence != NULL)
        fill_evidence(course, around->muted, policy, evidence, out);
}

/* --- the decision ---------------------------------------------------------------------------------- */

int32_t course_weight(const struct course *course, const struct policy *policy, const struct plan *plan,
                      const struct decision *decision, int32_t new_weight)
{
    unsigned effects = decision->rule->effects;
    if ((effects & EFFECT_ROUTE_PROMOTE) != 0 || (effects & (EFFECT_ROUTE_STEP | EFFECT_ROUTE_WEIGHT)) == 0)
        return 0;
    if (!course->has_stable)
        return WEIGHT_FULL;
    return effects & EFFECT_ROUTE_WEIGHT ? new_weight : plan_weight(plan, policy, (size_t)decision->step - 1);
}

void course_move(struct course *course, const struct decision *decision, int64_t now_us)
{
    unsigned effects = decision->rule->effects;
    if (decision->phase != course->phase) {
        if (decision->phase == PHASE_PAUSED)
            course->resume_phase = course->phase;
        course->phase_since_us = now_us;
        course->phase = decision->phase;
        if (course->phase != PHASE_PAUSED)
            course->resume_phase = course->phase;
        if (!phase_live(course->phase))
            course->ended_us = now_us;
    }
    course->step = decision->step;
    if (effects & EFFECT_ROUTE_STEP) {
        course->step_entered_us = now_us;
        course->step_since_us = 0;
    }
    if (effects & EFFECT_RESTART_STEP) {
        course->blind_since_us = 0;
        if (course->step_entered_us != 0)
            course->step_entered_us = now_us;
    }
    if (effects & EFFECT_UNPROVEN)
        course->unproven = true;
}

bool course_acts_on_alerts(const struct rule *rule)
{
    const facts alerts = (facts)1 << FACT_ALERT_PAUSE | (facts)1 << FACT_ALERT_NOTICE;
    return (rule->effects & EFFECT_ALARM) != 0 && (rule->need & alerts) != 0;
}

uint32_t course_acted_on(const struct rule *rule, const struct snapshot *snapshot)
{
    if ((rule->effects & EFFECT_ALARM) == 0 || course_acts_on_alerts(rule))
        return 0;
    if ((rule->need & (facts)1 << FACT_BURN_ALARM) != 0)
        return (uint32_t)snapshot->burn_alarms << ALARMED_BURN;
    if ((rule->need & (facts)1 << FACT_BURN_NOTICE) != 0)
        return (uint32_t)snapshot->burn_notices << ALARMED_BURN;
    return (uint32_t)((rule->need & (facts)1 << FACT_NOTICE) != 0 ? snapshot->notices : snapshot->alarms);
}

/* --- the world ------------------------------------------------------------------------------------- */

bool course_note(struct course *course, int64_t applied_us, int64_t now_us, bool blind)
{
    bool changed = false;
    if (course->step_since_us == 0 && course->step_entered_us != 0 && applied_us != 0) {
        course->step_since_us = applied_us;
        changed = true;
    }
    /* before the gateways have applied the first weight there is nothing to be blind to */
    bool counts = course->step_since_us != 0;
    if (blind && counts && course->blind_since_us == 0) {
        course->blind_since_us = now_us;
        changed = true;
    } else if ((!blind || !counts) && course->blind_since_us != 0) {
        course->blind_since_us = 0;
        changed = true;
    }
    return changed;
}

bool course_note_burns(struct course *course, const struct evidence *evidence, const struct policy *policy)
{
    uint32_t burning = 0, acted = course->alarmed >> ALARMED_BURN;
    for (int i = 0; i < SLI_COUNT; i++)
        if (evidence_burning(evidence, policy, (enum sli)i) != 0)
            burning |= 1u << i;
    course->alarmed &= ~((acted & ~burning) << ALARMED_BURN);
    return (acted & ~burning) != 0;
}

enum verdict course_verdict(const struct evidence *evidence, const struct policy *policy, enum sli sli,
                            double now_s, bool blind, enum source_health source)
{
    enum verdict verdict = evidence_verdict(evidence, policy, sli, now_s, blind);
    if (source == SOURCE_FAILS && verdict != VERDICT_FAIL)
        return VERDICT_ERROR;
    return source == SOURCE_WARNS && verdict == VERDICT_PASS ? VERDICT_INCONCLUSIVE : verdict;
}

bool course_blinds(enum verdict verdict)
{
    return verdict == VERDICT_NO_DATA || verdict == VERDICT_ERROR;
}
