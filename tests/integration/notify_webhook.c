/* The outbox out: a real Postgres, and endpoints that the test plays. */
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "notify/notify.h"
#include "notify/webhook.h"
#include "store/events.h"
#include "store/outbox.h"
#include "support/database.h"
#include "support/peer.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

enum { HEARD_MAX = 64 };

struct heard {
    char path[64], id[64], timestamp[32], signature[128], type[64], agent[64];
    char body[2048];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct heard heard[HEARD_MAX];
static int heard_count;
static int answers_500; /* how many more requests to /flaky fail */

static struct database database;
static struct db_pool *pool;
static struct notify *notify;
static struct peer *peer;
static struct fault fault;
static int sent;

static void remember(const struct peer_request *request)
{
    pthread_mutex_lock(&mutex);
    cr_assert(heard_count < HEARD_MAX);
    struct heard *now = &heard[heard_count++];
    snprintf(now->path, sizeof now->path, "%.60s", request->path);
    peer_header(request, "webhook-id", now->id, sizeof now->id);
    peer_header(request, "webhook-timestamp", now->timestamp, sizeof now->timestamp);
    peer_header(request, "webhook-signature", now->signature, sizeof now->signature);
    peer_header(request, "content-type", now->type, sizeof now->type);
    peer_header(request, "user-agent", now->agent, sizeof now->agent);
    snprintf(now->body, sizeof now->body, "%s", request->body);
    pthread_mutex_unlock(&mutex);
}

static void play(struct peer *self, int fd, const struct peer_request *request, void *context)
{
    (void)context;
    remember(request);
    if (strcmp(request->path, "/flaky") == 0 && answers_500 > 0) {
        answers_500--;
        peer_answer(fd, 500, NULL, "not yet");
    } else if (strcmp(request->path, "/busy") == 0) {
        peer_answer(fd, 429, "Retry-After: 1000\r\n", "");
    } else if (strcmp(request->path, "/gone") == 0) {
        peer_answer(fd, 410, NULL, "");
    } else if (strcmp(request->path, "/moved") == 0) {
        peer_answer(fd, 301, "Location: /ok\r\n", "");
    } else if (strcmp(request->path, "/slow") == 0) {
        for (int i = 0; i < 1000 && !peer_stopping(self); i++)
            usleep(20000);
    } else {
        peer_answer(fd, 204, NULL, "");
    }
}

static void set_up(void)
{
    setenv("no_proxy", "*", 1);
    cr_assert_eq(digest_start(), STATUS_OK);
    database_make_migrated(&database);
    pool = db_pool_new(database.url, 4);
    notify = notify_new(false);
    peer = peer_new(play, NULL);
    cr_assert(pool != NULL && notify != NULL);
}

static void tear_down(void)
{
    notify_free(notify);
    peer_free(peer);
    db_pool_free(pool);
    database_drop(&database);
}

TestSuite(notify_webhook, .timeout = 120, .init = set_up, .fini = tear_down);

static void hook(const char *id, const char *path)
{
    char sql[400];
    snprintf(sql, sizeof sql,
             "INSERT INTO webhooks (id, url, secret) VALUES ('%s', 'http://127.0.0.1:%d%s', '" SECRET "')",
             id, peer_port(peer), path);
    database_do(database.db, sql);
}

static void happen(const char *type)
{
    char id[ID_MAX];
    struct event event = {.type = type, .actor = "serin", .reason = "because"};
    db_deadline(database.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(db_begin(database.db, &fault), STATUS_OK);
    cr_assert_eq(events_append(database.db, &event, id, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(db_commit(database.db, &fault), STATUS_OK);
}

static void run(void)
{
    cr_assert_eq(notify_run_once(pool, notify, NOTIFY_MAX, &sent, &fault), STATUS_OK, "%s", fault.detail);
}

/* A sender that remembers nothing of the endpoints' failures, at a time when everything is due. */
static void run_later(void)
{
    notify_free(notify);
    notify = notify_new(false);
    cr_assert_not_null(notify);
    database_do(database.db,
                "UPDATE outbox SET next_attempt_at = serin_now() WHERE next_attempt_at IS NOT NULL");
    run();
}

static bool is(const char *expected, const char *sql)
{
    const char *found = database_text(&database, sql);
    if (strcmp(found, expected) == 0)
        return true;
    fprintf(stderr, "%s\n  is %s, not %s\n", sql, found, expected);
    return false;
}

Test(notify_webhook, an_event_arrives_signed)
{
    struct json_object *root = NULL, *data = NULL, *value = NULL;
    char signature[WEBHOOK_SIGNATURE_MAX];
    hook("wh_a", "/ok");
    happen("rollout.rolled_back");
    run();
    cr_assert_eq(sent, 1);
    cr_assert_eq(heard_count, 1);
    const struct heard *one = &heard[0];
    cr_assert(id_valid("ev", one->id), "%s", one->id);
    cr_assert_str_eq(one->type, "application/json");
    cr_assert_eq(strncmp(one->agent, "serin/", 6), 0);
    cr_assert_eq(webhook_sign(SECRET, one->id, strtoll(one->timestamp, NULL, 10), one->body,
                              strlen(one->body), signature, &fault),
                 STATUS_OK);
    cr_assert_str_eq(one->signature, signature);
    cr_assert(llabs(strtoll(one->timestamp, NULL, 10) - clock_wall().us / 1000000) <= 5);
    cr_assert_eq(json_parse(one->body, strlen(one->body), &root, &fault), STATUS_OK, "%s", one->body);
    cr_assert(json_object_object_get_ex(root, "type", &value));
    cr_assert_str_eq(json_object_get_string(value), "rollout.rolled_back");
    cr_assert(json_object_object_get_ex(root, "data", &data));
    cr_assert(json_object_object_get_ex(data, "id", &value));
    cr_assert_str_eq(json_object_get_string(value), one->id);
    cr_assert(json_object_object_get_ex(data, "reason", &value));
    json_object_put(root);
    cr_assert(is("t", "SELECT delivered_at IS NOT NULL AND attempts = 1 AND last_error IS NULL FROM outbox"));
    run();
    cr_assert_eq(sent, 0);
    cr_assert_eq(heard_count, 1);
}

Test(notify_webhook, first_500_then_200)
{
    hook("wh_a", "/flaky");
    answers_500 = 2;
    happen("rollout.started");
    run();
    cr_assert_eq(sent, 0);
    cr_assert(is("t",
                 "SELECT last_error LIKE '%500%' AND attempts = 1 AND next_attempt_at BETWEEN serin_now() + "
                 "interval '3 s' AND serin_now() + interval '6 s' FROM outbox"));
    run(); /* not due, and left alone */
    cr_assert_eq(heard_count, 1);
    run_later();
    cr_assert(
        is("t",
           "SELECT attempts = 2 AND next_attempt_at BETWEEN serin_now() + interval '299 s' AND serin_now() + "
           "interval '331 s' FROM outbox"));
    run_later();
    cr_assert_eq(sent, 1);
    cr_assert_eq(heard_count, 3);
    cr_assert_str_eq(heard[0].id, heard[2].id);
    cr_assert_str_eq(heard[0].body, heard[2].body);
    cr_assert(is("t", "SELECT delivered_at IS NOT NULL AND attempts = 3 AND last_error IS NULL FROM outbox"));
}

Test(notify_webhook, ten_failures_and_it_is_given_up)
{
    hook("wh_a", "/moved");
    happen("rollout.started");
    for (int i = 1; i <= WEBHOOK_ATTEMPTS; i++) {
        cr_assert(is("t", "SELECT given_up_at IS NULL FROM outbox"));
        run_later();
        cr_assert_eq(heard_count, i); /* the redirect is not followed */
        cr_assert_str_eq(heard[i - 1].path, "/moved");
    }
    cr_assert(
        is("t",
           "SELECT given_up_at IS NOT NULL AND next_attempt_at IS NULL AND last_error LIKE '%redirect%' "
           "FROM outbox"));
    run_later();
    cr_assert_eq(heard_count, WEBHOOK_ATTEMPTS);
}

Test(notify_webhook, gone_disables_the_webhook)
{
    hook("wh_a", "/gone");
    hook("wh_b", "/ok");
    happen("one");
    happen("two");
    run();
    cr_assert_eq(sent, 2);
    cr_assert_eq(heard_count, 3);
    cr_assert(is("t", "SELECT disabled_at IS NOT NULL FROM webhooks WHERE id = 'wh_a'"));
    cr_assert(is("2", "SELECT count(*) FROM outbox WHERE webhook = 'wh_a' AND given_up_at IS NOT NULL"));
    happen("three");
    run_later();
    cr_assert_eq(sent, 1);
    cr_assert(is("2", "SELECT count(*) FROM outbox WHERE webhook = 'wh_a'"));
}

Test(notify_webhook, an_endpoint_that_asks_for_patience_gets_it)
{
    hook("wh_a", "/busy");
    happen("one");
    run();
    cr_assert(is("t", "SELECT next_attempt_at > serin_now() + interval '990 s' FROM outbox"));
}

/* One endpoint takes all the time it gets, another hears everything, at once. */
Test(notify_webhook, a_slow_endpoint_costs_one_timeout)
{
    struct mono_time begun = clock_mono();
    hook("wh_a_slow", "/slow");
    hook("wh_b", "/ok");
    for (int i = 0; i < 5; i++)
        happen("rollout.advanced");
    run();
    int64_t took_ms = clock_mono_since_ms(begun);
    cr_assert_eq(sent, 5);
    cr_assert_eq(heard_count, 6);
    cr_assert(took_ms > 14000 && took_ms < 20000, "%lld", (long long)took_ms);
    cr_assert(is("1", "SELECT count(*) FROM outbox WHERE webhook = 'wh_a_slow' AND attempts = 1"));
    cr_assert(is("4", "SELECT count(*) FROM outbox WHERE webhook = 'wh_a_slow' AND attempts = 0"));
    begun = clock_mono();
    happen("rollout.advanced");
    run(); /* the slow one is left alone */
    cr_assert_eq(sent, 1);
    cr_assert(clock_mono_since_ms(begun) < 3000);
}

static void *run_another(void *argument)
{
    struct notify *other = notify_new(false);
    struct fault why;
    int *count = argument;
    if (other == NULL || notify_run_once(pool, other, NOTIFY_MAX, count, &why) != STATUS_OK)
        *count = -1;
    notify_free(other);
    return NULL;
}

Test(notify_webhook, two_senders_send_each_event_once)
{
    pthread_t thread[3];
    int count[3] = {0};
    hook("wh_a", "/ok");
    for (int i = 0; i < 30; i++)
        happen("rollout.advanced");
    for (int i = 0; i < 3; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, run_another, &count[i]), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    int total = count[0] + count[1] + count[2];
    run_later();
    total += sent;
    cr_assert_eq(total, 30, "%d %d %d, then %d", count[0], count[1], count[2], sent);
    cr_assert_eq(heard_count, 30);
    cr_assert(is("30", "SELECT count(*) FROM outbox WHERE delivered_at IS NOT NULL AND attempts = 1"));
}

Test(notify_webhook, a_sender_that_dies_is_followed_by_another)
{
    struct outbox_batch *batch = NULL;
    hook("wh_a", "/ok");
    happen("one");
    cr_assert_eq(outbox_claim(database.db, 5, NULL, 0, &batch, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(outbox_batch_count(batch), 1); /* and then it dies */
    run();
    cr_assert_eq(heard_count, 0);
    cr_assert(is("t", "SELECT next_attempt_at > serin_now() + interval '50 s' FROM outbox"));
    database_do(database.db, "UPDATE outbox SET next_attempt_at = serin_now()");
    run();
    cr_assert_eq(heard_count, 1);
    /* it was only asleep, and reports a failure now: too late */
    struct outbox_delivery late = outbox_batch_get(batch, 0);
    cr_assert_eq(outbox_failed(database.db, &late, 5, "timeout", &fault), STATUS_OK);
    cr_assert_eq(outbox_given_up(database.db, &late, "timeout", &fault), STATUS_OK);
    cr_assert_eq(outbox_put_back(database.db, &late, &fault), STATUS_OK);
    cr_assert(
        is("t", "SELECT delivered_at IS NOT NULL AND attempts = 2 AND given_up_at IS NULL FROM outbox"));
    outbox_batch_free(batch);
}

Test(notify_webhook, many_webhooks_have_their_turn_first)
{
    struct outbox_batch *batch = NULL;
    hook("wh_a", "/ok");
    for (int i = 0; i < 10; i++)
        happen("one");
    hook("wh_b", "/ok");
    happen("two");
    cr_assert_eq(outbox_claim(database.db, 4, NULL, 0, &batch, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(outbox_batch_count(batch), 4);
    int of_b = 0;
    for (size_t i = 0; i < 4; i++)
        of_b += strcmp(outbox_batch_get(batch, i).webhook, "wh_b") == 0;
    cr_assert_eq(of_b, 1);
    outbox_batch_free(batch);
    cr_assert_eq(outbox_claim(database.db, 20, (const char *const[]){"wh_a", "odd\"{id"}, 2, &batch, &fault),
                 STATUS_OK, "%s", fault.detail);
    cr_assert_eq(outbox_batch_count(batch), 0);
    outbox_batch_free(batch);
}

Test(notify_webhook, what_is_too_old_is_given_up)
{
    hook("wh_a", "/ok");
    happen("one");
    database_do(database.db, "UPDATE clock SET origin = origin + interval '6 days'");
    run();
    cr_assert_eq(heard_count, 0);
    cr_assert(
        is("not delivered within 5 days", "SELECT last_error FROM outbox WHERE given_up_at IS NOT NULL"));
}

Test(notify_webhook, a_broken_secret_or_a_private_address_sends_nothing)
{
    database_do(database.db,
                "INSERT INTO webhooks (id, url, secret) VALUES ('wh_a', 'http://127.0.0.1:1/', 'hunter2')");
    happen("one");
    run();
    cr_assert(is("t", "SELECT last_error LIKE '%secret%' AND last_error NOT LIKE '%hunter2%' FROM outbox"));
    database_do(database.db, "DELETE FROM outbox");
    hook("wh_b", "/ok");
    happen("two");
    notify_free(notify);
    notify = notify_new(true);
    run();
    cr_assert_eq(heard_count, 0);
    cr_assert(is("t", "SELECT last_error LIKE '%public internet%' FROM outbox WHERE webhook = 'wh_b'"));
}

Test(notify_webhook, no_database_is_a_fault)
{
    struct db_pool *none = db_pool_new("host=/nonexistent", 1);
    cr_assert_neq(notify_run_once(none, notify, NOTIFY_MAX, &sent, &fault), STATUS_OK);
    cr_assert_eq(sent, 0);
    cr_assert_neq(fault.next_step[0], '\0');
    db_pool_free(none);
}
