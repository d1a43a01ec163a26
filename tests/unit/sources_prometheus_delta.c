/* Tests of differences of counters: what counts, what is a baseline, what is dropped. */
#include "base/json.h"
#include "base/text.h"
#include "sources/prometheus_cursor.h"
#include "sources/prometheus_delta.h"
#include "sources/prometheus_parse.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A scripted Prometheus: what each counter shows at the moment. */
struct shown {
    char metric[16], release[8], instance[8];
    double value;
    bool there;
};

static struct shown shown[32];
static size_t shown_count;
static struct text cursor;
static struct source_tick tick;
static struct fault fault;
static bool warn_bad;
static const char *asked = "selectors";

static void set_up(void)
{
    text_init(&cursor, SOURCE_CURSOR_MAX);
}

static void tear_down(void)
{
    text_free(&cursor);
}

TestSuite(prometheus_delta, .timeout = 30, .init = set_up, .fini = tear_down);

static struct shown *counter(const char *metric, const char *release, const char *instance)
{
    for (size_t i = 0; i < shown_count; i++)
        if (strcmp(shown[i].metric, metric) == 0 && strcmp(shown[i].release, release) == 0 &&
            strcmp(shown[i].instance, instance) == 0)
            return &shown[i];
    cr_assert(shown_count < sizeof shown / sizeof *shown);
    struct shown *made = &shown[shown_count++];
    snprintf(made->metric, sizeof made->metric, "%s", metric);
    snprintf(made->release, sizeof made->release, "%s", release);
    snprintf(made->instance, sizeof made->instance, "%s", instance);
    return made;
}

static void show(const char *metric, const char *release, const char *instance, double value)
{
    struct shown *made = counter(metric, release, instance);
    made->value = value;
    made->there = true;
}

static void hide(const char *metric, const char *release, const char *instance)
{
    counter(metric, release, instance)->there = false;
}

static void hide_all(void)
{
    for (size_t i = 0; i < shown_count; i++)
        shown[i].there = false;
}

static void answer_of(const char *metric, bool warned, struct prometheus_answer *out)
{
    struct text body;
    bool first = true;
    text_init(&body, 1 << 20);
    text_puts(&body, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[");
    for (size_t i = 0; i < shown_count; i++) {
        if (!shown[i].there || strcmp(shown[i].metric, metric) != 0)
            continue;
        text_printf(&body,
                    "%s{\"metric\":{\"__name__\":\"%s\",\"release\":\"%s\",\"instance\":\"%s\"},\"value\":[1,"
                    "\"%.0f\"]}",
                    first ? "" : ",", shown[i].metric, shown[i].release, shown[i].instance, shown[i].value);
        first = false;
    }
    text_printf(&body, "]}%s}", warned ? ",\"warnings\":[\"w\"]" : "");
    struct prometheus_question question = {
        .selector = metric, .service_label = "", .release_label = "release"};
    struct source_want want = {.service = "chat", .stable = "r1", .canary = "r2"};
    struct prometheus_vector vector;
    cr_assert_eq(prometheus_parse(text_get(&body), body.length, &question, &vector, &fault), STATUS_OK, "%s",
                 fault.detail);
    cr_assert_eq(prometheus_select(&vector, &want, out, &fault), STATUS_OK, "%s", fault.detail);
    prometheus_vector_free(&vector);
    text_free(&body);
}

static enum status read_at(double at_s)
{
    struct prometheus_answer requests, bad, slow;
    struct text next;
    text_init(&next, cursor.maximum);
    answer_of("req", false, &requests);
    answer_of("err", warn_bad, &bad);
    answer_of("slow", false, &slow);
    struct prometheus_reading reading = {.at_s = at_s, .asked = asked, .requests = &requests};
    reading.bad[SLI_ERROR] = &bad;
    reading.bad[SLI_LATENCY] = &slow;
    enum status status = prometheus_delta(text_get(&cursor), &reading, &tick, &next, &fault);
    if (status == STATUS_OK) {
        text_free(&cursor);
        cursor = next;
    } else {
        cr_expect_eq(next.length, 0);
        text_free(&next);
    }
    prometheus_answer_free(&requests);
    prometheus_answer_free(&bad);
    prometheus_answer_free(&slow);
    return status;
}

static void expect_counts(enum sli sli, int64_t n_c, int64_t k_c, int64_t n_b, int64_t k_b, const char *when)
{
    const struct counts *counts = &tick.counts[sli];
    cr_expect(tick.has[sli], "%s: has", when);
    cr_expect(counts->n_c == n_c && counts->k_c == k_c && counts->n_b == n_b && counts->k_b == k_b,
              "%s: n_c %lld k_c %lld n_b %lld k_b %lld", when, (long long)counts->n_c, (long long)counts->k_c,
              (long long)counts->n_b, (long long)counts->k_b);
}

/* Both releases have been running; the canary has an error. */
static void baseline(void)
{
    show("req", "r1", "a", 1000);
    show("req", "r2", "b", 50);
    show("err", "r1", "a", 20);
    show("err", "r2", "b", 1);
    show("slow", "r1", "a", 7);
    cr_assert_eq(read_at(1000), STATUS_OK);
}

Test(prometheus_delta, the_first_read_is_a_baseline)
{
    baseline();
    cr_assert(tick.first);
    cr_assert_not(tick.valid);
    for (int i = 0; i < SLI_COUNT; i++)
        cr_assert_not(tick.has[i]);
    cr_assert_eq(tick.from_s, tick.to_s);
    show("req", "r1", "a", 1900);
    show("req", "r2", "b", 150);
    show("err", "r1", "a", 30);
    show("err", "r2", "b", 4);
    cr_assert_eq(read_at(1015), STATUS_OK);
    cr_assert(tick.valid && !tick.first && !tick.warned);
    cr_assert_float_eq(tick.from_s, 1000, 1e-9);
    cr_assert_float_eq(tick.to_s, 1015, 1e-9);
    expect_counts(SLI_ERROR, 100, 3, 900, 10, "second read");
    expect_counts(SLI_LATENCY, 100, 0, 900, 0, "second read");
    cr_assert_not(tick.has[SLI_REFUSAL]);
    cr_assert_not(tick.absent[SLI_ERROR]);
    cr_assert_eq(read_at(1030), STATUS_OK);
    expect_counts(SLI_ERROR, 0, 0, 0, 0, "nothing happened");
}

Test(prometheus_delta, an_unreadable_or_foreign_cursor_is_none)
{
    static const char *const cursors[] = {
        "",          "{}",
        "null",      "[]",
        "{\"v\":1}", "{\"v\":2}",
        "not json",  "{\"v\":1,\"asked\":\"00\",\"at\":1,\"watched\":[0,0],\"series\":{}}"};
    baseline();
    for (size_t i = 0; i < sizeof cursors / sizeof *cursors; i++) {
        text_clear(&cursor);
        text_puts(&cursor, cursors[i]);
        cr_assert_eq(read_at(1015), STATUS_OK);
        cr_expect(tick.first, "%s", cursors[i]);
    }
    asked = "other selectors";
    cr_assert_eq(read_at(1030), STATUS_OK);
    cr_assert(tick.first);
    cr_assert_eq(read_at(1045), STATUS_OK);
    cr_assert(tick.valid);
}

Test(prometheus_delta, a_reset_of_requests_drops_the_tick)
{
    baseline();
    show("req", "r2", "b", 3);
    show("req", "r1", "a", 1100);
    cr_assert_eq(read_at(1015), STATUS_OK);
    cr_assert_not(tick.valid);
    cr_assert_not(tick.has[SLI_ERROR] || tick.has[SLI_LATENCY]);
    cr_assert_eq(tick.resets, 1);
    show("req", "r2", "b", 13);
    show("req", "r1", "a", 1200);
    cr_assert_eq(read_at(1030), STATUS_OK);
    cr_assert(tick.valid);
    expect_counts(SLI_ERROR, 10, 0, 100, 0, "goes on from the new value");
}

Test(prometheus_delta, a_reset_of_a_bad_counter_drops_its_sli_only)
{
    baseline();
    show("err", "r1", "a", 2);
    show("slow", "r1", "a", 9);
    show("req", "r1", "a", 1100);
    cr_assert_eq(read_at(1015), STATUS_OK);
    cr_assert(tick.valid);
    cr_assert_not(tick.has[SLI_ERROR]);
    expect_counts(SLI_LATENCY, 0, 0, 100, 2, "the other SLI");
    show("err", "r1", "a", 5);
    show("req", "r1", "a", 1200);
    cr_assert_eq(read_at(1030), STATUS_OK);
    expect_counts(SLI_ERROR, 0, 0, 100, 3, "goes on");
}

Test(prometheus_delta, a_new_instance_and_a_first_error_count_from_zero)
{
    baseline();
    show("req", "r2", "c", 40);
    show("err", "r2", "c", 2);
    show("slow", "r2", "b", 1);
    show("req", "r2", "b", 60);
    cr_assert_eq(read_at(1015), STATUS_OK);
    expect_counts(SLI_ERROR, 50, 2, 0, 0, "new instance");
    expect_counts(SLI_LATENCY, 50, 1, 0, 0, "first slow one");
}

Test(prometheus_delta, the_first_series_of_a_release_is_a_baseline)
{
    show("req", "r1", "a", 1000);
    cr_assert_eq(read_at(1000), STATUS_OK);
    show("req", "r2", "b", 500000);
    show("err", "r2", "b", 400000);
    cr_assert_eq(read_at(1015), STATUS_OK);
    expect_counts(SLI_ERROR, 0, 0, 0, 0, "it may have run for long");
    show("req", "r2", "b", 500010);
    show("err", "r2", "b", 400001);
    cr_assert_eq(read_at(1030), STATUS_OK);
    expect_counts(SLI_ERROR, 10, 1, 0, 0, "now it is known");
}

Test(prometheus_delta, a_new_series_after_a_long_pause_is_a_baseline)
{
    baseline();
    show("req", "r1", "a", 2000);
    show("req", "r2", "c", 70);
    cr_assert_eq(read_at(1000 + DELTA_KNOWN_S + 1), STATUS_OK);
    expect_counts(SLI_ERROR, 0, 0, 1000, 0, "known series count on, new ones do not");
    show("req", "r2", "d", 70);
    cr_assert_eq(read_at(1000 + 2 * DELTA_KNOWN_S + 1), STATUS_OK);
    expect_counts(SLI_ERROR, 70, 0, 0, 0, "exactly five minutes ago is known");
}

Test(prometheus_delta, an_absent_bad_series_is_zero_only_while_requests_are_there)
{
    show("req", "r1", "a", 10);
    show("req", "r2", "b", 10);
    cr_assert_eq(read_at(1000), STATUS_OK);
    show("req", "r1", "a", 20);
    show("req", "r2", "b", 15);
    cr_assert_eq(read_at(1015), STATUS_OK);
    expect_counts(SLI_ERROR, 5, 0, 10, 0, "no error yet");
    cr_assert(tick.absent[SLI_ERROR]);
    hide_all();
    cr_assert_eq(read_at(1030), STATUS_OK);
    cr_assert_not(tick.has[SLI_ERROR]);
    cr_assert_not(tick.absent[SLI_ERROR]);
    show("req", "r1", "a", 30);
    cr_assert_eq(read_at(1045), STATUS_OK);
    expect_counts(SLI_ERROR, 0, 0, 10, 0, "one arm is back");
}

/* The cursor's "unseen", for people: a counter that was seen once has the right name, wherever it is now. */
Test(prometheus_delta, a_counter_is_unseen_until_one_of_its_series_was_there)
{
    show("req", "r1", "a", 10);
    show("req", "r2", "b", 10);
    cr_assert_eq(read_at(1000), STATUS_OK);
    cr_expect_not_null(strstr(text_get(&cursor), "\"unseen\":[\"error\",\"latency\"]"), "%s",
                       text_get(&cursor));
    show("req", "r1", "a", 20);
    show("err", "r1", "a", 1);
    cr_assert_eq(read_at(1015), STATUS_OK);
    cr_expect_not_null(strstr(text_get(&cursor), "\"unseen\":[\"latency\"]"), "%s", text_get(&cursor));
    cr_expect(!tick.absent[SLI_ERROR] && tick.absent[SLI_LATENCY]);
    hide("err", "r1", "a"); /* the process began anew: its series is forgotten, and the name is not wrong */
    for (int at = 1030; at <= 1075; at += 15) {
        show("req", "r1", "a", at);
        cr_assert_eq(read_at(at), STATUS_OK);
        cr_expect_not_null(strstr(text_get(&cursor), "\"unseen\":[\"latency\"]"), "%s", text_get(&cursor));
        cr_expect_not(tick.absent[SLI_ERROR]);
    }
    cr_expect_null(strstr(text_get(&cursor), "\"error\":[["));
}

Test(prometheus_delta, a_cursor_from_before_unseen_was_kept_is_read)
{
    baseline();
    char *list = strstr(text_get(&cursor), ",\"unseen\":[]");
    cr_assert_not_null(list, "%s", text_get(&cursor));
    memmove(list, list + 12, strlen(list + 12) + 1);
    cursor.length -= 12;
    hide("err", "r1", "a");
    hide("err", "r2", "b");
    show("req", "r1", "a", 1900);
    cr_assert_eq(read_at(1015), STATUS_OK);
    cr_expect(!tick.first, "it is a cursor");
    cr_expect_not_null(strstr(text_get(&cursor), "\"unseen\":[]"), "%s", text_get(&cursor));
}

Test(prometheus_delta, a_target_that_comes_back_counts_on)
{
    baseline();
    hide("req", "r2", "b");
    hide("err", "r2", "b");
    show("req", "r1", "a", 1010);
    cr_assert_eq(read_at(1015), STATUS_OK);
    expect_counts(SLI_ERROR, 0, 0, 10, 0, "the canary cannot be reached");
    show("req", "r2", "b", 90);
    show("err", "r2", "b", 5);
    cr_assert_eq(read_at(1030), STATUS_OK);
    expect_counts(SLI_ERROR, 40, 4, 0, 0, "what it did meanwhile");
    hide("req", "r2", "b");
    hide("err", "r2", "b");
    cr_assert_eq(read_at(1045), STATUS_OK);
    for (double at_s = 1060; at_s <= 1045 + DELTA_KNOWN_S; at_s += 15)
        cr_assert_eq(read_at(at_s), STATUS_OK);
    show("req", "r2", "b", 5000);
    show("err", "r2", "b", 4000);
    cr_assert_eq(read_at(1060 + DELTA_KNOWN_S), STATUS_OK);
    expect_counts(SLI_ERROR, 0, 0, 0, 0, "away for too long: a baseline");
}

Test(prometheus_delta, a_target_that_comes_back_begun_anew_is_a_reset)
{
    baseline();
    hide("req", "r2", "b");
    hide("err", "r2", "b");
    cr_assert_eq(read_at(1015), STATUS_OK);
    show("req", "r2", "b", 5);
    cr_assert_eq(read_at(1030), STATUS_OK);
    cr_assert_not(tick.valid);
}

/* A process that began anew has no error series; once it has counted as many errors as before, no value
 * falls. */
Test(prometheus_delta, errors_after_a_restart_are_not_lost)
{
    baseline(); /* the canary has 1 error */
    show("req", "r2", "b", 5);
    hide("err", "r2", "b");
    cr_assert_eq(read_at(1015), STATUS_OK);
    cr_assert_not(tick.valid);
    show("req", "r2", "b", 15);
    cr_assert_eq(read_at(1030), STATUS_OK);
    expect_counts(SLI_ERROR, 10, 0, 0, 0, "no error since");
    show("req", "r2", "b", 25);
    show("err", "r2", "b", 1);
    cr_assert_eq(read_at(1045), STATUS_OK);
    expect_counts(SLI_ERROR, 10, 1, 0, 0, "the first error of the new process");
}

Test(prometheus_delta, a_restart_that_no_value_shows_is_seen_by_the_lost_series)
{
    baseline();
    show("req", "r2", "b", 60);
    hide("err", "r2", "b");
    cr_assert_eq(read_at(1015), STATUS_OK);
    cr_assert(tick.valid);
    cr_assert_not(tick.has[SLI_ERROR]);
    expect_counts(SLI_LATENCY, 10, 0, 0, 0, "not concerned");
    show("req", "r2", "b", 70);
    show("err", "r2", "b", 1);
    cr_assert_eq(read_at(1030), STATUS_OK);
    cr_assert_not(tick.has[SLI_ERROR]); /* new or back? not known: dropped */
    show("err", "r2", "b", 2);
    show("req", "r2", "b", 80);
    cr_assert_eq(read_at(1045), STATUS_OK);
    expect_counts(SLI_ERROR, 10, 1, 0, 0, "known again");
}

Test(prometheus_delta, more_bad_than_all_is_dropped_and_counted)
{
    baseline();
    show("req", "r1", "a", 1100);
    show("req", "r2", "b", 52);
    show("err", "r2", "b", 4);
    cr_assert_eq(read_at(1015), STATUS_OK);
    cr_assert(tick.valid);
    cr_assert_not(tick.has[SLI_ERROR]);
    cr_assert_eq(tick.impossible, 1);
    expect_counts(SLI_LATENCY, 2, 0, 100, 0, "the other SLI");
    show("req", "r2", "b", 62);
    cr_assert_eq(read_at(1030), STATUS_OK);
    expect_counts(SLI_ERROR, 10, 0, 0, 0, "the cursor has moved");
}

Test(prometheus_delta, a_warning_moves_nothing)
{
    baseline();
    char *before = strdup(text_get(&cursor));
    warn_bad = true;
    show("req", "r1", "a", 1100);
    cr_assert_eq(read_at(1015), STATUS_OK);
    cr_assert(tick.warned && !tick.valid);
    cr_assert_str_eq(text_get(&cursor), before);
    warn_bad = false;
    cr_assert_eq(read_at(1030), STATUS_OK);
    expect_counts(SLI_ERROR, 0, 0, 100, 0, "counted at last");
    cr_assert_float_eq(tick.from_s, 1000, 1e-9);
    free(before);
}

Test(prometheus_delta, a_warned_first_read_leaves_no_cursor)
{
    warn_bad = true;
    baseline();
    cr_assert(tick.warned);
    cr_assert_str_eq(text_get(&cursor), "{}");
    warn_bad = false;
    cr_assert_eq(read_at(1015), STATUS_OK);
    cr_assert(tick.first);
}

Test(prometheus_delta, time_that_does_not_pass)
{
    baseline();
    char *before = strdup(text_get(&cursor));
    show("req", "r1", "a", 1100);
    cr_assert_eq(read_at(1000), STATUS_OK);
    cr_assert_not(tick.valid || tick.first);
    cr_assert_str_eq(text_get(&cursor), before);
    cr_assert_eq(read_at(990), STATUS_OK);
    cr_assert_not(tick.valid);
    cr_assert(tick.to_s >= tick.from_s);
    cr_assert_str_eq(text_get(&cursor), before);
    cr_assert_eq(read_at(1000 - DELTA_KNOWN_S - 1), STATUS_OK);
    cr_assert(tick.first); /* the clock was set back */
    free(before);
}

Test(prometheus_delta, vanished_series_are_forgotten_after_an_hour)
{
    baseline();
    hide("req", "r2", "b");
    hide("err", "r2", "b");
    cr_assert_eq(read_at(1000 + DELTA_FORGET_S), STATUS_OK);
    struct cursor read;
    cr_assert(cursor_read(text_get(&cursor), asked, &read));
    cr_assert_eq(read.slot[CURSOR_REQUESTS].count, 2);
    cr_assert_eq(read.slot[SLI_ERROR].count, 2);
    cursor_free(&read);
    cr_assert_eq(read_at(1001 + DELTA_FORGET_S), STATUS_OK);
    cr_assert(cursor_read(text_get(&cursor), asked, &read));
    cr_assert_eq(read.slot[CURSOR_REQUESTS].count, 1);
    cr_assert_eq(read.slot[SLI_ERROR].count, 1);
    cursor_free(&read);
}

Test(prometheus_delta, a_sum_beyond_every_count_is_a_fault)
{
    baseline();
    show("req", "r2", "c", 9007199254740992.0);
    show("req", "r2", "d", 9007199254740992.0);
    cr_assert_eq(read_at(1015), STATUS_PEER);
    cr_assert_neq(fault.next_step[0], '\0');
    hide("req", "r2", "c");
    hide("req", "r2", "d");
    cr_assert_eq(read_at(1030), STATUS_OK);
    cr_assert(tick.valid);
}

/* As Postgres prints jsonb: with spaces, and numbers without a fraction of zero. */
Test(prometheus_delta, a_cursor_survives_jsonb)
{
    struct cursor read, written = {.at_s = 1000, .watched_s = {1000, 0}};
    struct cursor_series series = {.last = {.key = "0123456789abcdef0123456789abcdef",
                                            .target = "0123456789abcdef",
                                            .arm = ARM_CANARY,
                                            .value = INT64_C(1) << 53},
                                   .seen_s = 999.5,
                                   .missed = true};
    struct json_object *root = NULL;
    cr_assert(cursor_add(&written.slot[SLI_ERROR], &series));
    cursor_write(&written, asked, &cursor);
    cr_assert_eq(json_parse(text_get(&cursor), cursor.length, &root, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(json_object_object_add(root, "at", json_object_new_int64(1000)), 0);
    cr_assert(cursor_read(json_object_to_json_string_ext(root, JSON_C_TO_STRING_SPACED), asked, &read));
    cr_assert_eq(read.slot[SLI_ERROR].count, 1);
    cr_assert_str_eq(read.slot[SLI_ERROR].series[0].last.key, series.last.key);
    cr_assert_eq(read.slot[SLI_ERROR].series[0].last.value, INT64_C(1) << 53);
    cr_assert(read.slot[SLI_ERROR].series[0].missed);
    cr_assert_float_eq(read.slot[SLI_ERROR].series[0].seen_s, 999.5, 1e-9);
    cr_assert_float_eq(read.at_s, 1000, 1e-9);
    json_object_put(root);
    cursor_free(&read);
    cursor_free(&written);
}
