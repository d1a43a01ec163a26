/* The publisher's working copy of what is served: rows go in, snapshots come out. A service whose rows did
   not change keeps its prepared answers. One thread. */
#pragma once

#include "base/fault.h"
#include "gateway/rules.h"
#include "gateway/snapshot.h"

struct catalog;

struct catalog *catalog_new(void); /* NULL on no memory */
void catalog_free(struct catalog *catalog);

/* Every epoch from now on counts in this incarnation; all answers are made anew if it changed. */
void catalog_incarnation(struct catalog *catalog, int64_t incarnation);

/* A pass over the services: begin, each service with its rules (which are taken over; they name no releases),
   each release of a service that was named, then the end, which forgets the services that were not. Until
   then nothing changes for the snapshots. NO_MEMORY. */
void catalog_begin(struct catalog *catalog);
enum status catalog_service(struct catalog *catalog, const char *name, const char *sticky,
                            const struct rules *rules) MUST_CHECK;
enum status catalog_release_name(struct catalog *catalog, const char *service,
                                 const char *release) MUST_CHECK;
void catalog_end(struct catalog *catalog);

struct catalog_route {
    const char *service;
    int64_t epoch;
    const char *stable, *canary; /* "" = none */
    int32_t canary_weight;
    const char *rollout, *salt;
    bool leased;
    struct wall_time valid_until; /* as gateways are told */
    struct wall_time lapse_wall;  /* the same moment by this machine's clocks */
    struct mono_time lapse_mono;
};
/* The epoch that is known of a service; 0 = none. */
int64_t catalog_epoch(const struct catalog *catalog, const char *service);
/* Takes a route. SUPERSEDED if its epoch is behind the one that is known: the database has gone back. A
   service that the last pass did not name is added. Releases whose text is not known yet are asked for with
   catalog_missing(). */
enum status catalog_route(struct catalog *catalog, const struct catalog_route *route,
                          struct fault *fault) MUST_CHECK;
/* A release that some route needs: lent until the next call. False when none is missing. */
bool catalog_missing(struct catalog *catalog, const char **service, const char **release);
/* The text of route_body_release(), malloc'ed; taken over. NULL: it cannot be made, and the service stays as
   it was until its next route, so that one unreadable release does not stop the others. */
void catalog_release(struct catalog *catalog, const char *service, const char *release, char *text);

/* Forgets which epochs were known: what comes next is taken as it is. */
void catalog_forget(struct catalog *catalog);

/* Builds a snapshot at this revision, without tokens (room for `tokens` is made), not yet sealed. Owned by
   the caller. NULL on no memory: nothing is lost by trying again. */
struct snapshot *catalog_snapshot(struct catalog *catalog, int64_t rev, size_t tokens);
