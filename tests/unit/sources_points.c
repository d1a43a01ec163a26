/* What a cumulative point has grown by, and which metrics are counted. */
#include "sources/counts_points.h"
#include "sources/genai_metrics.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

TestSuite(sources_points, .timeout = 20);

#define S INT64_C(1000000000)

/* A point with `count` requests, `slow` of which were over the first threshold, from `start` to `time`. */
static struct counts_point point(int64_t start, int64_t time, int64_t count, int64_t slow)
{
    return (struct counts_point){.cumulative = true,
                                 .start_ns = start * S,
                                 .time_ns = time * S,
                                 .shape = 1,
                                 .value = {count, slow, 0},
                                 .sum = (double)count};
}

static struct series_row row(int64_t start, int64_t time, int64_t count, int64_t slow)
{
    return (struct series_row){.start_ns = start * S,
                               .time_ns = time * S,
                               .shape = 1,
                               .value = {count, slow, 0},
                               .sum = (double)count};
}

/* Requests; -1: none are counted. */
static int64_t grown(const struct counts_point *at, const struct series_row *last, bool known, int64_t heard)
{
    struct counts_growth growth = counts_points_grow(at, last, known, heard * S);
    return growth.counts ? growth.value[0] : -1;
}

Test(sources_points, a_known_series_counts_the_difference)
{
    struct counts_point at = point(1, 1000, 12, 5);
    struct series_row last = row(1, 990, 10, 5);
    struct counts_growth growth = counts_points_grow(&at, &last, false, 990 * S);
    cr_assert(growth.counts && growth.keep && growth.value[0] == 2 && growth.value[1] == 0);
    cr_assert(growth.sum == 2 && growth.interval_ns == 10 * S);
}

Test(sources_points, what_comes_again_or_late_counts_nothing_and_is_not_kept)
{
    struct counts_point at = point(1, 990, 12, 5);
    struct series_row last = row(1, 990, 10, 5);
    struct counts_growth growth = counts_points_grow(&at, &last, false, 990 * S);
    cr_assert(!growth.counts && !growth.keep);
    at.time_ns -= S;
    growth = counts_points_grow(&at, &last, false, 990 * S);
    cr_assert(!growth.counts && !growth.keep);
}

Test(sources_points, what_fell_or_was_unseen_or_judged_otherwise_is_a_baseline)
{
    struct series_row last = row(1, 990, 10, 5);
    struct counts_point fell = point(1, 1000, 9, 5), slow_fell = point(1, 1000, 11, 4),
                        unseen = point(1, 990 + 301, 12, 5), seen = point(1, 990 + 300, 12, 5),
                        other = point(1, 1000, 12, 5);
    other.shape = 2;
    cr_assert_eq(grown(&fell, &last, false, 990), -1);
    cr_assert_eq(grown(&slow_fell, &last, false, 990), -1);
    cr_assert_eq(grown(&unseen, &last, false, 990), -1);
    cr_assert_eq(grown(&seen, &last, false, 990), 2);
    cr_assert_eq(grown(&other, &last, false, 990), -1);
    cr_assert(counts_points_grow(&fell, &last, false, 990 * S).keep);
}

Test(sources_points, a_new_series_counts_from_zero_only_if_all_of_it_is_new)
{
    struct counts_point young = point(9900, 10000, 7, 0), old = point(9600, 10000, 7, 0),
                        restarted = point(9995, 10000, 7, 0), unknown_start = point(0, 10000, 7, 0);
    cr_assert_eq(grown(&young, NULL, false, 0), 7, "a process that is new");
    cr_assert_eq(grown(&old, NULL, false, 0), -1, "it began before anybody listened");
    cr_assert_eq(grown(&unknown_start, NULL, false, 0), -1);
    cr_assert_eq(grown(&restarted, NULL, true, 9990), 7, "a restart");
    cr_assert_eq(grown(&young, NULL, true, 9990), -1, "another process that looks the same");
    cr_assert_eq(grown(&old, NULL, false, 9990), 7, "the first error of a process that is known");
    cr_assert_eq(grown(&old, NULL, false, 9600), -1, "it was not heard for long");
    cr_assert_eq(counts_points_grow(&old, NULL, false, 9990 * S).interval_ns, 10 * S);
    cr_assert_eq(counts_points_grow(&restarted, NULL, true, 9990 * S).interval_ns, 5 * S);
}

Test(sources_points, a_sum_that_is_not_there_is_not_counted)
{
    struct series_row last = row(1, 990, 10, 5);
    struct counts_point at = point(1, 1000, 12, 5);
    at.sum = NAN;
    struct counts_growth growth = counts_points_grow(&at, &last, false, 990 * S);
    cr_assert(growth.counts && isnan(growth.sum));
}

Test(sources_points, counters_are_named_by_a_setting)
{
    struct genai_counters counters;
    struct fault fault;
    enum sli sli = SLI_ERROR;
    cr_assert_eq(genai_counters_read("", &counters, &fault), STATUS_OK);
    cr_assert_eq(genai_metric(&counters, "", &sli), GENAI_PASSED_OVER);
    cr_assert_eq(genai_counters_read("requests=a.b,refusal=c,tool_error=d", &counters, &fault), STATUS_OK);
    cr_assert_eq(genai_metric(&counters, "a.b", &sli), GENAI_REQUESTS);
    cr_assert_eq(genai_metric(&counters, "d", &sli), GENAI_BAD_REQUESTS);
    cr_assert_eq(sli, SLI_TOOL_ERROR);
    cr_assert_eq(genai_metric(&counters, "gen_ai.server.time_to_first_token", &sli), GENAI_FIRST_TOKEN);
    cr_assert_eq(genai_metric(&counters, "gen_ai.server.time_per_output_token", &sli), GENAI_PASSED_OVER);
    static const char *const wrong[] = {"requests",
                                        "requests=",
                                        "=a",
                                        "nothing=a",
                                        "requests=a,requests=b",
                                        "requests=a,,",
                                        "requests=a, refusal=b"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_expect_eq(genai_counters_read(wrong[i], &counters, &fault), STATUS_INVALID, "%s", wrong[i]);
        cr_expect_neq(fault.next_step[0], '\0');
    }
}
