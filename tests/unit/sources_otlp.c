/* Reading ExportTraceServiceRequest in both encodings. */
#include "base/text.h"
#include "sources/otlp.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(sources_otlp, .timeout = 20);

static const struct genai_names names = {"serin.service", "serin.release", "serin.stratum"};

enum { TAKEN_MAX = 8 };
struct taken {
    size_t count;
    struct otlp_span span[TAKEN_MAX];
    struct genai_facts resource[TAKEN_MAX];
    enum status answer;
};

static enum status take(void *context, const struct otlp_origin *origin, const struct otlp_span *span)
{
    struct taken *taken = context;
    if (taken->count < TAKEN_MAX) {
        taken->span[taken->count] = *span;
        taken->resource[taken->count] = origin->facts;
    }
    taken->count++;
    return taken->answer;
}

static enum status read_json(const char *body, struct taken *taken)
{
    struct fault fault = {.status = STATUS_OK};
    memset(taken, 0, sizeof *taken);
    enum status status = otlp_read_spans(false, body, strlen(body), &names, take, taken, &fault);
    cr_assert(status == STATUS_OK || fault.detail[0] != '\0');
    return status;
}

/* --- writing protobuf by hand
 * ------------------------------------------------------------------------------------- */

static void put_varint(struct text *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        text_putc(out, (char)(value | 0x80));
    text_putc(out, (char)value);
}

static void put_number(struct text *out, int field, uint64_t value)
{
    put_varint(out, (uint64_t)field << 3);
    put_varint(out, value);
}

static void put_fixed(struct text *out, int field, uint64_t value)
{
    put_varint(out, (uint64_t)field << 3 | 1);
    for (int i = 0; i < 8; i++)
        text_putc(out, (char)(value >> 8 * i));
}

static void put_bytes(struct text *out, int field, const char *data, size_t length)
{
    put_varint(out, (uint64_t)field << 3 | 2);
    put_varint(out, length);
    text_add(out, data, length);
}

/* Puts `inner` as a field, and empties it. */
static void put_message(struct text *out, int field, struct text *inner)
{
    put_bytes(out, field, text_get(inner), inner->length);
    text_free(inner);
}

static struct text fresh(void)
{
    struct text text;
    text_init(&text, 1 << 20);
    return text;
}

static void put_attribute(struct text *out, int field, const char *key, struct text *any)
{
    struct text pair = fresh();
    put_message(&pair, 2, any); /* the value first: any order is right */
    put_bytes(&pair, 1, key, strlen(key));
    put_message(out, field, &pair);
}

static struct text any_text(const char *value)
{
    struct text any = fresh();
    put_bytes(&any, 1, value, strlen(value));
    return any;
}

static struct text any_number(int64_t value)
{
    struct text any = fresh();
    put_number(&any, 3, (uint64_t)value);
    return any;
}

static struct text any_list(const char *first, const char *second)
{
    struct text any = fresh(), list = fresh(), one = any_text(first), two = any_text(second);
    put_message(&list, 1, &one);
    put_message(&list, 1, &two);
    put_message(&any, 5, &list);
    return any;
}

/* One span with everything, its resource behind it, and fields that nobody knows. */
static struct text whole(void)
{
    struct text span = fresh(), scope = fresh(), resource = fresh(), spans = fresh(), request = fresh(), any;
    double seconds = 0.5;
    uint64_t bits;
    memcpy(&bits, &seconds, sizeof bits);
    put_bytes(&span, 1, "0123456789abcdef", 16);
    put_bytes(&span, 2, "01234567", 8);
    put_bytes(&span, 5, "chat m1", 7);
    put_number(&span, 6, 3);
    put_fixed(&span, 7, 1000000000);
    put_fixed(&span, 8, 1500000000);
    any = any_text("chat");
    put_attribute(&span, 9, "gen_ai.operation.name", &any);
    any = any_list("stop", "length");
    put_attribute(&span, 9, "gen_ai.response.finish_reasons", &any);
    any = any_number(12);
    put_attribute(&span, 9, "gen_ai.usage.input_tokens", &any);
    any = fresh();
    put_fixed(&any, 4, bits);
    put_attribute(&span, 9, "gen_ai.response.time_to_first_chunk", &any);
    any = fresh();
    put_number(&any, 2, 1);
    put_attribute(&span, 9, "serin.sli.refusal", &any);
    any = fresh(); /* status */
    put_bytes(&any, 2, "x", 1);
    put_number(&any, 3, 2);
    put_message(&span, 15, &any);
    put_varint(&span, 16 << 3 | 5); /* flags */
    text_add(&span, "\1\0\0\0", 4);
    put_bytes(&span, 4000, "unknown", 7);
    put_message(&scope, 2, &span);
    put_message(&spans, 2, &scope);
    any = any_text("v7");
    put_attribute(&resource, 1, "service.version", &any);
    put_message(&spans, 1, &resource);
    put_message(&request, 1, &spans);
    return request;
}

static enum status read_protobuf(const char *body, size_t length, struct taken *taken)
{
    struct fault fault = {.status = STATUS_OK};
    /* exactly as long as it is, so that a sanitizer sees a byte too far */
    char *copy = malloc(length + (length == 0));
    memcpy(copy, body, length);
    memset(taken, 0, sizeof *taken);
    enum status status = otlp_read_spans(true, copy, length, &names, take, taken, &fault);
    cr_assert(status == STATUS_OK || fault.detail[0] != '\0');
    free(copy);
    return status;
}

static void check_whole(const struct taken *taken)
{
    const struct otlp_span *span = &taken->span[0];
    cr_assert_eq(taken->count, 1);
    cr_assert(span->identified);
    cr_assert_eq(memcmp(span->trace_id, "0123456789abcdef", 16), 0);
    cr_assert_eq(memcmp(span->span_id, "01234567", 8), 0);
    cr_assert_eq(span->start_ns, 1000000000);
    cr_assert_eq(span->end_ns, 1500000000);
    cr_assert(span->facts.inference);
    cr_assert_eq(span->facts.finished, 1u << GENAI_OK | 1u << GENAI_TRUNCATED);
    cr_assert_eq(span->facts.input_tokens, 12);
    cr_assert_eq(span->facts.first_chunk_s, 0.5);
    cr_assert_eq(span->facts.said_bad, 1u << SLI_REFUSAL);
    cr_assert(span->facts.status_failed);
    cr_assert_str_eq(taken->resource[0].service_version.text, "v7");
}

Test(sources_otlp, protobuf_is_read_in_any_order)
{
    struct taken taken;
    struct text body = whole();
    cr_assert_eq(read_protobuf(body.data, body.length, &taken), STATUS_OK);
    check_whole(&taken);
    text_free(&body);
    cr_assert_eq(read_protobuf("", 0, &taken), STATUS_OK);
    cr_assert_eq(taken.count, 0);
}

Test(sources_otlp, an_empty_body_is_a_message_without_spans)
{
    struct fault fault = {.status = STATUS_OK};
    struct taken taken = {.count = 0};
    cr_assert_eq(otlp_read_spans(true, NULL, 0, &names, take, &taken, &fault), STATUS_OK);
    cr_assert_eq(otlp_read_spans(false, NULL, 0, &names, take, &taken, &fault), STATUS_MALFORMED);
    cr_assert_eq(taken.count, 0);
}

Test(sources_otlp, protobuf_that_ends_early_is_refused)
{
    struct taken taken;
    struct text body = whole();
    for (size_t cut = 1; cut < body.length; cut++)
        cr_assert_eq(read_protobuf(body.data, cut, &taken), STATUS_MALFORMED, "%zu bytes", cut);
    text_free(&body);
}

#define WIRE(bytes) read_protobuf(bytes, sizeof bytes - 1, &taken)

Test(sources_otlp, protobuf_that_is_wrong_is_refused)
{
    struct taken taken;
    cr_assert_eq(WIRE("\x0b"), STATUS_MALFORMED, "a group");
    cr_assert_eq(WIRE("\x0f"), STATUS_MALFORMED, "wire type 7");
    cr_assert_eq(WIRE("\x00\x00"), STATUS_MALFORMED, "field 0");
    cr_assert_eq(WIRE("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), STATUS_MALFORMED,
                 "a length of 2^64 - 1");
    cr_assert_eq(WIRE("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), STATUS_MALFORMED, "more than 64 bits");
    cr_assert_eq(WIRE("\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), STATUS_MALFORMED, "11 bytes");
    cr_assert_eq(WIRE("\x10\x80\x00"), STATUS_OK, "a long form of 0 is one");
    cr_assert_eq(WIRE("\x08\x05"), STATUS_OK, "a field of another type is one nobody knows");
    cr_assert_eq(WIRE("{}"), STATUS_MALFORMED, "JSON");
}

#define IDS "\"traceId\":\"30313233343536373839616263646566\",\"spanId\":\"3031323334353637\","
#define SPAN(fields)                                                                                         \
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.version\",\"value\":{"            \
    "\"stringValue\":\"v7\"}}]},\"scopeSpans\":[{\"spans\":[{" IDS fields "}]}]}]}"

Test(sources_otlp, json_says_the_same)
{
    struct taken taken;
    cr_assert_eq(
        read_json(SPAN("\"startTimeUnixNano\":\"1000000000\",\"endTimeUnixNano\":1500000000,\"kind\":3,"
                       "\"status\":{\"code\":2,\"message\":\"x\"},\"unknown\":[{\"a\":null}],\"attributes\":["
                       "{\"key\":\"gen_ai.operation.name\",\"value\":{\"stringValue\":\"chat\"}},"
                       "{\"key\":\"gen_ai.response.finish_reasons\",\"value\":{\"arrayValue\":{\"values\":["
                       "{\"stringValue\":\"stop\"},{\"stringValue\":\"length\"}]}}},"
                       "{\"key\":\"gen_ai.usage.input_tokens\",\"value\":{\"intValue\":\"12\"}},"
                       "{\"key\":\"gen_ai.response.time_to_first_chunk\",\"value\":{\"doubleValue\":0.5}},"
                       "{\"key\":\"serin.sli.refusal\",\"value\":{\"boolValue\":true}},"
                       "{\"key\":\"a\",\"value\":{\"kvlistValue\":{\"values\":[]}}},"
                       "{\"key\":\"b\",\"value\":{\"bytesValue\":\"AA==\"}},{\"key\":\"c\",\"value\":{}},"
                       "{\"key\":\"d\"}]"),
                  &taken),
        STATUS_OK);
    check_whole(&taken);
}

Test(sources_otlp, json_of_the_wrong_type_is_refused)
{
    static const char *const bodies[] = {
        "",
        "null",
        "[]",
        "{\"resourceSpans\":{}}",
        "{\"resourceSpans\":[1]}",
        "{\"resourceSpans\":[{\"resource\":[]}]}",
        SPAN("\"traceid\":1,\"startTimeUnixNano\":\"-1\""),
        SPAN("\"startTimeUnixNano\":\"99999999999999999999\""),
        SPAN("\"startTimeUnixNano\":\"12x\""),
        SPAN("\"startTimeUnixNano\":true"),
        SPAN("\"startTimeUnixNano\":1e300"),
        SPAN("\"status\":7"),
        SPAN("\"status\":{\"code\":\"STATUS_CODE_ERROR\"}"),
        SPAN("\"attributes\":[{\"key\":7,\"value\":{}}]"),
        SPAN("\"attributes\":[{\"key\":\"a\",\"value\":\"b\"}]"),
        SPAN("\"attributes\":[{\"key\":\"error.type\",\"value\":{\"intValue\":1.5}}]"),
        SPAN("\"attributes\":[{\"key\":\"error.type\",\"value\":{\"arrayValue\":[]}}]"),
    };
    struct taken taken;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        cr_expect_eq(read_json(bodies[i], &taken), STATUS_MALFORMED, "%s", bodies[i]);
    cr_assert_eq(read_json("{}", &taken), STATUS_OK);
    cr_assert_eq(read_json("{\"resourceSpans\":[]}", &taken), STATUS_OK);
}

/* One span with one attribute, whose value is a string of 127 bytes that are not there. */
static enum status read_broken_value(const char *key, struct taken *taken)
{
    struct text part[5];
    for (size_t i = 0; i < 5; i++)
        text_init(&part[i], 1000);
    put_bytes(&part[0], 1, key, strlen(key));
    put_bytes(&part[0], 2, "\x0a\x7f", 2);
    static const int fields[] = {9, 2, 2, 1}; /* of the span, the scope, the resource, the request */
    for (size_t i = 0; i < 4; i++)
        put_bytes(&part[i + 1], fields[i], text_get(&part[i]), part[i].length);
    enum status status = read_protobuf(part[4].data, part[4].length, taken);
    for (size_t i = 0; i < 5; i++)
        text_free(&part[i]);
    return status;
}

/* One span with this KeyValue; what it says of the tokens. */
static int64_t tokens_of(const struct text *pair)
{
    static const int fields[] = {9, 2, 2, 1};
    struct taken taken;
    struct text part[5];
    part[0] = *pair;
    for (size_t i = 0; i < 4; i++) {
        text_init(&part[i + 1], 1000);
        put_bytes(&part[i + 1], fields[i], text_get(&part[i]), part[i].length);
    }
    cr_assert_eq(read_protobuf(part[4].data, part[4].length, &taken), STATUS_OK);
    cr_assert_eq(taken.count, 1);
    for (size_t i = 1; i < 5; i++)
        text_free(&part[i]);
    return taken.span[0].facts.input_tokens;
}

/* There is a short way for what SDKs write, and it reads nothing else than the long one. */
Test(sources_otlp, an_attribute_is_the_same_however_it_is_written)
{
    static const char key[] = "gen_ai.usage.input_tokens";
    for (int shape = 0; shape < 8; shape++) {
        struct text value, pair;
        text_init(&value, 1000);
        text_init(&pair, 1000);
        if (shape == 1)
            put_bytes(&value, 1, "twelve", 6); /* the last of a oneof holds */
        if (shape != 2)
            put_number(&value, 3, 12);
        if (shape == 3)
            put_number(&value, 99, 1);
        if (shape == 4)
            put_bytes(&pair, 2, text_get(&value), value.length);
        if (shape == 5)
            put_bytes(&pair, 1, "a", 1); /* the last of a field holds too */
        put_bytes(&pair, 1, key, sizeof key - 1);
        if (shape != 4 && shape != 6)
            put_bytes(&pair, 2, text_get(&value), value.length);
        if (shape == 7)
            put_number(&pair, 99, 1);
        cr_expect_eq(tokens_of(&pair), shape == 2 || shape == 6 ? -1 : 12, "%d", shape);
        text_free(&value);
        text_free(&pair);
    }
}

/* A prompt is in one of these: it is not looked into, and what is wrong in it loses nobody the span. */
Test(sources_otlp, a_value_that_nobody_needs_is_not_read)
{
    struct taken taken;
    cr_assert_eq(read_json(SPAN("\"attributes\":[{\"key\":\"a\",\"value\":{\"intValue\":1.5}},"
                                "{\"key\":\"gen_ai.usage.input_tokens\",\"value\":{\"intValue\":3}}]"),
                           &taken),
                 STATUS_OK);
    cr_assert_eq(taken.span[0].facts.input_tokens, 3);
    cr_assert_eq(read_broken_value("gen_ai.prompt", &taken), STATUS_OK);
    cr_assert_eq(taken.count, 1);
    cr_assert_eq(read_broken_value("error.type", &taken), STATUS_MALFORMED);
}

Test(sources_otlp, ids_are_checked)
{
    struct taken taken;
    static const char *const bad[] = {
        "\"traceId\":\"00000000000000000000000000000000\",\"spanId\":\"3031323334353637\"",
        "\"traceId\":\"30313233343536373839616263646566\",\"spanId\":\"\"",
        "\"traceId\":\"3031323334353637383961626364656\",\"spanId\":\"3031323334353637\"",
        "\"traceId\":\"3031323334353637383961626364656g\",\"spanId\":\"3031323334353637\"",
        "\"spanId\":\"3031323334353637\""};
    char body[512];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(body, sizeof body, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{%s}]}]}]}", bad[i]);
        cr_assert_eq(read_json(body, &taken), STATUS_OK);
        cr_expect(taken.count == 1 && !taken.span[0].identified, "%s", bad[i]);
    }
    cr_assert_eq(read_json(SPAN("\"name\":\"x\""), &taken), STATUS_OK);
    cr_assert(taken.span[0].identified);
}

Test(sources_otlp, who_takes_may_end_it)
{
    struct taken taken = {.answer = STATUS_NO_MEMORY};
    struct fault fault = {.status = STATUS_OK};
    struct text body = whole(), twice = fresh();
    text_add(&twice, body.data, body.length);
    text_add(&twice, body.data, body.length);
    cr_assert_eq(otlp_read_spans(true, twice.data, twice.length, &names, take, &taken, &fault),
                 STATUS_NO_MEMORY);
    cr_assert_eq(taken.count, 1);
    text_free(&body);
    text_free(&twice);
}

/* --- points and records
 * -------------------------------------------------------------------------------------------- */

struct points {
    size_t count;
    struct otlp_point point[2];
    struct otlp_origin origin;
    char metric[64], unit[64];
};

static bool want(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "passed.over") != 0;
}

static enum status take_point(void *context, const struct otlp_origin *origin, const struct otlp_point *point)
{
    struct points *points = context;
    if (points->count < 2)
        points->point[points->count] = *point;
    points->count++;
    points->origin = *origin;
    snprintf(points->metric, sizeof points->metric, "%s", point->metric);
    snprintf(points->unit, sizeof points->unit, "%s", point->unit_text);
    return STATUS_OK;
}

static enum status read_points(bool protobuf, const char *body, size_t length, struct points *points)
{
    struct fault fault = {.status = STATUS_OK};
    memset(points, 0, sizeof *points);
    return otlp_read_points(protobuf, body, length, &names, want, take_point, points, &fault);
}

static uint64_t bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

/* A histogram whose name, resource and temporality stand behind its points. */
static struct text histogram(bool packed)
{
    struct text point = fresh(), data = fresh(), metric = fresh(), metrics = fresh(), scope = fresh(),
                resource = fresh(), request = fresh(), list = fresh(), any;
    put_fixed(&point, 2, 5);
    put_fixed(&point, 3, 7);
    put_fixed(&point, 4, 3);
    put_fixed(&point, 5, bits_of(1.5));
    if (packed) {
        for (uint64_t count = 1; count <= 2; count++)
            for (int byte = 0; byte < 8; byte++)
                text_putc(&list, (char)(count >> 8 * byte));
        put_message(&point, 6, &list);
    } else {
        put_fixed(&point, 6, 1);
        put_fixed(&point, 6, 2);
    }
    put_fixed(&point, 7, bits_of(0.25));
    any = any_text("chat");
    put_attribute(&point, 9, "gen_ai.operation.name", &any);
    put_message(&data, 1, &point);
    put_number(&data, 2, 2);
    put_message(&metric, 9, &data);
    put_bytes(&metric, 1, "some.duration", 13);
    put_bytes(&metric, 3, "ms", 2);
    put_message(&metrics, 2, &metric);
    put_bytes(&scope, 1, "app", 3);
    put_message(&metrics, 1, &scope);
    put_message(&request, 2, &metrics);
    any = any_text("v7");
    put_attribute(&resource, 1, "service.version", &any);
    put_message(&request, 1, &resource);
    struct text whole = fresh();
    put_message(&whole, 1, &request);
    return whole;
}

static void check_histogram(const struct points *points)
{
    const struct otlp_point *point = &points->point[0];
    cr_assert_eq(points->count, 1);
    cr_assert_str_eq(points->metric, "some.duration");
    cr_assert(point->kind == OTLP_HISTOGRAM && point->temporality == OTLP_CUMULATIVE &&
              point->unit == OTLP_MILLISECONDS);
    cr_assert_str_eq(points->unit, "ms");
    cr_assert(point->start_ns == 5 && point->time_ns == 7 && point->count == 3 && point->value == 1.5);
    cr_assert(point->buckets == 2 && point->bucket[0] == 1 && point->bucket[1] == 2);
    cr_assert(point->bounds == 1 && point->bound[0] == 0.25 && point->recorded);
    cr_assert(point->facts.inference);
    cr_assert_str_eq(points->origin.facts.service_version.text, "v7");
}

#define METRIC(fields)                                                                                       \
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"scope\":{\"name\":\"app\"},\"metrics\":[{" fields           \
    "}]}],\"resource\":{\"attributes\":[{\"key\":\"service.version\",\"value\":{\"stringValue\":\"v7\"}}]}}" \
    "]}"

Test(sources_otlp, a_histogram_is_the_same_in_every_form)
{
    struct points packed, unpacked, json;
    struct text body = histogram(true);
    cr_assert_eq(read_points(true, body.data, body.length, &packed), STATUS_OK);
    for (size_t cut = 1; cut < body.length; cut++)
        cr_assert_eq(read_points(true, body.data, cut, &unpacked), STATUS_MALFORMED, "%zu bytes", cut);
    text_free(&body);
    body = histogram(false);
    cr_assert_eq(read_points(true, body.data, body.length, &unpacked), STATUS_OK);
    text_free(&body);
    static const char text[] = METRIC(
        "\"histogram\":{\"dataPoints\":[{\"startTimeUnixNano\":\"5\",\"timeUnixNano\":7,\"count\":\"3\","
        "\"sum\":1.5,\"bucketCounts\":[1,\"2\"],\"explicitBounds\":[0.25],\"attributes\":[{\"key\":"
        "\"gen_ai.operation.name\",\"value\":{\"stringValue\":\"chat\"}}]}],"
        "\"aggregationTemporality\":2},\"name\":\"some.duration\",\"unit\":\"ms\"");
    cr_assert_eq(read_points(false, text, strlen(text), &json), STATUS_OK);
    check_histogram(&packed);
    check_histogram(&unpacked);
    check_histogram(&json);
    /* the same series, whoever sends it */
    cr_assert_arr_eq(packed.point[0].identity, json.point[0].identity, sizeof json.point[0].identity);
    cr_assert_arr_eq(packed.origin.identity, json.origin.identity, sizeof json.origin.identity);
}

Test(sources_otlp, points_of_other_kinds)
{
    static const char sum[] = METRIC(
        "\"name\":\"a\",\"sum\":{\"isMonotonic\":true,\"aggregationTemporality\":1,\"dataPoints\":["
        "{\"asInt\":\"12\",\"flags\":1},{\"asDouble\":\"Infinity\"}]}");
    static const char many[] = METRIC(
        "\"name\":\"passed.over\",\"sum\":{\"dataPoints\":[{\"asInt\":\"x\"}]}},{"
        "\"name\":\"b\",\"gauge\":{\"dataPoints\":[{\"asInt\":\"1\"}]}},{"
        "\"name\":\"d\",\"summary\":{\"dataPoints\":[{\"count\":\"4\",\"sum\":2}]}},{"
        "\"name\":\"c\",\"exponentialHistogram\":{\"dataPoints\":[{\"count\":1}]}");
    struct points points;
    cr_assert_eq(read_points(false, sum, strlen(sum), &points), STATUS_OK);
    cr_assert_eq(points.count, 2);
    cr_assert(points.point[0].kind == OTLP_SUM && points.point[0].monotonic &&
              points.point[0].temporality == OTLP_DELTA && points.point[0].value == 12 &&
              !points.point[0].recorded);
    cr_assert(points.point[1].recorded && points.point[1].value > 1e308);
    cr_assert_eq(read_points(false, many, strlen(many), &points), STATUS_OK);
    cr_assert_eq(points.count, 3);
    cr_assert(points.point[0].kind == OTLP_GAUGE && points.point[0].value == 1);
    cr_assert(points.point[1].kind == OTLP_SUMMARY && points.point[1].count == 4);
    static const char exponential[] =
        METRIC("\"name\":\"c\",\"exponentialHistogram\":{\"dataPoints\":[{\"count\":1}]}");
    cr_assert_eq(read_points(false, exponential, strlen(exponential), &points), STATUS_OK);
    cr_assert(points.count == 1 && points.point[0].kind == OTLP_EXPONENTIAL);
    static const char *const wrong[] = {
        METRIC("\"name\":7"),
        METRIC("\"name\":\"a\",\"sum\":[]"),
        METRIC("\"name\":\"a\",\"sum\":{\"dataPoints\":{}}"),
        METRIC("\"name\":\"a\",\"sum\":{\"aggregationTemporality\":\"DELTA\"}"),
        METRIC("\"name\":\"a\",\"histogram\":{\"dataPoints\":[{\"count\":-1}]}"),
        METRIC("\"name\":\"a\",\"histogram\":{\"dataPoints\":[{\"count\":1.5}]}"),
        METRIC("\"name\":\"a\",\"histogram\":{\"dataPoints\":[{\"bucketCounts\":3}]}"),
        METRIC("\"name\":\"a\",\"histogram\":{\"dataPoints\":[{\"explicitBounds\":[true]}]}")};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_expect_eq(read_points(false, wrong[i], strlen(wrong[i]), &points), STATUS_MALFORMED, "%s",
                     wrong[i]);
}

Test(sources_otlp, a_series_is_its_attributes_in_any_order)
{
    static const char *const attributes[] = {
        "{\"key\":\"a\",\"value\":{\"stringValue\":\"1\"}},{\"key\":\"b\",\"value\":{\"intValue\":2}}",
        "{\"key\":\"b\",\"value\":{\"intValue\":2}},{\"key\":\"a\",\"value\":{\"stringValue\":\"1\"}}",
        "{\"key\":\"b\",\"value\":{\"intValue\":3}},{\"key\":\"a\",\"value\":{\"stringValue\":\"1\"}}",
        "{\"key\":\"a\",\"value\":{\"stringValue\":\"1b\"}},{\"key\":\"\",\"value\":{\"intValue\":2}}"};
    struct points points[4];
    char body[1024];
    for (size_t i = 0; i < 4; i++) {
        snprintf(body, sizeof body,
                 METRIC("\"name\":\"a\",\"sum\":{\"dataPoints\":[{\"asInt\":1,\"attributes\":[%s]}]}"),
                 attributes[i]);
        cr_assert_eq(read_points(false, body, strlen(body), &points[i]), STATUS_OK);
    }
    size_t size = sizeof points[0].point[0].identity;
    cr_assert_eq(memcmp(points[0].point[0].identity, points[1].point[0].identity, size), 0);
    cr_assert_neq(memcmp(points[0].point[0].identity, points[2].point[0].identity, size), 0);
    cr_assert_neq(memcmp(points[0].point[0].identity, points[3].point[0].identity, size), 0);
}

static enum status take_record(void *context, const struct otlp_origin *origin,
                               const struct otlp_record *record)
{
    (void)origin;
    *(struct otlp_record *)context = *record;
    return STATUS_OK;
}

Test(sources_otlp, a_record_is_the_same_in_both_encodings)
{
    struct fault fault;
    struct otlp_record records[2];
    struct text record = fresh(), scope = fresh(), logs = fresh(), request = fresh(), any;
    put_fixed(&record, 1, 5);
    put_number(&record, 2, 9);
    any = any_text("a secret");
    put_message(&record, 5, &any);
    any = any_text("Tool_Error");
    put_attribute(&record, 6, "gen_ai.evaluation.name", &any);
    any = any_text("Failed");
    put_attribute(&record, 6, "gen_ai.evaluation.score.label", &any);
    put_bytes(&record, 9, "0123456789abcdef", 16);
    put_bytes(&record, 10, "01234567", 8);
    put_fixed(&record, 11, 6);
    put_bytes(&record, 12, "some.event", 10);
    put_message(&scope, 2, &record);
    put_message(&logs, 2, &scope);
    put_message(&request, 1, &logs);
    static const char json[] =
        "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"5\",\"severityNumber\":9,"
        "\"body\":{\"stringValue\":\"a "
        "secret\"},\"attributes\":[{\"key\":\"gen_ai.evaluation.name\",\"value\":{"
        "\"stringValue\":\"Tool_Error\"}},{\"key\":\"gen_ai.evaluation.score.label\",\"value\":{"
        "\"stringValue\":"
        "\"Failed\"}}],\"observedTimeUnixNano\":\"6\",\"eventName\":\"some.event\"," IDS "\"flags\":1}]}]}]}";
    cr_assert_eq(
        otlp_read_records(true, request.data, request.length, &names, take_record, &records[0], &fault),
        STATUS_OK);
    cr_assert_eq(otlp_read_records(false, json, strlen(json), &names, take_record, &records[1], &fault),
                 STATUS_OK);
    for (size_t i = 0; i < 2; i++) {
        cr_assert(records[i].time_ns == 5 && records[i].observed_ns == 6 && records[i].identified);
        cr_assert_str_eq(records[i].event, "some.event");
        cr_assert(records[i].facts.evaluation == SLI_TOOL_ERROR &&
                  records[i].facts.label == GENAI_LABEL_FAIL);
    }
    cr_assert_arr_eq(records[0].identity, records[1].identity, sizeof records[0].identity);
    text_free(&request);
}
