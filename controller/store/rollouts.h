/* Rows of rollouts, their evidence, blocks and verdicts. No rules here: rollout/ decides what is written. */
#pragma once

#include "base/id.h"
#include "base/text.h"
#include "decision/course.h"
#include "store/db.h"

enum {
    NAME_SIZE = NAME_MAX_LENGTH + 1,
    ROLLOUT_REASON_MAX = 2048 /* a sentence of the table and what a person gave as a reason */
};

struct rollout_row {
    char id[ID_MAX], service[NAME_SIZE], release[NAME_SIZE], stable[NAME_SIZE] /* "" = none */;
    enum phase phase, resume_phase;
    int32_t step, weight;
    struct text plan, policy, slos; /* JSON documents as frozen; owned */
    char salt[64];
    bool fix, unproven;
    char rule[48], reason[ROLLOUT_REASON_MAX];
    struct wall_time created_at, phase_since, step_entered_at, step_since, blind_since; /* 0 = never */
    struct wall_time ended_at; /* to write; 0 = NULL */
    uint32_t alarmed;          /* acted on: guardrails (1 << sli), burn windows (1 << (ALARMED_BURN + sli)) */
    int64_t alerts_acted;      /* the newest firing of an alert that was acted on */
    struct text muted;         /* JSON array; owned */
    int64_t row_version, lease_epoch;
    int64_t incarnation; /* of the routes' history, when it was last seen */
    char retry_of[ID_MAX];
};

void rollout_row_free(struct rollout_row *row);

/* Locks the service, then the rollout, and reads it. NOT_FOUND if there is none. *row is the caller's to
   free, also on failure (then it is empty). */
enum status rollouts_lock(struct db *db, const char *id, struct rollout_row *row,
                          struct fault *fault) MUST_CHECK;
/* The same without locks. */
enum status rollouts_read(struct db *db, const char *id, struct rollout_row *row,
                          struct fault *fault) MUST_CHECK;
/* Locks the service row. NOT_FOUND if there is none. */
enum status rollouts_lock_service(struct db *db, const char *service, struct fault *fault) MUST_CHECK;
/* Locks it if nobody else has; *locked says whether. */
enum status rollouts_try_lock_service(struct db *db, const char *service, bool *locked,
                                      struct fault *fault) MUST_CHECK;
/* Id of the live rollout of a service, "" = none. */
enum status rollouts_live(struct db *db, const char *service, char id[ID_MAX],
                          struct fault *fault) MUST_CHECK;
enum status rollouts_insert(struct db *db, const struct rollout_row *row, const char *created_by,
                            struct fault *fault) MUST_CHECK;
/* Writes what may change, if the row version is still row->row_version, which then grows by one; else
 * SUPERSEDED. */
enum status rollouts_update(struct db *db, struct rollout_row *row, struct fault *fault) MUST_CHECK;
/* Writes row->reason alone. The row version stays, so that a command that was conditioned on it is not
   refused for a sentence; SUPERSEDED if it is another already. */
enum status rollouts_update_reason(struct db *db, const struct rollout_row *row,
                                   struct fault *fault) MUST_CHECK;

struct rollout_claim {
    char id[ID_MAX];
    int64_t lease_epoch;
};
/* Takes or renews up to `max` leases for `owner`. *count is how many. */
enum status rollouts_claim(struct db *db, const char *owner, int64_t lease_s, struct rollout_claim *claims,
                           int max, int *count, struct fault *fault) MUST_CHECK;
/* Ends all leases of `owner` at once (an orderly stop). */
enum status rollouts_release_leases(struct db *db, const char *owner, struct fault *fault) MUST_CHECK;

/* What a decision needs that no row holds. */
struct rollout_world {
    struct wall_time now;
    bool frozen, corpora_ready;
    char freeze_reason[ROLLOUT_REASON_MAX];
    char corpora[512];   /* those that are not ready: "docs 3, faq 1" */
    int64_t incarnation; /* of the routes' history now */
    double clock_rate;   /* seconds of serin_now() a real second; 1 but for tests */
};
enum status rollouts_world(struct db *db, const char *service, const char *release, struct rollout_world *out,
                           struct fault *fault) MUST_CHECK;

struct evidence_row {
    struct evidence evidence;
    struct text source_state; /* JSON; owned */
    enum data_quality quality;
    bool has_quality;
    int64_t blocks; /* how many were stored */
    struct wall_time observed_at;
};
void evidence_row_free(struct evidence_row *row);
enum status rollouts_load_evidence(struct db *db, const char *id, struct evidence_row *row,
                                   struct fault *fault) MUST_CHECK;
enum status rollouts_create_evidence(struct db *db, const char *id, const struct evidence *evidence,
                                     struct wall_time now, struct fault *fault) MUST_CHECK;
/* Stores the evidence and appends `count` closed blocks; row->blocks grows by count. The database refuses a
   lease epoch older than the rollout's (law 8). */
enum status rollouts_store_evidence(struct db *db, const char *id, struct evidence_row *row,
                                    const struct block *blocks, size_t count, int64_t lease_epoch,
                                    struct fault *fault) MUST_CHECK;
/* Newest stored verdict of each SLI; VERDICT_COUNT = none yet. */
enum status rollouts_verdicts(struct db *db, const char *id, enum verdict out[SLI_COUNT],
                              struct fault *fault) MUST_CHECK;
/* What the metrics source said when a verdict last became error: `detail` and `next_step` of *out, "" if it
   never did. */
enum status rollouts_source_fault(struct db *db, const char *id, struct fault *out,
                                  struct fault *fault) MUST_CHECK;
enum status rollouts_add_verdict(struct db *db, const char *id, enum sli sli, enum verdict verdict,
                                 struct wall_time at, const char *detail_json,
                                 struct fault *fault) MUST_CHECK;
enum status rollouts_add_bake(struct db *db, const struct rollout_row *row, struct wall_time at,
                              struct fault *fault) MUST_CHECK;
enum status rollouts_add_quarantine(struct db *db, const struct rollout_row *row, const char *reason,
                                    struct wall_time at, struct fault *fault) MUST_CHECK;

const char *quality_name(enum data_quality quality);
bool quality_parse(const char *text, enum data_quality *out);
