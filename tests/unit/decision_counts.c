/* Counts by strata, and the names of what can be muted. */
#include "decision_support.h"

#include <criterion/criterion.h>
#include <string.h>

static bool equal(struct counts a, struct counts b)
{
    return a.n_c == b.n_c && a.k_c == b.k_c && a.n_b == b.n_b && a.k_b == b.k_b;
}

Test(decision_counts, sums_go_by_stratum)
{
    struct sli_counts sum = sli_counts_of((struct counts){10, 1, 100, 2});
    struct sli_counts more = {.strata = 3,
                              .stratum = {{1, 1, 2, 0}, {3, 0, 4, 4}, {5, 2, 6, 1}},
                              .coverage = {{9, 1, 12, 0}, {1, 1, 1, 0}}};
    cr_expect(sum.strata == 1 && equal(sum.coverage[0], (struct counts){0}));
    sli_counts_add(&sum, &more);
    sli_counts_add(&sum, &(struct sli_counts){.strata = 2, .stratum = {{0}, {1, 1, 1, 1}}});
    cr_expect_eq(sum.strata, 3);
    cr_expect(equal(sum.stratum[0], (struct counts){11, 2, 102, 2}));
    cr_expect(equal(sum.stratum[1], (struct counts){4, 1, 5, 5}));
    cr_expect(equal(sum.stratum[2], more.stratum[2]) && equal(sum.coverage[1], more.coverage[1]));
    cr_expect(equal(sli_counts_covered(&sum), (struct counts){10, 2, 13, 0}));
    cr_expect(equal(sli_counts_total(&sum), (struct counts){20, 5, 113, 8}));
}

Test(decision_counts, sums_stop_at_the_end_of_their_range)
{
    struct counts sum = {INT64_MAX - 3, 5, INT64_MAX, 0};
    counts_add(&sum, &(struct counts){3, 1, INT64_MAX, INT64_MAX});
    cr_expect(equal(sum, (struct counts){INT64_MAX, 6, INT64_MAX, INT64_MAX}));
    counts_add(&sum, &(struct counts){1, 0, 0, 1});
    cr_expect(equal(sum, (struct counts){INT64_MAX, 6, INT64_MAX, INT64_MAX}));
}

Test(decision_counts, each_stratum_and_the_coverage_must_be_right)
{
    const int64_t most = (int64_t)1 << 53;
    const struct counts wrong[] = {{-1, 0, 1, 0}, {1, 2, 1, 0},  {1, -1, 1, 0},       {1, 0, -1, 0},
                                   {1, 0, 1, 2},  {1, 0, 1, -1}, {most + 1, 0, 1, 0}, {1, 0, most + 1, 0}};
    struct sli_counts good = {
        .strata = STRATA_MAX, .stratum = {{most, most, most, most}}, .coverage = {{3, 3, most, 0}}};
    cr_expect(sli_counts_valid(&good));
    for (int i = 0; i < 8; i++) {
        struct sli_counts bad = good;
        bad.stratum[STRATA_MAX - 1] = wrong[i];
        cr_expect_not(sli_counts_valid(&bad), "%d", i);
        bad.strata = STRATA_MAX - 1; /* what lies behind does not count */
        cr_expect(sli_counts_valid(&bad), "%d", i);
        bad.coverage[STRATA_MAX - 1] = wrong[i];
        cr_expect(sli_counts_valid(&bad), "coverage %d", i);
        bad.coverage[STRATA_MAX - 2] = wrong[i];
        cr_expect_not(sli_counts_valid(&bad), "coverage %d", i);
    }
    for (int32_t strata = -1; strata <= STRATA_MAX + 1; strata++) {
        struct sli_counts counts = {.strata = strata};
        cr_expect_eq(sli_counts_valid(&counts), strata >= 1 && strata <= STRATA_MAX, "%d", strata);
    }
}

Test(decision_counts, what_can_be_muted_has_one_name)
{
    int seen = 0, bit;
    for (int i = -1; i < 64; i++) {
        const char *name = watch_name(i);
        bool known = (i >= 0 && i < SLI_COUNT) || (i >= WATCH_SPLIT && i < WATCH_END);
        cr_expect_eq(name != NULL, known, "%d", i);
        if (name == NULL)
            continue;
        cr_expect(watch_parse(name, &bit) && bit == i, "%s", name);
        seen++;
    }
    cr_expect_eq(seen, SLI_COUNT + 4);
    cr_expect((int)SLI_COUNT <= (int)WATCH_SPLIT && WATCH_END <= 32, "a set of them is 32 bits");
    cr_expect_str_eq(watch_name(WATCH_SPLIT), "split");
    cr_expect_str_eq(watch_name(WATCH_COVERAGE), "coverage");
    cr_expect_str_eq(watch_name(WATCH_LATE), "late");
    cr_expect_str_eq(watch_name(WATCH_ALERT), "alert");
    cr_expect_str_eq(watch_name(SLI_REFUSAL), "refusal");
    cr_expect_not(watch_parse("everything", &bit));
    cr_expect_not(watch_parse("", &bit));
}
