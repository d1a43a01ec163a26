/* What the gateway knows of one service: its route, its releases and what became of their requests. Written
   by the route client (routes) and the traffic (counts), read by the summary; the lock guards all of it. */
#pragma once

#include "demo/chooser.h"
#include "demo/route.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SERVICE_RELEASES_MAX = 256, SERVICE_ROLLOUTS_MAX = 64, SERVICE_EPOCHS_MAX = 256 };

/* A behaviour or a replay given on the command line, for a release of one service ("" = of any). */
struct override {
    char service[ROUTE_NAME], release[ROUTE_NAME];
    struct behaviour behaviour;
};

struct service_release {
    char name[ROUTE_NAME];
    struct behaviour behaviour;
    uint64_t requests, finished, bad, lost, slis[OUTCOME_SLIS], ttfts;
    double ttft_ms; /* sum over `ttfts` */
};

/* The two arms of a rollout, over the same requests: what the canary did to people. */
struct service_rollout {
    char id[ID_MAX], release[ROUTE_NAME];
    struct {
        uint64_t requests, finished, bad;
    } canary, stable;
};

struct service_epoch {
    int64_t incarnation, epoch;
    char canary[ROUTE_NAME]; /* "" = none */
    int32_t weight;
    struct wall_time applied_at;
    int64_t lag_ms; /* from written to applied; -1 = not known */
};

struct service {
    char name[ROUTE_NAME];
    pthread_mutex_t lock;
    const struct override *overrides; /* lent */
    size_t override_count;
    struct route *route; /* owned; NULL before the first */
    size_t releases, rollouts, epochs;
    struct service_release *release[SERVICE_RELEASES_MAX];
    struct service_rollout rollout[SERVICE_ROLLOUTS_MAX]; /* a ring: `rollouts` counts all */
    struct service_epoch epoch[SERVICE_EPOCHS_MAX];       /* a ring: `epochs` counts all */
    bool stale, behind;                                   /* as Serin marked its last answer */
    uint64_t answers, failures, refused, unrouted, lease_over;
    struct mono_time answered; /* last answer of Serin; 0 = none yet */
};

/* What the traffic keeps of a request until it ends. */
struct assignment {
    uint16_t release; /* index of the service's releases */
    bool canary, of_rollout;
    uint32_t rollout; /* as in `rollouts` */
};

void service_init(struct service *service, const char *name, const struct override *overrides, size_t count);
void service_free(struct service *service);

/* Applies a route, which is copied. False if it is older than the one that is applied, or if there are too
   many releases: then nothing changes. */
bool service_apply(struct service *service, const struct route *route);
/* Assigns one request and counts it; *behaviour is the release's. False without a route. */
bool service_assign(struct service *service, struct wall_time now, const char *key, size_t key_length,
                    int draw, struct assignment *out, struct behaviour *behaviour);
void service_finish(struct service *service, const struct assignment *assignment,
                    const struct answer *answer);
/* Index 0 is the oldest epoch that is still kept; NULL beyond the newest. Lock held. */
const struct service_epoch *service_epoch_at(const struct service *service, size_t index);
/* The same for rollouts. Lock held. */
const struct service_rollout *service_rollout_at(const struct service *service, size_t index);
/* Stores when the newest epoch was written, if `epoch` is it. */
void service_written(struct service *service, int64_t epoch, struct wall_time written_at);
