/* Tests of reading Prometheus' answers: honest, odd and hostile ones. */
#include "base/clock.h"
#include "base/text.h"
#include "sources/prometheus_parse.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct prometheus_question question = {
    .selector = "req_total{a=\"b\"}", .service_label = "", .release_label = "release"};
static struct source_want want = {.service = "chat", .stable = "r1", .canary = "r2"};
static struct prometheus_vector vector;
static struct prometheus_answer answer;
static struct fault fault;

static void tear_down(void)
{
    prometheus_vector_free(&vector);
    prometheus_answer_free(&answer);
}

TestSuite(prometheus_parse, .timeout = 60, .fini = tear_down);

/* Reads an answer, and from it what one rollout looks at. */
static enum status parse_text(const char *body, size_t length)
{
    tear_down();
    fault = (struct fault){0};
    enum status status = prometheus_parse(body, length, &question, &vector, &fault);
    if (status == STATUS_OK)
        status = prometheus_select(&vector, &want, &answer, &fault);
    else
        cr_expect(vector.sample == NULL && vector.count == 0);
    if (status != STATUS_OK) {
        cr_expect_null(answer.series);
        cr_expect_eq(answer.count, 0);
        cr_expect_neq(fault.detail[0], '\0');
        if (status != STATUS_NO_MEMORY)
            cr_expect_neq(fault.next_step[0], '\0', "%s", fault.detail);
    }
    return status;
}

static enum status parse(const char *body)
{
    return parse_text(body, strlen(body));
}

#define VECTOR(series)        "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[" series "]}}"
#define SERIES(labels, value) "{\"metric\":{" labels "},\"value\":[1795440891.212,\"" value "\"]}"
#define R1                    "\"__name__\":\"req_total\",\"release\":\"r1\",\"instance\":\"a:1\",\"job\":\"j\""
#define R2                    "\"__name__\":\"req_total\",\"release\":\"r2\",\"instance\":\"a:1\",\"job\":\"j\""

Test(prometheus_parse, reads_series_of_both_releases)
{
    cr_assert_eq(parse(VECTOR(SERIES(R1, "12") "," SERIES(R2, "9007199254740992") "," SERIES(
                     "\"release\":\"other\"", "3"))),
                 STATUS_OK, "%s", fault.detail);
    cr_assert_eq(answer.count, 2);
    cr_assert_not(answer.warned);
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(answer.series[i].value,
                     answer.series[i].arm == ARM_STABLE ? 12 : INT64_C(9007199254740992));
        cr_assert_eq(strlen(answer.series[i].key), PROMETHEUS_KEY - 1);
        cr_assert_eq(strlen(answer.series[i].target), PROMETHEUS_TARGET - 1);
    }
    cr_assert_neq(answer.series[0].arm, answer.series[1].arm);
    cr_assert_str_neq(answer.series[0].key, answer.series[1].key);
    cr_assert_str_neq(answer.series[0].target, answer.series[1].target);
}

Test(prometheus_parse, a_series_keeps_its_key_whatever_the_order_of_labels)
{
    char key[PROMETHEUS_KEY], target[PROMETHEUS_TARGET];
    cr_assert_eq(parse(VECTOR(SERIES("\"a\":\"1\",\"instance\":\"x\",\"release\":\"r2\"", "1"))), STATUS_OK);
    memcpy(key, answer.series[0].key, sizeof key);
    memcpy(target, answer.series[0].target, sizeof target);
    cr_assert_eq(parse(VECTOR(SERIES("\"release\":\"r2\",\"instance\":\"x\",\"a\":\"1\"", "2"))), STATUS_OK);
    cr_assert_str_eq(answer.series[0].key, key);
    cr_assert_eq(parse(VECTOR(SERIES("\"release\":\"r2\",\"instance\":\"x\",\"a\":\"2\"", "2"))), STATUS_OK);
    cr_assert_str_neq(answer.series[0].key, key);
    cr_assert_str_eq(answer.series[0].target, target);
}

Test(prometheus_parse, an_empty_vector_is_an_answer)
{
    cr_assert_eq(parse(VECTOR("")), STATUS_OK);
    cr_assert_eq(answer.count, 0);
    cr_assert_eq(parse(VECTOR(SERIES("\"release\":\"r9\"", "1"))), STATUS_OK);
    cr_assert_eq(answer.count, 0);
}

Test(prometheus_parse, without_a_stable_release_only_the_canary_is_read)
{
    want.stable = NULL;
    cr_assert_eq(parse(VECTOR(SERIES(R1, "12") "," SERIES(R2, "5"))), STATUS_OK);
    cr_assert_eq(answer.count, 1);
    cr_assert_eq(answer.series[0].arm, ARM_CANARY);
}

Test(prometheus_parse, warnings_are_seen_and_infos_are_not)
{
    cr_assert_eq(parse("{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]},"
                       "\"warnings\":[\"remote read failed\"]}"),
                 STATUS_OK);
    cr_assert(answer.warned);
    cr_assert_str_eq(vector.warning, "remote read failed");
    cr_assert_eq(parse("{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]},"
                       "\"warnings\":[],\"infos\":[\"metric might not be a counter\"]}"),
                 STATUS_OK);
    cr_assert_not(answer.warned);
    cr_assert_eq(parse("{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]},"
                       "\"warnings\":\"odd\"}"),
                 STATUS_OK);
    cr_assert(answer.warned);
}

Test(prometheus_parse, values_that_are_no_counts_name_the_series)
{
    static const char *const values[] = {
        "NaN", "+Inf", "-Inf",  "-1",  "0.5",   "1e308", "1e999", "9007199254740994", "0x10", "", " 1", "1 ",
        "nan", "inf",  "1,000", "12a", "-0.01", ".",     "e",     "1\\u0000"};
    char body[600];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(body, sizeof body, VECTOR(SERIES(R2, "%s")), values[i]);
        cr_expect_eq(parse(body), STATUS_PEER, "%s", values[i]);
        cr_expect_not_null(strstr(fault.detail, "\"release\":\"r2\""), "%s", fault.detail);
    }
    static const char *const good[] = {"0", "5", "5.0000001", "-0", "1e3", "+7"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(body, sizeof body, VECTOR(SERIES(R2, "%s")), good[i]);
        cr_expect_eq(parse(body), STATUS_OK, "%s", good[i]);
    }
}

Test(prometheus_parse, another_release_may_be_odd)
{
    cr_assert_eq(parse(VECTOR(SERIES("\"release\":\"r7\"", "NaN") "," SERIES(R1, "3"))), STATUS_OK);
    cr_assert_eq(answer.count, 1);
}

/* One answer serves every service: each sees its own series, and only its own oddities. */
Test(prometheus_parse, a_label_tells_services_apart)
{
    const char *body =
        VECTOR(SERIES("\"svc\":\"a\",\"release\":\"r1\"", "10") "," SERIES(
            "\"svc\":\"b\",\"release\":\"r1\"",
            "NaN") "," SERIES("\"svc\":\"a\",\"release\":\"r2\"",
                              "1") "," SERIES("\"release\":\"r1\"",
                                              "7") "," SERIES("\"svc\":\"ab\",\"release\":\"r1\"",
                                                              "30") "," SERIES("\"svc\":\"a\",\"release\":"
                                                                               "\"r1\",\"pod\":\"2\"",
                                                                               "20"));
    static const struct {
        const char *service;
        size_t count;
        int64_t stable;
    } cases[] = {{"a", 3, 30}, {"ab", 1, 30}, {"c", 0, 0}, {"", 0, 0}};
    question.service_label = "svc";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t stable = 0;
        want.service = cases[i].service;
        cr_assert_eq(parse(body), STATUS_OK, "%s", fault.detail);
        cr_expect_eq(answer.count, cases[i].count, "%s: %zu", cases[i].service, answer.count);
        for (size_t at = 0; at < answer.count; at++)
            stable += answer.series[at].arm == ARM_STABLE ? answer.series[at].value : 0;
        cr_expect_eq(stable, cases[i].stable, "%s", cases[i].service);
    }
    want.service = "b";
    cr_assert_eq(parse(body), STATUS_PEER);
    cr_assert_not_null(strstr(fault.detail, "\"svc\":\"b\""), "%s", fault.detail);
    question.service_label = "team";
    cr_assert_eq(parse(body), STATUS_PEER);
    cr_assert_not_null(strstr(fault.next_step, "service_label"), "%s", fault.next_step);
}

Test(prometheus_parse, refuses_what_is_not_a_vector_of_counters)
{
    static const char *const bodies[] = {
        "",
        "null",
        "[]",
        "\"x\"",
        "{}",
        "<html>gateway timeout</html>",
        "{\"status\":\"success\"}",
        "{\"status\":\"success\",\"data\":null}",
        "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"2\"]}}",
        "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}",
        "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":{}}}",
        "{\"status\":\"odd\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}",
        "{\"status\":1,\"data\":{\"resultType\":\"vector\",\"result\":[]}}",
        "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}} trailing",
        VECTOR("1"),
        VECTOR("null"),
        VECTOR("{}"),
        VECTOR("{\"metric\":[],\"value\":[1,\"2\"]}"),
        VECTOR("{\"metric\":{\"release\":1},\"value\":[1,\"2\"]}"),
        VECTOR("{\"metric\":{\"release\":null},\"value\":[1,\"2\"]}"),
        VECTOR("{\"metric\":{\"release\":\"r1\\u0000\"},\"value\":[1,\"2\"]}"),
        VECTOR("{\"metric\":{\"release\":\"r1\"}}"),
        VECTOR("{\"metric\":{\"release\":\"r1\"},\"value\":\"2\"}"),
        VECTOR("{\"metric\":{\"release\":\"r1\"},\"value\":[1]}"),
        VECTOR("{\"metric\":{\"release\":\"r1\"},\"value\":[1,2]}"),
        VECTOR("{\"metric\":{\"release\":\"r1\"},\"value\":[1,\"2\",3]}"),
        VECTOR("{\"metric\":{\"release\":\"r1\",\"release\":\"r2\"},\"value\":[1,\"2\"]}"),
        VECTOR(SERIES(R1, "1") "," SERIES(R1, "2")),
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        cr_expect_eq(parse(bodies[i]), STATUS_PEER, "%s", bodies[i]);
}

Test(prometheus_parse, a_native_histogram_is_named)
{
    cr_assert_eq(
        parse(VECTOR("{\"metric\":{\"release\":\"r1\"},\"histogram\":[1,{\"count\":\"5\",\"sum\":\"2\"}]}")),
        STATUS_PEER);
    cr_assert_not_null(strstr(fault.detail, "histogram"));
}

Test(prometheus_parse, errors_are_passed_on)
{
    const char *body =
        "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse error: unexpected {\"}";
    char words[100];
    cr_assert_eq(parse(body), STATUS_PEER);
    cr_assert_not_null(strstr(fault.detail, "bad_data: parse error"));
    cr_assert(prometheus_parse_error(body, strlen(body), words, sizeof words));
    cr_assert_str_eq(words, "bad_data: parse error: unexpected {");
    cr_assert_not(prometheus_parse_error("{}", 2, words, sizeof words));
    cr_assert_not(prometheus_parse_error("no", 2, words, sizeof words));
}

Test(prometheus_parse, counters_without_the_release_label_are_a_fault)
{
    cr_assert_eq(parse(VECTOR(SERIES("\"version\":\"r1\"", "1"))), STATUS_PEER);
    cr_assert_not_null(strstr(fault.next_step, "release_label"));
}

static void put_series(struct text *body, size_t count)
{
    text_puts(body, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[");
    for (size_t i = 0; i < count; i++)
        text_printf(body, "%s{\"metric\":{\"release\":\"r1\",\"i\":\"%zu\"},\"value\":[1,\"%zu\"]}",
                    i == 0 ? "" : ",", i, i);
    text_puts(body, "]}}");
}

Test(prometheus_parse, ten_thousand_series_and_no_more)
{
    struct text body;
    text_init(&body, SOURCE_BODY_MAX);
    put_series(&body, PROMETHEUS_SERIES_MAX);
    cr_assert_eq(parse_text(text_get(&body), body.length), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(answer.count, PROMETHEUS_SERIES_MAX);
    for (size_t i = 1; i < answer.count; i++)
        cr_assert(strcmp(answer.series[i - 1].key, answer.series[i].key) < 0);
    text_clear(&body);
    put_series(&body, PROMETHEUS_SERIES_MAX + 1);
    cr_assert_eq(parse_text(text_get(&body), body.length), STATUS_PEER);
    cr_assert_not_null(strstr(fault.detail, "10001 series"), "%s", fault.detail);
    text_free(&body);
}

/* 8 MiB of one character must not become a gigabyte. */
Test(prometheus_parse, a_wall_of_brackets_costs_nothing)
{
    static const char *const parts[] = {"[", "{", "[],", "1,", "\"", "\\", "{\"a\":[]},"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct mono_time begun = clock_mono();
        struct text body;
        text_init(&body, SOURCE_BODY_MAX);
        text_puts(&body, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[");
        while (body.length + strlen(parts[i]) <= body.maximum)
            text_puts(&body, parts[i]);
        cr_expect_eq(parse_text(text_get(&body), body.length), STATUS_PEER, "%s", parts[i]);
        cr_expect(clock_mono_since_ms(begun) < 10000, "%s", parts[i]);
        text_free(&body);
    }
}
