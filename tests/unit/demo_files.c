/* What the demo reads: replays and traces of arrivals. */
#include "demo/arrivals.h"
#include "demo/replay.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file with this content; its name is static. */
static const char *file_of(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/serin-demo-csv-XXXXXX");
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    return path;
}

Test(demo_files, a_replay_keeps_what_was_not_measured_apart)
{
    struct replay replay;
    struct fault fault = {0};
    const char *path = file_of("model,refusal,ttft_ms,score,error\nm,1,312.4,-0.5,\nm,false,,,0\n");
    cr_assert_eq(replay_read_file(path, &replay, &fault), STATUS_OK, "%s", fault.detail);
    unlink(path);
    cr_assert_eq(replay.rows, 2);
    cr_assert_eq(replay.row[0].measured, 1u << OUTCOME_REFUSAL);
    cr_assert_eq(replay.row[0].bad, 1u << OUTCOME_REFUSAL);
    cr_assert_eq(replay.row[0].ttft_ms, 312);
    cr_assert_float_eq(replay.row[0].score, -0.5, 0);
    cr_assert_eq(replay.row[1].measured, 1u << OUTCOME_REFUSAL | 1u << OUTCOME_ERROR);
    cr_assert_eq(replay.row[1].bad, 0);
    cr_assert_eq(replay.row[1].ttft_ms, -1);
    cr_assert_eq(replay.row[1].latency_ms, -1);
    cr_assert(isnan(replay.row[1].score));
    replay_free(&replay);
}

Test(demo_files, a_replay_refuses_what_is_no_outcome)
{
    static const char *const wrong[] = {"refusal\n2\n", "ttft_ms\n-1\n", "refusal\nyes\n", "model\nm\n",
                                        "refusal\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct replay replay;
        struct fault fault = {0};
        const char *path = file_of(wrong[i]);
        cr_assert_neq(replay_read_file(path, &replay, &fault), STATUS_OK, "%s", wrong[i]);
        cr_assert_null(replay.row);
        unlink(path);
    }
}

Test(demo_files, a_trace_keeps_its_shape_at_another_rate)
{
    struct trace trace;
    struct fault fault = {0};
    struct random random;
    const char *path = file_of("t\n3\n0\n1\n");
    cr_assert_eq(trace_read_file(path, "t", &trace, &fault), STATUS_OK, "%s", fault.detail);
    unlink(path);
    random_seed(&random, 1);
    struct arrivals arrivals = {&trace, 10, 0};
    int64_t total = 0, first = arrivals_next_us(&arrivals, &random),
            second = arrivals_next_us(&arrivals, &random);
    cr_assert(second - 2 * first <= 2 && 2 * first - second <= 2, "%lld, %lld", (long long)first,
              (long long)second);
    for (int i = 0; i < 2998; i++) {
        total += arrivals_next_us(&arrivals, &random);
    }
    cr_assert_float_eq((double)(total + first + second) / 3000, 1e5, 10);
    trace_free(&trace);
}

Test(demo_files, poisson_arrivals_have_their_rate)
{
    const struct trace none = {0};
    struct random random;
    random_seed(&random, 2);
    struct arrivals arrivals;
    arrivals_start(&arrivals, &none, 50, &random);
    double total = 0;
    for (int i = 0; i < 20000; i++) {
        total += (double)arrivals_next_us(&arrivals, &random);
    }
    cr_assert_float_eq(total / 20000, 20000, 700); /* five standard deviations */
}
