/* The one wrapper of all changes, against a real database: kept answers, repeated transactions, a commit that
   nobody answers, connections that died; and that every refusal says what to do. Requests go through the
   route table without a server. */
#include "support/database.h"

#include <criterion/criterion.h>

#if __has_include("control/control.h")
#include "base/json.h"
#include "control/control.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct database database;
static struct db_pool *pool;
static struct control *control;
static const char secret[] = "a-secret-for-these-tests";

static void make(void)
{
    struct fault fault = {.detail = ""};
    char id[ID_MAX];
    database_make_migrated(&database);
    cr_assert_eq(tokens_create_with(database.db, "anna", ROLE_ADMIN, "test", secret, id, &fault), STATUS_OK);
    pool = db_pool_new(database.url, 8);
    control = control_new(&(struct control_options){.pool = pool});
    cr_assert(pool != NULL && control != NULL);
}

static void drop(void)
{
    control_free(control);
    db_pool_free(pool);
    database_drop(&database);
}

TestSuite(control_call, .init = make, .fini = drop, .timeout = 60);

struct answer {
    int http_status;
    char body[8192], etag[HTTP_ETAG_MAX];
    bool replayed;
    struct fault fault;
};

/* One request; `path` may have a query, `key` and `if_match` may be NULL. */
static struct answer send_full(enum http_method method, const char *path, const char *body, const char *key,
                               const char *if_match)
{
    struct answer answer = {.http_status = 0};
    struct http_match match;
    struct http_query query;
    struct http_response response;
    struct http_pair header[4] = {{"Authorization", "Bearer a-secret-for-these-tests"}};
    char plain[512];
    size_t headers = 1;
    snprintf(plain, sizeof plain, "%.*s", (int)strcspn(path, "?"), path);
    const char *raw = strchr(path, '?');
    cr_assert_eq(http_query_parse(&query, raw != NULL ? raw + 1 : "", &answer.fault), STATUS_OK);
    if (key != NULL)
        header[headers++] = (struct http_pair){"Idempotency-Key", key};
    if (if_match != NULL)
        header[headers++] = (struct http_pair){"If-Match", if_match};
    enum status status =
        http_route_find(control_routes, control_route_count, method, plain, &match, &answer.fault);
    cr_assert_eq(status, STATUS_OK, "%s", plain);
    struct http_request request = {.method = method,
                                   .path = plain,
                                   .parameters = match.parameters,
                                   .query = &query,
                                   .header = header,
                                   .headers = headers,
                                   .body = body,
                                   .body_length = strlen(body),
                                   .request_id = "test"};
    memcpy(request.parameter, match.parameter, sizeof request.parameter);
    http_response_init(&response, 1 << 22);
    status = control_authenticate(control, &request, &answer.fault);
    if (status == STATUS_OK) {
        status = match.route->handler(control, &request, &response, &answer.fault);
        control_release(control, request.principal);
    }
    answer.http_status = status == STATUS_OK ? response.status : status_http(status);
    if (status == STATUS_OK)
        cr_assert_eq(text_status(&response.body), STATUS_OK);
    answer.replayed = status == STATUS_OK && http_response_extra(&response, "Idempotency-Replayed") != NULL;
    snprintf(answer.body, sizeof answer.body, "%s", text_get(&response.body));
    snprintf(answer.etag, sizeof answer.etag, "%s", response.etag);
    http_response_free(&response);
    http_query_free(&query);
    return answer;
}

static struct answer send(enum http_method method, const char *path, const char *body)
{
    return send_full(method, path, body, NULL, NULL);
}

#define PROMPTS "/v1/artifacts/prompt/p/versions"

Test(control_call, a_kept_answer_is_given_again)
{
    struct answer first = send_full(HTTP_PUT, "/v1/services/chat", "{}", "\"k\"", NULL);
    struct answer again = send_full(HTTP_PUT, "/v1/services/chat", "{}", "k", NULL);
    cr_assert_eq(first.http_status, 201);
    cr_assert(!first.replayed);
    cr_assert_eq(again.http_status, 201);
    cr_assert(again.replayed);
    cr_assert_str_eq(again.body, first.body);
    cr_assert_str_eq(again.etag, first.etag);
    cr_assert_str_eq(again.etag, "\"v1\"");
    struct answer other = send_full(HTTP_PUT, "/v1/services/chat", "{\"sticky\":\"none\"}", "k", NULL);
    cr_assert_eq(other.http_status, 422);
    cr_assert_eq(other.fault.status, STATUS_KEY_REUSED);
    cr_assert_eq(send_full(HTTP_PUT, "/v1/services/chut", "{}", "k", NULL).http_status, 422);
    cr_assert_eq(send_full(HTTP_PUT, "/v1/services/chat", "{}", "k", "\"v1\"").http_status, 422);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM services"), 1);
}

Test(control_call, a_refusal_is_not_kept)
{
    cr_assert_eq(
        send_full(HTTP_PUT, "/v1/services/chat/slos", "{\"slos\":{\"error\":{\"objective\":99}}}", "k", NULL)
            .http_status,
        404);
    cr_assert_eq(send(HTTP_PUT, "/v1/services/chat", "{}").http_status, 201);
    cr_assert_eq(
        send_full(HTTP_PUT, "/v1/services/chat/slos", "{\"slos\":{\"error\":{\"objective\":99}}}", "k", NULL)
            .http_status,
        200);
}

Test(control_call, secrets_are_not_kept)
{
    struct answer first =
        send_full(HTTP_POST, "/v1/tokens", "{\"name\":\"a\",\"role\":\"viewer\"}", "k", NULL);
    cr_assert_eq(first.http_status, 201);
    cr_assert_not_null(strstr(first.body, "serin_"));
    cr_assert_eq(
        send_full(HTTP_POST, "/v1/webhooks", "{\"url\":\"https://example.org\"}", "k", NULL).http_status,
        201);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM idempotency_keys"), 0);
}

struct racer {
    struct answer answer;
};

static void *race(void *argument)
{
    struct racer *racer = argument;
    racer->answer = send_full(HTTP_POST, PROMPTS, "{\"content\":\"x\"}", "raced", NULL);
    return NULL;
}

Test(control_call, a_key_at_once_is_done_once)
{
    static struct racer racer[6];
    pthread_t thread[6];
    int done = 0;
    for (int i = 0; i < 6; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, race, &racer[i]), 0);
    for (int i = 0; i < 6; i++) {
        pthread_join(thread[i], NULL);
        if (racer[i].answer.http_status == 201)
            done += !racer[i].answer.replayed;
        else
            cr_assert_eq(racer[i].answer.fault.status, STATUS_IN_PROGRESS);
    }
    cr_assert_eq(done, 1);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM events WHERE type = 'artifact.registered'"),
                 1);
}

/* Fails at commit as serialisation does, `times` times. */
static void fail_commits(const char *times)
{
    char sql[512];
    snprintf(
        sql, sizeof sql,
        "CREATE SEQUENCE tries; CREATE FUNCTION in_the_way() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        "  IF nextval('tries') <= %s THEN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END IF; RETURN "
        "NULL;"
        " END $$;"
        "CREATE CONSTRAINT TRIGGER in_the_way AFTER INSERT ON artifact_versions DEFERRABLE INITIALLY DEFERRED"
        "  FOR EACH ROW EXECUTE FUNCTION in_the_way()",
        times);
    database_do(database.db, sql);
}

Test(control_call, another_transaction_in_the_way_is_waited_out)
{
    fail_commits("2");
    struct answer answer = send_full(HTTP_POST, PROMPTS, "{\"content\":\"x\"}", "k", NULL);
    cr_assert_eq(answer.http_status, 201, "%s", answer.fault.detail);
    cr_assert_not_null(strstr(answer.body, "\"version\" : 1,"), "once in the answer too: %s", answer.body);
    cr_assert_eq(database_number(&database, "SELECT last_value FROM tries"), 3);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM events WHERE type = 'artifact.registered'"),
                 1);
}

Test(control_call, but_not_for_ever)
{
    fail_commits("1000");
    struct answer answer = send(HTTP_POST, PROMPTS, "{\"content\":\"x\"}");
    cr_assert_eq(answer.http_status, 409);
    cr_assert_eq(answer.fault.status, STATUS_IN_PROGRESS);
    cr_assert_neq(answer.fault.next_step[0], '\0');
    cr_assert_eq(database_number(&database, "SELECT last_value FROM tries"), 3);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM artifacts"), 0);
}

/* The backend dies in COMMIT: nobody knows what came of it, and the answer says so. */
Test(control_call, a_commit_without_an_answer_is_503)
{
    database_do(
        database.db,
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        "  PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON artifact_versions DEFERRABLE INITIALLY DEFERRED"
        "  FOR EACH ROW EXECUTE FUNCTION die()");
    struct answer answer = send_full(HTTP_POST, PROMPTS, "{\"content\":\"x\"}", "k", NULL);
    cr_assert_eq(answer.http_status, 503);
    cr_assert_not_null(strstr(answer.fault.next_step, "same Idempotency-Key"), "%s", answer.fault.next_step);
    answer = send(HTTP_POST, PROMPTS, "{\"content\":\"x\"}");
    cr_assert_eq(answer.http_status, 503);
    cr_assert_null(strstr(answer.fault.next_step, "same Idempotency-Key"));
    cr_assert_not_null(strstr(answer.fault.next_step, "before you repeat"));
    database_do(database.db, "DROP TRIGGER die ON artifact_versions");
    cr_assert_eq(send_full(HTTP_POST, PROMPTS, "{\"content\":\"x\"}", "k", NULL).http_status, 201);
}

Test(control_call, connections_that_died_in_the_pool_are_replaced)
{
    struct db *held[6];
    struct fault fault;
    for (int i = 0; i < 6; i++)
        cr_assert_eq(db_pool_take(pool, 5000, &held[i], &fault), STATUS_OK);
    for (int i = 0; i < 6; i++)
        db_pool_give(pool, held[i]);
    database_text(&database,
                  "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                  " WHERE datname = current_database() AND pid <> pg_backend_pid()");
    cr_assert_eq(send(HTTP_PUT, "/v1/services/chat", "{}").http_status, 201);
    cr_assert_eq(send(HTTP_GET, "/v1/services", "").http_status, 200);
}

Test(control_call, every_refusal_says_what_to_do)
{
    static const struct {
        enum http_method method;
        const char *path, *body;
        int http_status;
    } refused[] = {
        {HTTP_GET, "/v1/services/none", "", 404},
        {HTTP_GET, "/v1/services/a%20b", "", 422},
        {HTTP_GET, "/v1/services?limit=0", "", 422},
        {HTTP_GET, "/v1/services?cursor=x", "", 422},
        {HTTP_GET, "/v1/services?page=2", "", 422},
        {HTTP_PUT, "/v1/services/chat?x=1", "{}", 422},
        {HTTP_PUT, "/v1/services/chat", "[]", 422},
        {HTTP_PUT, "/v1/services/chat", "{", 400},
        {HTTP_PUT, "/v1/services/chat", "{\"stiky\":\"user\"}", 422},
        {HTTP_GET, "/v1/services/none/slos", "", 404},
        {HTTP_GET, "/v1/services/none/policy", "", 404},
        {HTTP_PUT, "/v1/services/none/policy", "{}", 404},
        {HTTP_PUT, "/v1/services/none/slos", "{\"slos\":{}}", 422},
        {HTTP_GET, "/v1/artifacts?kind=x", "", 404},
        {HTTP_GET, "/v1/artifacts/prompt/x/versions", "", 404},
        {HTTP_GET, "/v1/artifacts/x/x/versions", "", 404},
        {HTTP_GET, "/v1/artifacts/prompt/x/versions/0", "", 422},
        {HTTP_GET, "/v1/artifacts/prompt/x/versions/1", "", 404},
        {HTTP_POST, "/v1/artifacts/model/x/versions", "{}", 422},
        {HTTP_POST, "/v1/artifacts/prompt/x/versions", "{\"content\":\"a\\u0000b\"}", 422},
        {HTTP_POST, "/v1/artifacts/corpus/x/versions/1/ready", "{\"ready\":true}", 404},
        {HTTP_POST, "/v1/artifacts/corpus/x/versions/1/ready", "{\"ready\":1}", 422},
        {HTTP_GET, "/v1/services/none/releases", "", 404},
        {HTTP_POST, "/v1/services/none/releases", "{\"name\":\"a\"}", 422},
        {HTTP_GET, "/v1/services/none/releases/a/diff/b", "", 404},
        {HTTP_POST, "/v1/services/none/releases/a/lift-quarantine", "{\"reason\":\"x\"}", 404},
        {HTTP_POST, "/v1/services/none/rollouts", "{\"release\":\"a\"}", 404},
        {HTTP_POST, "/v1/services/none/rollouts", "{\"release\":\"a\",\"full\":true}", 422},
        {HTTP_POST, "/v1/services/none/rollback", "", 404},
        {HTTP_GET, "/v1/rollouts/ro_x", "", 404},
        {HTTP_GET, "/v1/rollouts/ro_x/explain", "", 404},
        {HTTP_GET, "/v1/rollouts/ro_x/verdicts", "", 404},
        {HTTP_GET, "/v1/rollouts/ro_x/blocks?cursor=eA", "", 404},
        {HTTP_POST, "/v1/rollouts/ro_x/abort", "", 404},
        {HTTP_POST, "/v1/rollouts/ro_x/fly", "", 404},
        {HTTP_POST, "/v1/rollouts/ro_x/set-weight", "{}", 422},
        {HTTP_POST, "/v1/rollouts/ro_x/pause", "{\"weight\":1}", 422},
        {HTTP_POST, "/v1/rollouts/ro_x/mute", "{\"sli\":\"refused\",\"until\":\"1h\",\"reason\":\"x\"}", 422},
        {HTTP_POST, "/v1/freeze", "{}", 422},
        {HTTP_GET, "/v1/events?service=a%20b", "", 422},
        {HTTP_POST, "/v1/tokens", "{\"name\":\"a\",\"role\":\"boss\"}", 422},
        {HTTP_POST, "/v1/tokens", "{\"name\":\"anna\",\"role\":\"viewer\"}", 409},
        {HTTP_DELETE, "/v1/tokens/x", "", 404},
        {HTTP_POST, "/v1/webhooks", "{\"url\":\"ftp://x\"}", 422},
        {HTTP_POST, "/v1/webhooks", "{\"url\":\"https://x\",\"service\":\"none\"}", 404},
        {HTTP_DELETE, "/v1/webhooks/x", "", 404},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct answer answer = send(refused[i].method, refused[i].path, refused[i].body);
        cr_expect_eq(answer.http_status, refused[i].http_status, "%s %s: %d %s", refused[i].path,
                     refused[i].body, answer.http_status, answer.fault.detail);
        cr_expect_neq(answer.fault.next_step[0], '\0', "%s %s: %s", refused[i].path, refused[i].body,
                      answer.fault.detail);
    }
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM events WHERE type <> 'token.created'"), 0);
}

Test(control_call, without_a_database_everything_is_503)
{
    struct db_pool *nowhere = db_pool_new("host=/nonexistent dbname=none", 2);
    cr_assert_eq(send(HTTP_GET, "/v1/services", "").http_status, 200); /* the token is remembered */
    control_free(control);
    control = control_new(&(struct control_options){.pool = nowhere});
    struct answer answer = send(HTTP_GET, "/v1/services", "");
    cr_assert_eq(answer.http_status, 503);
    cr_assert_neq(answer.fault.next_step[0], '\0');
    control_free(control);
    control = control_new(&(struct control_options){.pool = pool});
    db_pool_free(nowhere);
}

/* --- what is told beside an answer ------------------------------------------------------------------ */

#define START(key)                                                                                           \
    send_full(HTTP_POST, "/v1/services/chat/rollouts", "{\"release\":\"v2\",\"allow_no_gateway\":true}",     \
              key, NULL)

/* A service whose v2 can be started; its policy names the rate, so that only the forecast reads observations.
 */
static void prepare_start(void)
{
    cr_assert_eq(send(HTTP_PUT, "/v1/services/chat", "{}").http_status, 201);
    cr_assert_eq(
        send(HTTP_PUT, "/v1/services/chat/slos", "{\"slos\":{\"error\":{\"objective\":99}}}").http_status,
        200);
    cr_assert_eq(send(HTTP_PUT, "/v1/services/chat/policy", "{\"expected_rps\":5}").http_status, 200);
    cr_assert_eq(send(HTTP_POST, "/v1/artifacts/model/m/versions",
                      "{\"content\":{\"provider\":\"p\",\"model\":\"m\"}}")
                     .http_status,
                 201);
    cr_assert_eq(send(HTTP_POST, "/v1/services/chat/releases",
                      "{\"name\":\"v2\",\"artifacts\":[{\"kind\":\"model\",\"name\":\"m\",\"version\":1}]}")
                     .http_status,
                 201);
}

Test(control_call, a_start_whose_forecast_fails_is_a_start)
{
    prepare_start();
    database_do(database.db, "ALTER TABLE observations RENAME TO elsewhere");
    struct answer answer = START("k");
    cr_assert_eq(answer.http_status, 201, "%s", answer.fault.detail);
    cr_expect_not_null(strstr(answer.body, ",\"forecast\":null,\"warnings\":[]}"), "%s", answer.body);
    cr_expect_eq(database_number(&database, "SELECT count(*) FROM rollouts"), 1);
    struct answer again = START("k");
    cr_expect(again.replayed && strcmp(again.body, answer.body) == 0, "%s", again.body);
}

Test(control_call, what_is_foretold_is_kept_with_the_answer)
{
    prepare_start();
    struct answer answer = START("k");
    cr_expect_not_null(strstr(answer.body, ",\"forecast\":{\"rps\":5,"), "%s", answer.body);
    struct answer again = START("k");
    cr_expect(again.replayed && strcmp(again.body, answer.body) == 0, "%s", again.body);
}

static void *start_it(void *out)
{
    *(struct answer *)out = START(NULL);
    return NULL;
}

/* A start waits for a lock, and is not committed. */
static bool waits_uncommitted(void)
{
    return database_number(&database,
                           "SELECT count(*) FROM pg_stat_activity WHERE datname = "
                           "current_database() AND wait_event_type = 'Lock'") != 0 &&
           database_number(&database, "SELECT count(*) FROM rollouts") == 0;
}

Test(control_call, law2_a_forecast_that_waits_holds_no_lock_of_the_service)
{
    struct answer answer;
    pthread_t thread;
    bool waits = false;
    prepare_start();
    struct db *other = database_connect(&database);
    database_do(other, "BEGIN; LOCK TABLE observations IN ACCESS EXCLUSIVE MODE");
    cr_assert_eq(pthread_create(&thread, NULL, start_it, &answer), 0);
    while (!waits && database_number(&database, "SELECT count(*) FROM rollouts") == 0)
        waits = waits_uncommitted();
    cr_expect(!waits, "it waits for the counts before it is committed");
    if (!waits)
        cr_expect_eq(
            database_number(&database, "SELECT 1 FROM services WHERE name = 'chat' FOR UPDATE NOWAIT"), 1,
            "a rollback would not wait");
    db_close(other);
    pthread_join(thread, NULL);
    cr_expect_eq(answer.http_status, 201, "%s", answer.fault.detail);
}

#else

Test(control_call, is_built_with_its_room)
{
    cr_assert_fail("tests/tests.cmake: give the integration tests the room control");
}

#endif
