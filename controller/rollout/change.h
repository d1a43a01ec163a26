/* The one place where a decision becomes rows: rollout, route, quarantine, bake, event and outbox in one
 * transaction. */
#pragma once

#include "rollout/state.h"

/* How long gateways may give a canary its weight without hearing from Serin (law 10). Set once before threads
   start; 900 s by default. */
void change_set_lease(int64_t seconds);
int64_t change_lease(void);

struct change {
    enum verb verb;
    const char *actor; /* name of the token, or "serin" */
    const char *said;  /* reason given by the actor; NULL = none */
    int32_t new_weight;
    int muted; /* VERB_MUTE: an SLI or an enum watch */
    const char *until;
};

/* Decides and writes: snapshot, row of the table, effects. The state must have been loaded with its locks.
   Commands that the table refuses are CONFLICT with the row's sentence. *rule (may be NULL) is the row that
   fired. After STATUS_OK the state is as written. */
enum status change_run(struct db *db, struct rollout_state *state, const struct change *change,
                       const struct rule **rule, struct fault *fault) MUST_CHECK;
