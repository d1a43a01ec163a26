/* Laws 11 and 13: an epoch that a gateway has applied is one of the present incarnation, whichever comes
   first, the new incarnation or the acknowledgement of the old one that is being written down. */
#include "store/snapshot.h"
#include "support/database.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <time.h>

static struct database database;

static void open(void)
{
    database_make_migrated(&database);
    database_do(database.db, "INSERT INTO services (name) VALUES ('chat')");
}

static void close(void)
{
    database_drop(&database);
}

TestSuite(store_incarnation, .init = open, .fini = close, .timeout = 60);

static void patience(struct db *db)
{
    db_deadline(db, clock_mono_after_ms(clock_mono(), 30000));
}

static void acknowledge(struct db *db, int64_t incarnation, int64_t epoch)
{
    struct fault fault = {.detail = ""};
    const struct snapshot_ack ack = {.service = "chat",
                                     .instance = "gw",
                                     .incarnation = incarnation,
                                     .applied_epoch = epoch,
                                     .weight_step = 1};
    patience(db);
    cr_assert_eq(snapshot_write_acks(db, &ack, 1, &fault), STATUS_OK, "%s", fault.detail);
}

static int64_t begin_incarnation(struct db *db, int64_t served)
{
    struct fault fault = {.detail = ""};
    int64_t incarnation = 0;
    patience(db);
    cr_assert_eq(snapshot_new_incarnation(db, served, &incarnation, &fault), STATUS_OK, "%s", fault.detail);
    return incarnation;
}

static const char *applied(void)
{
    return database_text(&database,
                         "SELECT concat_ws('/', coalesce(applied_epoch::text, '-'), applied_at IS NOT NULL) "
                         "FROM gateways WHERE instance = 'gw'");
}

Test(store_incarnation, an_epoch_of_another_incarnation_is_not_known)
{
    acknowledge(database.db, 1, 12);
    cr_expect_str_eq(applied(), "12/t");
    cr_assert_eq(begin_incarnation(database.db, 1), 2);
    cr_expect_str_eq(applied(), "-/f");
    acknowledge(database.db, 1, 12);
    cr_expect_str_eq(applied(), "-/t", "it was heard, and has said nothing");
    acknowledge(database.db, 2, 3);
    cr_expect_str_eq(applied(), "3/t");
    cr_assert_eq(begin_incarnation(database.db, 1), 2, "another replica has seen to it");
    cr_expect_str_eq(applied(), "3/t");
    acknowledge(database.db, 3, 4);
    cr_expect_str_eq(applied(), "-/t");
}

static void await_a_lock(void)
{
    for (int i = 0; i < 2000; i++) {
        if (database_number(&database,
                            "SELECT count(*) FROM pg_stat_activity WHERE datname = "
                            "current_database() AND wait_event_type = 'Lock'") > 0)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    cr_assert_fail("nothing waits for a lock");
}

static void *acknowledge_the_old_one(void *argument)
{
    acknowledge(argument, 1, 12);
    return NULL;
}

static void *begin_the_new_one(void *argument)
{
    begin_incarnation(argument, 1);
    return NULL;
}

/* One transaction is open with `first`, `work` comes and waits for it, and then the first is committed. */
static void race(const char *first, void *(*work)(void *argument))
{
    struct db *other = database_connect(&database);
    pthread_t thread;
    patience(database.db);
    database_do(database.db, first);
    cr_assert_eq(pthread_create(&thread, NULL, work, other), 0);
    await_a_lock();
    database_do(database.db, "COMMIT");
    pthread_join(thread, NULL);
    db_close(other);
    cr_expect_eq(database_number(&database, "SELECT incarnation FROM route_rev"), 2);
    cr_expect_eq(database_number(&database, "SELECT count(*) FROM gateways WHERE instance = 'gw'"), 1);
    cr_expect_eq(database_number(&database, "SELECT count(applied_epoch) FROM gateways"), 0);
}

Test(store_incarnation, what_is_written_while_a_new_one_begins_is_not_of_it)
{
    race(
        "BEGIN; SELECT FROM route_rev FOR UPDATE;"
        "UPDATE route_rev SET incarnation = 2, incarnation_at = serin_now()",
        acknowledge_the_old_one);
}

Test(store_incarnation, a_new_one_begins_after_what_is_being_written)
{
    race(
        "BEGIN; SELECT FROM route_rev FOR KEY SHARE;"
        "INSERT INTO gateways (service, instance, applied_epoch, heard_at) VALUES ('chat', 'gw', 12, "
        "serin_now())",
        begin_the_new_one);
}

Test(store_incarnation, routes_are_written_while_acknowledgements_are)
{
    database_do(database.db, "BEGIN; UPDATE route_rev SET rev = rev + 1");
    struct db *other = database_connect(&database);
    acknowledge(other, 1, 1);
    db_close(other);
    database_do(database.db, "COMMIT");
    cr_expect_str_eq(applied(), "1/t");
}
