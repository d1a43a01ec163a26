/* Stored verdicts, computed anew. */
#include "decision/replay_verdict.h"

#include <math.h>
#include <string.h>

/* A verdict is stored before the change of weight that its tick makes, and its time is cut to a millisecond.
 */
static const double time_margin_s = 1e-3;

/* Proofs are stored with twelve digits. */
static const double proof_tolerance = 1e-9;

static bool same_counts(const struct counts *a, const struct counts *b)
{
    return a->n_c == b->n_c && a->k_c == b->k_c && a->n_b == b->n_b && a->k_b == b->k_b;
}

static bool beyond(const struct counts *a, const struct counts *b)
{
    return a->n_c > b->n_c || a->k_c > b->k_c || a->n_b > b->n_b || a->k_b > b->k_b;
}

/* The evidence when the verdict was given: with the changes of weight that no block has come after yet. */
static void stand(const struct replay *replay, double at_s, struct evidence *out)
{
    const struct replay_rollout *rollout = &replay->rollout;
    *out = replay->evidence;
    for (size_t i = replay->passed; i < rollout->weights && rollout->weight[i].at_s < at_s - time_margin_s;
         i++)
        evidence_weight(out, rollout->weight[i].at_s, rollout->weight[i].weight, rollout->weight[i].raised);
}

/* Something there is that makes it fail: it has led the judgement before, or does so with a breach that has
   lasted long enough (how long depends on when the loop looked), or its own sum has crossed. */
static bool can_fail(const struct replay *replay, struct evidence *evidence, enum sli sli)
{
    if (replay->latched_at > 0 && replay->latched.action == JUDGE_ROLLBACK && replay->latched.lead == sli)
        return true;
    if (evidence_alarm(evidence, replay->rollout.policy, sli))
        return true;
    evidence->breach_since = 0;
    struct judgement judgement = evidence_judge(evidence, replay->rollout.policy, 0, replay->rollout.fix);
    return judgement.action == JUDGE_ROLLBACK && judgement.lead == sli;
}

static bool same_proof(const struct evidence *evidence, const struct replay_verdict *stored)
{
    double now = evidence_ni(evidence, stored->sli);
    double size = fabs(now) > 1 ? fabs(now) : 1;
    return !stored->has_proof || fabs(now - stored->proof) <= proof_tolerance * size;
}

enum replay_match replay_match_verdict(const struct replay *replay, const struct replay_verdict *stored,
                                       enum verdict *computed)
{
    const struct policy *policy = replay->rollout.policy;
    const struct counts *total = &replay->evidence.sli[stored->sli].total;
    struct evidence evidence;
    if (!same_counts(total, &stored->total))
        return beyond(total, &stored->total) ? REPLAY_PAST : REPLAY_NOT_YET;
    *computed = stored->verdict;
    if (stored->verdict == VERDICT_NO_DATA || stored->verdict == VERDICT_ERROR)
        return REPLAY_SAME;
    stand(replay, stored->at_s, &evidence);
    double newest_s = evidence.sli[stored->sli].last_tick;
    *computed = evidence_verdict(&evidence, policy, stored->sli, newest_s > 0 ? newest_s : 0, false);
    bool proof = same_proof(&evidence, stored);
    if (stored->verdict == VERDICT_FAIL && can_fail(replay, &evidence, stored->sli))
        *computed = VERDICT_FAIL;
    return *computed == stored->verdict && proof ? REPLAY_SAME : REPLAY_OTHER;
}
