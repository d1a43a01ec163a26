/* Rollback of a service. With a live rollout, ending it is the rollback: all traffic goes to, or stays at,
 * its stable release. Without one, to the rollback target: the newest baked, unquarantined release before the
 * stable one that was not left by a rollback. Or to the release that a person names: nothing stops the way to
 * one that was baked. */
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

/* One that was never proven is no way back: that takes a person's reason, and waits for the end of a freeze.
 */
static enum status check_unproven(struct db *db, const char *service, const char *to,
                                  const struct route_row *route, bool live, struct fault *fault)
{
    struct rollout_world world;
    if (route->stable[0] == '\0') {
        fault_set(fault, STATUS_CONFLICT,
                  "%s has no stable release to roll back from, and release %s was never proven: it has "
                  "completed no rollout",
                  service, to);
        fault_next(fault, "Start its rollout: serin rollout start %s %s%s", service, to,
                   live ? " --supersede" : "");
        return STATUS_CONFLICT;
    }
    enum status status = rollouts_world(db, service, to, &world, fault);
    if (status != STATUS_OK || !world.frozen)
        return status;
    fault_set(fault, STATUS_CONFLICT,
              "Advances are frozen everywhere (%s), and release %s was never proven: going to it is no way "
              "back",
              world.freeze_reason, to);
    fault_next(fault,
               "Go back to a baked release (serin rollback %s); or lift the freeze (serin freeze --lift), "
               "and give a reason (--reason).",
               service);
    return STATUS_CONFLICT;
}

/* A named target must exist, and takes a reason if it is quarantined or was never baked. To the stable
 * release itself one may always go: that only ends a rollout. */
static enum status check_target(struct db *db, const char *service, const char *to,
                                const struct route_row *route, bool live, const char *reason,
                                struct fault *fault)
{
    struct controls_release found;
    enum status status = controls_release(db, service, to, &found, fault);
    if (status == STATUS_OK && !found.exists) {
        status = fault_set(fault, STATUS_NOT_FOUND, "The service %s has no release %s", service, to);
        fault_next(fault, "List them with 'serin release list %s'.", service);
    }
    if (status != STATUS_OK || strcmp(to, route->stable) == 0)
        return status;
    if (!found.baked)
        status = check_unproven(db, service, to, route, live, fault);
    if (status != STATUS_OK || (found.baked && !found.quarantined) || (reason != NULL && reason[0] != '\0'))
        return status;
    fault_set(fault, STATUS_CONFLICT, "Release %s %s%s%s", to, found.quarantined ? "is quarantined" : "",
              found.quarantined && !found.baked ? " and " : "",
              found.baked ? "" : "was never proven: it has completed no rollout");
    fault_next(fault, "Give a reason (--reason) to go to it all the same.");
    return STATUS_CONFLICT;
}

static enum status end_live(struct db *db, const char *id, const char *reason, const char *actor,
                            struct fault *fault)
{
    struct rollout_state *state = NULL;
    enum status status = state_load_to_leave(db, id, &state, fault);
    if (status == STATUS_OK)
        status = change_run(
            db, state, &(struct change){.verb = VERB_ROLLBACK, .actor = actor, .said = reason}, NULL, fault);
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

/* Refuses where no release is stable. */
static enum status no_stable(const char *service, const struct route_row *route, struct fault *fault)
{
    if (route->canary[0] != '\0')
        fault_set(fault, STATUS_CONFLICT,
                  "%s serves %s, its first release, which is not stable yet: there is none to go back to",
                  service, route->canary);
    else
        fault_set(fault, STATUS_CONFLICT, "The service %s has no route: there is nothing to roll back",
                  service);
    fault_next(fault, "Start a rollout: serin rollout start %s RELEASE", service);
    return STATUS_CONFLICT;
}

/* Refuses with every release there is (as far as the answer has room), why it is skipped, and the command
 * that goes to a baked one by name; where there is none, the way of mending. */
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
    if (count > 0 && found[0].baked && strcmp(found[0].skip, "stable") != 0)
        fault_next(fault, "To go to one all the same: serin rollback %s --to %s --reason \"...\"", service,
                   found[0].release);
    else
        fault_next(fault,
                   "Roll out a release that mends it: serin rollout start %s RELEASE --supersede --fix",
                   service);
    return STATUS_CONFLICT;
}

static struct json_object *move_data(const struct route_row *from, const struct route_row *to, bool baked)
{
    struct json_object *data = json_object_new_object();
    if (data == NULL)
        return NULL;
    json_object_object_add(data, "from",
                           from->stable[0] != '\0' ? json_object_new_string(from->stable) : NULL);
    json_object_object_add(data, "to", json_object_new_string(to->stable));
    json_object_object_add(data, "baked", json_object_new_boolean(baked));
    json_object_object_add(data, "epoch", json_object_new_int64(to->epoch));
    json_object_object_add(data, "page", json_object_new_boolean(true));
    return data;
}

static enum status tell(struct db *db, const char *service, const struct route_row *from,
                        const struct route_row *to, const char *reason, const char *actor,
                        struct fault *fault)
{
    char id[ID_MAX], sentence[ROLLOUT_REASON_MAX], unproven[NAME_SIZE + 32] = "";
    struct controls_release found;
    enum status status = controls_release(db, service, to->stable, &found, fault);
    if (status != STATUS_OK)
        return status;
    if (!found.baked)
        snprintf(unproven, sizeof unproven, " %s was never proven.", to->stable);
    snprintf(sentence, sizeof sentence, "Rolled back by hand from %s to %s.%s%s%s",
             from->stable[0] != '\0' ? from->stable : "nothing", to->stable, unproven,
             reason != NULL ? " Reason given: " : "", reason != NULL ? reason : "");
    utf8_trim(sentence);
    struct json_object *data = move_data(from, to, found.baked);
    struct event event = {.type = "service.rolled_back",
                          .service = service,
                          .release = to->stable,
                          .rule = "service.rollback",
                          .actor = actor,
                          .reason = sentence,
                          .data = data};
    status = events_append(db, &event, id, fault);
    json_object_put(data);
    return status;
}

/* Moves the service to `target` at once, with its event. `named`: a person chose it. */
static enum status move_to(struct db *db, const char *service, const char *target, bool named,
                           const struct route_row *from, const char *reason, const char *actor,
                           struct fault *fault)
{
    struct route_row route;
    struct rollout_world world;
    char salt[ID_MAX];
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
    return status == STATUS_OK ? tell(db, service, from, &route, reason, actor, fault) : status;
}

/* Ends rollout `id` ("" = none is live). *after is the route then; *left the canary that it took out. */
static enum status leave(struct db *db, const char *service, const char *id, const char *reason,
                         const char *actor, const struct route_row *before, struct route_row *after,
                         char left[NAME_SIZE], struct fault *fault)
{
    *after = *before;
    if (id[0] == '\0')
        return STATUS_OK;
    enum status status = end_live(db, id, reason, actor, fault);
    if (status == STATUS_OK)
        status = routes_current(db, service, after, fault);
    if (status == STATUS_OK && strcmp(before->canary, after->canary) != 0)
        snprintf(left, NAME_SIZE, "%s", before->canary);
    return status;
}

enum status rollout_rollback(struct db *db, const char *service, const char *to, const char *reason,
                             const char *actor, char left[NAME_MAX_LENGTH + 1], char ended[ID_MAX],
                             struct fault *fault)
{
    struct route_row before, route;
    char target[NAME_SIZE] = "";
    left[0] = ended[0] = '\0';
    enum status status = rollouts_lock_service(db, service, fault);
    if (status == STATUS_OK)
        status = rollouts_live(db, service, ended, fault);
    if (status == STATUS_OK)
        status = routes_current(db, service, &before, fault);
    if (status == STATUS_OK && to != NULL)
        status = check_target(db, service, to, &before, ended[0] != '\0', reason, fault);
    if (status == STATUS_OK)
        status = leave(db, service, ended, reason, actor, &before, &route, left, fault);
    if (status != STATUS_OK)
        return status;
    const char *stable = route.stable[0] != '\0' ? route.stable : NULL;
    if (to != NULL)
        snprintf(target, sizeof target, "%s", to);
    else if (ended[0] != '\0' && stable != NULL)
        return STATUS_OK; /* ending the rollout was the rollback */
    else
        status = routes_rollback_target(db, service, stable, target, fault);
    if (status == STATUS_OK && target[0] == '\0') {
        if (ended[0] != '\0')
            return STATUS_OK;
        return stable != NULL ? no_target(db, service, stable, fault) : no_stable(service, &route, fault);
    }
    if (status != STATUS_OK || strcmp(target, route.stable) == 0)
        return status;
    if (left[0] == '\0')
        snprintf(left, NAME_SIZE, "%s", stable != NULL ? stable : route.canary);
    return move_to(db, service, target, to != NULL, &route, reason, actor, fault);
}
