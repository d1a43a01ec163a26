/* Routes: append-only history, and what is true of the newest one. */
#pragma once

#include "store/rollouts.h"

struct route_row {
    int64_t epoch;                             /* 0 = the service has no route yet */
    char stable[NAME_SIZE], canary[NAME_SIZE]; /* "" = none */
    int32_t canary_weight;
    char rollout[ID_MAX];
    struct wall_time written_at, applied_at, valid_until; /* 0 = not */
};

enum status routes_current(struct db *db, const char *service, struct route_row *out,
                           struct fault *fault) MUST_CHECK;

/* Writes the next epoch of a service in the caller's transaction (hold the service's lock), with one NOTIFY.
   The fields stable, canary, canary_weight, rollout, written_at of *route are taken; epoch is set. `lease_s`:
   how long gateways may give the canary weight without hearing from us. */
enum status routes_write(struct db *db, const char *service, const char *salt, int64_t lease_s,
                         struct route_row *route, struct fault *fault) MUST_CHECK;
/* Renews the lease on canary weight of the present epoch. */
enum status routes_renew(struct db *db, const char *service, int64_t epoch, struct wall_time valid_until,
                         struct fault *fault) MUST_CHECK;

struct route_unapplied {
    char service[NAME_SIZE], rollout[ID_MAX], release[NAME_SIZE];
    int64_t epoch, live;
    struct wall_time written_at;
    char silent[512]; /* gateways that are behind and not waited for any more, separated by spaces */
};
/* Routes that are not marked as applied and wait for no gateway any more: at most `max`. */
enum status routes_unapplied(struct db *db, int64_t lease_s, struct route_unapplied *out, int max, int *count,
                             struct fault *fault) MUST_CHECK;
/* Marks an epoch as applied. *changed is false if it was, or is no longer the newest. */
enum status routes_mark_applied(struct db *db, const char *service, int64_t epoch, bool *changed,
                                struct fault *fault) MUST_CHECK;

struct route_applier {
    char instance[NAME_SIZE];
    struct wall_time applied_at;
};
/* Gateways that have said that they have applied this epoch, in the order in which they did; at most `max`.
 */
enum status routes_appliers(struct db *db, const char *service, int64_t epoch, struct route_applier *out,
                            int max, int *count, struct fault *fault) MUST_CHECK;

struct route_stray {
    char service[NAME_SIZE], rollout[ID_MAX], stable[NAME_SIZE], release[NAME_SIZE];
    int64_t epoch, requests;
    char gateways[512]; /* that gave them, separated by spaces */
};
/* Applied routes without a canary of which, `grace_s` after that, requests still go to a release that they do
   not name, and of which this was not yet told: at most `max`. */
enum status routes_strayed(struct db *db, int64_t grace_s, struct route_stray *out, int max, int *count,
                           struct fault *fault) MUST_CHECK;
/* Notes that it was told. *changed is false if it was before, or the route is no longer the newest. */
enum status routes_mark_strayed(struct db *db, const char *service, int64_t epoch, bool *changed,
                                struct fault *fault) MUST_CHECK;

/* How many gateways of the service were heard in the last 60 s. */
enum status routes_live_gateways(struct db *db, const char *service, int64_t *out,
                                 struct fault *fault) MUST_CHECK;
struct route_gateway {
    char instance[NAME_SIZE];
    bool behind; /* has not applied the newest route */
};
/* Those gateways; *out is malloc'ed, the caller's. */
enum status routes_gateways(struct db *db, const char *service, struct route_gateway **out, size_t *count,
                            struct fault *fault) MUST_CHECK;
struct route_coarsest {
    char instance[NAME_SIZE]; /* "" = every gateway can apply every weight */
    int32_t weight_step;      /* it applies multiples of this (1/10,000), and the next lower one for others */
};
/* Of the gateways of the service heard in the last `heard_s`, the one that can apply the fewest weights. */
enum status routes_coarsest(struct db *db, const char *service, int64_t heard_s, struct route_coarsest *out,
                            struct fault *fault) MUST_CHECK;
/* Notes that a rollback to `target` has left `release`, if it was a way back (`target` was baked before it):
   it is no rollback target until it is baked anew, or a person goes to it by name. */
enum status routes_add_departure(struct db *db, const char *service, const char *release, const char *target,
                                 struct wall_time at, struct fault *fault) MUST_CHECK;
/* Notes that a person went to `release` by name: that a rollback left it before no longer counts. */
enum status routes_add_return(struct db *db, const char *service, const char *release, struct wall_time at,
                              struct fault *fault) MUST_CHECK;
/* The rollback target: the newest baked, unquarantined release before `stable` (NULL = none to leave) that
   was not left by a rollback. "" = none. */
enum status routes_rollback_target(struct db *db, const char *service, const char *stable,
                                   char out[NAME_SIZE], struct fault *fault) MUST_CHECK;
struct rollback_candidate {
    char release[NAME_SIZE];
    char skip[16]; /* "stable", "quarantined", "never_baked", "left" or "newer"; "" = it may be one */
    bool baked;    /* has completed a rollout */
};
/* At most `max` releases of the service with why each is no rollback target, those first that a person would
   go to by name; *all of them there are. */
enum status routes_rollback_candidates(struct db *db, const char *service, const char *stable,
                                       struct rollback_candidate *out, int max, int *count, int64_t *all,
                                       struct fault *fault) MUST_CHECK;
