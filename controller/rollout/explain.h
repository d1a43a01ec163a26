/* What the files of the explanation share: JSON helpers, and its parts. For this room only. */
#pragma once

#include "rollout/state.h"
#include "store/cohorts.h"

/* Of how long the admissions are looked at that have no outcome. */
enum { EXPLAIN_UNMATCHED_S = 900 };

/* Adds a field; on no memory the value is dropped and false returned. `value` NULL is null. */
bool explain_put(struct json_object *object, const char *name, struct json_object *value);
bool explain_put_text(struct json_object *object, const char *name,
                      const char *value); /* "" and NULL: null */
bool explain_put_time(struct json_object *object, const char *name, struct wall_time time); /* 0: null */
/* Six significant digits are enough for people; what is not finite is null. */
bool explain_put_number(struct json_object *object, const char *name, double value);

/* --- numbers (explain_numbers.c) ------------------------------------------------------------------- */
/* Everything about one guardrail's evidence, and the policy values it was computed with. */
struct json_object *explain_evidence(const struct rollout_state *state, enum sli sli);
struct json_object *explain_guardrail_policy(const struct rollout_state *state, enum sli sli);
struct json_object *explain_policy(const struct rollout_state *state);
/* The check of the admitted share. */
struct json_object *explain_split(const struct rollout_state *state);
/* Moment up to which the counts of an SLI are complete, in evidence time: where its open block begins; -1 =
   nothing was counted. */
double explain_counted_s(const struct rollout_state *state, enum sli sli);

/* --- what is proven and not acted upon (explain_against.c) ------------------------------------------ */
struct explain_against {
    uint32_t failed;          /* guardrails (1 << sli) that have failed and are not muted */
    uint32_t muted;           /* muted ones that would act now */
    enum sli lead;            /* of the muted, the one that is told of; only with muted != 0 */
    struct wall_time until;   /* when its mute ends */
    struct judgement unmuted; /* what would be judged without mutes of guardrails, where it differs; else
                                 CONTINUE */
    int64_t blind_s;          /* how long data have been missing; -1 = they are not */
};
struct explain_against explain_against(const struct rollout_state *state, const struct snapshot *snapshot);
/* What to say instead of "nothing speaks against the canary"; false: nothing of it stands. */
bool explain_against_words(const struct rollout_state *state, const struct explain_against *against,
                           char *out, size_t size);
/* What comes when the mute ends, and what to do about it; false: nothing comes. */
bool explain_mute_ends(const struct rollout_state *state, const struct explain_against *against, char *out,
                       size_t size);
/* The mutes that last, as the rollout has them. */
struct json_object *explain_mutes(const struct rollout_state *state);

/* `source`: why the metrics source fails now, with an empty detail while it does not. */
/* --- sentences (explain_words.c) ------------------------------------------------------------------- */
void explain_judgement_words(const struct judgement *judgement, char *out, size_t size);
void explain_guardrail_words(const struct rollout_state *state, enum sli sli, enum verdict verdict,
                             const struct fault *source, char *out, size_t size);
/* Adds to the words of a deadline SLI how many of its bad requests had no outcome, where the counts can tell.
 */
void explain_absent_words(enum sli sli, const struct cohort_unmatched *unmatched, char *out, size_t size);
/* Why a guardrail can prove nothing: nobody reports its SLI, or not for the canary; and what to do. False: it
   is reported, or nothing is known of that. */
bool explain_unreported_words(const struct rollout_state *state, enum sli sli, char *out, size_t size);
/* "nobody reports it": the same for where the SLI was named already; NULL: it is reported. Static. */
const char *explain_unreported_short(const struct rollout_state *state, enum sli sli);
/* What to do about it; false: nothing, as each guardrail that may act is reported, or the rollout stands
 * still.
 */
bool explain_unreported_next(const struct rollout_state *state, char *out, size_t size);
/* Guardrails (1 << sli) that may act and that nobody has reported in this step, however long it lasts. */
uint32_t explain_unreported(const struct rollout_state *state);
/* --- counters that have never been there (explain_unseen.c) ----------------------------------------- */
/* SLIs (1 << sli) with a guardrail whose counter at a polled source no series was seen of. */
uint32_t explain_unseen(const struct rollout_state *state);
/* Adds to the words of a guardrail that its counter is one of `unseen`. */
void explain_unseen_words(const struct rollout_state *state, enum sli sli, uint32_t unseen, char *out,
                          size_t size);
struct json_object *explain_unseen_object(const struct rollout_state *state, uint32_t unseen);

/* What the quality of the data means for the comparison. */
void explain_quality_words(const struct rollout_state *state, char *out, size_t size);
/* Whether the comparison goes on at the highest weight. *compares: stable gets traffic now. */
void explain_watch_words(const struct rollout_state *state, bool *compares, char *out, size_t size);
/* A first release that serves: there is none to go back to, and to abort it is to serve nothing. */
bool explain_serves_alone(const struct rollout_state *state);
/* What became of the service after this rollout had ended, as "Since then: ..."; false and "" where its route
   is the one that this or a later rollout wrote. */
bool explain_since_then(const struct rollout_state *state, char *out, size_t size);
/* What to do now. */
void explain_next_step(const struct rollout_state *state, const struct snapshot *snapshot,
                       const struct explain_against *against, const struct fault *source, char *out,
                       size_t size);

/* --- what is still needed (explain_needs.c) --------------------------------------------------------- */
bool explain_proof_missing(const struct rollout_state *state, enum sli sli);
/* Seconds until an SLI is proven for a healthy canary; 0 = it is; -1 = it cannot be told. */
double explain_eta(const struct rollout_state *state, enum sli sli, enum verdict verdict);
/* What the next step still needs. *eta: seconds, -1 = not known; then `unknown` says why ("" = it has
   ended). */
struct json_object *explain_needs(const struct rollout_state *state, const struct snapshot *snapshot,
                                  const enum verdict verdicts[SLI_COUNT], double *eta, char *unknown,
                                  size_t size);
