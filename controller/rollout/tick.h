/* The automatic actor's turn: what was observed becomes evidence, a decision and rows, in one transaction. */
#pragma once

#include "rollout/state.h"

/* What an observation of a rollout brought, computed without locks from the state at `row_version`. */
struct observation {
    struct evidence_row *evidence; /* after the ticks; lent */
    const struct block *blocks;    /* closed by them; lent */
    size_t block_count;
    bool changed;              /* there were ticks or a new source state: evidence is to be stored */
    enum source_health source; /* fails: verdict error; warns: inconclusive at best. Nothing advances then */
    struct fault source_fault; /* why; stored with the verdict, and in the sentences of what it holds up */
    bool blind;                /* more than a tenth of the admissions cannot be followed */
    const struct split_block *split_blocks; /* closed by admissions; lent */
    size_t split_block_count;
    int64_t stray; /* requests of the newest minute that went to a release the route does not name */
    uint32_t late; /* SLIs of which more than a tenth of the bad outcomes came after their maturity */
    int64_t row_version, lease_epoch; /* as seen when observing */
};

/* Runs inside the caller's transaction. SUPERSEDED if the rollout has changed since, or the lease is
   another's: then nothing may be written, and the next tick begins anew. *rule (may be NULL) is the row that
   fired. */
enum status tick_run(struct db *db, const char *id, const struct observation *observation,
                     const struct rule **rule, struct fault *fault) MUST_CHECK;
