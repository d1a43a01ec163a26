/* Outcomes over HTTP into the database: what is counted where, once, and what happens when it cannot be
 * committed. */
#include "gateway_world.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct gateway_world world;

static void open_world(void)
{
    gateway_world_open(&world);
    gateway_world_start(&world);
    gateway_world_ready(&world);
}

static void close_world(void)
{
    gateway_world_close(&world);
}

TestSuite(gateway_outcomes, .init = open_world, .fini = close_world, .timeout = 60);

static long long total(const char *what)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT coalesce(sum(%s), 0) FROM observations WHERE service = 'chat'", what);
    return database_number(&world.database, sql);
}

#define ONE(fields) "{\"service\":\"chat\",\"outcomes\":[{\"release\":\"v1\",\"age_ms\":100" fields "}]}"

Test(gateway_outcomes, a_batch_is_counted)
{
    struct reply reply =
        gateway_post(&world, "b1",
                     "{\"service\":\"chat\",\"admissions\":[{\"release\":\"v1\",\"count\":7,\"age_ms\":50}],"
                     "\"outcomes\":[{\"release\":\"v1\",\"age_ms\":50,\"sli\":{\"refusal\":true,\"error\":"
                     "false},\"latency_ms\":1200,"
                     "\"input_tokens\":10,\"cost_micros\":250,\"score\":0.5},"
                     "{\"release\":\"v1\",\"age_ms\":50,\"ttft_ms\":400,\"latency_ms\":900},"
                     "{\"release\":\"nowhere\",\"age_ms\":50}]}");
    gateway_expect(&reply, 200);
    cr_assert_eq(gateway_number(&reply, "accepted"), 3);
    cr_assert_not_null(strstr(reply.body, "\"duplicate\":false"));
    cr_assert_not_null(strstr(reply.body, "\"/outcomes/2/release\""));
    cr_assert_eq(total("admissions"), 7);
    cr_assert_eq(total("outcomes"), 2);
    cr_assert_eq(total("n[1]"), 1); /* refusal */
    cr_assert_eq(total("k[1]"), 1);
    cr_assert_eq(total("n[3]"), 1); /* error */
    cr_assert_eq(total("k[3]"), 0);
    cr_assert_eq(total("n[4]"), 2); /* timeout: 2 s */
    cr_assert_eq(total("k[4]"), 0);
    cr_assert_eq(total("n[5]"), 1); /* ttft */
    cr_assert_eq(total("k[5]"), 0);
    cr_assert_eq(total("n[6]"), 2); /* latency: 1 s */
    cr_assert_eq(total("k[6]"), 1);
    cr_assert_eq(total("sums[1]"), 2100);
    cr_assert_eq(total("summed[1]"), 2);
    cr_assert_eq(total("sums[5]"), 250);
    cr_assert_eq(total("sums[6] * 10"), 5);
    cr_assert_eq(database_number(&world.database,
                                 "SELECT count(*) FROM observations WHERE gateway = 'gw-1' AND "
                                 "abs(bucket_s - extract(epoch FROM serin_now())) < 5"),
                 database_number(&world.database, "SELECT count(*) FROM observations"));
    cr_assert_eq(database_number(&world.database,
                                 "SELECT count(*) FROM gateways WHERE instance = 'gw-1' AND "
                                 "reported_at > serin_now() - interval '10 s'"),
                 1);
}

/* Law 12. */
Test(gateway_outcomes, a_rescued_request_is_bad_for_the_assigned_release)
{
    struct reply reply = gateway_post(&world, "b1", ONE(",\"rescued\":true,\"sli\":{\"error\":false}"));
    gateway_expect(&reply, 200);
    cr_assert_eq(total("n[3]"), 1);
    cr_assert_eq(total("k[3]"), 1);
}

Test(gateway_outcomes, a_repeated_key_counts_once)
{
    for (int i = 0; i < 3; i++) {
        struct reply reply = gateway_post(&world, "\"same\"", ONE(""));
        gateway_expect(&reply, 200);
        cr_assert_eq(gateway_number(&reply, "accepted"), i == 0 ? 1 : 0);
        cr_assert_not_null(strstr(reply.body, i == 0 ? "\"duplicate\":false" : "\"duplicate\":true"));
    }
    cr_assert_eq(total("outcomes"), 1);
    /* a key belongs to its gateway */
    struct reply reply = gateway_ask(&world, "/v1/outcomes",
                                     &(struct ask){.key = "same", .instance = "gw-2", .body = ONE("")});
    gateway_expect(&reply, 200);
    cr_assert_eq(total("outcomes"), 2);
    /* without one it may count twice */
    for (int i = 0; i < 2; i++) {
        reply = gateway_post(&world, NULL, ONE(""));
        gateway_expect(&reply, 200);
    }
    cr_assert_eq(total("outcomes"), 4);
}

/* Keys and names go to the database inside arrays: nothing in them may break out. */
Test(gateway_outcomes, keys_and_names_that_look_like_sql_are_only_text)
{
    static const char *const keys[] = {
        "NULL", "null", "a,b", "{x}", "a\"b", "a\\b", "'; DROP TABLE observations; --", "%s"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        for (int round = 0; round < 2; round++) {
            struct reply reply = gateway_ask(
                &world, "/v1/outcomes", &(struct ask){.key = keys[i], .instance = "null", .body = ONE("")});
            gateway_expect(&reply, 200);
            cr_assert_eq(gateway_number(&reply, "accepted"), round == 0, "%s", keys[i]);
        }
    }
    cr_assert_eq(total("outcomes"), sizeof keys / sizeof keys[0]);
    cr_assert_eq(database_number(&world.database, "SELECT count(*) FROM ingest_keys WHERE gateway = 'null'"),
                 sizeof keys / sizeof keys[0]);
    struct reply reply = gateway_ask(&world, "/v1/routes/chat", &(struct ask){.instance = "null"});
    gateway_expect(&reply, 200);
}

Test(gateway_outcomes, a_full_queue_is_503)
{
    gateway_world_stop(&world);
    world.queue_bytes = 1;
    gateway_world_start(&world);
    gateway_world_ready(&world);
    struct reply reply = gateway_post(&world, "q", ONE(""));
    gateway_expect(&reply, 503);
    cr_assert_str_eq(reply.retry_after, "1");
    cr_assert_eq(total("outcomes"), 0);
}

Test(gateway_outcomes, what_comes_late_is_kept_apart)
{
    struct reply reply =
        gateway_post(&world, "l1",
                     "{\"service\":\"chat\",\"outcomes\":[{\"release\":\"v1\",\"age_ms\":15000,"
                     "\"sli\":{\"error\":true},\"latency_ms\":5000}]}");
    gateway_expect(&reply, 200);
    cr_assert_eq(total("n[3]"), 1); /* not yet late in every SLI */
    cr_assert_eq(total("k[3]"), 0);
    cr_assert_eq(total("late[3]"), 1);
    cr_assert_eq(total("absent[1]"), 1);
    cr_assert_eq(total("n[6]"), 1); /* latency matures after 20 s */
    cr_assert_eq(total("k[6]"), 1);
    cr_assert_eq(total("outcomes"), 1);
    reply = gateway_post(&world, "l2",
                         "{\"service\":\"chat\",\"outcomes\":[{\"release\":\"v1\",\"age_ms\":25000,"
                         "\"sli\":{\"error\":false},\"latency_ms\":5000}]}");
    gateway_expect(&reply, 200);
    cr_assert_eq(total("outcomes"), 1);
    cr_assert_eq(total("late_outcomes"), 1);
    cr_assert_eq(total("late[6]"), 1);
    cr_assert_eq(total("late[3]"), 1); /* good ones are not kept */
    cr_assert_eq(total("summed[1]"), 1);
}

Test(gateway_outcomes, what_breaks_the_schema_is_refused_as_a_whole)
{
    struct reply reply = gateway_post(&world, "x", ONE(",\"latancy_ms\":5"));
    gateway_expect(&reply, 422);
    cr_assert_not_null(strstr(reply.body, "/outcomes/0/latancy_ms"), "%s", reply.body);
    reply = gateway_post(&world, "x", "{\"service\":\"chat\",");
    gateway_expect(&reply, 400);
    reply = gateway_post(&world, "x", "{\"service\":\"nobody\"}");
    gateway_expect(&reply, 404);
    reply = gateway_post(&world, "x\ty", "{\"service\":\"chat\"}");
    gateway_expect(&reply, 400);
    reply = gateway_ask(&world, "/v1/outcomes",
                        &(struct ask){.body = "{\"service\":\"chat\"}", .type = "text/xml"});
    gateway_expect(&reply, 415);
    cr_assert_eq(total("outcomes"), 0);
    /* a heartbeat counts nothing, and is accepted */
    reply = gateway_post(&world, "x", "{\"service\":\"chat\"}");
    gateway_expect(&reply, 200);
}

Test(gateway_outcomes, a_large_batch_is_decoded_in_its_lane)
{
    enum { ITEMS = 9000 };
    static char body[1 << 20];
    size_t at = (size_t)snprintf(body, sizeof body, "{\"service\":\"chat\",\"outcomes\":[");
    for (int i = 0; i < ITEMS; i++)
        at += (size_t)snprintf(body + at, sizeof body - at,
                               "%s{\"release\":\"v%d\",\"age_ms\":%d,\"sli\":{\"refusal\":%s}}",
                               i == 0 ? "" : ",", 1 + i % 3, i, i % 10 == 0 ? "true" : "false");
    snprintf(body + at, sizeof body - at, "]}");
    cr_assert_gt(strlen(body), 65536);
    struct reply reply = gateway_post(&world, "big", body);
    gateway_expect(&reply, 200);
    cr_assert_eq(gateway_number(&reply, "accepted"), ITEMS);
    cr_assert_eq(total("outcomes"), ITEMS);
    cr_assert_eq(total("k[1]"), ITEMS / 10);
}

Test(gateway_outcomes, a_body_beyond_the_limit_is_413)
{
    enum { SIZE = 5 << 20 };
    char *body = malloc(SIZE + 1);
    memset(body, ' ', SIZE);
    body[SIZE] = '\0';
    struct reply reply = gateway_post(&world, "huge", body);
    free(body);
    gateway_expect(&reply, 413);
    reply = gateway_post(&world, "k", ONE(""));
    gateway_expect(&reply, 200);
}

Test(gateway_outcomes, a_dead_database_is_503_and_the_same_key_then_counts_once)
{
    struct reply reply = gateway_post(&world, "before", ONE(""));
    gateway_expect(&reply, 200);
    gateway_world_cut(&world);
    for (int i = 0; i < 3; i++) {
        reply = gateway_post(&world, "during", ONE(""));
        gateway_expect(&reply, 503);
        cr_assert_str_eq(reply.retry_after, "1");
        cr_assert_lt(reply.seconds, 3.0);
    }
    gateway_world_mend(&world);
    for (int i = 0; i < 2; i++) {
        reply = gateway_post(&world, "during", ONE(""));
        gateway_expect(&reply, 200);
    }
    cr_assert_eq(total("outcomes"), 2);
}

/* The database is there, but does not answer: the client hears within 2 s and a little, whatever became of
 * it. */
Test(gateway_outcomes, a_database_that_hangs_is_503_in_time)
{
    struct db *blocker = database_connect(&world.database);
    database_do(blocker, "BEGIN; LOCK TABLE observations");
    struct reply reply = gateway_post(&world, "h", ONE(""));
    gateway_expect(&reply, 503);
    cr_assert_lt(reply.seconds, 3.5);
    /* routes are answered all the same */
    struct reply route = gateway_get(&world, "/v1/routes/chat");
    gateway_expect(&route, 200);
    cr_assert_lt(route.seconds, 0.5);
    db_close(blocker);
    reply.code = 0;
    for (int i = 0; i < 50 && reply.code != 200; i++) {
        reply = gateway_post(&world, "h", ONE(""));
        gateway_sleep_ms(50);
    }
    gateway_expect(&reply, 200);
    cr_assert_eq(total("outcomes"), 1);
}

enum { WRITERS = 2, CLIENTS = 8, BATCHES = 25 };

struct client {
    pthread_t thread;
    struct gateway_world *world;
    int number, batches, failed;
};

static void *send_batches(void *argument)
{
    struct client *client = argument;
    char key[32];
    for (int i = 0; i < client->batches; i++) {
        /* two clients of each key, so that half of the batches are duplicates */
        snprintf(key, sizeof key, "k%d-%d", client->number / 2, i);
        struct reply reply =
            gateway_post(client->world, key,
                         "{\"service\":\"chat\",\"outcomes\":["
                         "{\"release\":\"v2\",\"age_ms\":10},{\"release\":\"v1\",\"age_ms\":10},"
                         "{\"release\":\"v3\",\"age_ms\":1010},{\"release\":\"v1\",\"age_ms\":2010}]}");
        client->failed += reply.code != 200;
    }
    return NULL;
}

/* Two replicas write the same rows: nothing is lost, counted twice, or deadlocked. */
Test(gateway_outcomes, two_writers_at_once)
{
    struct gateway_world other = world;
    struct client client[CLIENTS];
    char directory[] = "/tmp/serin-test-XXXXXX";
    cr_assert_not_null(mkdtemp(directory));
    snprintf(other.state_dir, sizeof other.state_dir, "%s", directory);
    other.gateway = NULL;
    gateway_world_start(&other);
    gateway_world_ready(&other);
    for (int i = 0; i < CLIENTS; i++) {
        client[i] =
            (struct client){.world = i % WRITERS == 0 ? &world : &other, .number = i, .batches = BATCHES};
        cr_assert_eq(pthread_create(&client[i].thread, NULL, send_batches, &client[i]), 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(client[i].thread, NULL);
        cr_assert_eq(client[i].failed, 0);
    }
    gateway_world_stop(&other);
    char kept[64];
    snprintf(kept, sizeof kept, "%s/routes.lkg", directory);
    unlink(kept);
    cr_assert_eq(rmdir(directory), 0);
    cr_assert_eq(total("outcomes"), CLIENTS / 2 * BATCHES * 4);
    cr_assert_eq(database_number(&world.database, "SELECT count(*) FROM ingest_keys"), CLIENTS / 2 * BATCHES);
}

/* A database clock that runs 60 times as fast: ages are in its milliseconds. */
Test(gateway_outcomes, ages_count_in_the_databases_clock)
{
    database_do(world.database.db,
                "UPDATE clock SET rate = 60, origin_real = clock_timestamp(), origin = clock_timestamp()");
    gateway_sleep_ms(2500);
    struct reply reply = gateway_post(&world, "s",
                                      "{\"service\":\"chat\",\"admissions\":["
                                      "{\"release\":\"v1\",\"count\":1,\"age_ms\":0},"
                                      "{\"release\":\"v1\",\"count\":1,\"age_ms\":60000}]}");
    gateway_expect(&reply, 200);
    cr_assert_eq(database_number(&world.database, "SELECT max(bucket_s) - min(bucket_s) FROM observations"),
                 60);
    /* within a second of real time */
    long long off = database_number(
        &world.database,
        "SELECT abs(max(bucket_s) - extract(epoch FROM serin_now()))::bigint FROM observations");
    cr_assert_leq(off, 60);
}

Test(gateway_outcomes, a_stop_answers_what_is_being_committed)
{
    struct db *blocker = database_connect(&world.database);
    struct client client = {.world = &world, .batches = 1};
    database_do(blocker, "BEGIN; LOCK TABLE observations");
    cr_assert_eq(pthread_create(&client.thread, NULL, send_batches, &client), 0);
    gateway_sleep_ms(200);
    gateway_world_stop(&world); /* waits for the batch, answers it 503 */
    db_close(blocker);
    pthread_join(client.thread, NULL);
    cr_assert_eq(client.failed, 1);
}
