/* The group commit of counts, without HTTP: what a group does that one batch cannot show. */
#include "sources/counts.h"
#include "support/database.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static struct database database;
static struct counts_writer *counts;

static void open_writer(void)
{
    struct fault fault = {.detail = ""};
    database_make_migrated(&database);
    database_do(database.db, "INSERT INTO services (name) VALUES ('chat')");
    cr_assert_eq(counts_start(&(struct counts_options){.conninfo = database.url}, &counts, &fault), STATUS_OK,
                 "%s", fault.detail);
}

static void close_writer(void)
{
    counts_stop(counts);
    counts = NULL;
    database_drop(&database);
}

TestSuite(gateway_counts, .init = open_writer, .fini = close_writer, .timeout = 60);

struct sent {
    atomic_int result; /* -1 = not yet */
};

static void on_done(void *argument, enum counts_result result)
{
    atomic_store(&((struct sent *)argument)->result, (int)result);
}

static void send_batch(struct sent *sent, const char *key, const char *release)
{
    struct counts_delta *delta = counts_delta_new("gw", key, "chat");
    struct counts_entry *entry = counts_delta_entry(delta, release, "", 100);
    entry->outcomes = 1;
    entry->n[0] = 1;
    atomic_store(&sent->result, -1);
    cr_assert_eq(counts_submit(counts, delta, on_done, sent), STATUS_OK);
}

static int result_of(struct sent *sent)
{
    for (int i = 0; i < 1000 && atomic_load(&sent->result) < 0; i++)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    return atomic_load(&sent->result);
}

static long long outcomes(void)
{
    return database_number(&database, "SELECT coalesce(sum(outcomes), 0) FROM observations");
}

/* While one flush waits for a lock, the rest gathers into one group. */
static struct db *hold_up(struct sent *first)
{
    struct db *blocker = database_connect(&database);
    database_do(blocker, "BEGIN; LOCK TABLE observations");
    send_batch(first, "first", "v1");
    nanosleep(&(struct timespec){0, 200000000}, NULL);
    return blocker;
}

Test(gateway_counts, one_key_twice_in_a_group_counts_once)
{
    enum { PAIRS = 40 };
    struct sent first, sent[2 * PAIRS];
    char key[16];
    int committed = 0, duplicate = 0;
    struct db *blocker = hold_up(&first);
    for (int i = 0; i < 2 * PAIRS; i++) {
        snprintf(key, sizeof key, "k%d", i % PAIRS);
        send_batch(&sent[i], key, i % 3 == 0 ? "v2" : "v1");
    }
    db_close(blocker);
    cr_assert_eq(result_of(&first), COUNTS_COMMITTED);
    for (int i = 0; i < 2 * PAIRS; i++) {
        int result = result_of(&sent[i]);
        committed += result == COUNTS_COMMITTED;
        duplicate += result == COUNTS_DUPLICATE;
    }
    cr_assert_eq(committed, PAIRS);
    cr_assert_eq(duplicate, PAIRS);
    cr_assert_eq(outcomes(), PAIRS + 1);
    struct counts_stats stats;
    counts_read_stats(counts, &stats);
    cr_assert_eq(stats.committed, PAIRS + 1);
    cr_assert_eq(stats.duplicate, PAIRS);
    cr_assert_eq(stats.queued_bytes, 0);
}

/* A release that is no name is refused by the schema; no caller should send one, but if, it goes alone. */
Test(gateway_counts, one_that_cannot_be_stored_does_not_take_the_others_with_it)
{
    struct sent first, good[5], bad;
    struct db *blocker = hold_up(&first);
    send_batch(&good[0], "g0", "v1");
    send_batch(&good[1], NULL, "v1");
    send_batch(&bad, "b", "no name!");
    send_batch(&good[2], "g2", "v2");
    send_batch(&good[3], NULL, "v2");
    send_batch(&good[4], "g2", "v2");
    db_close(blocker);
    cr_assert_eq(result_of(&first), COUNTS_COMMITTED);
    cr_assert_eq(result_of(&bad), COUNTS_UNKNOWN);
    int committed = 0;
    for (int i = 0; i < 5; i++)
        committed += result_of(&good[i]) == COUNTS_COMMITTED;
    cr_assert_eq(committed, 4);
    cr_assert_eq(outcomes(), 5);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM ingest_keys WHERE key = 'b'"), 0);
}

Test(gateway_counts, a_stop_flushes_what_is_queued)
{
    enum { COUNT = 500 };
    static struct sent sent[COUNT];
    for (int i = 0; i < COUNT; i++)
        send_batch(&sent[i], NULL, "v1");
    counts_stop(counts);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(atomic_load(&sent[i].result), COUNTS_COMMITTED);
    cr_assert_eq(outcomes(), COUNT);
    counts = NULL;
}

/* Law 9: what was acknowledged was written with synchronous_commit on, whatever the server's default is. */
Test(gateway_counts, an_acknowledged_batch_is_there_for_others)
{
    struct sent sent;
    send_batch(&sent, "k", "v1");
    cr_assert_eq(result_of(&sent), COUNTS_COMMITTED);
    cr_assert_eq(outcomes(), 1);
    cr_assert_eq(database_number(&database, "SELECT n[1] FROM observations"), 1);
    cr_assert_eq(database_number(&database,
                                 "SELECT count(*) FROM gateways WHERE instance = 'gw' AND "
                                 "reported_at IS NOT NULL AND heard_at = to_timestamp(0)"),
                 1);
}
