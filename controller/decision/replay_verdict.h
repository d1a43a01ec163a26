/* Holding stored verdicts of single guardrails against the evidence of a replay (replay.h). Pure.

   A verdict that was stored says on which counts it rests; at that point of the walk it is computed again:
   pass and inconclusive from the proof of the present step, fail from what can make one. What no_data and
   error rest on is not in the blocks; of those only the counts are compared. */
#pragma once

#include "decision/replay.h"

struct replay_verdict {
    enum sli sli;
    enum verdict verdict;
    double at_s;         /* in evidence time, to the millisecond */
    struct counts total; /* the SLI's while the canary had weight */
    bool has_proof;
    double proof; /* ln of its evidence of non-inferiority */
};

enum replay_match {
    REPLAY_NOT_YET, /* fewer blocks than it rests on */
    REPLAY_SAME,    /* it comes out as it was stored */
    REPLAY_OTHER, /* the counts are those, and another verdict (or proof) comes out; a later block may settle
                     it */
    REPLAY_PAST   /* the counts that it states never stood, or do no longer */
};

/* Compares `stored` with the walk as it stands, between two blocks. *computed: what comes out, where that is
   REPLAY_SAME or REPLAY_OTHER. */
enum replay_match replay_match_verdict(const struct replay *replay, const struct replay_verdict *stored,
                                       enum verdict *computed);
