/* OTLP metrics over HTTP into the database: what points count, and what they count once. */
#include "gateway_world.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static struct gateway_world world;

static void start_world(void)
{
    gateway_world_start(&world);
    gateway_world_ready(&world);
}

static void open_world(void)
{
    gateway_world_open(&world);
    world.options.otlp_counters = "requests=llm.requests,refusal=llm.refusals";
    start_world();
}

static void close_world(void)
{
    gateway_world_close(&world);
}

TestSuite(gateway_points, .init = open_world, .fini = close_world, .timeout = 60);

static long long total(const char *what)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT coalesce(sum(%s), 0) FROM observations WHERE service = 'chat'", what);
    return database_number(&world.database, sql);
}

static void expect(const char *what, long long expected)
{
    long long found = total(what);
    cr_assert_eq(found, expected, "%s is %lld, not %lld", what, found, expected);
}

/* --- a request
 * ---------------------------------------------------------------------------------------------------- */

static char body[64 << 10];
static size_t used;
static long long now_ns;

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    used += (size_t)vsnprintf(body + used, sizeof body - used, format, arguments);
    va_end(arguments);
}

/* Separates what follows from what is there. */
static void comma(void)
{
    if (body[used - 1] == '}')
        put(",");
}

#define TEXT(key, value) ",{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
enum { DELTA = 1, CUMULATIVE = 2 };

/* `process` tells processes of one release apart. */
static void begin(const char *release, const char *process)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    now_ns = now.tv_sec * 1000000000LL + now.tv_nsec;
    used = 0;
    put("{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
        "\"stringValue\":\"chat\"}},{\"key\":\"service.version\",\"value\":{\"stringValue\":\"%s\"}},"
        "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"%s\"}}]},\"scopeMetrics\":[{"
        "\"metrics\":[",
        release, process);
}

static const char *unit = "s";

static void metric(const char *name, const char *kind, int temporality)
{
    comma();
    put("{\"name\":\"%s\",\"unit\":\"%s\",\"%s\":{\"aggregationTemporality\":%d,\"isMonotonic\":true,"
        "\"dataPoints\":[",
        name, unit, kind, temporality);
}

/* Of the time from `from_ms` ago until `ago_ms` ago. */
static void point_begins(long long from_ms, long long ago_ms)
{
    comma();
    put("{\"startTimeUnixNano\":\"%lld\",\"timeUnixNano\":\"%lld\",", now_ns - from_ms * 1000000,
        now_ns - ago_ms * 1000000);
}

/* Requests that took up to 0.1, 0.5, 1, 2 s, and longer. */
static void durations(long long from_ms, long long ago_ms, const int bucket[5], const char *attributes)
{
    int count = bucket[0] + bucket[1] + bucket[2] + bucket[3] + bucket[4];
    point_begins(from_ms, ago_ms);
    put("\"count\":%d,\"sum\":%d,\"bucketCounts\":[\"%d\",%d,%d,%d,%d],\"explicitBounds\":[0.1,0.5,1,2],"
        "\"attributes\":[{\"key\":\"gen_ai.operation.name\",\"value\":{\"stringValue\":\"chat\"}}%s]}",
        count, count, bucket[0], bucket[1], bucket[2], bucket[3], bucket[4], attributes);
}

static void counter(long long from_ms, long long ago_ms, const char *value)
{
    point_begins(from_ms, ago_ms);
    put("\"asDouble\":%s}", value);
}

static void metric_ends(void)
{
    put("]}}");
}

static struct reply post(void)
{
    put("]}]}]}");
    return gateway_ask(&world, "/v1/metrics", &(struct ask){.body = body, .instance = "app-1"});
}

static void counted(void)
{
    struct reply reply = post();
    gateway_expect(&reply, 200);
    cr_assert_str_eq(reply.body, "{}");
}

static void partly(const char *reason)
{
    struct reply reply = post();
    gateway_expect(&reply, 200);
    cr_assert_not_null(strstr(reply.body, reason), "%s", reply.body);
}

/* Counts with this server's counters of requests would double those of durations. */
static void without_counters(void)
{
    gateway_world_stop(&world);
    world.options.otlp_counters = NULL;
    start_world();
}

/* --- tests
 * ------------------------------------------------------------------------------------------------------- */

Test(gateway_points, a_delta_counts_against_the_thresholds)
{
    without_counters();
    begin("v1", "p");
    metric("gen_ai.client.operation.duration", "histogram", DELTA);
    durations(10000, 1000, (int[5]){3, 2, 1, 4, 5}, "");
    durations(10000, 1000, (int[5]){1, 0, 0, 0, 1}, TEXT("error.type", "500"));
    durations(10000, 1000, (int[5]){2, 0, 0, 0, 0}, TEXT("error.type", "429"));
    durations(10000, 1000, (int[5]){0, 1, 0, 0, 0}, TEXT("error.type", "timeout"));
    durations(10000, 1000, (int[5]){0, 0, 7, 0, 0}, TEXT("error.type", "AbortError"));
    metric_ends();
    metric("gen_ai.server.time_to_first_token", "histogram", DELTA);
    durations(10000, 1000, (int[5]){6, 3, 2, 0, 0}, "");
    metric_ends();
    unit = "{token}";
    metric("gen_ai.client.token.usage", "histogram", DELTA);
    durations(10000, 1000, (int[5]){4, 0, 0, 0, 0}, TEXT("gen_ai.token.type", "output"));
    metric_ends();
    metric("gen_ai.client.operation.duration.of.others", "histogram", 7);
    metric_ends();
    counted();
    expect("outcomes", 20);
    expect("n[3]", 20);
    expect("k[3]", 2);
    expect("n[11]", 20);
    expect("k[11]", 2);
    expect("n[6]", 20);
    expect("k[6]", 10);
    expect("n[4]", 20);
    expect("k[4]", 7); /* 5 and 1 lasted longer than 2 s, one says so */
    expect("n[5]", 11);
    expect("k[5]", 2);
    expect("n[1]", 0);
    expect("absent[1]", 20);
    expect("absent[5]", 0);
    expect("sums[1]", 20000);
    expect("summed[1]", 20);
    expect("sums[4]", 4);
    expect("admissions", 0);
    cr_assert_eq(database_number(&world.database, "SELECT max(interval_s) FROM observations"), 9);
    cr_assert_eq(database_number(&world.database, "SELECT count(DISTINCT bucket_s) FROM observations"), 1);
}

Test(gateway_points, the_same_delta_counts_once)
{
    without_counters();
    for (int i = 0; i < 3; i++) {
        if (i == 0) {
            begin("v1", "p");
            metric("gen_ai.client.operation.duration", "histogram", DELTA);
            durations(10000, 1000, (int[5]){3, 0, 0, 0, 0}, "");
            metric_ends();
            counted();
            continue;
        }
        struct reply reply =
            gateway_ask(&world, "/v1/metrics", &(struct ask){.body = body, .instance = "app-1"});
        gateway_expect(&reply, 200);
    }
    expect("outcomes", 3);
}

/* A point with exact times. */
static void point(long long start, long long time, const int bucket[5], const char *attributes)
{
    int count = bucket[0] + bucket[1] + bucket[2] + bucket[3] + bucket[4];
    comma();
    put("{\"startTimeUnixNano\":\"%lld\",\"timeUnixNano\":\"%lld\",\"count\":%d,\"sum\":%d,"
        "\"bucketCounts\":[%d,%d,%d,%d,%d],\"explicitBounds\":[0.1,0.5,1,2],\"attributes\":["
        "{\"key\":\"gen_ai.operation.name\",\"value\":{\"stringValue\":\"chat\"}}%s]}",
        start, time, count, count, bucket[0], bucket[1], bucket[2], bucket[3], bucket[4], attributes);
}

/* Sends a cumulative point with exact times. */
static void send(const char *process, long long start, long long time, const int bucket[5])
{
    begin("v1", process);
    metric("gen_ai.client.operation.duration", "histogram", CUMULATIVE);
    point(start, time, bucket, "");
    metric_ends();
    counted();
}

static long long wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

#define S *1000000000LL

Test(gateway_points, series_grow_fall_restart_and_come_twice)
{
    without_counters();
    long long now = wall_ns(), began = now - 3600 S;
    send("p", began, now - 9 S, (int[5]){100, 0, 0, 0, 0});
    expect("outcomes", 0); /* began long ago, and nobody saw it: a baseline */
    send("p", began, now - 8 S, (int[5]){102, 0, 0, 0, 1});
    expect("outcomes", 3);
    expect("k[6]", 1);
    expect("sums[1]", 3000);
    send("p", began, now - 8 S, (int[5]){102, 0, 0, 0, 1}); /* exported again */
    send("p", began, now - 9 S, (int[5]){100, 0, 0, 0, 0}); /* late */
    send("p", began, now - 7 S, (int[5]){102, 0, 0, 0, 1});
    expect("outcomes", 3);
    send("p", began, now - 6 S, (int[5]){50, 0, 0, 0, 0}); /* fell without a new start */
    expect("outcomes", 3);
    send("p", began, now - 5 S, (int[5]){52, 0, 0, 0, 0});
    expect("outcomes", 5);
    send("p", now - 4 S, now - 3 S, (int[5]){7, 0, 0, 0, 0}); /* a restart */
    expect("outcomes", 12);
    gateway_world_stop(&world); /* what the series were is with the counts: another replica goes on */
    start_world();
    send("p", now - 4 S, now - 2 S, (int[5]){9, 0, 0, 0, 0});
    expect("outcomes", 14);
    send("q", now - 100 S, now - 2 S, (int[5]){5, 0, 0, 0, 0}); /* a process that is new */
    expect("outcomes", 19);
    /* one that says it is p, and runs beside it: from its second export on */
    send("p", now - 5 S, now - 1 S, (int[5]){1000, 0, 0, 0, 0});
    expect("outcomes", 19);
    send("p", now - 5 S, now, (int[5]){1001, 0, 0, 0, 0});
    expect("outcomes", 20);
}

Test(gateway_points, the_first_error_of_a_known_process_counts)
{
    without_counters();
    long long now = wall_ns();
    send("p", now - 3600 S, now - 3 S, (int[5]){100, 0, 0, 0, 0});
    begin("v1", "p");
    metric("gen_ai.client.operation.duration", "histogram", CUMULATIVE);
    durations(3600000, 1000, (int[5]){2, 0, 0, 0, 0}, TEXT("error.type", "500"));
    metric_ends();
    counted();
    expect("outcomes", 2);
    expect("k[3]", 2);
}

Test(gateway_points, a_threshold_between_bounds_is_said_and_not_counted)
{
    without_counters();
    begin("v1", "p");
    metric("gen_ai.client.operation.duration", "histogram", DELTA);
    point_begins(10000, 1000);
    put("\"count\":3,\"sum\":1,\"bucketCounts\":[1,1,1],\"explicitBounds\":[0.64,1.28],\"attributes\":["
        "{\"key\":\"gen_ai.operation.name\",\"value\":{\"stringValue\":\"chat\"}}]}");
    metric_ends();
    partly(
        "latency of chat was not counted: its threshold of 1000 ms is no bound of "
        "gen_ai.client.operation.duration (below: 640 ms, above: 1280 ms)");
    expect("outcomes", 3);
    expect("n[6]", 0);
    expect("absent[6]", 3);
    expect("n[4]", 0);
    expect("n[3]", 3);
}

Test(gateway_points, points_that_are_no_counts_are_refused_and_the_others_count)
{
    static const struct {
        const char *kind, *fields, *reason;
    } bad[] = {
        {"exponentialHistogram", "\"count\":1,\"scale\":1", "exponential histogram"},
        {"sum", "\"asInt\":1", "is a monotonic sum; a histogram is expected"},
        {"gauge", "\"asInt\":1", "is a gauge; a histogram is expected"},
        {"summary", "\"count\":1", "is a summary; a histogram is expected"},
        {"histogram", "\"count\":2,\"bucketCounts\":[1,1],\"explicitBounds\":[1,2]", "do not go with"},
        {"histogram", "\"count\":2,\"bucketCounts\":[1,1,1],\"explicitBounds\":[1,2]", "more than its count"},
        {"histogram", "\"count\":5,\"bucketCounts\":[1,1,1],\"explicitBounds\":[1,2]", "less than its count"},
        {"histogram", "\"count\":3,\"bucketCounts\":[1,1,1],\"explicitBounds\":[2,1]", "do not grow"},
        {"histogram", "\"count\":3,\"bucketCounts\":[1,1,1],\"explicitBounds\":[1,\"NaN\"]", "do not grow"},
        {"histogram", "\"count\":\"9223372036854775807\",\"bucketCounts\":[\"9223372036854775807\"]",
         "larger than 2^53"},
    };
    without_counters();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        begin("v1", "p");
        metric("gen_ai.client.operation.duration", bad[i].kind, DELTA);
        point_begins(10000, 1000);
        put("%s,\"attributes\":[{\"key\":\"gen_ai.operation.name\",\"value\":{\"stringValue\":\"chat\"}}]}",
            bad[i].fields);
        metric_ends();
        metric("gen_ai.client.operation.duration", "histogram", DELTA);
        durations(10000, 1000, (int[5]){1, 0, 0, 0, 0}, "");
        metric_ends();
        partly(bad[i].reason);
    }
    expect("outcomes", 10);
    begin("v1", "p");
    metric("gen_ai.client.operation.duration", "histogram", 0);
    durations(10000, 1000, (int[5]){1, 0, 0, 0, 0}, "");
    metric_ends();
    partly("neither delta nor cumulative");
    begin("v1", "p");
    metric("gen_ai.client.operation.duration", "histogram", DELTA);
    durations(400000, 1000, (int[5]){1, 0, 0, 0, 0}, "");
    metric_ends();
    partly("covers more than 300 s");
    begin("v1", "p");
    metric("gen_ai.client.operation.duration", "histogram", DELTA);
    durations(1000, 5000, (int[5]){1, 0, 0, 0, 0}, "");
    metric_ends();
    partly("ends before it begins");
    begin("v9", "p");
    metric("gen_ai.client.operation.duration", "histogram", DELTA);
    durations(9000, 5000, (int[5]){1, 0, 0, 0, 0}, "");
    metric_ends();
    partly("service chat has no release v9");
    expect("outcomes", 10);
    begin("v1", "p");
    metric("gen_ai.client.operation.duration", "histogram", DELTA);
    point_begins(9000, 1000);
    put("\"count\":-1}");
    metric_ends();
    struct reply reply = post();
    gateway_expect(&reply, 400);
}

Test(gateway_points, counters_that_were_named)
{
    begin("v1", "p");
    metric("llm.requests", "sum", DELTA);
    counter(10000, 1000, "40");
    metric_ends();
    metric("llm.refusals", "sum", DELTA);
    counter(10000, 1000, "4");
    metric_ends();
    metric("gen_ai.client.operation.duration", "histogram", DELTA);
    durations(10000, 1000, (int[5]){30, 0, 0, 8, 2}, "");
    metric_ends();
    counted();
    expect("outcomes", 40);
    expect("n[1]", 40);
    expect("k[1]", 4);
    expect("n[6]", 40);
    expect("k[6]", 10);
    expect("k[4]", 2);
    expect("n[3]", 0);
    expect("absent[3]", 40);
    static const char *const no_counts[] = {"1.5", "-1", "\"NaN\"", "\"Infinity\"", "1e300"};
    for (size_t i = 0; i < sizeof no_counts / sizeof no_counts[0]; i++) {
        begin("v1", "p");
        metric("llm.requests", "sum", DELTA);
        counter(10000, 900, no_counts[i]);
        metric_ends();
        partly("a value is no count");
    }
    begin("v1", "p");
    metric("llm.requests", "gauge", DELTA);
    counter(10000, 900, "3");
    metric_ends();
    metric("llm.others", "gauge", DELTA);
    counter(10000, 900, "3");
    metric_ends();
    partly(
        "llm.requests is a gauge, but SERIN_OTLP_COUNTERS names it as a counter; a monotonic sum is "
        "expected");
    expect("outcomes", 40);
}

static void send_in(const char *name, const char *its_unit)
{
    unit = its_unit;
    begin("v1", "p");
    metric(name, "histogram", DELTA);
    durations(10000, 1000, (int[5]){1, 0, 0, 0, 1}, TEXT("gen_ai.token.type", "input"));
    metric_ends();
}

/* Seconds and milliseconds are told apart, and nothing else is taken for either. */
Test(gateway_points, a_unit_that_is_not_known_is_refused)
{
    static const char duration[] = "gen_ai.client.operation.duration", usage[] = "gen_ai.client.token.usage";
    static const char *const times[] = {"min", "us", "S", "1", "{s}", "sec\\u0000x", "s s"};
    static const char *const amounts[] = {"k{token}", "s", "By", "{a}{b}", "{"};
    char expected[128];
    without_counters();
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        send_in(duration, times[i]);
        partly("; s or ms is expected");
        send_in("gen_ai.server.time_to_first_token", times[i]);
        partly("; s or ms is expected");
    }
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        send_in(usage, amounts[i]);
        snprintf(expected, sizeof expected, "%s: its unit is \\\"%s\\\"; {token} is expected", usage,
                 amounts[i]);
        partly(expected);
    }
    send_in(duration, "\\ttoo\\u00e9 long for any unit that there is");
    partly("its unit is \\\"?too???long?for?any?uni\\\"; s or ms");
    expect("outcomes", 0);
    expect("sums[1]", 0);
    expect("sums[3]", 0);
    static const struct {
        const char *unit;
        int sum_ms;
    } known[] = {{"s", 2000}, {"", 2000}, {"seconds", 2000}, {"ms", 2}, {"milliseconds", 2}};
    int sum_ms = 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        send_in(duration, known[i].unit);
        struct reply reply = post();
        gateway_expect(&reply, 200);
        sum_ms += known[i].sum_ms;
        expect("sums[1]", sum_ms);
    }
    static const char *const ones[] = {"{token}", "", "1", "token", "tokens", "{}"};
    for (size_t i = 0; i < sizeof ones / sizeof ones[0]; i++) {
        send_in(usage, ones[i]);
        counted();
        expect("sums[3]", 2 * ((long long)i + 1));
    }
    expect("outcomes", 10);
}

Test(gateway_points, a_counter_counts_whatever_its_unit)
{
    unit = "requests/fortnight";
    begin("v1", "p");
    metric("llm.requests", "sum", DELTA);
    counter(10000, 1000, "3");
    metric_ends();
    counted();
    expect("outcomes", 3);
}

Test(gateway_points, more_bad_than_requests_are_at_least_so_many_requests)
{
    begin("v1", "p");
    metric("llm.requests", "sum", DELTA);
    counter(10000, 1000, "3");
    metric_ends();
    metric("llm.refusals", "sum", DELTA);
    counter(10000, 1000, "4");
    metric_ends();
    counted();
    expect("outcomes", 3);
    expect("n[1]", 4);
    expect("k[1]", 4);
    expect("absent[1]", 0);
}

/* An exporter with a limit sends one export as two requests. */
Test(gateway_points, bad_ones_that_come_before_their_requests_are_not_forgotten)
{
    begin("v1", "p");
    metric("llm.refusals", "sum", DELTA);
    counter(10000, 1000, "50");
    metric_ends();
    counted();
    begin("v1", "p");
    metric("llm.requests", "sum", DELTA);
    counter(10000, 1000, "100");
    metric_ends();
    counted();
    expect("outcomes", 100);
    expect("k[1]", 50);
    cr_assert_geq(total("n[1]"), 100);
}

Test(gateway_points, a_process_whose_errors_find_no_room_counts_nothing_and_is_not_good)
{
    without_counters();
    long long now = wall_ns(), began = now - 3600 S;
    send("p", began, now - 5 S, (int[5]){100, 0, 0, 0, 0});
    database_do(
        world.database.db,
        "INSERT INTO otlp_series (target, series, start_ns, time_ns, shape, value, sum, seen_at) SELECT "
        "gen_random_uuid(), gen_random_uuid(), 1, 2, 3, '{0,0,0}', 0, serin_now() FROM "
        "generate_series(1, 200000)");
    send("p", began, now - 4 S, (int[5]){110, 0, 0, 0, 0});
    expect("outcomes", 10);
    begin("v1", "p");
    metric("gen_ai.client.operation.duration", "histogram", CUMULATIVE);
    point(began, now - 1 S, (int[5]){2, 0, 0, 0, 0}, TEXT("error.type", "500"));
    point(began, now - 1 S, (int[5]){120, 0, 0, 0, 0}, "");
    metric_ends();
    counted();
    expect("outcomes", 10);
}

Test(gateway_points, a_count_that_nobody_can_have_is_not_counted)
{
    begin("v1", "p");
    metric("llm.requests", "sum", DELTA);
    counter(10000, 1000, "9007199254740992");
    metric_ends();
    counted();
    expect("outcomes", 0);
    expect("n[1]", 0);
}

Test(gateway_points, a_dead_database_is_503_and_the_next_export_counts_everything)
{
    without_counters();
    long long now = wall_ns();
    send("p", now - 3600 S, now - 4 S, (int[5]){100, 0, 0, 0, 0});
    begin("v1", "p");
    metric("gen_ai.client.operation.duration", "histogram", CUMULATIVE);
    durations(3600000, 1000, (int[5]){2, 0, 0, 0, 0}, "");
    metric_ends();
    gateway_world_cut(&world);
    struct reply reply = post();
    gateway_expect(&reply, 503);
    gateway_world_mend(&world);
    send("p", now - 3600 S, now - 1 S, (int[5]){107, 0, 0, 0, 0});
    expect("outcomes", 7);
}
