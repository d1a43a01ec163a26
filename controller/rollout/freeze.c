/* Freeze, lift, and the lifting of quarantines: what on-call does beside single rollouts. */
#include "rollout/rollout.h"

#include "store/events.h"
#include "store/rollouts.h"

#include "routes.sql.h"

#include <stdio.h>

static enum status tell(struct db *db, const char *type, const char *service, const char *release,
                        const char *actor, const char *reason, struct fault *fault)
{
    char id[ID_MAX];
    struct event event = {
        .type = type, .service = service, .release = release, .actor = actor, .reason = reason};
    return events_append(db, &event, id, fault);
}

enum status rollout_freeze(struct db *db, const char *reason, const char *actor, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, reason);
    db_text(&params, actor);
    enum status status = db_run(db, &sql_freeze_insert, &params, &rows, fault);
    bool changed = status == STATUS_OK && db_rows_count(rows) > 0;
    db_rows_free(rows);
    return changed ? tell(db, "freeze.set", NULL, NULL, actor, reason, fault) : status;
}

enum status rollout_unfreeze(struct db *db, const char *actor, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, actor);
    enum status status = db_run(db, &sql_freeze_lift, &params, &rows, fault);
    bool changed = status == STATUS_OK && db_rows_count(rows) > 0;
    db_rows_free(rows);
    return changed ? tell(db, "freeze.lifted", NULL, NULL, actor, "", fault) : status;
}

enum status rollout_lift_quarantine(struct db *db, const char *service, const char *release,
                                    const char *reason, const char *actor, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    enum status status = rollouts_lock_service(db, service, fault);
    if (status != STATUS_OK)
        return status;
    db_text(&params, service);
    db_text(&params, release);
    db_text(&params, actor);
    db_text(&params, reason);
    status = db_run(db, &sql_quarantine_lift, &params, &rows, fault);
    bool changed = status == STATUS_OK && db_rows_count(rows) > 0;
    db_rows_free(rows);
    return changed ? tell(db, "release.quarantine_lifted", service, release, actor, reason, fault) : status;
}
