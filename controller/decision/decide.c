/* From a snapshot to the row of the rollout table that fires. */
#include "decision/decide.h"

#include <assert.h>
#include <string.h>

static const char *const phase_names[] = {
#define X(name, text, live) text,
    PHASE_TABLE(X)
#undef X
};

static const char *const verb_names[] = {
#define X(name, text) text,
    VERB_TABLE(X)
#undef X
};

static const char *const fact_texts[] = {
#define X(name, text) text,
    FACT_TABLE(X)
#undef X
};

const char *phase_name(enum phase phase)
{
    return phase_names[phase];
}

bool phase_parse(const char *text, enum phase *out)
{
    for (int i = 0; i < PHASE_COUNT; i++)
        if (strcmp(phase_names[i], text) == 0) {
            *out = (enum phase)i;
            return true;
        }
    return false;
}

bool phase_live(enum phase phase)
{
    static const bool live[] = {
#define X(name, text, is_live) is_live,
        PHASE_TABLE(X)
#undef X
    };
    return live[phase];
}

const char *verb_name(enum verb verb)
{
    return verb_names[verb];
}

bool verb_parse(const char *text, enum verb *out)
{
    for (int i = 0; i < VERB_COUNT; i++)
        if (strcmp(verb_names[i], text) == 0) {
            *out = (enum verb)i;
            return true;
        }
    return false;
}

const char *fact_text(enum fact fact)
{
    return fact_texts[fact];
}

static facts when(bool condition, enum fact fact)
{
    return condition ? (facts)1 << fact : 0;
}

/* `since` is a time that was reached (not -1) and lies at least `seconds` back. */
static bool passed(const struct snapshot *s, int64_t since_ms, int64_t seconds)
{
    return since_ms >= 0 && s->now_ms - since_ms >= seconds * 1000;
}

static facts judged(const struct snapshot *s)
{
    bool back = s->judgement == JUDGE_ROLLBACK, hold = s->judgement == JUDGE_HOLD;
    return when(back && s->judgement_reason == REASON_WORSE, FACT_WORSE) |
           when(back && s->judgement_reason == REASON_BURN, FACT_BURN) |
           when(back && s->judgement_reason != REASON_WORSE && s->judgement_reason != REASON_BURN,
                FACT_CEILING) |
           when(s->judgement == JUDGE_RETURN, FACT_SHARED_CAUSE) |
           when(hold && s->judgement_reason == REASON_ATTRIBUTING, FACT_ATTRIBUTING) |
           when(hold && s->judgement_reason == REASON_SHARED, FACT_SHARED) |
           when(hold && s->judgement_reason == REASON_BUDGET, FACT_BUDGET) |
           when(hold && s->judgement_reason == REASON_SPLIT, FACT_SPLIT) |
           when(hold && s->judgement_reason == REASON_COVERAGE, FACT_COVERAGE);
}

facts facts_of(const struct snapshot *s)
{
    bool waiting = s->phase == PHASE_PENDING || s->phase == PHASE_PAUSED;
    return judged(s) | when(s->has_stable, FACT_STABLE) | when(s->frozen, FACT_FROZEN) |
           when(s->corpora_ready, FACT_CORPORA) | when(s->step_since_ms >= 0, FACT_APPLIED) |
           when(s->blind_since_ms >= 0, FACT_BLIND) |
           when(passed(s, s->blind_since_ms, s->blind_s), FACT_BLIND_OVER) |
           when(s->blind_rollback, FACT_ON_BLIND_ROLLBACK) | when(s->alarms != 0, FACT_ALARM) |
           when(s->notices != 0, FACT_NOTICE) | when(s->failed != 0, FACT_FAILED) |
           when(s->burn_alarms != 0, FACT_BURN_ALARM) | when(s->burn_notices != 0, FACT_BURN_NOTICE) |
           when(s->burning != 0, FACT_BURNING) | when(s->stray > 0, FACT_STRAY) |
           when(s->late != 0, FACT_LATE) |
           when(s->deadline_s > 0 && passed(s, s->step_entered_ms, s->deadline_s), FACT_DEADLINE) |
           when(waiting && passed(s, s->phase_since_ms, s->paused_limit_s), FACT_WAITED) |
           when(passed(s, s->step_since_ms, s->bake_s), FACT_DWELLED) |
           when(s->step_requests > 0 && s->step_requests >= s->min_requests, FACT_REQUESTS) |
           when(s->proven, FACT_PROVEN) | when(s->idle, FACT_IDLE) | when(s->pace_time, FACT_PACE_TIME) |
           when(s->step + 1 >= s->steps, FACT_NEXT_LAST) | when(s->new_weight < s->weight, FACT_LOWER) |
           when(s->phase == PHASE_PAUSED && s->resume_phase == PHASE_PENDING, FACT_RESUMES_PENDING) |
           when(s->phase == PHASE_PAUSED && s->resume_phase == PHASE_BAKING, FACT_RESUMES_BAKING) |
           when(s->source != 0, FACT_SOURCE) |
           when(s->phase == PHASE_PAUSED && s->resume_phase != PHASE_PENDING && s->weight == 0,
                FACT_UNSERVED) |
           when(s->alert_rollbacks > 0, FACT_ALERT_ROLLBACK) | when(s->alert_pauses > 0, FACT_ALERT_PAUSE) |
           when(s->alert_notices > 0, FACT_ALERT_NOTICE) | when(s->alert_holds > 0, FACT_ALERT) |
           when(s->uncounted != 0, FACT_UNCOUNTED) |
           when(s->unreported != 0 && passed(s, s->step_since_ms, s->blind_s), FACT_UNREPORTED);
}

static bool matches(const struct rule *rule, const struct snapshot *snapshot, enum verb verb, facts known)
{
    return rule->verb == verb && (rule->phases & 1u << snapshot->phase) != 0 &&
           (known & rule->need) == rule->need && (known & rule->forbid) == 0;
}

struct decision decide(const struct snapshot *snapshot, enum verb verb)
{
    facts known = facts_of(snapshot);
    const struct rule *rule = NULL;
    for (size_t i = 0; i < rules_count() && rule == NULL; i++)
        if (matches(rules_row(i), snapshot, verb, known))
            rule = rules_row(i);
    assert(rule != NULL); /* the last rows of each verb have no guards; tests/unit holds the table to it */

    struct decision decision = {
        .rule = rule, .phase = (enum phase)snapshot->phase, .step = (int32_t)snapshot->step};
    if (rule->next == NEXT_RESUME)
        decision.phase = (enum phase)snapshot->resume_phase;
    else if (rule->next != NEXT_STAY)
        decision.phase = (enum phase)rule->next;
    if (rule->effects & EFFECT_FIRST_STEP)
        decision.step = 1;
    if (rule->effects & EFFECT_NEXT_STEP)
        decision.step++;
    if (rule->effects & EFFECT_LAST_STEP)
        decision.step = (int32_t)snapshot->steps;
    return decision;
}
