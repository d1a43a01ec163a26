/* A whole rollout in memory, decided by the code that the daemon decides with: counts in, decisions out.
   Pure: no allocation, no clock; one plain struct a rollout, and the same calls give the same bits.

   One turn of the loop, as the daemon does it each second:
       offline_turn()    once, where admissions are given
       offline_admissions(), offline_count()   once for each (SLI and) second that has matured since the last
   turn, in order offline_decide()  once The counts are those of requests as gateways admitted them, at the
   weight of offline_weight_at(). */
#pragma once

#include "decision/course.h"

struct offline_options {
    double tick_s;             /* length of a tick of counts, > 0 */
    double apply_s;            /* from a decision to the moment when every gateway has applied it, >= 0 */
    enum data_quality quality; /* of the counts */
    bool has_stable, fix;      /* as in struct course */
};

struct offline {
    struct policy policy;
    struct plan plan;
    struct offline_options options;
    struct evidence evidence;
    struct course course;
    const struct rule *rule; /* the newest that has something to say; NULL = none yet */
    /* to be set by the caller between turns */
    bool frozen, corpora_pending;
    uint32_t muted, late; /* as in struct surroundings */
    int64_t stray;
    /* the route: the weight before the newest change, and when that was written (s; -1 = never) */
    int32_t weight_before;
    double written_s;
};

struct offline_decision {
    const struct rule *rule;
    struct snapshot snapshot; /* all inputs */
    enum phase phase;         /* after the decision, as step and weight */
    int32_t step, weight;
    bool changed; /* phase, step or weight, or the first tick on which this rule speaks */
};

/* A pending rollout at time 0. `policy` and `plan` are copied; policy_allowances() must have been filled in
   where a budget is watched. */
void offline_init(struct offline *offline, const struct policy *policy, const struct plan *plan,
                  const struct offline_options *options);

/* A turn begins at now_s (s since the rollout began): what gateways have applied by now is known to it. */
void offline_turn(struct offline *offline, double now_s);

/* Counts of one SLI, as evidence_tick(): times in s since the rollout began, blocks that close are copied to
   `closed` and their number is returned. */
int offline_count(struct offline *offline, enum sli sli, double t_s, double dt_s,
                  const struct sli_counts *counts, struct block closed[2]);

/* Admissions of a second, for the split check; in order, before offline_decide() too. A block that closes is
   copied to *closed, and true returned. */
bool offline_admissions(struct offline *offline, double t_s, double dt_s, int64_t canary, int64_t stable,
                        struct split_block *closed);

/* What the loop decides at now_s (s since the rollout began, not before an earlier call's), and does.
   `blind`: more than a tenth of the admissions was not heard of. */
struct offline_decision offline_decide(struct offline *offline, double now_s, bool blind);

/* What a person's command does. A refused one (rule->effects & EFFECT_REFUSE) changes nothing; mute is the
   caller's to do, in `muted`. */
struct offline_decision offline_command(struct offline *offline, double now_s, enum verb verb,
                                        int32_t new_weight);

/* The weight that gateways give the canary at t_s (not before the newest change but one), 1/10,000. */
int32_t offline_weight_at(const struct offline *offline, double t_s);

/* It has ended: no call changes anything but its evidence. */
bool offline_ended(const struct offline *offline);
