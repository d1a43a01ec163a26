/* Stored decisions, computed anew. */
#include "decision/replay.h"

#include "decision/coverage.h"

#include <math.h>
#include <string.h>

static const double slack_s = 1e-9; /* as in evidence.c: times closer than this are the same */

bool replay_equal(const struct replay_result *result)
{
    return result->rule && result->phase && result->step && result->action &&
           (!result->compared || result->difference <= REPLAY_TOLERANCE);
}

/* --- comparing ------------------------------------------------------------------------------------- */

static double magnitude(double x)
{
    return x < 0 ? -x : x;
}

static double difference(double a, double b)
{
    double size = magnitude(a) > magnitude(b) ? magnitude(a) : magnitude(b);
    if (a == b)
        return 0;
    if (!isfinite(a) || !isfinite(b))
        return INFINITY;
    return magnitude(a - b) / (size > 1 ? size : 1);
}

static void compare(struct replay_result *result, const char *what, enum sli sli, double now, double stored)
{
    double by = difference(now, stored);
    result->compared = true;
    result->bits = result->bits && memcmp(&now, &stored, sizeof now) == 0;
    if (by > result->difference) {
        result->difference = by;
        result->largest = what;
        result->largest_sli = sli;
    }
}

static bool same_judgement(const struct judgement *judgement, const struct snapshot *stored)
{
    return (int64_t)judgement->action == stored->judgement &&
           (int64_t)judgement->reason == stored->judgement_reason && (int64_t)judgement->lead == stored->lead;
}

/* --- the evidence at one moment -------------------------------------------------------------------- */

/* What judging changes in the evidence; the walk itself goes on untouched. */
struct kept {
    struct judgement latched;
    double breach_since, now_s;
    bool failed[SLI_COUNT];
    int32_t weight[SLI_COUNT];
};

static void keep(const struct evidence *evidence, struct kept *kept)
{
    *kept = (struct kept){
        .latched = evidence->latched, .breach_since = evidence->breach_since, .now_s = evidence->now_s};
    for (int i = 0; i < SLI_COUNT; i++) {
        kept->failed[i] = evidence->sli[i].failed;
        kept->weight[i] = evidence->sli[i].weight;
    }
}

static void put_back(struct evidence *evidence, const struct kept *kept)
{
    evidence->latched = kept->latched;
    evidence->breach_since = kept->breach_since;
    evidence->now_s = kept->now_s;
    for (int i = 0; i < SLI_COUNT; i++) {
        evidence->sli[i].failed = kept->failed[i];
        evidence->sli[i].weight = kept->weight[i];
    }
}

/* Judges the evidence as it stood when `next` was decided, with `now_s` as the end of the newest tick. How
   long the breach has lasted depends on when the loop looked, so that clock is the stored one; judging with
   it again leaves it as it is. */
static struct judgement judge(struct replay *replay, double now_s)
{
    const struct replay_decision *next = replay->next;
    struct evidence *evidence = &replay->evidence;
    struct kept kept;
    keep(evidence, &kept);
    if (now_s > evidence->now_s)
        evidence->now_s = now_s;
    evidence->breach_since = next->snapshot.breach_since_s;
    for (int i = 0; i < SLI_COUNT; i++)
        if (next->lane[i].known)
            evidence->sli[i].weight = next->lane[i].weight;
    struct judgement judgement =
        evidence_judge(evidence, replay->rollout.policy, (uint32_t)next->snapshot.muted, replay->rollout.fix);
    put_back(evidence, &kept);
    return judgement;
}

/* Events of versions that did not store the newest tick: it lay between the last closed block and the
   decision itself. */
static struct judgement judge_now(struct replay *replay)
{
    const struct replay_decision *next = replay->next;
    struct judgement judgement = judge(replay, next->snapshot.evidence_s);
    if (next->older && !same_judgement(&judgement, &next->snapshot)) {
        struct judgement later = judge(replay, next->at_s);
        if (same_judgement(&later, &next->snapshot))
            return later;
    }
    return judgement;
}

/* --- walking --------------------------------------------------------------------------------------- */

void replay_begin(struct replay *replay, const struct replay_rollout *rollout)
{
    memset(replay, 0, sizeof *replay);
    replay->rollout = *rollout;
    evidence_init(&replay->evidence, rollout->policy, rollout->plan, rollout->tick_s);
}

static void pass_weights(struct replay *replay, double until_s)
{
    const struct replay_rollout *rollout = &replay->rollout;
    for (; replay->passed < rollout->weights && rollout->weight[replay->passed].at_s < until_s;
         replay->passed++) {
        const struct weight_change *change = &rollout->weight[replay->passed];
        evidence_weight(&replay->evidence, change->at_s, change->weight, change->raised);
    }
}

void replay_next(struct replay *replay, const struct replay_decision *next)
{
    replay->next = next;
    replay->near_at = 0;
    replay->near_by = INFINITY;
}

/* A judgement that is once reached stays, and was not always reached at a moment that was stored: while a
   first release is paused, for example. So each moment on the way to such a decision is a candidate. */
static bool latches(const struct replay *replay)
{
    return replay->latched_at == 0 && replay->next != NULL &&
           (replay->next->snapshot.judgement == JUDGE_ROLLBACK ||
            replay->next->snapshot.judgement == JUDGE_RETURN);
}

static void try_moment(struct replay *replay)
{
    const struct snapshot *stored = &replay->next->snapshot;
    struct judgement judgement = judge_now(replay);
    double rel = difference(judgement.log_g_rel, stored->log_g_rel);
    double all = difference(judgement.log_g_all, stored->log_g_all);
    double by = rel > all ? rel : all;
    if (same_judgement(&judgement, stored) && by < replay->near_by) {
        replay->near = judgement;
        replay->near_at = replay->blocks;
        replay->near_by = by;
    }
}

static bool valid(const struct replay *replay, const struct block *block)
{
    if ((int)block->sli < 0 || block->sli >= SLI_COUNT || !replay->rollout.policy->guardrail[block->sli].used)
        return false;
    double last = replay->evidence.sli[block->sli].last_tick;
    return block->start_s >= 0 && block->length_s > 0 && isfinite(block->start_s + block->length_s) &&
           block->start_s >= last - 1e-6 && block->weight >= 0 && block->weight <= WEIGHT_FULL &&
           sli_counts_valid(&block->counts);
}

bool replay_block(struct replay *replay, const struct block *block)
{
    if (!valid(replay, block))
        return false;
    pass_weights(replay, block->start_s + 2 * slack_s);
    evidence_block(&replay->evidence, replay->rollout.policy, replay->rollout.plan, block);
    replay->blocks++;
    if (latches(replay))
        try_moment(replay);
    return true;
}

bool replay_split(struct replay *replay, const struct split_block *block)
{
    struct sli_counts counts = sli_counts_of((struct counts){.n_c = block->n, .k_c = block->n_c});
    if (!sli_counts_valid(&counts) || !(block->w_lo >= 0 && block->w_lo <= block->w_hi && block->w_hi <= 1) ||
        !(block->start_s >= 0 && isfinite(block->start_s)))
        return false;
    evidence_split_block(&replay->evidence, replay->rollout.policy, block);
    replay->splits++;
    return true;
}

/* --- one decision ---------------------------------------------------------------------------------- */

static struct judgement settle(struct replay *replay, struct replay_result *out)
{
    const struct snapshot *stored = &replay->next->snapshot;
    if (replay->latched_at > 0) {
        out->latched = replay->latched_at;
        return replay->latched;
    }
    struct judgement judgement = judge_now(replay);
    bool here = same_judgement(&judgement, stored) &&
                difference(judgement.log_g_rel, stored->log_g_rel) <= REPLAY_TOLERANCE &&
                difference(judgement.log_g_all, stored->log_g_all) <= REPLAY_TOLERANCE;
    if (!here && replay->near_at > 0) {
        judgement = replay->near;
        out->latched = replay->near_at;
    }
    if (judgement.action == JUDGE_ROLLBACK || judgement.action == JUDGE_RETURN) {
        replay->latched = judgement;
        replay->latched_at = out->latched > 0 ? out->latched : replay->blocks;
    }
    return judgement;
}

static void compare_lanes(const struct replay *replay, struct replay_result *out)
{
    const struct evidence *evidence = &replay->evidence;
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct replay_lane *lane = &replay->next->lane[i];
        const struct sli_evidence *sli = &evidence->sli[i];
        if (!lane->known)
            continue;
        compare(out, "relative", (enum sli)i, evidence_lane_log(&sli->relative), lane->relative);
        compare(out, "absolute", (enum sli)i, evidence_lane_log(&sli->absolute), lane->absolute);
        compare(out, "promotion", (enum sli)i, evidence_ni(evidence, (enum sli)i), lane->promotion);
    }
}

/* SLIs whose burn windows hold: computed, since they follow from the blocks. */
static int64_t burning(struct replay *replay)
{
    const struct policy *policy = replay->rollout.policy;
    struct evidence *evidence = &replay->evidence;
    double now_s = evidence->now_s;
    int64_t out = 0;
    if (replay->next->snapshot.evidence_s > now_s)
        evidence->now_s = replay->next->snapshot.evidence_s;
    for (int i = 0; i < SLI_COUNT; i++) {
        uint32_t windows = evidence_burning(evidence, policy, (enum sli)i);
        for (int window = 0; window < BURN_WINDOWS && (replay->next->snapshot.muted >> i & 1) == 0; window++)
            if ((windows >> window & 1) != 0 &&
                policy_burn_action(policy, (enum sli)i, window) == ACTION_PAUSE)
                out |= (int64_t)1 << i;
    }
    evidence->now_s = now_s;
    return out;
}

/* The evidence takes part in decisions of a rollout that runs. */
static bool judged(const struct replay_decision *next)
{
    return !next->bare && next->snapshot.phase != PHASE_PENDING &&
           phase_live((enum phase)next->snapshot.phase);
}

void replay_decide(struct replay *replay, struct replay_result *out)
{
    const struct replay_decision *next = replay->next;
    struct snapshot snapshot = next->snapshot;
    *out = (struct replay_result){.bits = true, .largest_sli = SLI_COUNT};
    /* a change of the weight that this decision made comes after it */
    pass_weights(replay, next->at_s);
    out->proven = !next->bare && evidence_proven(&replay->evidence, replay->rollout.policy);
    if (judged(next)) {
        out->judgement = settle(replay, out);
        compare(out, "log_g_rel", SLI_COUNT, out->judgement.log_g_rel, snapshot.log_g_rel);
        compare(out, "log_g_all", SLI_COUNT, out->judgement.log_g_all, snapshot.log_g_all);
    }
    if (!next->bare)
        compare_lanes(replay, out);
    if (!next->bare && !next->older) {
        compare(out, "log_split", SLI_COUNT, split_log(&replay->evidence.split.split), snapshot.log_split);
        compare(out, "log_coverage", SLI_COUNT, coverage_log(&replay->evidence, replay->rollout.policy, NULL),
                snapshot.log_coverage);
    }
    out->burning = next->bare || next->older ? snapshot.burning : burning(replay);
    out->action = same_judgement(&out->judgement, &snapshot) && out->proven == snapshot.proven &&
                  out->burning == snapshot.burning;
    snapshot.judgement = out->judgement.action;
    snapshot.judgement_reason = out->judgement.reason;
    snapshot.lead = out->judgement.lead;
    snapshot.log_g_rel = out->judgement.log_g_rel;
    snapshot.log_g_all = out->judgement.log_g_all;
    snapshot.proven = out->proven;
    snapshot.burning = out->burning;
    out->decision = decide(&snapshot, next->verb);
    out->rule = strcmp(out->decision.rule->id, next->rule) == 0;
    out->phase = out->decision.phase == next->phase;
    out->step = out->decision.step == next->step;
    replay->next = NULL;
}

/* --- names ----------------------------------------------------------------------------------------- */

const char *judgement_action_name(int64_t action)
{
    static const char *const names[] = {"continue", "hold", "return", "rollback"};
    return action >= 0 && action < (int64_t)(sizeof names / sizeof names[0]) ? names[action] : "?";
}

const char *judgement_reason_name(int64_t reason)
{
    static const char *const names[REASON_COUNT] = {"none",        "worse",   "ceiling", "shared_cause",
                                                    "attributing", "shared",  "budget",  "burn",
                                                    "split",       "coverage"};
    return reason >= 0 && reason < REASON_COUNT ? names[reason] : "?";
}
