/* Written, then applied, then kept to. */
#include "reconcile/announce.h"

#include "base/log.h"
#include "base/trace_export.h"
#include "notify/decision_trace.h"
#include "rollout/change.h"
#include "store/events.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    AT_ONCE = 64,
    TRACED_MAX = 200 /* gateways in a trace */,
    GRACE_S = 10 /* between a poll and the request that it steers */
};

static bool put(struct json_object *object, const char *name, struct json_object *value)
{
    if (value != NULL && json_object_object_add(object, name, value) == 0)
        return true;
    json_object_put(value);
    return false;
}

static enum status tell(struct db *db, const struct route_unapplied *route, const char *decision,
                        struct wall_time now, struct fault *fault)
{
    char id[ID_MAX], reason[900], took[CLOCK_TEXT_MAX];
    int64_t took_ms = (now.us - route->written_at.us) / 1000;
    struct json_object *data = json_object_new_object();
    bool good = data != NULL && put(data, "epoch", json_object_new_int64(route->epoch)) &&
                put(data, "took_ms", json_object_new_int64(took_ms)) &&
                put(data, "gateways", json_object_new_int64(route->live)) &&
                put(data, "silent", json_object_new_string(route->silent)) &&
                (decision[0] == '\0' || put(data, "decision", json_object_new_string(decision)));
    if (!good) {
        json_object_put(data);
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    }
    snprintf(reason, sizeof reason, "Applied %s after %s.%s%s",
             route->live > 0 ? "by the live gateways" : "(no gateway is live)",
             clock_format_human(took_ms, took), route->silent[0] != '\0' ? " Silent: " : "", route->silent);
    struct event event = {.type = "route.applied",
                          .service = route->service,
                          .rollout = route->rollout[0] != '\0' ? route->rollout : NULL,
                          .release = route->release[0] != '\0' ? route->release : NULL,
                          .actor = "serin",
                          .reason = reason,
                          .data = data};
    enum status status = events_append(db, &event, id, fault);
    json_object_put(data);
    return status;
}

/* Does `work` with the service's lock held, in a transaction of its own. If somebody else holds the lock, the
   next turn says it. */
static enum status with_lock(struct db *db, const char *service,
                             enum status (*work)(struct db *db, const void *route, struct fault *fault),
                             const void *route, struct fault *fault)
{
    bool locked = false;
    enum status status = db_begin(db, fault);
    if (status == STATUS_OK)
        status = rollouts_try_lock_service(db, service, &locked, fault);
    if (status == STATUS_OK && locked)
        status = work(db, route, fault);
    if (status == STATUS_OK)
        return db_commit(db, fault);
    db_rollback(db);
    return status;
}

/* What the trace says once the mark is committed. */
struct trace_note {
    char decision[ID_MAX];
    struct route_unapplied route;
    struct decision_applied applied;
    struct route_applier applier[TRACED_MAX];
};

static void trace_now(void *argument, const struct db_committed *committed)
{
    struct trace_note *note = argument;
    if (committed != NULL)
        decision_trace_applied(&note->applied);
    free(note);
}

static enum status trace_later(struct db *db, const struct route_unapplied *route, const char *decision,
                               const struct rollout_world *world, struct fault *fault)
{
    struct trace_note *note = calloc(1, sizeof *note);
    int count = 0;
    if (note == NULL)
        return STATUS_OK; /* a trace is no reason to fail */
    enum status status =
        routes_appliers(db, route->service, route->epoch, note->applier, TRACED_MAX, &count, fault);
    snprintf(note->decision, sizeof note->decision, "%s", decision);
    note->route = *route;
    note->applied = (struct decision_applied){.decision = note->decision,
                                              .service = note->route.service,
                                              .rollout = note->route.rollout,
                                              .epoch = route->epoch,
                                              .written_at = route->written_at,
                                              .applied_at = world->now,
                                              .now = world->now,
                                              .rate = world->clock_rate,
                                              .applier = note->applier,
                                              .appliers = (size_t)count,
                                              .silent = note->route.silent};
    if (status != STATUS_OK || !db_after(db, trace_now, note))
        free(note);
    return status;
}

static enum status mark(struct db *db, const void *argument, struct fault *fault)
{
    const struct route_unapplied *route = argument;
    bool changed = false;
    char decision[ID_MAX] = "";
    struct rollout_world world = {.now = {0}};
    enum status status = routes_mark_applied(db, route->service, route->epoch, &changed, fault);
    if (status == STATUS_OK && changed)
        status = rollouts_world(db, route->service, route->release, &world, fault);
    if (status == STATUS_OK && changed)
        status = events_decision(db, route->service, route->epoch, decision, fault);
    if (status == STATUS_OK && changed)
        status = tell(db, route, decision, world.now, fault);
    if (status == STATUS_OK && changed && decision[0] != '\0' && trace_export_on())
        status = trace_later(db, route, decision, &world, fault);
    return status;
}

enum status announce_applied(struct db *db, struct fault *fault)
{
    struct route_unapplied *routes = calloc(AT_ONCE, sizeof *routes);
    int count = 0;
    if (routes == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    enum status status = routes_unapplied(db, change_lease(), routes, AT_ONCE, &count, fault);
    for (int i = 0; status == STATUS_OK && i < count; i++)
        status = with_lock(db, routes[i].service, mark, &routes[i], fault);
    free(routes);
    return status;
}

static enum status tell_stray(struct db *db, const struct route_stray *route, struct fault *fault)
{
    static const char *const next_step =
        "Look at 'serin gateways' for one that does not follow the route; restart it, or take it out.";
    char id[ID_MAX], reason[900];
    struct json_object *data = json_object_new_object();
    bool good = data != NULL && put(data, "epoch", json_object_new_int64(route->epoch)) &&
                put(data, "requests", json_object_new_int64(route->requests)) &&
                put(data, "gateways", json_object_new_string(route->gateways)) &&
                put(data, "page", json_object_new_boolean(true)) &&
                put(data, "next_step", json_object_new_string(next_step));
    if (!good) {
        json_object_put(data);
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    }
    snprintf(reason, sizeof reason,
             "%s is still given requests (%lld in the last minute) though every gateway has said that it "
             "applied the "
             "route to %s. From: %s",
             route->release, (long long)route->requests, route->stable[0] != '\0' ? route->stable : "nothing",
             route->gateways);
    struct event event = {.type = "route.strayed",
                          .service = route->service,
                          .rollout = route->rollout[0] != '\0' ? route->rollout : NULL,
                          .release = route->release,
                          .actor = "serin",
                          .reason = reason,
                          .data = data};
    enum status status = events_append(db, &event, id, fault);
    json_object_put(data);
    return status;
}

static enum status mark_stray(struct db *db, const void *argument, struct fault *fault)
{
    const struct route_stray *route = argument;
    bool changed = false;
    enum status status = routes_mark_strayed(db, route->service, route->epoch, &changed, fault);
    return status == STATUS_OK && changed ? tell_stray(db, route, fault) : status;
}

enum status announce_strays(struct db *db, struct fault *fault)
{
    struct route_stray *routes = calloc(AT_ONCE, sizeof *routes);
    int count = 0;
    if (routes == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    enum status status = routes_strayed(db, GRACE_S, routes, AT_ONCE, &count, fault);
    for (int i = 0; status == STATUS_OK && i < count; i++)
        status = with_lock(db, routes[i].service, mark_stray, &routes[i], fault);
    free(routes);
    return status;
}
