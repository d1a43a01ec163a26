/* A database of its own with one service, releases v1 (stable), v2 and v3, and a clock that a test moves by
 * hand. */
#pragma once

#include "support/database.h"

struct world {
    struct database database;
    struct db *db; /* database.db */
};

/* Connects to the server named by SERIN_TEST_DATABASE_URL (missing: the test fails), creates and migrates a
   database, and puts the service "chat" there with the given documents (JSON of the objects under "slos" and
   of a policy). */
void world_open(struct world *world, const char *slos, const char *policy);
void world_close(struct world *world);

/* Runs one statement; any error fails the test. */
void world_sql(struct world *world, const char *sql, ...) __attribute__((format(printf, 2, 3)));
/* The first column of the first row, in a static buffer. */
const char *world_text(struct world *world, const char *sql, ...) __attribute__((format(printf, 2, 3)));

/* Moves serin_now() to `second` s after the world's beginning; it stands still there. */
void world_at(struct world *world, double second);
/* Counts of one second (after the beginning), as a gateway "gw" that admits and reports at once; n requests,
 * k refused. */
void world_count(struct world *world, int second, const char *release, int n, int k);
/* The gateway is heard now and has applied the newest route. */
void world_gateway_applies(struct world *world);

/* Starts a rollout of `release`, allow_no_gateway; returns its id in a static buffer. */
const char *world_start(struct world *world, const char *release);
/* One turn of the loop over everything: routes applied, then observe and commit of `id`. Returns the rule
 * that fired. */
const char *world_tick(struct world *world, const char *id);
