/* Where a rollout stands beside its evidence: phase, step, weight and the times a decision looks at; how a
   snapshot is made of it, and what a decision does to it. Pure. The daemon keeps it in rows, the offline
   engine in memory; both decide through here, so that they cannot differ. */
#pragma once

#include "decision/decide.h"

enum { ALARMED_BURN = 16 };

/* Times are in µs of one clock, 0 = never. */
struct course {
    int64_t created_us;
    enum phase phase, resume_phase; /* resume_phase: what a pause goes back to, else the phase itself */
    int32_t step;                   /* 0 while pending, then 1 .. steps */
    int32_t weight;                 /* of the canary, 1/10,000 */
    int64_t phase_since_us;
    int64_t step_entered_us; /* when the step's weight was written */
    int64_t step_since_us;   /* when the gateways had applied it */
    int64_t blind_since_us;  /* since when data are missing */
    int64_t ended_us;
    bool fix, unproven;
    bool has_stable; /* there is a release to go back to */
    /* acted on: guardrails that have failed (1 << sli), burn windows (1 << (ALARMED_BURN + sli)) */
    uint32_t alarmed;
};

/* How the source of the counts answers. */
enum source_health {
    SOURCE_WELL,
    SOURCE_WARNS, /* it says that its answer may be incomplete: that is not used, and proves nothing */
    SOURCE_FAILS  /* it does not answer, or not with counts */
};

/* Alerts about the service that fire now. Those that name another release than the two are not counted. */
struct alerts {
    int64_t canary, others;             /* that name the canary; that name stable, or no release */
    int64_t fresh_canary, fresh_others; /* of them, those that were not yet acted on */
};

/* What no row holds: the clock and what others have set. */
struct surroundings {
    int64_t now_us;
    bool frozen, corpora_ready;
    uint32_t muted;      /* guardrails (1 << sli) and watches (1 << WATCH_...) that may not act now */
    uint32_t late;       /* SLIs (1 << sli) whose bad outcomes come too late too often, as last observed */
    int64_t stray;       /* requests of the newest minute to releases that the route does not name */
    bool blind_rollback; /* a guardrail without data asks to roll back then, as last observed */
    enum source_health source;
    struct alerts alerts;
};

/* A course at its creation: pending, without a weight. */
struct course course_begin(int64_t now_us, bool has_stable, bool fix);

/* What decide() looks at. Calls evidence_judge() of a live rollout that is past pending, which may latch into
   `evidence`. evidence == NULL: it cannot be read, and nothing is said of it (good for leaving only).
   `new_weight` is the command's (or 0). */
void course_snapshot(const struct course *course, const struct surroundings *around,
                     const struct policy *policy, const struct plan *plan, struct evidence *evidence,
                     int32_t new_weight, struct snapshot *out);

/* The weight that the decision's effect on the route gives to the canary (0 where stable or the promoted
   release takes everything). Asked only of rules that have such an effect. */
int32_t course_weight(const struct course *course, const struct policy *policy, const struct plan *plan,
                      const struct decision *decision, int32_t new_weight);

/* Moves phase, step and times as the decision says, at now_us. The weight is the caller's to set. */
void course_move(struct course *course, const struct decision *decision, int64_t now_us);

/* The guardrails and burn windows whose alarm or notice `rule` acts on, as bits of `alarmed`; none for most
   rules, and for those that act on alerts. */
uint32_t course_acted_on(const struct rule *rule, const struct snapshot *snapshot);

/* True if `rule` acts on alerts that were not yet acted on. */
bool course_acts_on_alerts(const struct rule *rule);

/* Times that follow from the world: since when the weight is applied (applied_us; 0 = not yet), since when
   data are missing. True if something changed. */
bool course_note(struct course *course, int64_t applied_us, int64_t now_us, bool blind);

/* A burn window that no longer burns is told of anew when it does again. True if something changed. */
bool course_note_burns(struct course *course, const struct evidence *evidence, const struct policy *policy);

/* The guardrail's verdict at now_s (evidence time), with what is known of the source: `blind`, too many
   admissions are not heard of; `source`, how it answers. What has failed stays so. */
enum verdict course_verdict(const struct evidence *evidence, const struct policy *policy, enum sli sli,
                            double now_s, bool blind, enum source_health source);
/* This verdict of a guardrail that is not muted makes the rollout blind. */
bool course_blinds(enum verdict verdict);
