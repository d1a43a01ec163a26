/* Freeze, lift, and the lifting of quarantines: what on-call does beside single rollouts. */
#include "rollout/rollout.h"

#include "store/controls.h"
#include "store/events.h"
#include "store/rollouts.h"

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
    bool changed = false;
    enum status status = controls_freeze(db, reason, actor, &changed, fault);
    return changed ? tell(db, "freeze.set", NULL, NULL, actor, reason, fault) : status;
}

enum status rollout_unfreeze(struct db *db, const char *actor, struct fault *fault)
{
    bool changed = false;
    enum status status = controls_unfreeze(db, actor, &changed, fault);
    return changed ? tell(db, "freeze.lifted", NULL, NULL, actor, "", fault) : status;
}

enum status rollout_lift_quarantine(struct db *db, const char *service, const char *release,
                                    const char *reason, const char *actor, struct fault *fault)
{
    bool changed = false;
    enum status status = rollouts_lock_service(db, service, fault);
    if (status == STATUS_OK)
        status = controls_lift_quarantine(db, service, release, actor, reason, &changed, fault);
    return changed ? tell(db, "release.quarantine_lifted", service, release, actor, reason, fault) : status;
}
