/* Computing stored decisions anew (law 7). From the frozen policy and plan, the weights of the canary and the
   blocks of evidence in the order in which they were stored, each decision's evidence is computed again; the
   rollout table is asked again with it; and both are held against what was stored.

   What a decision took from outside the evidence (the clock, the phase, mutes, freezes, how long a ceiling
   has been broken) is taken from its snapshot. What the evidence gave (judgement, its reason and sums,
   whether the step is proven) is computed. Pure. */
#pragma once

#include "decision/decide.h"

enum { REPLAY_RULE_MAX = 48 };

/* Two numbers that differ by no more than this are equal: of the larger, and of 1 where both are smaller. */
#define REPLAY_TOLERANCE 1e-9

/* What does not change between decisions. Everything is lent. */
struct replay_rollout {
    const struct policy *policy; /* with its allowances */
    const struct plan *plan;
    const struct weight_change *weight; /* all of the canary's, in their order */
    size_t weights;
    double tick_s;
    bool fix;
};

/* Where one SLI stood, as stored with the decision. */
struct replay_lane {
    bool known;
    int32_t weight;                       /* that it had passed */
    double relative, absolute, promotion; /* ln M of both lanes, ln E of non-inferiority */
};

/* A decision as it was stored. */
struct replay_decision {
    struct snapshot snapshot;
    enum verb verb;
    char rule[REPLAY_RULE_MAX];
    enum phase phase; /* after it */
    int32_t step;     /* after it */
    int64_t blocks;   /* how many had been stored */
    int64_t splits;   /* likewise of the split check */
    double at_s;      /* when, in evidence time */
    bool older;       /* from before some of the inputs were stored: those are not compared */
    bool bare;        /* it was made without looking at the evidence, which could not be read */
    struct replay_lane lane[SLI_COUNT];
};

struct replay_result {
    struct decision decision;   /* what comes out now */
    struct judgement judgement; /* likewise */
    bool proven;                /* likewise */
    int64_t burning;            /* likewise: SLIs with a burn window that holds */
    bool rule, phase, step;     /* equal to what was stored */
    bool action;   /* judgement with reason and SLI, whether the step is proven, and what burns are equal */
    bool compared; /* there was evidence to compare */
    bool bits;     /* all of it is equal bit by bit */
    double difference;    /* the largest, relative; INFINITY if only one of two is finite */
    const char *largest;  /* of what; static; NULL = nothing differs */
    enum sli largest_sli; /* SLI_COUNT = of the sums */
    int64_t latched;      /* > 0: it rests on a judgement reached after this block, which stays */
};

/* Rule, phase, step and action are equal, and the evidence within REPLAY_TOLERANCE. */
bool replay_equal(const struct replay_result *result);

struct replay {
    struct replay_rollout rollout;
    const struct replay_decision *next;
    struct evidence evidence;
    size_t passed;                  /* changes of weight given to the evidence */
    int64_t blocks, splits;         /* fed */
    struct judgement latched, near; /* near: the candidate that is closest to what `next` has stored */
    int64_t latched_at, near_at;    /* after which block; 0 = none */
    double near_by;
};

void replay_begin(struct replay *replay, const struct replay_rollout *rollout);

/* The decision that comes next; lent until replay_decide(). Decisions come in their order, each before the
   blocks that were stored between the one before it and itself. */
void replay_next(struct replay *replay, const struct replay_decision *next);

/* The next block. False, and nothing is done, if it cannot be one: an SLI that is not watched, a time that is
   no number or before the end of that SLI's last block, counts that are negative or k > n. */
bool replay_block(struct replay *replay, const struct block *block);

/* The same for the split check, whose blocks are a series of their own. False for admissions or weights that
   cannot be. */
bool replay_split(struct replay *replay, const struct split_block *block);

/* All blocks up to next->blocks and next->splits have been given: computes that decision. */
void replay_decide(struct replay *replay, struct replay_result *out);

/* "rollback", "return", "hold", "continue"; and "worse", ... as explanations say it. Static; "?" for a number
   that this version does not know. */
const char *judgement_action_name(int64_t action);
const char *judgement_reason_name(int64_t reason);
