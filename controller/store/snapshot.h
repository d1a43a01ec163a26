/* What the gateway port reads from Postgres and writes to it: marks that say whether anything changed, then
   routes, releases, services and tokens; content by digest; and what gateways have applied. Rows are handed
   to a visitor and lent for the length of its call. One thread at a time, as for every db. */
#pragma once

#include "base/text.h"
#include "store/db.h"

/* Begins a transaction that sees one state of the database and writes nothing. End it with db_rollback(). */
enum status snapshot_begin(struct db *db, struct fault *fault) MUST_CHECK;

struct snapshot_marks {
    int64_t rev;          /* of all routes; grows with each change of one */
    int64_t incarnation;  /* of the history that `rev` and epochs count in */
    struct wall_time now; /* serin_now() */
    double rate;          /* how fast that clock runs: 1 but in tests */
    char else_hash[33];   /* changes with tokens, services, objectives, policies, releases, live rollouts */
};
enum status snapshot_read_marks(struct db *db, struct snapshot_marks *out, struct fault *fault) MUST_CHECK;

/* Tells whoever serves routes that this database is behind what was served under `served_incarnation`: makes
   a newer incarnation, in which no epoch is known to be applied, unless another replica has done so already.
   A transaction of its own. *incarnation (may be NULL) is the one that now holds. */
enum status snapshot_new_incarnation(struct db *db, int64_t served_incarnation, int64_t *incarnation,
                                     struct fault *fault) MUST_CHECK;

/* A visitor ends the reading with anything but STATUS_OK, which is then what the reader returns. */
struct snapshot_route {
    const char *service;
    int64_t epoch;
    const char *stable, *canary; /* "" = none */
    int32_t canary_weight;
    const char *rollout; /* "" = none */
    const char *salt;
    bool leased;
    struct wall_time valid_until; /* real time */
    int64_t valid_us;             /* what is left of it by the database's own clock; may be negative */
};
/* Newest routes whose revision is above `since`. */
enum status snapshot_read_routes(struct db *db, int64_t since,
                                 enum status (*visit)(void *argument, const struct snapshot_route *route),
                                 void *argument, struct fault *fault) MUST_CHECK;

struct snapshot_release {
    const char *digest;  /* hex */
    const char *content; /* JSON */
    const char *model;   /* JSON: content of its model artifact; "" = it has none */
};
/* NOT_FOUND if there is no such release. */
enum status snapshot_read_release(struct db *db, const char *service, const char *release,
                                  enum status (*visit)(void *argument,
                                                       const struct snapshot_release *release),
                                  void *argument, struct fault *fault) MUST_CHECK;

struct snapshot_service {
    const char *name, *sticky;
    const char *slos, *policy; /* JSON of the live rollout's, else of the newest; "" = none */
};
enum status snapshot_read_services(struct db *db,
                                   enum status (*visit)(void *argument,
                                                        const struct snapshot_service *service),
                                   void *argument, struct fault *fault) MUST_CHECK;

/* Every release of every service. */
enum status snapshot_read_names(struct db *db,
                                enum status (*visit)(void *argument, const char *service,
                                                     const char *release),
                                void *argument, struct fault *fault) MUST_CHECK;

struct snapshot_token {
    const char *name, *role;
    struct digest secret;
};
/* Tokens that are not revoked. */
enum status snapshot_read_tokens(struct db *db,
                                 enum status (*visit)(void *argument, const struct snapshot_token *token),
                                 void *argument, struct fault *fault) MUST_CHECK;

/* Appends the content of the artifact version with this digest. NOT_FOUND if there is none. */
enum status snapshot_read_content(struct db *db, const struct digest *digest, struct text *out, bool *json,
                                  struct fault *fault) MUST_CHECK;

struct snapshot_ack {
    const char *service, *instance; /* lent */
    int64_t incarnation;            /* of the epoch */
    int64_t applied_epoch;          /* -1 = it has not said */
    int32_t weight_step;            /* it can apply the multiples of this, 1/10,000; 1 = every weight */
    int64_t age_ms;                 /* real time since it was heard */
    int64_t applied_ms;             /* real time since it was first heard with this epoch */
};
/* Notes what gateways have applied, and when they were heard unless they were heard later elsewhere. An epoch
   of another incarnation than the database's is noted as not said. Sorted by (service, instance), none twice.
 */
enum status snapshot_write_acks(struct db *db, const struct snapshot_ack *acks, size_t count,
                                struct fault *fault) MUST_CHECK;
