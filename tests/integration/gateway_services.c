/* A service that is made is known to the gateway port at once, by a notification, not by its next look. */
#include "gateway_world.h"
#include "store/services.h"

#include <criterion/criterion.h>
#include <string.h>

enum { LOOKS_MS = 600000, TRIES = 500 };

TestSuite(gateway_services, .timeout = 60);

static struct gateway_world world;

static void close_world(void)
{
    gateway_world_close(&world);
}

static void make(const char *name)
{
    struct fault fault = {.detail = ""};
    struct db *db = world.database.db;
    bool created = false;
    db_deadline(db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(db_begin(db, &fault), STATUS_OK);
    cr_assert_eq(services_put(db, name, NULL, NULL, STORE_ANY_VERSION, "tester", &created, &fault), STATUS_OK,
                 "%s", fault.detail);
    cr_assert(created);
    cr_assert_eq(db_commit(db, &fault), STATUS_OK);
}

Test(gateway_services, one_that_was_just_made_is_known, .fini = close_world)
{
    gateway_world_open(&world);
    world.options.poll_ms = LOOKS_MS;
    gateway_world_start(&world);
    gateway_world_ready(&world);
    struct reply reply = gateway_get(&world, "/v1/routes/made");
    gateway_expect(&reply, 404);
    cr_expect_not_null(strstr(reply.body, "There is no service made"), "%s", reply.body);
    cr_expect_not_null(strstr(reply.body, "If it was made just now, ask again"), "%s", reply.body);
    make("made");
    for (int i = 0; i < TRIES && strstr(reply.body, "Service made has no route") == NULL; i++) {
        gateway_sleep_ms(20);
        reply = gateway_get(&world, "/v1/routes/made");
    }
    cr_expect_not_null(strstr(reply.body, "Service made has no route"), "%s", reply.body);
}
