/* The evidence of one rollout: counts of ticks in, sequential evidence out. Pure: the same calls in the same
   order give the same bits. One plain struct a rollout; no pointers, no allocation. Mathematics: handbook,
   "How Serin decides". */
#pragma once

#include "decision/lane.h"
#include "decision/policy.h"
#include "decision/split.h"

#include <stddef.h>

enum {
    EVIDENCE_BUDGET_GRID = 8, /* of the budget lane */
    EVIDENCE_WEIGHTS_MAX = 64 /* remembered weight changes; older ones are no longer needed */
};

/* Which quality the data have; decides how a weight change is treated. */
enum data_quality {
    QUALITY_COHORT,     /* admissions and outcomes: cohorts by admission */
    QUALITY_AGED,       /* outcomes with an age: cohorts complete at the deadline */
    QUALITY_COMPLETION, /* counters by completion time: both arms are dropped near a weight change */
};

struct sli_evidence {
    struct evidence_lane relative, absolute;
    /* ln of the recent e-values, see recent.h */
    double stable[EVIDENCE_GRID], canary[EVIDENCE_GRID], worse[EVIDENCE_GRID];
    /* see budget.h */
    double budget_y[EVIDENCE_BUDGET_GRID], budget_x;
    /* this step's non-inferiority, see ni.h; bad/seen of a stratum give its theta */
    double ni_ratio[2], ni_add, ni_bad[STRATA_MAX], ni_seen[STRATA_MAX];
    /* see burn.h: the canary's outcomes */
    struct burn_ring burn[BURN_WINDOWS];
    /* is the SLI measured less often for canary than for stable? */
    struct evidence_lane coverage;
    /* stable's outcomes, forgotten over an hour: theta of the next step */
    double stable_bad, stable_seen;
    /* the open block: start < 0 when none is open */
    double block_start, block_end; /* block_end: planned */
    double block_last;             /* end of the newest tick in it */
    double closed_s;               /* end of the newest block that was closed, s; -1 = none */
    struct sli_counts open;
    bool open_step;                 /* the block is the first after a weight increase */
    bool step_pending;              /* the weight was raised and no block has begun since */
    double shared_since, last_sick; /* s; -1 = not */
    bool sick;                      /* stable is proven above the ceiling */
    bool sick_before;               /* and it has been so since before the canary's first weight */
    int32_t weight;                 /* of the canary where this SLI stands, 1/10,000 */
    int32_t step;                   /* the plan's step it stands in, from 0; -1 = none yet */
    int32_t weight_next;            /* the first change in evidence.weight that it has not passed */
    double weight_seen;             /* time of the newest change it has passed, s; -1 = none */
    /* what people ask for; counted when a block closes */
    struct counts total; /* while the canary had weight */
    struct counts coverage_total;
    struct counts step_total; /* the same, since the weight was last raised */
    struct counts step_coverage;
    double last_tick; /* end of the newest tick, s; -1 = none yet */
    int64_t invalid_ticks;
    int64_t rows_dropped; /* requests of ticks dropped by blanking, warm-up or draining */
    bool failed;          /* a fail is never forgotten (law 6) */
};

struct weight_change {
    double at_s;    /* s since the rollout began */
    int32_t weight; /* in 1/10,000, from then on */
    bool raised;    /* by the plan: a likely moment of a fault */
    double applied; /* when every gateway was known to have it, s; -1 = not known */
};

/* What the evidence says, in the order of the rows of the attribution table. */
enum judgement_action { JUDGE_CONTINUE, JUDGE_HOLD, JUDGE_RETURN, JUDGE_ROLLBACK };
enum judgement_reason {
    REASON_NONE,
    REASON_WORSE,   /* ROLLBACK: canary is worse than stable beyond the tolerance, or its budget is spent */
    REASON_CEILING, /* ROLLBACK: canary broke a ceiling, and the breach is its own */
    REASON_SHARED_CAUSE, /* RETURN: both arms are broken for longer than shared_hold; nobody is blamed */
    REASON_ATTRIBUTING,  /* HOLD: a ceiling is broken; whose fault it is is not yet proven */
    REASON_SHARED,       /* HOLD: stable itself is above a ceiling */
    REASON_BUDGET,       /* HOLD: the share of the error budget is spent by count, and harm is proven */
    REASON_BURN,         /* ROLLBACK: canary burns its error budget too fast, and on its own */
    REASON_SPLIT,        /* HOLD: canary does not get the share of admissions that its weight says */
    REASON_COVERAGE,     /* HOLD: an SLI is measured less often for canary than for stable */
    REASON_COUNT
};

/* What can be muted: an SLI's guardrail by its own bit (1 << sli), and these. */
enum watch { WATCH_SPLIT = 24, WATCH_COVERAGE, WATCH_LATE, WATCH_ALERT, WATCH_END };
/* Bit of the set of muted things that `text` names: an SLI, "split", "coverage", "late" or "alert". False:
 * none. */
bool watch_parse(const char *text, int *bit);
const char *watch_name(int bit); /* static; NULL if the bit means nothing */

struct judgement {
    enum judgement_action action;
    enum judgement_reason reason;
    enum sli lead; /* the SLI with the largest term of what decided */
    /* ln of the sums that are compared with 1/alpha; -1000 when no guardrail takes part */
    double log_g_rel, log_g_all;
};

struct evidence {
    struct sli_evidence sli[SLI_COUNT];
    struct weight_change weight[EVIDENCE_WEIGHTS_MAX];
    int32_t weights;
    int32_t planned_weights; /* S_n: number of weights in the plan */
    double tick_s;
    double rps;            /* requests a second of both arms, EWMA over 60 s; -1 = unknown */
    double rps_next;       /* the same with the tick that began at rps_tick; used from the next tick on */
    double rps_tick;       /* s; -1 = none */
    double breach_since;   /* s; -1 = no breach */
    double now_s;          /* end of the newest tick of any SLI */
    double canary_since;   /* when the canary first had weight, s; -1 = not yet (for the warm-up) */
    bool coverage_crossed; /* it stays so */
    struct split_watch split;
    struct judgement latched; /* a ROLLBACK or RETURN that was once reached stays */
};

/* A closed block as it is stored, enough to compute all evidence anew. length_s reaches to the end of the
   last tick in it. */
struct block {
    enum sli sli;
    double start_s, length_s;
    int32_t weight; /* 1/10,000 */
    bool new_step;
    struct sli_counts counts;
};

/* Starts a rollout's evidence. `plan` and `policy` are the frozen ones; tick_s > 0 (1 pushed, 15 scraped). */
void evidence_init(struct evidence *evidence, const struct policy *policy, const struct plan *plan,
                   double tick_s);

/* The evidence of one SLI before its first tick. S_n = planned_weights. */
void evidence_sli_init(struct sli_evidence *sli, int32_t planned_weights);

/* The canary's weight is `weight` (1/10,000) from at_s on (s since the rollout began, not before an earlier
   call's). Before the first call it is 0, and only what is said of stable is gathered. `raised` marks an
   increase by the plan. SLIs pass the change at their first tick with t_s >= at_s: the open block is closed
   there, and if `raised`, per-step evidence (non-inferiority, step counts) starts anew; until an SLI has
   passed it, it has proven nothing in the new step. The step is the plan's next with that weight, else the
   next. A lowered weight (set-weight) is no new step: the lanes go on and the NI evidence is kept. */
void evidence_weight(struct evidence *evidence, double at_s, int32_t weight, bool raised);

/* The newest change is known to be applied by every gateway, since at_s (s since the rollout began). */
void evidence_weight_applied(struct evidence *evidence, double at_s);
/* From from_s until to_s (s since the rollout began) nobody renewed the lease on canary weight: gateways may
   have gone to stable by themselves. A later gap takes the place of one whose admissions have all been given.
 */
void evidence_lease_gap(struct evidence *evidence, double from_s, double to_s);
/* Smallest and largest weight (1/10,000) that some gateway may have used between from_s and to_s: a weight
   may be in use from when it was written until a later one is known to be applied, and none during a gap of
   the lease. */
void evidence_weight_range(const struct evidence *evidence, double from_s, double to_s, int32_t *lo,
                           int32_t *hi);

/* One tick [t_s, t_s + dt_s) of one SLI: counts of the requests admitted (or, for QUALITY_COMPLETION,
   completed) in it. Ticks of one SLI come in order; a missing tick is simply not given. `rps_hint`: this
   tick measures the rate (the caller passes it for one SLI; where several give it for one t_s the largest
   counts): by its n, or by the outcomes that came without the SLI, whichever are more. A hint older than the
   newest one is ignored, and the rate a tick has measured is used from the next t_s on: the order of the SLIs
   inside a tick changes nothing. Counts that are not sli_counts_valid(), dt_s <= 0 and a tick before the end
   of an earlier one are counted in invalid_ticks and dropped. `draining`: no new block is opened. A guardrail
   that is not used has no evidence; only its hint counts. If a block closes it is copied to `closed` (room
   for 2: a weight change may close one and the tick another) and the number of blocks written is returned, 0
   to 2. */
int evidence_tick(struct evidence *evidence, const struct policy *policy, const struct plan *plan,
                  enum sli sli, enum data_quality quality, double t_s, double dt_s,
                  const struct sli_counts *counts, bool rps_hint, bool draining, struct block closed[2]);

/* Admissions of a tick, for the split check; ticks come in order, others are ignored. While canary has no
   weight, or the policy has no split check, nothing happens. Returns true if a block of 60 s was closed,
   which is then copied to *closed. */
bool evidence_admissions(struct evidence *evidence, const struct policy *policy,
                         const struct admissions *admissions, struct split_block *closed);
/* Feeds a stored split block instead of ticks (replay). */
void evidence_split_block(struct evidence *evidence, const struct policy *policy,
                          const struct split_block *block);

/* Feeds a stored block instead of ticks (replay); blocks of one SLI in their order. Gives the same evidence,
   to the bit, as the ticks it came from: lanes, recent e-values, budget, non-inferiority, totals. Repeat the
   calls of evidence_weight() too; without them a step that passed with no block in it is missed, and with it
   a margin. Not restored: the rate, invalid and dropped ticks, and the latched judgement. */
void evidence_block(struct evidence *evidence, const struct policy *policy, const struct plan *plan,
                    const struct block *block);

/* What the evidence says now (evidence->now_s). `muted` is a set of SLIs (1 << sli) whose guardrails may not
   act; they are left out of the sums, and watches (1 << WATCH_...) that may not hold. `fix`: the rollout
   repairs a stable that is itself broken (start
   --fix): a sick stable does not hold, does not keep the wait for attribution from running, and is no cause
   that both share. A ROLLBACK or RETURN of an unmuted SLI is latched into `evidence`, and a ROLLBACK into its
   lead's `failed`. Call it after each batch of ticks: it keeps breach_since. Only SLIs with action ROLLBACK
   take part; those with PAUSE or NOTIFY have a threshold of their own: see evidence_alarm(). */
struct judgement evidence_judge(struct evidence *evidence, const struct policy *policy, uint32_t muted,
                                bool fix);

/* For a guardrail whose action is PAUSE or NOTIFY: has its own evidence crossed 1/(alpha * share)? Latched in
   sli[].failed. False for unused ones; for action ROLLBACK only what evidence_judge() has latched. */
bool evidence_alarm(struct evidence *evidence, const struct policy *policy, enum sli sli);

/* Burn windows of `sli` that burn (1 << window) at the end of its newest block, while stable is not proven
   sick: the canary alone burns. They follow from blocks alone, so a replay finds the same. */
uint32_t evidence_burning(const struct evidence *evidence, const struct policy *policy, enum sli sli);

/* No block is open: the weight may be changed without mixing two weights in one block. */
bool evidence_idle(const struct evidence *evidence);

/* The SLI has passed the newest raise: what it has counted and proven, it has in the present step. */
bool evidence_in_step(const struct evidence *evidence, enum sli sli);

/* Non-inferiority of one SLI in the present step: ln E, and the threshold ln(S_n / alpha_ni) it needs. */
double evidence_ni(const struct evidence *evidence, enum sli sli);
double evidence_ni_threshold(const struct evidence *evidence, const struct policy *policy);
/* Every used guardrail (muted ones too) has passed the newest raise and proven non-inferiority in this step.
   With no used guardrail: false. */
bool evidence_proven(const struct evidence *evidence, const struct policy *policy);

/* Verdict of one guardrail. NO_DATA when its newest tick ended more than max(60 s, 4 ticks) before `now_s -
   maturity`, or `blind`; the shell turns a failing source into ERROR. */
enum verdict {
    VERDICT_PASS,
    VERDICT_FAIL,
    VERDICT_INCONCLUSIVE,
    VERDICT_NO_DATA,
    VERDICT_ERROR,
    VERDICT_COUNT
};
const char *verdict_name(enum verdict verdict);
bool verdict_parse(const char *text, enum verdict *out); /* false: no verdict has that name */
enum verdict evidence_verdict(const struct evidence *evidence, const struct policy *policy, enum sli sli,
                              double now_s, bool blind);

/* Expected seconds until `sli` has proven non-inferiority in this step, for a healthy canary at the present
   rate (reference: N = ln(2 S_n/alpha_ni) / ((1-w) max(KL(p||p+d), p(W-1-ln W))), less what is proven
   already), where all requests have the SLI; a sample takes the longer. -1 if it cannot be told: no traffic,
   or none of the canary's requests has the SLI. */
double evidence_eta_s(const struct evidence *evidence, const struct policy *policy, const struct plan *plan,
                      size_t step, enum sli sli);

/* Versioned field codec. Writes at most EVIDENCE_CODEC_MAX bytes and returns how many; decode returns false
   on anything it cannot read exactly (unknown version, wrong length, NaN, +inf, k > n, ...), leaving *out
   undefined. -inf is kept where it can be; decode(encode(x)) == x bit by bit. SLIs that were added since are
   as after evidence_init(). */
enum { EVIDENCE_CODEC_MAX = 65536 };
size_t evidence_encode(const struct evidence *evidence, unsigned char out[EVIDENCE_CODEC_MAX]);
bool evidence_decode(const unsigned char *data, size_t length, struct evidence *out);
