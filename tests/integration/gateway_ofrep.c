/* OFREP: flags evaluated from memory, sticky by key, within their lease, acknowledged. */
#include "gateway_world.h"

#include "base/digest.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char one[] = "/ofrep/v1/evaluate/flags/chat", all[] = "/ofrep/v1/evaluate/flags";
static struct gateway_world world;

static void open_world(void)
{
    gateway_world_open(&world);
    world.options.poll_ms = 100;
    world.options.stale_after_ms = 600;
    gateway_world_route(&world, "v1", "v2", 3000, "15 minutes");
    gateway_world_start(&world);
    gateway_world_ready(&world);
    gateway_world_await(&world, 2);
}

static void close_world(void)
{
    gateway_world_close(&world);
}

TestSuite(gateway_ofrep, .init = open_world, .fini = close_world, .timeout = 60);

static struct reply evaluate(const char *path, const char *key, const char *etag)
{
    char body[256];
    snprintf(body, sizeof body, "{\"context\":{\"targetingKey\":\"%s\",\"plan\":{\"deep\":[1]}}}", key);
    return gateway_ask(&world, path, &(struct ask){.body = body, .if_none_match = etag, .instance = "app-1"});
}

static bool has(const struct reply *reply, const char *text)
{
    return strstr(reply->body, text) != NULL;
}

/* A key of the canary's at this weight (`of` true), or of stable's. */
static const char *key_of(int weight, bool of, char out[32])
{
    for (int i = 0;; i++) {
        snprintf(out, 32, "user-%d", i);
        if ((digest_bucket("salt", out, strlen(out)) < weight) == of)
            return out;
    }
}

Test(gateway_ofrep, the_documented_rule_decides)
{
    int canary = 0;
    char key[32];
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "k-%d", i);
        struct reply reply = evaluate(one, key, NULL);
        gateway_expect(&reply, 200);
        bool expected = digest_bucket("salt", key, strlen(key)) < 3000;
        cr_assert(has(&reply, expected ? "\"variant\":\"v2\"" : "\"variant\":\"v1\""), "%s: %s", key,
                  reply.body);
        canary += expected;
    }
    cr_assert(canary > 50 && canary < 130, "%d", canary);
}

Test(gateway_ofrep, a_flag_has_all_that_is_needed_to_call_its_release)
{
    char key[32];
    struct reply reply = evaluate(one, key_of(3000, true, key), NULL);
    gateway_expect(&reply, 200);
    static const char *const parts[] = {
        "{\"key\":\"chat\",\"metadata\":{\"epoch\":2,\"incarnation\":1,\"role\":\"canary\",\"stale\":false,"
        "\"valid_until\":\"20",
        ",\"weight\":3000},\"reason\":\"SPLIT\",\"value\":{\"artifacts\":[],\"digest\":\"",
        "\"model\":{\"model\":\"large\",\"provider\":\"acme\"},\"parameters\":{\"name\":\"v2\"},\"release\":"
        "\"v2\"},"
        "\"variant\":\"v2\"}"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        cr_assert(has(&reply, parts[i]), "%s\nis not in\n%s", parts[i], reply.body);
}

Test(gateway_ofrep, all_flags_leave_out_what_has_no_route)
{
    char key[32], expected[4096];
    struct reply alone = evaluate(one, key_of(3000, false, key), NULL), reply = evaluate(all, key, NULL);
    gateway_expect(&reply, 200);
    snprintf(expected, sizeof expected,
             "{\"flags\":[%.3900s],\"metadata\":{\"incarnation\":1,\"revision\":", alone.body);
    cr_assert(has(&reply, expected), "%s", reply.body);
    cr_assert_not(has(&reply, "idle"));
    reply = evaluate("/ofrep/v1/evaluate/flags/idle", key, NULL);
    gateway_expect(&reply, 404);
    cr_assert(has(&reply, "\"key\":\"idle\",\"errorCode\":\"FLAG_NOT_FOUND\""), "%s", reply.body);
}

Test(gateway_ofrep, unchanged_flags_are_304_for_this_key_only)
{
    char canary[32], stable[32];
    struct reply first = evaluate(all, key_of(3000, true, canary), NULL);
    struct reply again = evaluate(all, canary, first.etag);
    gateway_expect(&again, 304);
    cr_assert_str_eq(again.body, "");
    cr_assert_str_eq(again.etag, first.etag);
    again = evaluate(all, key_of(3000, false, stable), first.etag);
    gateway_expect(&again, 200);
    cr_assert_str_neq(again.etag, first.etag);
    /* law 13 */
    again = evaluate(all, canary, "\"1.999.0123456789abcdef\"");
    gateway_expect(&again, 304);
    cr_assert_str_eq(again.behind, "true");
}

Test(gateway_ofrep, more_weight_takes_nobody_off_the_canary_and_a_rollback_everybody)
{
    char key[32];
    struct reply first = evaluate(all, key_of(3000, true, key), NULL);
    gateway_world_route(&world, "v1", "v2", 6000, "15 minutes");
    gateway_world_await(&world, 3);
    for (int i = 0; i < 200; i++) {
        char some[32];
        snprintf(some, sizeof some, "k-%d", i);
        struct reply reply = evaluate(one, some, NULL);
        if (digest_bucket("salt", some, strlen(some)) < 3000)
            cr_assert(has(&reply, "\"variant\":\"v2\""), "%s: %s", some, reply.body);
    }
    gateway_world_route(&world, "v1", NULL, 0, NULL);
    gateway_world_await(&world, 4);
    struct reply reply = evaluate(one, key, NULL);
    cr_assert(has(&reply, "\"reason\":\"STATIC\"") && has(&reply, "\"variant\":\"v1\""), "%s", reply.body);
    reply = evaluate(all, key, first.etag);
    gateway_expect(&reply, 200);
    cr_assert(has(&reply, "\"variant\":\"v1\""), "%s", reply.body);
}

Test(gateway_ofrep, what_is_wrong_is_said_in_both_ways)
{
    static const struct {
        const char *body, *code;
    } rows[] = {
        {"", "PARSE_ERROR"},
        {"{\"context\":{\"targetingKey\":\"a\",\"targetingKey\":\"b\"}}", "PARSE_ERROR"},
        {"[]", "PARSE_ERROR"},
        {"{}", "INVALID_CONTEXT"},
        {"{\"context\":{}}", "TARGETING_KEY_MISSING"},
        {"{\"context\":{\"targetingKey\":[]}}", "INVALID_CONTEXT"},
    };
    char expected[128];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reply reply = gateway_ask(&world, one, &(struct ask){.body = rows[i].body});
        gateway_expect(&reply, 400);
        snprintf(expected, sizeof expected, "\"key\":\"chat\",\"errorCode\":\"%s\",\"errorDetails\":\"",
                 rows[i].code);
        cr_assert(has(&reply, expected) && has(&reply, "\"type\":\"https://serin.dev/problems/malformed\""),
                  "%s", reply.body);
    }
    struct reply reply = gateway_ask(&world, one, &(struct ask){.body = "{}", .token = VIEWER_TOKEN});
    gateway_expect(&reply, 403);
    cr_assert(has(&reply, "\"errorCode\":\"GENERAL\""));
    reply = gateway_ask(&world, one, &(struct ask){.body = "{}", .token = ""});
    gateway_expect(&reply, 401);
    reply = gateway_ask(&world, one, &(struct ask){.body = "{}", .type = "text/plain"});
    gateway_expect(&reply, 415);
    reply = gateway_ask(&world, one, &(struct ask){.body = "{}", .instance = "a b"});
    gateway_expect(&reply, 400);
    reply = gateway_get(&world, one);
    gateway_expect(&reply, 405);
    reply = evaluate("/ofrep/v1/evaluate/flags/app/route", "u", NULL);
    gateway_expect(&reply, 404);
    cr_assert(has(&reply, "\"errorCode\":\"FLAG_NOT_FOUND\""), "%s", reply.body);
}

static long long applied(const char *instance)
{
    char sql[256];
    snprintf(sql, sizeof sql,
             "SELECT coalesce(max(coalesce(applied_epoch, 0)), -1) FROM gateways WHERE service = 'chat' AND "
             "instance = "
             "'%s'",
             instance);
    return database_number(&world.database, sql);
}

static void wait_for_applied(const char *instance, long long epoch)
{
    for (int i = 0; i < 800 && applied(instance) != epoch; i++)
        gateway_sleep_ms(10);
    cr_assert_eq(applied(instance), epoch, "%s: %lld", instance, applied(instance));
}

/* Law 11. */
Test(gateway_ofrep, an_evaluation_acknowledges_its_epoch)
{
    evaluate(one, "u", NULL);
    wait_for_applied("app-1", 2);
    /* one that cannot name itself goes by its token */
    gateway_ask(&world, one, &(struct ask){.body = "{\"context\":{\"targetingKey\":\"u\"}}"});
    wait_for_applied("edge", 2);
    gateway_world_route(&world, "v1", NULL, 0, NULL);
    gateway_world_await(&world, 3);
    /* what is evaluated here is applied by being served: nobody waits for the next request of an idle
     * application */
    wait_for_applied("app-1", 3);
    wait_for_applied("edge", 3);
}

Test(gateway_ofrep, what_is_cached_is_acknowledged_by_its_tag)
{
    struct reply first = evaluate(all, "u", NULL);
    wait_for_applied("app-1", 0);
    evaluate(all, "u", first.etag);
    wait_for_applied("app-1", 2);
    gateway_world_route(&world, "v1", NULL, 0, NULL);
    gateway_world_await(&world, 3);
    struct reply second = evaluate(all, "u", first.etag);
    gateway_expect(&second, 200);
    gateway_sleep_ms(1500);
    cr_assert_eq(applied("app-1"), 2, "it has only been told");
    evaluate(all, "u", second.etag);
    wait_for_applied("app-1", 3);
}

/* Law 10. */
Test(gateway_ofrep, without_a_database_it_is_stale_and_past_the_lease_stable_alone)
{
    char key[32];
    gateway_world_route(&world, "v1", "v2", 3000, "4 seconds");
    gateway_world_await(&world, 3);
    struct reply fresh = evaluate(all, key_of(3000, true, key), NULL);
    gateway_world_cut(&world);
    struct reply reply = fresh;
    for (int i = 0; i < 300 && !has(&reply, "\"stale\":true"); i++) {
        gateway_sleep_ms(10);
        reply = evaluate(one, key, NULL);
    }
    gateway_expect(&reply, 200);
    cr_assert(has(&reply, "\"stale\":true") && has(&reply, "\"variant\":\"v2\""), "%s", reply.body);
    reply = evaluate(all, key, fresh.etag);
    gateway_expect(&reply, 200);
    for (int i = 0; i < 600 && !has(&reply, "\"variant\":\"v1\""); i++) {
        gateway_sleep_ms(10);
        reply = evaluate(one, key, NULL);
    }
    cr_assert(has(&reply, "\"variant\":\"v1\"") && has(&reply, "\"reason\":\"STATIC\"") &&
                  has(&reply, "\"weight\":10000") && !has(&reply, "valid_until"),
              "%s", reply.body);
    reply = evaluate(all, key, fresh.etag);
    cr_assert(has(&reply, "\"variant\":\"v1\""), "%s", reply.body);
    /* what was kept is evaluated after a restart, too */
    gateway_world_stop(&world);
    gateway_world_start(&world);
    reply = evaluate(one, key, NULL);
    gateway_expect(&reply, 200);
    cr_assert(has(&reply, "\"variant\":\"v1\"") && has(&reply, "\"parameters\":{\"name\":\"v1\"}"), "%s",
              reply.body);
}

Test(gateway_ofrep, with_neither_database_nor_file_it_is_503)
{
    char path[128];
    gateway_world_stop(&world);
    snprintf(path, sizeof path, "%s/routes.lkg", world.state_dir);
    unlink(path);
    gateway_world_cut(&world);
    gateway_world_start(&world);
    struct reply reply = evaluate(one, "u", NULL);
    gateway_expect(&reply, 503);
    cr_assert(has(&reply, "\"errorCode\":\"GENERAL\""), "%s", reply.body);
    cr_assert_str_eq(reply.retry_after, "1");
}

Test(gateway_ofrep, clients_that_stop_in_the_middle_do_not_starve_health)
{
    enum { MANY = 40 };
    static const char begin[] =
        "POST /ofrep/v1/evaluate/flags/chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " GATEWAY_TOKEN
        "\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{";
    int fd[MANY];
    for (int i = 0; i < MANY; i++) {
        fd[i] = gateway_dial(&world);
        cr_assert_eq(send(fd[i], begin, sizeof begin - 1, MSG_NOSIGNAL), (ssize_t)sizeof begin - 1);
    }
    struct reply live = gateway_ask(&world, "/livez", &(struct ask){.token = ""});
    gateway_expect(&live, 200);
    cr_assert_lt(live.seconds, 2.0);
    struct reply reply = evaluate(one, "u", NULL);
    gateway_expect(&reply, 200);
    for (int i = 0; i < MANY; i++)
        close(fd[i]);
}
