/* What a rollout is held to: SLOs, guardrails, policy and plan, as plain structs. They are frozen into a
   rollout when it starts. Defaults: policy_default(). Where people write these documents as JSON,
   controller/spec reads them. */
#pragma once

#include "decision/burn.h"
#include "decision/counts.h"
#include "decision/sli.h"

#include <stddef.h>

enum { WEIGHT_FULL = 10000 }; /* weights are in 1/10,000 */

struct slo {
    bool used;
    int32_t objective_ppm; /* share of good requests asked for: 990000 = 99 % */
    int64_t threshold_ms;  /* ttft and latency: slower is bad; timeout: the deadline; else 0 */
    int64_t window_s;      /* of the error budget; 30 days by default */
};

struct slos {
    struct slo of[SLI_COUNT];
};

enum guardrail_action { ACTION_ROLLBACK, ACTION_PAUSE, ACTION_NOTIFY };
enum blind_action { BLIND_PAUSE, BLIND_ROLLBACK, BLIND_AS_POLICY /* of a guardrail only */ };
enum pace { PACE_EVIDENCE, PACE_TIME };

/* How one SLI is watched during a rollout. Formulas: handbook, "How Serin decides". */
struct guardrail {
    bool used;
    enum guardrail_action action; /* on a fail */
    enum blind_action on_blind;   /* when its data are missing for longer than policy.blind_s */
    int64_t shared_hold_s;        /* see policy.shared_hold_s; 0 = as there */
    double budget_rate;           /* bad share that the SLO allows, 1 - objective; 0 = not known */
    double share;        /* relative share of alpha, > 0; shares are normalised over the used guardrails */
    double tolerance;    /* tolerated odds ratio canary/stable, >= 1 (1.10) */
    double ceiling;      /* highest allowed bad share of the canary, 0..1; 0 = no ceiling lane */
    double margin_ratio; /* non-inferiority: odds ratio that would be harmful, > 1 (2.0) */
    double margin_add;   /* the same as a difference of bad shares; 0 = by exposure, see plan_margin() */
    double eta;          /* power on block e-values for overdispersion, 0 < eta <= 1 (1) */
    double budget_share; /* share of the 30-day error budget a rollout may spend (0.002); 0 = no lane */
    /* The same as a number of bad outcomes: budget_share x (1 - objective) x rps x 2.592e6. Filled in when a
       rollout starts and its rate is known; 0 = no budget lane. */
    double allowed;
    /* Most ln-evidence one block may add; 0 = half of what one lane needs to roll back, so that no lane can
       do so with fewer than three blocks. */
    double cap;
    int64_t block_s;    /* shortest block; 0 = one tick */
    int64_t maturity_s; /* age at which a cohort is counted (10; never below a deadline SLI's threshold) */
};

/* What an alert that others raise about the service may do to its rollout. */
enum alert_action {
    ALERT_NOTIFY,
    ALERT_HOLD, /* while it fires */
    ALERT_PAUSE,
    ALERT_ROLLBACK /* if it names the canary; else as ALERT_HOLD: nobody is blamed for what names nobody */
};

struct burn_rule {
    struct burn_window window;
    enum guardrail_action action; /* never more than the guardrail's own */
};

struct policy {
    struct guardrail guardrail[SLI_COUNT];
    double alpha;          /* bound on P(false rollback) over the whole rollout (0.01) */
    double alpha_ni;       /* bound on P(false promotion on evidence) per rollout and SLI (0.05) */
    enum pace pace;        /* what a step waits for: proof, or only time ("advanced by time, unproven") */
    int64_t attr_wait_s;   /* longest wait for stable's side of a breach (90) */
    int64_t shared_hold_s; /* a shared breach that outlasts this goes back to stable without blame (300) */
    int64_t warmup_s;      /* latency SLIs: both arms dropped this long after the canary first serves (60) */
    int64_t blanking_s;    /* completion counters: both arms dropped this long after a weight change (60) */
    int64_t blind_s;       /* how long missing data only holds (300); then on_blind */
    enum blind_action on_blind;
    int64_t paused_limit_s; /* a rollout paused this long is aborted, without quarantine (86400) */
    int32_t holdback;       /* weight that stable keeps during the bake, in 1/10,000 (200) */
    int64_t rps_milli;      /* expected requests a second in 1/1,000, for the budget; 0 = measured */
    struct burn_rule burn[BURN_WINDOWS];
    /* The split check: whether canary is admitted what its weight says. */
    bool split_check;
    bool keyed;        /* a key sticks to one arm: a wider band, and evidence to the power 1/key_effect */
    double key_effect; /* design effect of the keys: sum a^2 / sum a over the requests a of each key and hour,
                          >= 1 */
    enum alert_action alert_action; /* (hold) */
    /* Declared strata are numbered from 1; 0 is the rest. */
    int32_t strata; /* 1..STRATA_MAX */
};

enum { PLAN_STEPS_MAX = 16 };

struct plan_step {
    int32_t weight;       /* of the canary, 1..10000, rising; the last is 10000: the bake */
    int64_t bake_s;       /* least time at this weight after the gateways have applied it */
    int64_t min_requests; /* least canary requests counted in this step */
    int64_t deadline_s;   /* longest time in this step; then it pauses and pages. 0 = none (bake only) */
};

struct plan {
    size_t steps; /* 1..PLAN_STEPS_MAX */
    struct plan_step step[PLAN_STEPS_MAX];
};

/* Defaults for `slos`: a guardrail for each SLO, ceiling = 1.5 x (1 - objective) capped at 0.95, the
   constants named above; burn windows 17.3x over 5 min and 1 min (rollback), 7.2x over 30 and 3 min, 3.6x
   over 2 h and 10 min (pause); the split check for random draws; one stratum. block_s is 5 for what breaks by
   the pod (error, timeout, ttft, latency), else 0. */
void policy_default(const struct slos *slos, struct policy *out);
/* The most that the guardrail's own action lets a burn window do. */
enum guardrail_action policy_burn_action(const struct policy *policy, enum sli sli, int window);
enum blind_action policy_on_blind(const struct policy *policy, enum sli sli);
int64_t policy_shared_hold_s(const struct policy *policy, enum sli sli);
/* Fills in guardrail.allowed, for which the rate must be known (rps_milli); without a rate it stays. */
void policy_allowances(const struct slos *slos, struct policy *policy);
/* The rate of the service is followed by one SLI: the first that is watched. Any would do, but it must be the
   same one. True for it and for those before it. */
bool policy_gives_rate(const struct policy *policy, enum sli sli);
/* The default plan: 1, 5, 25, 50, 100 %, 60 s and at most 24 h a step, 10 min bake. */
void plan_default(struct plan *out);
/* Weight that the canary gets in `step` (0 .. steps - 1): its weight, but never what the holdback keeps for
   stable. 0..10000. */
int32_t plan_weight(const struct plan *plan, const struct policy *policy, size_t step);
/* Additive non-inferiority margin that step `step` must prove before the next: clamp(0.005 / w_next, 0.01,
   0.05), where w_next is the weight after it, as a share of 1. */
double plan_margin(const struct plan *plan, size_t step);
