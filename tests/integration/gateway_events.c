/* OTLP log records over HTTP into the database: which events count, and that nothing else of them is kept. */
#include "gateway_world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

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

TestSuite(gateway_events, .init = open_world, .fini = close_world, .timeout = 60);

static void expect(const char *what, long long expected)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT coalesce(sum(%s), 0) FROM observations WHERE service = 'chat'", what);
    long long found = database_number(&world.database, sql);
    cr_assert_eq(found, expected, "%s is %lld, not %lld", what, found, expected);
}

#define TEXT(key, value)   "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define NUMBER(key, value) "{\"key\":\"" key "\",\"value\":{\"doubleValue\":" value "}}"
#define TRUTH(key, value)  "{\"key\":\"" key "\",\"value\":{\"boolValue\":" value "}}"
#define IN_A_SPAN          "\"traceId\":\"000000000000000000000000000000a1\",\"spanId\":\"00000000000000b1\","

static char body[64 << 10];
static size_t used;
static int made;

static void begin(const char *release)
{
    used = (size_t)snprintf(body, sizeof body,
                            "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" TEXT("service.name", "chat") ","
                            "{\"key\":\"service.version\",\"value\":{\"stringValue\":\"%s\"}}]},"
                            "\"scopeLogs\":[{\"logRecords\":[",
                            release);
}

static void add(const char *event, const char *fields, const char *attributes)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    used += (size_t)snprintf(
        body + used, sizeof body - used,
        "%s{\"timeUnixNano\":\"%lld\",\"severityNumber\":9,%s\"eventName\":\"%s\",\"body\":{\"stringValue\":"
        "\"Zwetschgendatschi\"},\"attributes\":[%s]}",
        body[used - 1] == '[' ? "" : ",", now.tv_sec * 1000000000LL + now.tv_nsec - 1000000 + made++, fields,
        event, attributes);
}

static struct reply post(void)
{
    snprintf(body + used, sizeof body - used, "]}]}]}");
    return gateway_ask(&world, "/v1/logs", &(struct ask){.body = body, .instance = "app-1"});
}

static void counted(void)
{
    struct reply reply = post();
    gateway_expect(&reply, 200);
    cr_assert_str_eq(reply.body, "{}");
}

#define EVALUATION "gen_ai.evaluation.result"
#define DETAILS    "gen_ai.client.inference.operation.details"
#define EXCEPTION  "gen_ai.client.operation.exception"
#define CHAT       TEXT("gen_ai.operation.name", "chat") "," TEXT("gen_ai.provider.name", "anthropic")

Test(gateway_events, evaluations_of_an_sli_count_for_themselves)
{
    begin("v1");
    add(EVALUATION, IN_A_SPAN,
        TEXT("gen_ai.evaluation.name", "Refusal") "," TEXT("gen_ai.evaluation.score.label", "fail"));
    add(EVALUATION, "",
        TEXT("gen_ai.evaluation.name", "refusal") "," TEXT("gen_ai.evaluation.score.label", "pass"));
    add(EVALUATION, "",
        TEXT("gen_ai.evaluation.name", "schema_invalid") "," TEXT("gen_ai.evaluation.score.label", "TRUE"));
    add(EVALUATION, "",
        TEXT("gen_ai.evaluation.name", "score") "," NUMBER("gen_ai.evaluation.score.value", "0.5"));
    add(EVALUATION, "",
        TEXT("gen_ai.evaluation.name", "relevance") "," NUMBER("gen_ai.evaluation.score.value", "0.5"));
    counted();
    expect("outcomes", 0);
    expect("n[1]", 2);
    expect("k[1]", 1);
    expect("n[7]", 1);
    expect("k[7]", 1);
    expect("summed[6]", 1);
    expect("2 * sums[6]", 1);
    expect("interval_s", 1);
    begin("v1");
    add(EVALUATION, "",
        TEXT("gen_ai.evaluation.name", "refusal") "," TEXT("gen_ai.evaluation.score.label", "perhaps"));
    add(EVALUATION, "",
        TEXT("gen_ai.evaluation.name", "score") "," NUMBER("gen_ai.evaluation.score.value", "\"NaN\""));
    struct reply reply = post();
    gateway_expect(&reply, 200);
    cr_assert_not_null(strstr(reply.body, "\"rejectedLogRecords\":\"2\""), "%s", reply.body);
    cr_assert_not_null(strstr(reply.body, "neither pass nor fail"), "%s", reply.body);
    expect("n[1]", 2);
}

Test(gateway_events, a_record_that_was_judged_counts_whatever_its_name)
{
    begin("v1");
    add("guard.verdict", IN_A_SPAN,
        TRUTH("serin.sli.refusal", "true") "," TEXT("feature_flag.result.variant", "v2"));
    add("", "", TRUTH("serin.sli.refusal", "false") "," TRUTH("serin.sli.tool_error", "true"));
    counted();
    expect("n[1]", 2);
    expect("k[1]", 1);
    expect("k[8]", 1);
    cr_assert_eq(database_number(&world.database, "SELECT sum(k[1]) FROM observations WHERE release = 'v2'"),
                 1);
}

static void told(const char *rejected, const char *reason)
{
    struct reply reply = post();
    gateway_expect(&reply, 200);
    cr_assert_not_null(strstr(reply.body, reason), "%s", reply.body);
    cr_assert_eq(strstr(reply.body, "rejectedLogRecords") != NULL, rejected[0] != '\0', "%s", reply.body);
    cr_assert_not_null(strstr(reply.body, rejected), "%s", reply.body);
    cr_assert_null(strstr(reply.body, "maybe"), "values stay out of it: %s", reply.body);
}

Test(gateway_events, a_judgement_that_says_nothing_is_told_to_the_sender)
{
    begin("v1"); /* the rest of it counts */
    add("", "", TRUTH("serin.sli.tool_error", "true") "," TRUTH("serin.sli.refusals", "true"));
    told("", "\"serin.sli.refusals is no SLI; did you mean serin.sli.refusal?\"");
    expect("k[8]", 1);
    begin("v1"); /* there is no rest, and that one counted is forgotten behind it */
    add("", "", TRUTH("serin.sli.tool_error", "true") "," TRUTH("serin.sli.zzz", "true"));
    add("", "", TEXT("serin.sli.refusal", "maybe"));
    told("\"rejectedLogRecords\":\"1\"", "serin.sli.refusal is no bool");
    expect("n[1]", 0);
    expect("k[8]", 2);
}

Test(gateway_events, other_values_of_a_wrong_kind_reject_nothing)
{
    begin("v1"); /* whoever else's record */
    add("http.request", "", TEXT("http.response.status_code", "200"));
    counted();
    begin("v1");
    add("http.request", "", TEXT("http.response.status_code", "200") "," TRUTH("serin.sli.zzz", "true"));
    told("\"rejectedLogRecords\":\"1\"", "serin.sli.zzz is no SLI");
    begin("v1");
    add(DETAILS, "", CHAT "," TEXT("gen_ai.usage.input_tokens", "maybe"));
    told("", "gen_ai.usage.input_tokens says nothing: a whole number from 0 to 1,000,000,000 is expected");
    expect("outcomes", 1);
}

Test(gateway_events, requests_count_once_by_their_span_or_by_their_event)
{
    begin("v1");
    add(DETAILS, IN_A_SPAN, CHAT); /* its span says it */
    add(EXCEPTION, IN_A_SPAN, CHAT "," TEXT("exception.type", "TimeoutError"));
    add("some.event", "", CHAT);
    add("", "", TEXT("message", "text"));
    counted();
    expect("outcomes", 0);
    begin("v1");
    add(DETAILS, "",
        CHAT
        ",{\"key\":\"gen_ai.response.finish_reasons\",\"value\":{\"arrayValue\":{\"values\":[{"
        "\"stringValue\":\"refusal\"}]}}},{\"key\":\"gen_ai.usage.input_tokens\",\"value\":{\"intValue\":12}"
        "}");
    add(EXCEPTION, "", CHAT "," TEXT("exception.type", "openai.APITimeoutError"));
    add("", "", CHAT "," TEXT("event.name", EXCEPTION) "," TEXT("exception.type", "KeyError"));
    counted();
    expect("outcomes", 3);
    expect("n[1]", 1);
    expect("k[1]", 1);
    expect("k[3]", 1);
    expect("k[4]", 1);
    expect("sums[3]", 12);
    for (int i = 0; i < 2; i++) { /* the same again */
        struct reply reply =
            gateway_ask(&world, "/v1/logs", &(struct ask){.body = body, .instance = "app-1"});
        gateway_expect(&reply, 200);
    }
    expect("outcomes", 3);
}
