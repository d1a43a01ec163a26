/* A gateway port over a database of its own, and a client for it. */
#pragma once

#include "gateway/gateway.h"
#include "sources/counts.h"
#include "support/database.h"

#include <stdbool.h>

#define GATEWAY_TOKEN "gateway-secret"
#define VIEWER_TOKEN  "viewer-secret"

struct reply {
    long code; /* 0: no answer */
    char body[8192], etag[128], stale[16], behind[16], epoch[32], revision[32], retry_after[16];
    double seconds;
};

struct gateway_world {
    struct database database;
    struct counts_writer *counts;
    struct gateway *gateway;
    char state_dir[64];
    struct gateway_options options; /* for the next start */
    size_t queue_bytes;             /* of the counts; 0 = default */
};

/* A migrated database with the services "chat" (releases v1, v2, v3; v1 is stable at epoch 1; ttft 500 ms,
   latency 1 s, timeout 2 s; outcomes mature after 10 s, latency after 20 s) and "idle" (no route), tokens,
   and a state directory. No gateway yet. */
void gateway_world_open(struct gateway_world *world);
/* Stops what runs, drops the database, removes the directory. */
void gateway_world_close(struct gateway_world *world);
void gateway_world_start(struct gateway_world *world);
/* In the order of a shutdown: quiesce, stop, last flush. */
void gateway_world_stop(struct gateway_world *world);
/* Until /readyz says so; fails after 5 s. */
void gateway_world_ready(struct gateway_world *world);

/* Makes the next route of "chat", as a transition would. `canary` may be NULL; `lease` is an SQL interval
   from now, NULL = none. */
void gateway_world_route(struct gateway_world *world, const char *stable, const char *canary, int weight,
                         const char *lease);
/* Asks for the route of "chat" until it has this epoch; fails after 5 s. */
struct reply gateway_world_await(struct gateway_world *world, long long epoch);
/* Nobody can connect, and who was connected is thrown out. */
void gateway_world_cut(struct gateway_world *world);
void gateway_world_mend(struct gateway_world *world);

struct ask {
    const char *token;         /* NULL: GATEWAY_TOKEN; "": none */
    const char *if_none_match; /* NULL: not sent */
    const char *instance, *key, *body, *type;
};
/* GET, or POST if there is a body. */
struct reply gateway_ask(const struct gateway_world *world, const char *path, const struct ask *ask);
struct reply gateway_get(const struct gateway_world *world, const char *path);
struct reply gateway_post(const struct gateway_world *world, const char *key, const char *body);
/* A TCP connection to the port. */
int gateway_dial(const struct gateway_world *world);
/* Asserts that `reply` has this code, and shows its body if not. */
void gateway_expect(const struct reply *reply, long code);
/* The first number behind `"name":` in the body, -1 if there is none. */
long long gateway_number(const struct reply *reply, const char *name);
/* Weight of a release in a route's body; -1 if it is not named. */
long long gateway_weight(const struct reply *reply, const char *release);
void gateway_sleep_ms(int ms);
