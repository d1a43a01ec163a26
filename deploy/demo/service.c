/* What the gateway knows of one service. */
#include "demo/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void service_init(struct service *service, const char *name, const struct override *overrides, size_t count)
{
    memset(service, 0, sizeof *service);
    snprintf(service->name, sizeof service->name, "%s", name);
    pthread_mutex_init(&service->lock, NULL);
    service->overrides = overrides;
    service->override_count = count;
}

void service_free(struct service *service)
{
    free(service->route);
    for (size_t i = 0; i < service->releases; i++) {
        free(service->release[i]);
    }
    pthread_mutex_destroy(&service->lock);
}

/* The slot of a release, made when it is first seen. */
static bool find_release(struct service *service, struct route_release *release)
{
    for (size_t i = 0; i < service->releases; i++) {
        if (strcmp(service->release[i]->name, release->name) == 0) {
            release->slot = i;
            return true;
        }
    }
    struct service_release *made = service->releases < SERVICE_RELEASES_MAX ? calloc(1, sizeof *made) : NULL;
    if (made == NULL) {
        return false;
    }
    snprintf(made->name, sizeof made->name, "%s", release->name);
    made->behaviour = release->behaviour;
    for (size_t i = 0; i < service->override_count; i++) {
        const struct override *override = &service->overrides[i];
        if (strcmp(override->release, made->name) == 0 &&
            (override->service[0] == '\0' || strcmp(override->service, service->name) == 0)) {
            made->behaviour = override->behaviour;
        }
    }
    release->slot = service->releases;
    service->release[service->releases++] = made;
    return true;
}

static void note_rollout(struct service *service, const struct route *route)
{
    size_t newest = (service->rollouts - 1) % SERVICE_ROLLOUTS_MAX;
    if (route->rollout[0] == '\0' || !route->has_canary ||
        (service->rollouts > 0 && strcmp(service->rollout[newest].id, route->rollout) == 0)) {
        return;
    }
    struct service_rollout *rollout = &service->rollout[service->rollouts++ % SERVICE_ROLLOUTS_MAX];
    *rollout = (struct service_rollout){0};
    snprintf(rollout->id, sizeof rollout->id, "%s", route->rollout);
    snprintf(rollout->release, sizeof rollout->release, "%s", route->canary.name);
}

static void note_epoch(struct service *service, const struct route *route)
{
    struct service_epoch *epoch = &service->epoch[service->epochs++ % SERVICE_EPOCHS_MAX];
    *epoch = (struct service_epoch){.incarnation = route->incarnation,
                                    .epoch = route->epoch,
                                    .weight = route->canary.weight,
                                    .applied_at = clock_wall(),
                                    .lag_ms = -1};
    snprintf(epoch->canary, sizeof epoch->canary, "%s", route->canary.name);
}

bool service_apply(struct service *service, const struct route *route)
{
    struct route *copy = malloc(sizeof *copy);
    if (copy == NULL) {
        return false;
    }
    *copy = *route;
    pthread_mutex_lock(&service->lock);
    struct route *old = service->route;
    bool taken = (old == NULL || route_not_older(copy, old)) &&
                 (!copy->has_stable || find_release(service, &copy->stable)) &&
                 (!copy->has_canary || find_release(service, &copy->canary));
    if (taken) {
        note_rollout(service, copy);
        if (old == NULL || old->epoch != copy->epoch || old->incarnation != copy->incarnation) {
            note_epoch(service, copy);
        }
        service->route = copy;
    } else {
        service->refused++;
    }
    pthread_mutex_unlock(&service->lock);
    free(taken ? old : copy);
    return taken;
}

bool service_assign(struct service *service, struct wall_time now, const char *key, size_t key_length,
                    int draw, struct assignment *out, struct behaviour *behaviour)
{
    pthread_mutex_lock(&service->lock);
    const struct route *route = service->route;
    if (route == NULL) {
        service->unrouted++;
        pthread_mutex_unlock(&service->lock);
        return false;
    }
    struct choice choice = chooser_choose(route, now, key, key_length, draw);
    struct service_release *release = service->release[choice.release->slot];
    release->requests++;
    service->lease_over += choice.lease_over;
    bool of_rollout = route->rollout[0] != '\0' && route->has_canary && service->rollouts > 0;
    *out = (struct assignment){(uint16_t)choice.release->slot, choice.canary, of_rollout,
                               of_rollout ? (uint32_t)service->rollouts - 1 : 0};
    if (of_rollout) {
        struct service_rollout *rollout = &service->rollout[out->rollout % SERVICE_ROLLOUTS_MAX];
        (choice.canary ? &rollout->canary : &rollout->stable)->requests++;
    }
    *behaviour = release->behaviour;
    pthread_mutex_unlock(&service->lock);
    return true;
}

void service_finish(struct service *service, const struct assignment *assignment, const struct answer *answer)
{
    const struct outcome *outcome = &answer->outcome;
    bool bad = outcome->bad != 0;
    pthread_mutex_lock(&service->lock);
    struct service_release *release = service->release[assignment->release];
    release->finished++;
    release->bad += bad;
    release->lost += answer->lost;
    for (enum outcome_sli sli = 0; sli < OUTCOME_SLIS && bad; sli++) {
        release->slis[sli] += outcome->bad >> sli & 1;
    }
    if (outcome->ttft_ms >= 0) {
        release->ttfts++;
        release->ttft_ms += outcome->ttft_ms;
    }
    if (assignment->of_rollout && service->rollouts - assignment->rollout <= SERVICE_ROLLOUTS_MAX) {
        struct service_rollout *rollout = &service->rollout[assignment->rollout % SERVICE_ROLLOUTS_MAX];
        if (assignment->canary) {
            rollout->canary.finished++;
            rollout->canary.bad += bad;
        } else {
            rollout->stable.finished++;
            rollout->stable.bad += bad;
        }
    }
    pthread_mutex_unlock(&service->lock);
}

const struct service_epoch *service_epoch_at(const struct service *service, size_t index)
{
    size_t first = service->epochs > SERVICE_EPOCHS_MAX ? service->epochs - SERVICE_EPOCHS_MAX : 0;
    return first + index < service->epochs ? &service->epoch[(first + index) % SERVICE_EPOCHS_MAX] : NULL;
}

const struct service_rollout *service_rollout_at(const struct service *service, size_t index)
{
    size_t first = service->rollouts > SERVICE_ROLLOUTS_MAX ? service->rollouts - SERVICE_ROLLOUTS_MAX : 0;
    return first + index < service->rollouts ? &service->rollout[(first + index) % SERVICE_ROLLOUTS_MAX]
                                             : NULL;
}

void service_written(struct service *service, int64_t epoch, struct wall_time written_at)
{
    pthread_mutex_lock(&service->lock);
    if (service->epochs > 0) {
        struct service_epoch *newest = &service->epoch[(service->epochs - 1) % SERVICE_EPOCHS_MAX];
        if (newest->epoch == epoch && newest->lag_ms < 0) {
            newest->lag_ms = (newest->applied_at.us - written_at.us) / 1000;
        }
    }
    pthread_mutex_unlock(&service->lock);
}
