/* Everything that changes a rollout. Verbs and ticks go through one function (change.c), which decides with
   decision/decide.h and writes rollout, route, event, verdict and outbox row together. All functions here run
   inside the caller's transaction (db_begin ... db_commit) and lock service, then rollout; after any error
   the caller rolls back. */
#pragma once

#include "base/id.h"
#include "base/text.h"
#include "decision/decide.h"
#include "spec/alertmanager.h"
#include "store/db.h"

#include <json-c/json_object.h>

struct rollout_start {
    const char *service, *release; /* lent */
    struct json_object *plan;      /* PlanWrite, lent; NULL = the policy's plan */
    const char *reason;            /* lent; NULL = none */
    bool supersede, fix, allow_no_gateway;
};

/* Starts a rollout as `actor`. *id is its id. NOT_FOUND, INVALID (plan), or CONFLICT with a next step. */
enum status rollout_start(struct db *db, const struct rollout_start *start, const char *actor,
                          char id[ID_MAX], struct fault *fault) MUST_CHECK;

struct rollout_command {
    enum verb verb;        /* VERB_PAUSE ... as decision/decide.h names them */
    const char *reason;    /* lent; NULL = none */
    int32_t weight;        /* VERB_SET_WEIGHT: the new weight in 1/10,000 */
    int muted;             /* VERB_MUTE: an SLI, or an enum watch */
    const char *until;     /* VERB_MUTE: RFC 3339 or a duration from now */
    bool allow_no_gateway; /* VERB_RETRY: as in struct rollout_start */
    int64_t if_version;    /* row version the caller has seen; 0 = any. STALE_VERSION if it is another */
};

/* Runs a verb on rollout `id`. *result is the rollout to show: `id`, or for VERB_RETRY the new one. */
enum status rollout_command(struct db *db, const char *id, const struct rollout_command *command,
                            const char *actor, char result[ID_MAX], struct fault *fault) MUST_CHECK;

/* Ends the live rollout of `service`; with none, brings it back to its rollback target; or to `to` (see the
   OpenAPI operation rollbackService). `to` and `reason` may be NULL. CONFLICT, with the releases and why each
   is skipped, when there is no target; and for a `to` that was never baked or is quarantined, without a
   reason, and for one never baked also while advances are frozen or nothing is stable. *left: name of the
   release that was left ("" = the traffic goes where it went); *ended: the rollout ended by this, or "". */
enum status rollout_rollback(struct db *db, const char *service, const char *to, const char *reason,
                             const char *actor, char left[NAME_MAX_LENGTH + 1], char ended[ID_MAX],
                             struct fault *fault) MUST_CHECK;

/* Freeze and lift, with their events. Freezing twice keeps the first reason (OK, no change). */
enum status rollout_freeze(struct db *db, const char *reason, const char *actor,
                           struct fault *fault) MUST_CHECK;
enum status rollout_unfreeze(struct db *db, const char *actor, struct fault *fault) MUST_CHECK;

/* Lifts the quarantine of a release, with its event. Not quarantined: OK, no change. */
enum status rollout_lift_quarantine(struct db *db, const char *service, const char *release,
                                    const char *reason, const char *actor, struct fault *fault) MUST_CHECK;

/* X(id, word): what becomes of an alert. Those before IGNORE_LABEL are taken. */
#define ALERT_FATES(X)                                                                                       \
    X(TAKEN, "taken")                     /* and may hold, if it fires */                                    \
    X(UNKNOWN_RELEASE, "unknown_release") /* its service has no such release: it holds nothing */            \
    X(OTHER_RELEASE, "other_release")     /* that takes no part in the live rollout */                       \
    X(NO_ROLLOUT, "no_rollout")           /* none is live that could be held */                              \
    X(IGNORE_LABEL, "ignore_label")                                                                          \
    X(NO_SERVICE, "no_service")           /* its labels name none */                                         \
    X(UNKNOWN_SERVICE, "unknown_service") /* Serin does not have it */                                       \
    X(CROWDED, "no_room")                 /* too many of its service fire */
enum alert_fate {
#define X(id, word) ALERT_##id,
    ALERT_FATES(X)
#undef X
        ALERT_FATE_COUNT
};
const char *rollout_alert_word(enum alert_fate fate);
/* Why an alert of this fate holds nothing, as the end of a sentence; "" for one that may. */
enum { ALERT_WHY = 200 };
void rollout_alert_why(enum alert_fate fate, const struct alert *alert, char out[ALERT_WHY]);
/* Takes in `alerts`, with an event for each that begins to fire or is resolved. One that fires and is not
   heard of for `expires_s` counts as over. `fate`: the caller's, `count` of them, in the order of `alerts`.
   In the open transaction and further ones: when it returns, the last of them is open, and what was taken
   before is kept also on failure. Taking the same again changes nothing. */
enum status rollout_take_alerts(struct db *db, const struct alert *alerts, size_t count, int64_t expires_s,
                                const char *actor, enum alert_fate *fate, struct fault *fault) MUST_CHECK;
/* Says of alerts that have expired that they have. In transactions of its own. */
enum status rollout_lapse_alerts(struct db *db, struct fault *fault) MUST_CHECK;

/* One page of a rollout's record (schema Record) appended to `out`, but for the last field, next_cursor, and
   the brace that ends it. `cursor` is "" or *next of the page before; *next is "" on the last. Reads only. */
enum { ROLLOUT_RECORD_CURSOR = 193 };
enum status rollout_record(struct db *db, const char *id, const char *cursor, struct text *out,
                           char next[ROLLOUT_RECORD_CURSOR], struct fault *fault) MUST_CHECK;

/* How long a rollout takes a healthy canary at the rate of the last ten minutes, else at the policy's
   expected_rps (schema Forecast; "null" where no rate is known), and what stands in the way already: SLIs
   that nobody reports of stable, and so never of the canary (an array of StartWarning). Appended to
   `forecast` and `warnings`. Reads only. */
enum status rollout_forecast(struct db *db, const char *id, struct text *forecast, struct text *warnings,
                             struct fault *fault) MUST_CHECK;

/* The explanation of a rollout as JSON (schema Explanation), appended to `out`. Reads only. */
enum status rollout_explain(struct db *db, const char *id, struct text *out, struct fault *fault) MUST_CHECK;
