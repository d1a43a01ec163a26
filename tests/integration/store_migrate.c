/* Migrations: from empty, twice, by several at once, and what is refused. */
#include "store/migrate.h"
#include "support/database.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

static struct database database;

static void make(void)
{
    database_make(&database);
}

static void drop(void)
{
    database_drop(&database);
}

TestSuite(store_migrate, .init = make, .fini = drop, .timeout = 60);

static enum status run(struct db *db, int *applied, struct fault *fault)
{
    db_deadline(db, clock_mono_after_ms(clock_mono(), 30000));
    return migrate_run(db, applied, fault);
}

Test(store_migrate, empty_to_newest_and_twice)
{
    struct fault fault = {.detail = ""};
    int applied = -1;
    cr_assert_eq(migrate_check(database.db, false, &fault), STATUS_CONFLICT);
    cr_assert_neq(fault.next_step[0], '\0');
    cr_assert_eq(run(database.db, &applied, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(applied, database_number(&database, "SELECT count(*) FROM schema_migrations"));
    cr_assert_eq(migrate_newest(), database_number(&database, "SELECT max(version) FROM schema_migrations"));
    cr_assert_eq(run(database.db, &applied, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(applied, 0);
    cr_assert_eq(migrate_check(database.db, false, &fault), STATUS_OK, "%s", fault.detail);
}

struct racer {
    struct db *db;
    int applied;
    enum status status;
};

static void *race(void *argument)
{
    struct racer *racer = argument;
    struct fault fault;
    racer->status = run(racer->db, &racer->applied, &fault);
    return NULL;
}

Test(store_migrate, three_at_once)
{
    struct racer racers[3];
    pthread_t thread[3];
    int total = 0;
    for (int i = 0; i < 3; i++)
        racers[i] = (struct racer){.db = database_connect(&database)};
    for (int i = 0; i < 3; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, race, &racers[i]), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(thread[i], NULL);
        cr_assert_eq(racers[i].status, STATUS_OK);
        total += racers[i].applied;
        db_close(racers[i].db);
    }
    cr_assert_eq(total, database_number(&database, "SELECT count(*) FROM schema_migrations"));
}

Test(store_migrate, newer_database_is_refused)
{
    struct fault fault = {.detail = ""};
    int applied = -1;
    cr_assert_eq(run(database.db, NULL, &fault), STATUS_OK);
    database_do(database.db,
                "INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, '9999_later', '')");
    cr_assert_eq(run(database.db, &applied, &fault), STATUS_CONFLICT);
    cr_assert_eq(applied, 0);
    cr_assert_not_null(strstr(fault.detail, "9999"));
    cr_assert_neq(fault.next_step[0], '\0');
    cr_assert_eq(migrate_check(database.db, false, &fault), STATUS_CONFLICT);
}

Test(store_migrate, edited_migration_is_refused)
{
    struct fault fault = {.detail = ""};
    cr_assert_eq(run(database.db, NULL, &fault), STATUS_OK);
    database_do(database.db, "UPDATE schema_migrations SET checksum = sha256('other') WHERE version = 2");
    cr_assert_eq(run(database.db, NULL, &fault), STATUS_CONFLICT);
    cr_assert_eq(migrate_check(database.db, false, &fault), STATUS_CONFLICT);
    cr_assert_neq(fault.next_step[0], '\0');
}

/* A migration that fails leaves nothing of itself, and the lock is free afterwards. */
Test(store_migrate, a_failure_leaves_the_step_before)
{
    struct fault fault = {.detail = ""};
    int applied = -1;
    database_do(database.db, "CREATE TABLE services (in_the_way integer)");
    cr_assert_neq(run(database.db, &applied, &fault), STATUS_OK);
    cr_assert_eq(applied, database_number(&database, "SELECT max(version) FROM schema_migrations"));
    cr_assert_eq(applied, 2);
    database_do(database.db, "DROP TABLE services");
    struct db *other = database_connect(&database);
    cr_assert_eq(run(other, &applied, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(migrate_check(other, false, &fault), STATUS_OK);
    db_close(other);
}

Test(store_migrate, fsync_off_is_refused_where_it_matters)
{
    struct fault fault = {.detail = ""};
    cr_assert_eq(run(database.db, NULL, &fault), STATUS_OK);
    bool fsync = strcmp(database_text(&database, "SHOW fsync"), "on") == 0;
    cr_assert_eq(migrate_check(database.db, true, &fault), fsync ? STATUS_OK : STATUS_CONFLICT);
}
