/* Rollback of a service: with a live rollout back to its stable release, without one to the rollback target:
 * the newest baked, unquarantined release before the stable one that was not left by a rollback. */
#include "rollout/rollout.h"

#include "base/utf8.h"
#include "rollout/change.h"
#include "store/controls.h"
#include "store/events.h"
#include "store/routes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CANDIDATES_SHOWN = 8, CANDIDATES_TEXT = 380 };

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

static const char *why_skipped(const char *skip)
{
    static const struct {
        const char *skip, *words;
    } reasons[] = {{"stable", "is the stable release now"},
                   {"quarantined", "is quarantined"},
                   {"never_baked", "never completed a rollout"},
                   {"left", "was left by a rollback"},
                   {"newer", "is newer than the stable release"}};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (strcmp(reasons[i].skip, skip) == 0)
            return reasons[i].words;
    return "is not taken";
}

/* Refuses with every release there is (as far as the answer has room), why it is skipped, and the command
 * that goes to one by name. */
static enum status no_target(struct db *db, const char *service, const char *stable, struct fault *fault)
{
    struct rollback_candidate found[CANDIDATES_SHOWN];
    char list[CANDIDATES_TEXT] = "";
    size_t used = 0;
    int count, shown = 0;
    int64_t all;
    enum status status =
        routes_rollback_candidates(db, service, stable, found, CANDIDATES_SHOWN, &count, &all, fault);
    if (status != STATUS_OK)
        return status;
    for (; shown < count; shown++) {
        char one[2 * NAME_SIZE];
        int length = snprintf(one, sizeof one, "%s%s %s", shown > 0 ? "; " : ": ", found[shown].release,
                              why_skipped(found[shown].skip));
        if (used + (size_t)length >= sizeof list)
            break;
        memcpy(list + used, one, (size_t)length + 1);
        used += (size_t)length;
    }
    if (all > shown)
        fault_set(fault, STATUS_CONFLICT, "The service %s has no rollback target%s; and %" PRId64 " more",
                  service, list, all - shown);
    else
        fault_set(fault, STATUS_CONFLICT, "The service %s has no rollback target%s", service, list);
    if (count > 0 && strcmp(found[0].skip, "stable") != 0)
        fault_next(fault, "To go to one all the same: serin rollback %s --to %s --reason \"...\"", service,
                   found[0].release);
    else
        fault_next(fault, "Roll out another release: serin rollout start %s RELEASE --supersede --fix",
                   service);
    return STATUS_CONFLICT;
}

/* Moves the service to `target` at once, with its event. `named`: a person chose it. */
static enum status move_to(struct db *db, const char *service, const char *target, bool named,
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
        status = routes_add_departure(db, service, from->stable, target, world.now, fault);
    if (status == STATUS_OK && named)
        status = routes_add_return(db, service, target, world.now, fault);
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
    const char *stable = route.stable[0] != '\0' ? route.stable : NULL;
    if (to != NULL)
        snprintf(target, sizeof target, "%s", to);
    else if (left[0] != '\0' && route.stable[0] != '\0')
        return STATUS_OK; /* taking the canary out was the rollback */
    else
        status = routes_rollback_target(db, service, stable, target, fault);
    if (status == STATUS_OK && target[0] == '\0')
        return ended[0] != '\0' ? STATUS_OK : no_target(db, service, stable, fault);
    if (status != STATUS_OK || strcmp(target, route.stable) == 0)
        return status;
    if (left[0] == '\0')
        snprintf(left, NAME_SIZE, "%s", route.stable);
    return move_to(db, service, target, to != NULL, &route, reason, actor, fault);
}
