/* The rollout table: what a rollout does on a tick or a command, given the facts. Pure. Every change of a
   rollout goes through decide(), and every stored event names the row that fired. */
#pragma once

#include "decision/evidence.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(name, text, live) */
#define PHASE_TABLE(X)                                                                                       \
    X(PENDING, "pending", true)                                                                              \
    X(PROGRESSING, "progressing", true)                                                                      \
    X(PAUSED, "paused", true)                                                                                \
    X(BAKING, "baking", true)                                                                                \
    X(COMPLETED, "completed", false)                                                                         \
    X(ABORTED, "aborted", false)                                                                             \
    X(ROLLED_BACK, "rolled_back", false)

enum phase {
#define X(name, text, live) PHASE_##name,
    PHASE_TABLE(X)
#undef X
        PHASE_COUNT
};
const char *phase_name(enum phase phase);
bool phase_parse(const char *text, enum phase *out);
bool phase_live(enum phase phase);

/* What asks for a decision: the clock, or a command. X(name, text) */
#define VERB_TABLE(X)                                                                                        \
    X(TICK, "tick")                                                                                          \
    X(PAUSE, "pause")                                                                                        \
    X(RESUME, "resume")                                                                                      \
    X(PROMOTE, "promote")                                                                                    \
    X(PROMOTE_FULL, "promote-full")                                                                          \
    X(ABORT, "abort")                                                                                        \
    X(ROLLBACK, "rollback")                                                                                  \
    X(SUPERSEDE, "supersede")                                                                                \
    X(RETRY, "retry")                                                                                        \
    X(SET_WEIGHT, "set-weight")                                                                              \
    X(MUTE, "mute")                                                                                          \
    X(RESTORED, "restored")

enum verb {
#define X(name, text) VERB_##name,
    VERB_TABLE(X)
#undef X
        VERB_COUNT
};
const char *verb_name(enum verb verb);
bool verb_parse(const char *text, enum verb *out);

/* Everything a decision looks at. Times are ms since the rollout was created, -1 = never. It is stored with
   each decision and read back by a replay: X(type, name), type one of int, num, bool. */
#define SNAPSHOT_TABLE(X)                                                                                    \
    X(int, now_ms)                                                                                           \
    X(int, phase)        /* enum phase */                                                                    \
    X(int, resume_phase) /* enum phase; only while paused */                                                 \
    X(int, step)         /* 0 while pending, then 1 .. steps */                                              \
    X(int, steps)                                                                                            \
    X(int, weight)     /* of the canary now, 1/10,000 */                                                     \
    X(int, new_weight) /* of the command set-weight */                                                       \
    X(int, phase_since_ms)                                                                                   \
    X(int, step_entered_ms) /* when the step's weight was written */                                         \
    X(int, step_since_ms)   /* when the gateways had applied it */                                           \
    X(int, blind_since_ms)  /* since when data are missing */                                                \
    X(int, bake_s)          /* of the present step, as the plan has it ... */                                \
    X(int, deadline_s)                                                                                       \
    X(int, min_requests)                                                                                     \
    X(int, step_requests) /* canary requests counted in this step */                                         \
    X(int, uncounted)     /* SLIs of unmuted guardrails that have counted none of them, see course.c */      \
    X(int, unreported)    /* SLIs of unmuted guardrails that nobody reports in this step, see reporting.h */ \
    X(int, paused_limit_s)                                                                                   \
    X(int, blind_s)                                                                                          \
    X(bool, blind_rollback) /* policy on_blind */                                                            \
    X(bool, pace_time)                                                                                       \
    X(bool, has_stable)                                                                                      \
    X(bool, frozen)                                                                                          \
    X(bool, corpora_ready)                                                                                   \
    X(int, judgement) /* enum judgement_action */                                                            \
    X(int, judgement_reason)                                                                                 \
    X(int, lead) /* enum sli */                                                                              \
    X(num, log_g_rel)                                                                                        \
    X(num, log_g_all)                                                                                        \
    X(num, breach_since_s) /* evidence time since which a ceiling is broken; -1 = not */                     \
    X(num, evidence_s)     /* evidence time of the judgement */                                              \
    X(num, log_split)                                                                                        \
    X(num, log_coverage)                                                                                     \
    X(bool, proven)                                                                                          \
    X(bool, idle)           /* no block of evidence is open */                                               \
    X(int, alarms)          /* guardrails with action pause that have failed and were not yet acted on */    \
    X(int, notices)         /* the same for notify */                                                        \
    X(int, failed)          /* unmuted guardrails that have failed */                                        \
    X(int, burn_alarms)     /* SLIs with a burning window whose action is pause, not yet acted on */         \
    X(int, burn_notices)    /* the same for notify */                                                        \
    X(int, burning)         /* SLIs with a window that burns now */                                          \
    X(int, stray)           /* requests of the newest minute to releases that the route does not name */     \
    X(int, late)            /* SLIs whose bad outcomes come too late too often */                            \
    X(int, muted)           /* set of SLIs and watches */                                                    \
    X(int, source)          /* enum source_health */                                                         \
    X(int, alert_rollbacks) /* alerts that name the canary, where the policy rolls back for them */          \
    X(int, alert_pauses)    /* alerts not yet acted on, where it pauses for them */                          \
    X(int, alert_notices)   /* the same where it notifies */                                                 \
    X(int, alert_holds)     /* alerts that fire, where it does more than notify */

typedef int64_t snapshot_int;
typedef double snapshot_num;
typedef bool snapshot_bool;

struct snapshot {
#define X(type, name) snapshot_##type name;
    SNAPSHOT_TABLE(X)
#undef X
};

/* What is true of a snapshot; the columns of the table. X(name, text) */
#define FACT_TABLE(X)                                                                                        \
    X(STABLE, "there is a stable release")                                                                   \
    X(FROZEN, "advances are frozen")                                                                         \
    X(CORPORA, "every corpus is ready")                                                                      \
    X(APPLIED, "the live gateways have applied the weight")                                                  \
    X(WORSE, "canary proven worse than what it is compared with")                                            \
    X(CEILING, "canary proven above a ceiling, on its own")                                                  \
    X(SHARED_CAUSE, "both arms broken for longer than shared_hold")                                          \
    X(ATTRIBUTING, "a ceiling is broken, cause not yet proven")                                              \
    X(SHARED, "stable itself is above a ceiling")                                                            \
    X(BUDGET, "the rollout's share of the error budget is spent")                                            \
    X(BLIND, "data are missing")                                                                             \
    X(BLIND_OVER, "data have been missing for longer than allowed")                                          \
    X(ON_BLIND_ROLLBACK, "policy: missing data roll back")                                                   \
    X(ALARM, "a guardrail with action pause has failed")                                                     \
    X(NOTICE, "a guardrail with action notify has failed")                                                   \
    X(DEADLINE, "the step's deadline has passed")                                                            \
    X(WAITED, "pending or paused for longer than allowed")                                                   \
    X(DWELLED, "the step has baked long enough")                                                             \
    X(REQUESTS, "the step has seen enough canary requests")                                                  \
    X(PROVEN, "every guardrail has proven the canary not worse")                                             \
    X(IDLE, "no block of evidence is open")                                                                  \
    X(PACE_TIME, "policy: steps advance by time")                                                            \
    X(NEXT_LAST, "the next step is the bake")                                                                \
    X(LOWER, "the new weight is lower than the present one")                                                 \
    X(BURN, "canary burns its error budget too fast, on its own")                                            \
    X(SPLIT, "canary does not get the share of admissions that its weight says")                             \
    X(STRAY, "requests go to a release that the route does not name")                                        \
    X(COVERAGE, "an SLI is measured less often for canary than for stable")                                  \
    X(LATE, "more than a tenth of the bad outcomes come too late to count")                                  \
    X(BURN_ALARM, "a burn window with action pause has begun to burn")                                       \
    X(BURN_NOTICE, "a burn window with action notify has begun to burn")                                     \
    X(BURNING, "a burn window burns")                                                                        \
    X(FAILED, "a guardrail has failed that did not roll back")                                               \
    X(RESUMES_PENDING, "paused while pending")                                                               \
    X(RESUMES_BAKING, "paused while baking")                                                                 \
    X(SOURCE, "the metrics source fails or warns")                                                           \
    X(UNSERVED, "paused in a step, and the canary has no weight")                                            \
    X(ALERT_ROLLBACK, "an alert about the canary fires; policy: roll back")                                  \
    X(ALERT_PAUSE, "an alert has begun to fire; policy: pause")                                              \
    X(ALERT_NOTICE, "an alert has begun to fire; policy: notify")                                            \
    X(ALERT, "an alert fires that holds")                                                                    \
    X(UNCOUNTED, "a guardrail has counted no canary request in this step")                                   \
    X(UNREPORTED, "nobody reports the SLI of a guardrail in this step, for longer than allowed")

enum fact {
#define X(name, text) FACT_##name,
    FACT_TABLE(X)
#undef X
        FACT_COUNT
};
typedef uint64_t facts; /* set of 1 << FACT_... */
const char *fact_text(enum fact fact);
facts facts_of(const struct snapshot *snapshot);

/* What a row does beside the phase. */
enum effect {
    EFFECT_ROUTE_STEP = 1 << 0,    /* canary gets the weight of the (new) step */
    EFFECT_ROUTE_STABLE = 1 << 1,  /* stable gets everything */
    EFFECT_ROUTE_PROMOTE = 1 << 2, /* the release becomes stable, and gets everything */
    EFFECT_ROUTE_WEIGHT = 1 << 3,  /* canary gets the weight of the command */
    EFFECT_QUARANTINE = 1 << 4,
    EFFECT_UNPROVEN = 1 << 5, /* from now on the rollout is labelled unproven */
    EFFECT_PAGE = 1 << 6,     /* somebody must look: the event says so */
    EFFECT_DRAIN = 1 << 7,    /* open no new block of evidence */
    EFFECT_MUTE = 1 << 8,
    EFFECT_RETRY = 1 << 9,         /* a new rollout of the same release and plan */
    EFFECT_REFUSE = 1 << 10,       /* the command is refused: 409, the sentence is the detail */
    EFFECT_FIRST_STEP = 1 << 11,   /* step becomes 1 */
    EFFECT_NEXT_STEP = 1 << 12,    /* step becomes the next */
    EFFECT_LAST_STEP = 1 << 13,    /* step becomes the bake */
    EFFECT_RESTART_STEP = 1 << 14, /* the step's deadline counts from now */
    EFFECT_ALARM = 1 << 15,        /* the alarms (or notices) have been acted on */
};

enum next_phase { NEXT_STAY = -1, NEXT_RESUME = -2 }; /* else an enum phase */

struct rule {
    const char *id;  /* stable for ever; stored with events */
    unsigned phases; /* set of 1 << PHASE_... */
    enum verb verb;
    facts need, forbid;
    int next;             /* enum phase or enum next_phase */
    unsigned effects;     /* set of enum effect */
    const char *event;    /* type of the event; NULL = none is written */
    const char *sentence; /* for the operator; {lead} {weight} {step} ... are filled in by rollout/reason.h */
    const char *next_step; /* what to do now, for refusals and pages; NULL = nothing */
};

size_t rules_count(void);
const struct rule *rules_row(size_t at);
const struct rule *rules_find(const char *id); /* NULL if there is none */

struct decision {
    const struct rule *rule;
    enum phase phase; /* after the decision; == before when it stays */
    int32_t step;     /* after */
};

/* The first row whose phases, verb and facts match. There is always one. */
struct decision decide(const struct snapshot *snapshot, enum verb verb);
