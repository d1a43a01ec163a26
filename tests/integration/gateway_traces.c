/* OTLP spans over HTTP into the database: what is counted where, once, and what happens when it cannot be
 * committed. */
#include "gateway_world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
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

TestSuite(gateway_traces, .init = open_world, .fini = close_world, .timeout = 60);

static long long total(const char *what)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT coalesce(sum(%s), 0) FROM observations WHERE service = 'chat'", what);
    return database_number(&world.database, sql);
}

static struct reply post(const char *body)
{
    return gateway_ask(&world, "/v1/traces", &(struct ask){.body = body, .instance = "gw-1"});
}

static long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

enum { SPANS_MAX = 256 << 10 };
static char body[SPANS_MAX];
static size_t used;

static void begin(const char *service, const char *release)
{
    used = (size_t)snprintf(body, sizeof body,
                            "{\"resourceSpans\":[{\"resource\":{\"attributes\":["
                            "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"%s\"}},"
                            "{\"key\":\"service.version\",\"value\":{\"stringValue\":\"%s\"}}]},"
                            "\"scopeSpans\":[{\"spans\":[",
                            service, release);
}

/* A request that began `age_ms` ago and lasted `lasted_ms`. */
static void add(int id, long long age_ms, long long lasted_ms, const char *attributes)
{
    long long start = now_ns() - age_ms * 1000000;
    used += (size_t)snprintf(
        body + used, sizeof body - used,
        "%s{\"traceId\":\"%032x\",\"spanId\":\"%016x\",\"startTimeUnixNano\":\"%lld\","
        "\"endTimeUnixNano\":\"%lld\",\"attributes\":[{\"key\":\"gen_ai.operation.name\","
        "\"value\":{\"stringValue\":\"chat\"}},{\"key\":\"gen_ai.provider.name\","
        "\"value\":{\"stringValue\":\"anthropic\"}}%s]}",
        body[used - 1] == '[' ? "" : ",", id, id, start, start + lasted_ms * 1000000, attributes);
}

static const char *end(void)
{
    snprintf(body + used, sizeof body - used, "]}]}]}");
    return body;
}

#define TEXT(key, value) ",{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define FINISH(word)                                                                                         \
    ",{\"key\":\"gen_ai.response.finish_reasons\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":"  \
    "\"" word "\"}]}}}"

Test(gateway_traces, spans_are_counted)
{
    begin("chat", "v1");
    add(1, 900, 800, FINISH("end_turn"));
    add(2, 1300, 1200,
        FINISH("refusal") ",{\"key\":\"gen_ai.usage.input_tokens\",\"value\":{\"intValue\":10}}");
    add(3, 2600, 2500, TEXT("error.type", "timeout"));
    add(4, 100, 50, TEXT("feature_flag.result.variant", "v2") FINISH("max_tokens"));
    add(5, 100, 50, TEXT("serin.release", "nowhere"));
    struct reply reply = post(end());
    gateway_expect(&reply, 200);
    cr_assert_not_null(strstr(reply.body, "\"rejectedSpans\":\"1\""), "%s", reply.body);
    cr_assert_not_null(strstr(reply.body, "service chat has no release nowhere"), "%s", reply.body);
    cr_assert_eq(total("outcomes"), 4);
    cr_assert_eq(total("admissions"), 0);
    cr_assert_eq(total("n[1]"), 3); /* refusal: one failed before it could be said */
    cr_assert_eq(total("k[1]"), 1);
    cr_assert_eq(total("n[3]"), 4); /* error */
    cr_assert_eq(total("k[3]"), 0);
    cr_assert_eq(total("n[4]"), 4); /* timeout */
    cr_assert_eq(total("k[4]"), 1);
    cr_assert_eq(total("n[7]"), 0);
    cr_assert_eq(total("n[6]"), 4); /* latency: 1 s */
    cr_assert_eq(total("k[6]"), 2);
    cr_assert_eq(total("k[10]"), 1); /* truncated */
    cr_assert_eq(total("sums[1]"), 800 + 1200 + 2500 + 50);
    cr_assert_eq(total("sums[3]"), 10);
    cr_assert_eq(
        database_number(&world.database, "SELECT sum(outcomes) FROM observations WHERE release = 'v2'"), 1);
    /* in the second in which it began */
    cr_assert_leq(database_number(&world.database,
                                  "SELECT max(abs(extract(epoch FROM serin_now()) - bucket_s))::bigint "
                                  "FROM observations"),
                  5);
    cr_assert_geq(database_number(&world.database, "SELECT max(bucket_s) - min(bucket_s) FROM observations"),
                  2);
    cr_assert_eq(database_number(&world.database,
                                 "SELECT count(*) FROM gateways WHERE instance = 'gw-1' AND "
                                 "reported_at > serin_now() - interval '10 s'"),
                 1);
}

Test(gateway_traces, an_empty_message_is_answered)
{
    struct reply reply =
        gateway_ask(&world, "/v1/traces",
                    &(struct ask){.body = "", .type = "application/x-protobuf", .instance = "gw-1"});
    gateway_expect(&reply, 200);
    cr_assert_eq(total("outcomes"), 0);
}

Test(gateway_traces, the_same_spans_count_once)
{
    begin("chat", "v1");
    add(1, 100, 50, "");
    add(2, 100, 50, "");
    end();
    for (int i = 0; i < 3; i++) {
        struct reply reply = post(body);
        gateway_expect(&reply, 200);
        cr_assert_str_eq(reply.body, "{}");
    }
    cr_assert_eq(total("outcomes"), 2);
    begin("chat", "v1");
    add(1, 100, 50, "");
    add(3, 100, 50, "");
    struct reply reply = post(end());
    gateway_expect(&reply, 200);
    cr_assert_eq(total("outcomes"), 4); /* another batch: it cannot be told */
}

/* A release that the gateway port has not heard of yet: what is sent again later is no duplicate. */
Test(gateway_traces, what_did_not_count_has_no_key)
{
    begin("chat", "v9");
    add(1, 100, 50, "");
    end();
    struct reply reply = post(body);
    gateway_expect(&reply, 200);
    cr_assert_not_null(strstr(reply.body, "rejectedSpans"), "%s", reply.body);
    database_do(world.database.db,
                "INSERT INTO releases (service, name, content, digest, behaviour, created_by)"
                "  SELECT 'chat', 'v9', c, sha256(c), sha256(c), 'test' FROM (SELECT convert_to(replace("
                "convert_from(content, 'UTF8'), 'v1', 'v9'), 'UTF8') AS c FROM releases WHERE name = 'v1') x;"
                "INSERT INTO release_artifacts VALUES ('chat', 'v9', 'model', 'm', 1)");
    for (int i = 0; i < 60 && strcmp(reply.body, "{}") != 0; i++) {
        gateway_sleep_ms(100);
        reply = post(body);
        gateway_expect(&reply, 200);
    }
    cr_assert_str_eq(reply.body, "{}");
    cr_assert_eq(total("outcomes"), 1);
}

Test(gateway_traces, late_and_ancient_spans)
{
    begin("chat", "v1");
    add(1, 15000, 100, TEXT("error.type", "500"));
    add(2, 25000, 5000, "");
    add(3, 2 * 86400000LL, 100, "");
    add(4, -3600000, 100, ""); /* a clock that is an hour ahead */
    struct reply reply = post(end());
    gateway_expect(&reply, 200);
    cr_assert_not_null(strstr(reply.body, "\"rejectedSpans\":\"1\""), "%s", reply.body);
    cr_assert_not_null(strstr(reply.body, "older than a day"), "%s", reply.body);
    cr_assert_eq(total("outcomes"), 2);
    cr_assert_eq(total("late_outcomes"), 1);
    cr_assert_eq(total("late[3]"), 1);
    cr_assert_eq(total("late[6]"), 1);
    cr_assert_eq(database_number(&world.database,
                                 "SELECT count(*) FROM observations WHERE bucket_s > "
                                 "extract(epoch FROM serin_now()) + 1"),
                 0);
}

Test(gateway_traces, what_asks_no_model_is_passed_over)
{
    struct reply reply = post(
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"GET /\"},{\"name\":\"x\","
        "\"attributes\":[" /* an embedding */
        "{\"key\":\"gen_ai.operation.name\",\"value\":{\"stringValue\":\"embeddings\"}}]}]}]}]}");
    gateway_expect(&reply, 200);
    cr_assert_str_eq(reply.body, "{}");
    cr_assert_eq(total("outcomes"), 0);
    begin("nobody", "v1");
    add(1, 100, 50, "");
    reply = post(end());
    gateway_expect(&reply, 200);
    cr_assert_not_null(strstr(reply.body, "there is no service nobody"), "%s", reply.body);
}

Test(gateway_traces, a_dead_database_is_503_and_the_same_spans_then_count_once)
{
    begin("chat", "v1");
    add(1, 100, 50, "");
    add(2, 100, 50, TEXT("serin.service", "idle")); /* a part of its own */
    end();
    gateway_world_cut(&world);
    struct reply reply = post(body);
    gateway_expect(&reply, 503);
    cr_assert_str_eq(reply.retry_after, "1");
    cr_assert_eq(gateway_number(&reply, "code"), 14);
    gateway_world_mend(&world);
    for (int i = 0; i < 2; i++) {
        reply = post(body);
        gateway_expect(&reply, 200);
    }
    cr_assert_eq(total("outcomes"), 1);
}

Test(gateway_traces, a_full_queue_is_503)
{
    gateway_world_stop(&world);
    world.queue_bytes = 1;
    gateway_world_start(&world);
    gateway_world_ready(&world);
    begin("chat", "v1");
    add(1, 100, 50, "");
    struct reply reply = post(end());
    gateway_expect(&reply, 503);
    cr_assert_str_eq(reply.retry_after, "1");
    cr_assert_eq(total("outcomes"), 0);
}

Test(gateway_traces, a_large_request_is_decoded_in_its_lane)
{
    enum { SPANS = 500 };
    begin("chat", "v1");
    for (int i = 0; i < SPANS; i++)
        add(i + 1, 100, 50, i % 10 == 0 ? FINISH("refusal") : FINISH("end_turn"));
    end();
    cr_assert_gt(strlen(body), 65536);
    struct reply reply = post(body);
    gateway_expect(&reply, 200);
    cr_assert_eq(total("outcomes"), SPANS);
    cr_assert_eq(total("k[1]"), SPANS / 10);
}

Test(gateway_traces, the_attributes_can_be_named)
{
    gateway_world_stop(&world);
    world.options.otlp_service = "llm.endpoint";
    world.options.otlp_release = "deployment";
    gateway_world_start(&world);
    gateway_world_ready(&world);
    begin("shop", "v1");
    add(1, 100, 50, TEXT("llm.endpoint", "chat") TEXT("deployment", "v3"));
    add(2, 100, 50, TEXT("llm.endpoint", "chat") TEXT("serin.release", "v2"));
    struct reply reply = post(end());
    gateway_expect(&reply, 200);
    cr_assert_str_eq(reply.body, "{}");
    cr_assert_eq(
        database_number(&world.database, "SELECT sum(outcomes) FROM observations WHERE release = 'v3'"), 1);
    cr_assert_eq(
        database_number(&world.database, "SELECT sum(outcomes) FROM observations WHERE release = 'v1'"), 1);
}

#define NUMBER(key, value) ",{\"key\":\"" key "\",\"value\":{\"doubleValue\":" value "}}"
#define FIRST_CHUNK        "gen_ai.response.time_to_first_chunk"

/* One span that lasted 1.5 s; what is said of it, though it counts. NULL: nothing. */
static void said_of(int id, const char *attributes, const char *expected)
{
    begin("chat", "v1");
    add(id, 1600, 1500, attributes);
    struct reply reply = post(end());
    gateway_expect(&reply, 200);
    if (expected == NULL)
        cr_assert_str_eq(reply.body, "{}", "%s: %s", attributes, reply.body);
    else
        cr_assert_not_null(strstr(reply.body, expected), "%s: %s", attributes, reply.body);
    cr_assert_null(strstr(reply.body, "rejectedSpans"), "%s", reply.body);
}

Test(gateway_traces, a_first_chunk_after_the_end_is_not_counted_and_the_rest_is)
{
    said_of(1, NUMBER(FIRST_CHUNK, "1.6"), NULL);
    cr_assert_eq(total("sums[2]"), 1600);
    said_of(2, NUMBER(FIRST_CHUNK, "1.601"), "seconds are expected");
    said_of(3, NUMBER(FIRST_CHUNK, "400"),
            "gen_ai.response.time_to_first_chunk is later than the end of its span: seconds are expected");
    said_of(4, NUMBER(FIRST_CHUNK, "-0.1"), "says nothing: a number of seconds from 0 to 86,400 is expected");
    said_of(5, NUMBER(FIRST_CHUNK, "\"NaN\""), "says nothing: a number of seconds");
    said_of(6, TEXT(FIRST_CHUNK, "0.4"), "says nothing: a number of seconds");
    said_of(7, NUMBER("gen_ai.response.time_to_first_token", "0.4"),
            "gen_ai.response.time_to_first_token is not read; did you mean "
            "gen_ai.response.time_to_first_chunk?");
    said_of(8, TEXT("gen_ai.usage.input_tokens", "12"),
            "gen_ai.usage.input_tokens says nothing: a whole number");
    said_of(9, TEXT("http.response.status_code", "200"),
            "http.response.status_code says nothing: a whole number from 100 to 599 is expected");
    cr_assert_eq(total("sums[2]"), 1600);
    cr_assert_eq(total("sums[3]"), 0);
    cr_assert_eq(total("outcomes"), 9);
    cr_assert_eq(total("n[6]"), 9);
}

Test(gateway_traces, what_names_a_release_but_is_no_name_is_said_with_its_value)
{
    begin("chat", "v1");
    add(1, 100, 50, TEXT("feature_flag.result.variant", "bad name!"));
    struct reply reply = post(end());
    gateway_expect(&reply, 200);
    cr_assert_not_null(strstr(reply.body, "feature_flag.result.variant \\\"bad?name?\\\" names no release"),
                       "%s", reply.body);
    begin("chat", "v1");
    add(2, 100, 50, ",{\"key\":\"feature_flag.result.variant\",\"value\":{\"intValue\":7}}");
    add(3, 100, 50, TEXT("serin.service", "no service"));
    reply = post(end());
    gateway_expect(&reply, 200);
    cr_assert_not_null(
        strstr(reply.body, "feature_flag.result.variant \\\"the number 7\\\" names no release"), "%s",
        reply.body);
    cr_assert_eq(total("outcomes"), 0);
}
