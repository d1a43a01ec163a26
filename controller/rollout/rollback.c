/* Rollback of a service: with a live rollout back to its stable release, without one to the last good
 * release. */
#include "rollout/rollout.h"

#include "base/utf8.h"
#include "rollout/change.h"
#include "store/controls.h"
#include "store/events.h"
#include "store/routes.h"

#include <stdio.h>
#include <string.h>

/* A named target must exist, and must not be quarantined unless a reason is given. */
static enum status check_target(struct db *db, const char *service, const char *to, const char *reason,
                                struct fault *fault)
{
    bool exists, quarantined;
    enum status status = controls_release(db, service, to, &exists, &quarantined, fault);
    if (status == STATUS_OK && !exists) {
        status = fault_set(fault, STATUS_NOT_FOUND, "The service %s has no release %s", service, to);
        fault_next(fault, "List them with 'serin release list %s'.", service);
    } else if (status == STATUS_OK && quarantined && (reason == NULL || reason[0] == '\0')) {
        status = fault_set(fault, STATUS_CONFLICT, "Release %s is quarantined", to);
        fault_next(fault, "Give a reason (--reason) to go back to it all the same.");
    }
    return status;
}

static enum status end_live(struct db *db, const char *id, const char *reason, const char *actor, char left[],
                            struct fault *fault)
{
    struct rollout_state *state = NULL;
    enum status status = state_load_to_leave(db, id, &state, fault);
    if (status == STATUS_OK) {
        if (state->route.canary[0] != '\0')
            snprintf(left, NAME_SIZE, "%s", state->route.canary);
        status = change_run(
            db, state, &(struct change){.verb = VERB_ROLLBACK, .actor = actor, .said = reason}, NULL, fault);
    }
    state_free(state);
    return status;
}

static enum status no_target(const char *service, struct fault *fault)
{
    fault_set(fault, STATUS_CONFLICT, "The service %s has no good release to go back to", service);
    fault_next(
        fault,
        "Name one with --to, or roll out a mended release with --supersede --fix; 'serin release list %s' "
        "shows what there is.",
        service);
    return STATUS_CONFLICT;
}

/* Moves the service to `target` at once, with its event. */
static enum status move_to(struct db *db, const char *service, const char *target,
                           const struct route_row *from, const char *reason, const char *actor,
                           struct fault *fault)
{
    struct route_row route;
    struct rollout_world world;
    char id[ID_MAX], sentence[ROLLOUT_REASON_MAX], salt[ID_MAX];
    memset(&route, 0, sizeof route);
    enum status status = rollouts_world(db, service, target, &world, fault);
    if (status != STATUS_OK)
        return status;
    snprintf(route.stable, sizeof route.stable, "%s", target);
    route.written_at = world.now;
    status = routes_write(db, service, id_new("salt", salt), change_lease(), &route, fault);
    if (status == STATUS_OK && from->stable[0] != '\0')
        status = routes_add_departure(db, service, from->stable, world.now, fault);
    if (status != STATUS_OK)
        return status;
    snprintf(sentence, sizeof sentence, "Rolled back by hand from %s to %s.%s%s",
             from->stable[0] != '\0' ? from->stable : "nothing", target,
             reason != NULL ? " Reason given: " : "", reason != NULL ? reason : "");
    utf8_trim(sentence);
    struct json_object *data = json_object_new_object();
    if (data != NULL) {
        json_object_object_add(data, "from",
                               from->stable[0] != '\0' ? json_object_new_string(from->stable) : NULL);
        json_object_object_add(data, "to", json_object_new_string(target));
        json_object_object_add(data, "epoch", json_object_new_int64(route.epoch));
        json_object_object_add(data, "page", json_object_new_boolean(true));
    }
    struct event event = {.type = "service.rolled_back",
                          .service = service,
                          .release = target,
                          .rule = "service.rollback",
                          .actor = actor,
                          .reason = sentence,
                          .data = data};
    status = events_append(db, &event, id, fault);
    json_object_put(data);
    return status;
}

enum status rollout_rollback(struct db *db, const char *service, const char *to, const char *reason,
                             const char *actor, char left[NAME_MAX_LENGTH + 1], char ended[ID_MAX],
                             struct fault *fault)
{
    struct route_row route;
    char target[NAME_SIZE] = "";
    left[0] = ended[0] = '\0';
    enum status status = rollouts_lock_service(db, service, fault);
    if (status == STATUS_OK)
        status = rollouts_live(db, service, ended, fault);
    if (status == STATUS_OK && to != NULL)
        status = check_target(db, service, to, reason, fault);
    if (status == STATUS_OK && ended[0] != '\0')
        status = end_live(db, ended, reason, actor, left, fault);
    if (status == STATUS_OK)
        status = routes_current(db, service, &route, fault);
    if (status != STATUS_OK)
        return status;
    if (to != NULL)
        snprintf(target, sizeof target, "%s", to);
    else if (left[0] != '\0' && route.stable[0] != '\0')
        return STATUS_OK; /* taking the canary out was the rollback */
    else
        status =
            routes_rollback_target(db, service, route.stable[0] != '\0' ? route.stable : NULL, target, fault);
    if (status == STATUS_OK && target[0] == '\0')
        return ended[0] != '\0' ? STATUS_OK : no_target(service, fault);
    if (status != STATUS_OK || strcmp(target, route.stable) == 0)
        return status;
    if (left[0] == '\0')
        snprintf(left, NAME_SIZE, "%s", route.stable);
    return move_to(db, service, target, &route, reason, actor, fault);
}
