/* What the evidence of all SLIs says together. Roll back when G >= 1/alpha:
       G_rel = sum_s v_s (l_rel M_rel,s + l_bud Z_s)          G_all = G_rel + sum_s v_s l_abs M_abs,s
   By Ville, P(G_all ever >= 1/alpha) <= alpha while every SLI is within its tolerance, ceiling and budget,
   under any dependence between them. Derivation: "Attribution of a ceiling breach", rows 1 to 10. */
#include "decision/budget.h"
#include "decision/coverage.h"
#include "decision/recent.h"
#include "decision/shares.h"

#include <math.h>

static const double budget_proof = 20;       /* Z(0) at which harm is proven */
static const double nothing_watched = -1000; /* ln G of an empty sum */

struct terms {
    double relative, absolute; /* ln of the SLI's terms of G_rel, and of the rest of G_all */
};

static struct terms terms_of(const struct evidence *evidence, const struct policy *policy, enum sli id)
{
    const struct sli_evidence *sli = &evidence->sli[id];
    const struct guardrail *guardrail = &policy->guardrail[id];
    struct shares shares = policy_shares(policy, id);
    struct terms terms = {.absolute = -INFINITY};
    terms.relative = log(shares.sli * shares.relative) + evidence_lane_log(&sli->relative);
    if (shares.budget > 0)
        terms.relative = ln_add(terms.relative, log(shares.sli * shares.budget) +
                                                    budget_log(sli, guardrail->allowed, guardrail->eta));
    if (shares.absolute > 0)
        terms.absolute = log(shares.sli * shares.absolute) + evidence_lane_log(&sli->absolute);
    return terms;
}

/* The SLI with the largest value of something; sli == SLI_COUNT while none has any. */
struct leader {
    double most;
    enum sli sli;
};

static const struct leader nobody = {-INFINITY, SLI_COUNT};

static void lead(struct leader *leader, double value, int id)
{
    if (value > leader->most)
        *leader = (struct leader){value, (enum sli)id};
}

struct sums {
    double g_rel, g_all; /* ln */
    struct leader relative, absolute, any, sick, shared, budget, burn;
};

static bool takes_part(const struct policy *policy, uint32_t muted, int id)
{
    const struct guardrail *guardrail = &policy->guardrail[id];
    return guardrail->used && guardrail->action == ACTION_ROLLBACK && (muted >> id & 1) == 0;
}

static bool shared_too_long(const struct sli_evidence *sli, int64_t hold_s)
{
    return sli->shared_since >= 0 && sli->last_sick - sli->shared_since >= (double)hold_s &&
           recent_proven(sli->canary) && !sli->sick_before;
}

static bool budget_spent(const struct sli_evidence *sli, const struct guardrail *guardrail)
{
    return guardrail->allowed > 0 && sli->budget_x >= guardrail->allowed &&
           budget_log(sli, 0, guardrail->eta) >= log(budget_proof);
}

uint32_t evidence_burning(const struct evidence *evidence, const struct policy *policy, enum sli id)
{
    const struct sli_evidence *sli = &evidence->sli[id];
    uint32_t burning = 0;
    /* the windows end where this SLI's blocks do: with a long deadline they close long after the others', and
       a replay knows nothing but blocks */
    for (int i = 0; i < BURN_WINDOWS; i++)
        if (policy->guardrail[id].used && !sli->sick &&
            burn_now(&sli->burn[i], &policy->burn[i].window, sli->closed_s,
                     policy->guardrail[id].budget_rate))
            burning |= 1u << i;
    return burning;
}

/* A window burns whose action is to roll back. */
static bool burns_fast(const struct evidence *evidence, const struct policy *policy, enum sli id)
{
    uint32_t burning = evidence_burning(evidence, policy, id);
    for (int i = 0; i < BURN_WINDOWS; i++)
        if ((burning >> i & 1) != 0 && policy_burn_action(policy, id, i) == ACTION_ROLLBACK)
            return true;
    return false;
}

static struct sums sum_up(const struct evidence *evidence, const struct policy *policy, uint32_t muted)
{
    struct sums sums = {nothing_watched, nothing_watched, nobody, nobody, nobody,
                        nobody,          nobody,          nobody, nobody};
    double relative[SLI_COUNT], absolute[SLI_COUNT];
    size_t count = 0;
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct sli_evidence *sli = &evidence->sli[i];
        const struct guardrail *guardrail = &policy->guardrail[i];
        if (!takes_part(policy, muted, i))
            continue;
        struct terms terms = terms_of(evidence, policy, (enum sli)i);
        relative[count] = terms.relative;
        absolute[count++] = terms.absolute;
        lead(&sums.relative, terms.relative, i);
        lead(&sums.absolute, terms.absolute, i);
        lead(&sums.any, terms.relative > terms.absolute ? terms.relative : terms.absolute, i);
        if (sli->sick)
            lead(&sums.sick, recent_value(sli->stable), i);
        if (shared_too_long(sli, policy_shared_hold_s(policy, (enum sli)i)))
            lead(&sums.shared, sli->last_sick - sli->shared_since, i);
        if (budget_spent(sli, guardrail))
            lead(&sums.budget, sli->budget_x / guardrail->allowed, i);
        if (burns_fast(evidence, policy, (enum sli)i))
            lead(&sums.burn, recent_value(sli->canary), i);
    }
    if (count > 0) {
        sums.g_rel = ln_sum(relative, count);
        sums.g_all = ln_add(sums.g_rel, ln_sum(absolute, count));
    }
    return sums;
}

/* When the breach began, as attribution waits from there: not while stable is sick itself. */
static void keep_clock(struct evidence *evidence, bool breach, bool waits)
{
    if (!breach)
        evidence->breach_since = -1;
    else if (evidence->breach_since < 0 || waits)
        evidence->breach_since = evidence->now_s;
}

/* The wait is for blocks: one that is still open says nothing new of stable. */
static bool attributed(const struct evidence *evidence, const struct policy *policy, enum sli lead)
{
    const struct sli_evidence *sli = &evidence->sli[lead];
    return recent_proven(sli->worse) || sli->weight == WEIGHT_FULL ||
           sli->closed_s - evidence->breach_since >= (double)policy->attr_wait_s;
}

/* A window proves nothing by itself, and waiting does not either: the burn is canary's own where its relative
   lane alone has reached 1/alpha, or where there is no stable beside it. */
static bool burns_alone(const struct evidence *evidence, const struct policy *policy, enum sli lead)
{
    const struct sli_evidence *sli = &evidence->sli[lead];
    return sli->weight == WEIGHT_FULL || evidence_lane_log(&sli->relative) >= -log(policy->alpha);
}

/* Rows 1 to 9 of the attribution table; the first that matches. `over`: the sum has crossed; a burn is a
   breach as well. */
static struct judgement judge(const struct evidence *evidence, const struct policy *policy,
                              const struct sums *sums, uint32_t muted, bool over, bool sick)
{
    bool burns = sums->burn.sli != SLI_COUNT;
    enum sli breaker = over ? sums->absolute.sli : sums->burn.sli;
    if (sums->g_rel >= -log(policy->alpha))
        return (struct judgement){JUDGE_ROLLBACK, REASON_WORSE, sums->relative.sli, 0, 0};
    if (over && attributed(evidence, policy, sums->absolute.sli))
        return (struct judgement){JUDGE_ROLLBACK, REASON_CEILING, sums->absolute.sli, 0, 0};
    if (burns && burns_alone(evidence, policy, sums->burn.sli))
        return (struct judgement){JUDGE_ROLLBACK, REASON_BURN, sums->burn.sli, 0, 0};
    if (sums->shared.sli != SLI_COUNT)
        return (struct judgement){JUDGE_RETURN, REASON_SHARED_CAUSE, sums->shared.sli, 0, 0};
    if (over || burns)
        return (struct judgement){JUDGE_HOLD, REASON_ATTRIBUTING, breaker, 0, 0};
    if (sick)
        return (struct judgement){JUDGE_HOLD, REASON_SHARED, sums->sick.sli, 0, 0};
    if (sums->budget.sli != SLI_COUNT)
        return (struct judgement){JUDGE_HOLD, REASON_BUDGET, sums->budget.sli, 0, 0};
    if (evidence->split.crossed && (muted >> WATCH_SPLIT & 1) == 0)
        return (struct judgement){JUDGE_HOLD, REASON_SPLIT, (enum sli)0, 0, 0};
    if (evidence->coverage_crossed && (muted >> WATCH_COVERAGE & 1) == 0) {
        enum sli uncovered = (enum sli)0;
        coverage_log(evidence, policy, &uncovered);
        return (struct judgement){JUDGE_HOLD, REASON_COVERAGE, uncovered, 0, 0};
    }
    return (struct judgement){JUDGE_CONTINUE, REASON_NONE,
                              sums->any.sli != SLI_COUNT ? sums->any.sli : (enum sli)0, 0, 0};
}

struct judgement evidence_judge(struct evidence *evidence, const struct policy *policy, uint32_t muted,
                                bool fix)
{
    if (evidence->latched.action != JUDGE_CONTINUE)
        return evidence->latched;
    struct sums sums = sum_up(evidence, policy, muted);
    /* a fix is rolled out because stable is broken: going back to it would not help */
    if (fix)
        sums.shared.sli = SLI_COUNT;
    bool over = sums.absolute.sli != SLI_COUNT && sums.g_all >= -log(policy->alpha);
    bool sick = sums.sick.sli != SLI_COUNT && !fix;
    keep_clock(evidence, over, sick);
    struct judgement judgement = judge(evidence, policy, &sums, muted, over, sick);
    judgement.log_g_rel = sums.g_rel;
    judgement.log_g_all = sums.g_all;
    if (judgement.action == JUDGE_ROLLBACK || judgement.action == JUDGE_RETURN)
        evidence->latched = judgement;
    if (judgement.action == JUDGE_ROLLBACK)
        evidence->sli[judgement.lead].failed = true;
    return judgement;
}

bool evidence_alarm(struct evidence *evidence, const struct policy *policy, enum sli id)
{
    const struct guardrail *guardrail = &policy->guardrail[id];
    bool *failed = &evidence->sli[id].failed;
    if (!guardrail->used)
        return false;
    if (guardrail->action != ACTION_ROLLBACK && !*failed) {
        struct terms terms = terms_of(evidence, policy, id);
        *failed = ln_add(terms.relative, terms.absolute) >= -log(policy->alpha);
    }
    return *failed;
}
