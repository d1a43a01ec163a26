#include "base/meter.h"

#include "base/lane.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *shown(void)
{
    struct text out;
    text_init(&out, 1 << 20);
    meter_write(&out, NULL, NULL);
    return text_take(&out);
}

static void shows(const char *line)
{
    char *text = shown();
    cr_assert_not_null(text);
    cr_assert_not_null(strstr(text, line), "no line %s", line);
    free(text);
}

static void shows_not(const char *part)
{
    char *text = shown();
    cr_assert_not_null(text);
    cr_assert_null(strstr(text, part), "there is %s", part);
    free(text);
}

Test(base_meter, each_metric_has_help_and_type_once_also_without_samples)
{
    char *text = shown();
    for (int i = 0; i < METRIC_COUNT; i++) {
        char line[128];
        snprintf(line, sizeof line, "# TYPE %s ", meter_name((enum metric)i));
        const char *first = strstr(text, line);
        cr_assert_not_null(first, "%s", line);
        cr_assert_null(strstr(first + 1, line), "%s twice", line);
    }
    free(text);
}

Test(base_meter, counters_add_and_gauges_are_set)
{
    meter_add(METRIC_DECISIONS_TOTAL, 0, "advance", NULL);
    shows("\nserin_decisions_total{rule=\"advance\"} 0\n");
    meter_add(METRIC_DECISIONS_TOTAL, 1, "advance", NULL);
    meter_add(METRIC_DECISIONS_TOTAL, 1, "advance", NULL);
    shows("\nserin_decisions_total{rule=\"advance\"} 2\n");
    meter_set(METRIC_LEASES, 3, NULL);
    meter_set(METRIC_LEASES, 1.5, NULL);
    shows("\nserin_leases 1.5\n");
}

Test(base_meter, a_histogram_is_cumulative_and_knows_its_sum)
{
    meter_observe(METRIC_SOURCE_READ_SECONDS, 0.001, "prometheus", NULL);
    meter_observe(METRIC_SOURCE_READ_SECONDS, 0.3, "prometheus", NULL);
    meter_observe(METRIC_SOURCE_READ_SECONDS, 99, "prometheus", NULL);
    shows("serin_source_read_seconds_bucket{source=\"prometheus\",le=\"0.001\"} 1\n");
    shows("serin_source_read_seconds_bucket{source=\"prometheus\",le=\"0.25\"} 1\n");
    shows("serin_source_read_seconds_bucket{source=\"prometheus\",le=\"0.5\"} 2\n");
    shows("serin_source_read_seconds_bucket{source=\"prometheus\",le=\"+Inf\"} 3\n");
    shows("serin_source_read_seconds_sum{source=\"prometheus\"} 99.301\n");
    shows("serin_source_read_seconds_count{source=\"prometheus\"} 3\n");
}

Test(base_meter, values_of_labels_are_escaped)
{
    meter_set(METRIC_GATEWAYS_LIVE, 1, "a\"b\\c\nd", NULL);
    shows("\nserin_gateways_live{service=\"a\\\"b\\\\c\\nd\"} 1\n");
}

Test(base_meter, wrong_labels_and_too_many_series_are_dropped_and_counted)
{
    meter_add(METRIC_SOURCE_READS_TOTAL, 1, "prometheus", NULL);
    meter_add(METRIC_SOURCE_READS_TOTAL, 1, "prometheus", "ok", "more", NULL);
    shows("\nserin_metric_series_dropped_total 2\n");
    shows_not("\nserin_source_reads_total{");
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        meter_add(METRIC_SOURCE_READS_TOTAL, 1, name, "ok", NULL);
        meter_add(METRIC_SOURCE_READS_TOTAL, 1, "s0", "ok", NULL); /* what is there goes on */
    }
    shows("\nserin_metric_series_dropped_total 12\n");
    shows("\nserin_source_reads_total{source=\"s0\",result=\"ok\"} 51\n");
    shows("\nserin_source_reads_total{source=\"s39\",result=\"ok\"} 1\n");
    shows_not("source=\"s40\"");
}

Test(base_meter, what_is_not_set_again_is_forgotten)
{
    meter_set_for(METRIC_ROLLOUT_EVIDENCE_RATIO, 0, 0.5, "gone", NULL);
    meter_set_for(METRIC_ROLLOUT_EVIDENCE_RATIO, 3600, 0.25, "here", NULL);
    usleep(1000);
    shows("\nserin_rollout_evidence_ratio{service=\"here\"} 0.25\n");
    shows_not("service=\"gone\"");
}

Test(base_meter, a_published_draft_takes_the_place_of_what_was)
{
    static const enum metric both[] = {METRIC_GATEWAYS_LIVE, METRIC_GATEWAYS_BEHIND};
    struct meter_draft *draft = meter_draft_new();
    meter_set(METRIC_GATEWAYS_SILENT, 7, "kept", NULL);
    meter_draft_set(draft, METRIC_GATEWAYS_LIVE, 2, "a", NULL);
    meter_draft_set(draft, METRIC_GATEWAYS_BEHIND, 1, "a", NULL);
    shows_not("service=\"a\"");
    meter_publish(draft, both, 2);
    shows("\nserin_gateways_live{service=\"a\"} 2\n");
    meter_draft_set(draft, METRIC_GATEWAYS_LIVE, 1, "b", NULL);
    meter_publish(draft, both, 2);
    meter_draft_free(draft);
    shows("\nserin_gateways_live{service=\"b\"} 1\n");
    shows("\nserin_gateways_silent{service=\"kept\"} 7\n");
    shows_not("service=\"a\"");
}

static void collect(void *argument)
{
    meter_set(METRIC_FROZEN, ++*(int *)argument, NULL);
}

Test(base_meter, a_collector_is_asked_each_time_until_it_is_taken_away)
{
    int asked = 0;
    meter_collector(collect, &asked);
    shows("\nserin_frozen 1\n");
    shows("\nserin_frozen 2\n");
    meter_collector(NULL, NULL);
    shows("\nserin_frozen 2\n");
    cr_assert_eq(asked, 2);
}

static void put_own(void *argument, enum metric metric, struct text *out)
{
    (void)argument;
    if (metric == METRIC_BUILD_INFO)
        meter_sample(out, metric, 1, "9.9", NULL);
}

Test(base_meter, own_samples_stand_with_their_metric)
{
    struct text out;
    text_init(&out, 1 << 20);
    meter_write(&out, put_own, NULL);
    cr_assert_not_null(
        strstr(text_get(&out), "# TYPE serin_build_info gauge\nserin_build_info{version=\"9.9\"} 1\n"));
    text_free(&out);
}

Test(base_meter, lanes_show_how_many_jobs_wait)
{
    struct lane *lane = lane_new("mine", 1, 4);
    shows("\nserin_lane_queued{lane=\"mine\"} 0\n");
    lane_stop(lane);
}

Test(base_meter, many_series_are_found_again_also_after_others_were_forgotten)
{
    enum { MANY = 3000 };
    char name[16], line[64];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "s%d", i);
        meter_set_for(METRIC_ROLLOUT_EVIDENCE_RATIO, i % 3 == 0 ? 0 : 3600, 1, name, NULL);
    }
    usleep(1000);
    shows_not("{service=\"s0\"}");
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "s%d", i);
        meter_set_for(METRIC_ROLLOUT_EVIDENCE_RATIO, 3600, i, name, NULL);
    }
    char *text = shown();
    for (int i = 0; i < MANY; i++) {
        snprintf(line, sizeof line, "\nserin_rollout_evidence_ratio{service=\"s%d\"} %d\n", i, i);
        const char *first = strstr(text, line);
        cr_assert_not_null(first, "%s", line);
        snprintf(line, sizeof line, "\nserin_rollout_evidence_ratio{service=\"s%d\"} ", i);
        cr_assert_null(strstr(first + 1, line), "twice: %s", line);
    }
    free(text);
}
