/* A rollout with all that a decision about it looks at, read in one go inside a transaction. */
#pragma once

#include "decision/course.h"
#include "spec/policy.h"
#include "store/alerts.h"
#include "store/routes.h"

#include <json-c/json_object.h>

struct rollout_state {
    struct rollout_row row;
    struct slos slos;
    struct spec_policy spec; /* the frozen policy, with its source */
    struct plan plan;        /* the frozen plan */
    struct evidence_row evidence;
    struct rollout_world world;
    struct route_row route; /* the service's newest route, whoever wrote it */
    struct route_coarsest
        coarsest;        /* live gateway that can apply the fewest weights; read where it is told */
    uint32_t muted;      /* guardrails (1 << sli) and watches (1 << WATCH_...) that may not act now */
    bool blind_rollback; /* a guardrail without data asks to roll back then, as last observed */
    int64_t stray;       /* requests of the newest minute to releases that the route does not name */
    uint32_t late;       /* SLIs (1 << sli) whose bad outcomes come too late too often, as last observed */
    enum source_health source;               /* how it answers, as last observed */
    struct fault source_fault;               /* why not well: detail and next step */
    struct alerts alerts;                    /* about the service that fire, counted for this rollout */
    struct firing_alert alert[ALERTS_SHOWN]; /* the newest of them */
    int alert_count;
    int64_t alert_newest; /* firing of the newest */
    bool bare;            /* documents and evidence were not read: good for leaving only */
};

/* Reads rollout `id`; with `lock` it locks service and rollout first. *out is malloc'ed, the caller's
   (state_free); NULL on failure. */
enum status state_load(struct db *db, const char *id, bool lock, struct rollout_state **out,
                       struct fault *fault) MUST_CHECK;
/* The same, locked, for abort, rollback and supersede: what cannot be read of documents and evidence does not
   matter then (law 2: they need neither). */
enum status state_load_to_leave(struct db *db, const char *id, struct rollout_state **out,
                                struct fault *fault) MUST_CHECK;
void state_free(struct rollout_state *state); /* NULL is fine */

/* Parses the frozen documents of state->row into slos, spec and plan. */
enum status state_read_documents(struct rollout_state *state, struct fault *fault) MUST_CHECK;

/* Seconds of evidence time: since the whole second in which the rollout was created. */
double state_seconds(const struct rollout_state *state, struct wall_time at);
/* Whole second in which the rollout was created (since 1970). */
int64_t state_base_s(const struct rollout_state *state);

/* Where the rollout stands, as the decision knows it; and back into the row. */
struct course state_course(const struct rollout_state *state);
void state_keep(struct rollout_state *state, const struct course *course);

/* What decide() looks at. Calls evidence_judge(), which may latch. `new_weight` is the command's
 * (or 0). */
void state_snapshot(struct rollout_state *state, int32_t new_weight, struct snapshot *out);
