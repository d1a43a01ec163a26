/* What is only read: rollouts and what belongs to them, events, routes, gateways, the freeze. Each as the
   JSON of its schema in api/openapi.yaml. */
#pragma once

#include "store/page.h"

/* Appends a rollout (schema Rollout) to `out`. NOT_FOUND. */
enum status views_rollout(struct db *db, const char *id, struct text *out, int64_t *row_version,
                          struct fault *fault) MUST_CHECK;
/* Rollouts of a service, newest first. */
enum status views_rollouts(struct db *db, const char *service, struct page *page,
                           struct fault *fault) MUST_CHECK;
/* Changes of verdicts of a rollout, newest first; and its blocks of evidence, oldest first. NOT_FOUND
 * (rollout). */
enum status views_verdicts(struct db *db, const char *rollout, struct page *page,
                           struct fault *fault) MUST_CHECK;
enum status views_blocks(struct db *db, const char *rollout, struct page *page,
                         struct fault *fault) MUST_CHECK;
/* Events, newest first; `service` and `rollout` may be NULL. */
enum status views_events(struct db *db, const char *service, const char *rollout, struct page *page,
                         struct fault *fault) MUST_CHECK;
/* The present route of each service that has one. */
enum status views_routes(struct db *db, struct page *page, struct fault *fault) MUST_CHECK;
/* Gateways; `service` may be NULL. `lease_s`: of canary weight. */
enum status views_gateways(struct db *db, const char *service, int64_t lease_s, struct page *page,
                           struct fault *fault) MUST_CHECK;
/* Appends the freeze (schema Freeze) to `out`. */
enum status views_freeze(struct db *db, struct text *out, struct fault *fault) MUST_CHECK;
/* Appends a RollbackResult to `out`: the present route of `service`; `left` and `rollout` as
   rollout_rollback() gave them
   ("" = none). */
enum status views_rollback(struct db *db, const char *service, const char *left, const char *rollout,
                           struct text *out, struct fault *fault) MUST_CHECK;
