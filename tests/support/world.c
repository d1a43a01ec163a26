/* The world that integration tests of rollouts live in. */
#include "support/world.h"

#include "reconcile/announce.h"
#include "reconcile/observe.h"
#include "rollout/rollout.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BEGINNING = 1800000000 }; /* a whole second, far from today */

static void must(enum status status, const struct fault *fault)
{
    cr_assert_eq(status, STATUS_OK, "%s %s", fault->detail, fault->next_step);
}

static void patience(struct world *world)
{
    db_deadline(world->db, clock_mono_after_ms(clock_mono(), 20000));
}

static struct db_rows *run(struct world *world, const char *sql)
{
    struct db_rows *rows = NULL;
    struct fault fault = {0};
    patience(world);
    must(db_run_once(world->db, sql, &rows, &fault), &fault);
    return rows;
}

void world_sql(struct world *world, const char *sql, ...)
{
    char text[8192];
    va_list arguments;
    va_start(arguments, sql);
    vsnprintf(text, sizeof text, sql, arguments);
    va_end(arguments);
    db_rows_free(run(world, text));
}

const char *world_text(struct world *world, const char *sql, ...)
{
    static char out[4096];
    char text[8192];
    va_list arguments;
    va_start(arguments, sql);
    vsnprintf(text, sizeof text, sql, arguments);
    va_end(arguments);
    struct db_rows *rows = run(world, text);
    snprintf(out, sizeof out, "%s", db_rows_count(rows) > 0 ? db_get_text(rows, 0, 0) : "");
    db_rows_free(rows);
    return out;
}

void world_open(struct world *world, const char *slos, const char *policy)
{
    database_make_migrated(&world->database);
    world->db = world->database.db;
    world_at(world, 0);
    world_sql(world, "SELECT observations_partitions()");
    world_sql(world, "INSERT INTO services (name) VALUES ('chat')");
    world_sql(world,
              "INSERT INTO slos (service, version, document, created_by) VALUES ('chat', 1, '%s', 'test')",
              slos);
    world_sql(
        world,
        "INSERT INTO policies (service, version, document, created_by) VALUES ('chat', 1, '%s', 'test')",
        policy);
    for (int i = 1; i <= 3; i++)
        world_sql(world,
                  "INSERT INTO releases (service, name, content, digest, behaviour, created_by) VALUES "
                  "('chat', 'v%d', '{\"v\":%d}', sha256('{\"v\":%d}'), sha256('v%d'), 'test')",
                  i, i, i, i);
    world_sql(
        world,
        "INSERT INTO routes (service, epoch, stable, written_at) VALUES ('chat', 1, 'v1', serin_now())");
    world_sql(world,
              "INSERT INTO route_state (service, epoch, rev, applied_at) VALUES ('chat', 1, 1, serin_now())");
}

void world_close(struct world *world)
{
    database_drop(&world->database);
    world->db = NULL;
}

void world_at(struct world *world, double second)
{
    world_sql(
        world,
        "UPDATE clock SET origin_real = clock_timestamp(), origin = to_timestamp(%.6f), rate = 0.000000001",
        BEGINNING + second);
}

void world_count(struct world *world, int second, const char *release, int n, int k)
{
    world_sql(
        world,
        "INSERT INTO observations (service, bucket_s, release, gateway, admissions, outcomes, n, k, late, "
        "sums, summed) "
        "VALUES ('chat', %d, '%s', 'gw', %d, %d, '{%d,0,0,0,0,0,0,0,0,0,0}', '{%d,0,0,0,0,0,0,0,0,0,0}', "
        "array_fill(0, '{11}'), array_fill(0, '{6}'), array_fill(0, '{6}'))",
        BEGINNING + second, release, n, n, n, k);
}

void world_gateway_applies(struct world *world)
{
    world_sql(world,
              "INSERT INTO gateways (service, instance, applied_epoch, heard_at, reported_at) "
              "SELECT 'chat', 'gw', epoch, serin_now(), serin_now() FROM route_state WHERE service = 'chat' "
              "ON CONFLICT (service, instance) DO UPDATE SET applied_epoch = excluded.applied_epoch, "
              "heard_at = excluded.heard_at, reported_at = excluded.reported_at");
}

const char *world_start(struct world *world, const char *release)
{
    static char id[ID_MAX];
    struct fault fault = {0};
    struct rollout_start start = {.service = "chat", .release = release, .allow_no_gateway = true};
    patience(world);
    must(db_begin(world->db, &fault), &fault);
    must(rollout_start(world->db, &start, "tester", id, &fault), &fault);
    must(db_commit(world->db, &fault), &fault);
    return id;
}

const char *world_tick(struct world *world, const char *id)
{
    struct observe_result result;
    const struct rule *rule = NULL;
    struct fault fault = {0};
    int64_t epoch =
        strtoll(world_text(world, "SELECT lease_epoch FROM rollouts WHERE id = '%s'", id), NULL, 10);
    patience(world);
    must(announce_applied(world->db, &fault), &fault);
    must(observe_rollout(world->db, NULL, id, epoch, &result, &fault), &fault);
    must(db_begin(world->db, &fault), &fault);
    enum status status = tick_run(world->db, id, &result.observation, &rule, &fault);
    observe_free(&result);
    if (status == STATUS_SUPERSEDED) {
        db_rollback(world->db);
        return "superseded";
    }
    must(status, &fault);
    must(db_commit(world->db, &fault), &fault);
    return rule->id;
}
