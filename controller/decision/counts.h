/* Counts of requests and of the bad ones among them, for canary (c) and stable (b). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* 0 <= k <= n. */
struct counts {
    int64_t n_c, k_c, n_b, k_b;
};

/* Strata: classes of requests that are compared each with itself (tenant, route, language), so that a
   different mix in the two arms is no difference of the releases. Declared in the policy; stratum 0 is
   whatever is not declared. */
enum { STRATA_MAX = 16 };

/* One SLI in one tick or block. */
struct sli_counts {
    int32_t strata; /* 1..STRATA_MAX */
    struct counts stratum[STRATA_MAX];
    /* by stratum too. n: outcomes that arrived, measured in this SLI or not; k: those that were not */
    struct counts coverage[STRATA_MAX];
};

/* One stratum, nothing known of coverage. */
struct sli_counts sli_counts_of(struct counts one);

/* Sums; they stop at INT64_MAX. */
void counts_add(struct counts *sum, const struct counts *more);
void sli_counts_add(struct sli_counts *sum, const struct sli_counts *more);
/* All strata together: the outcomes, and what is known of their coverage. */
struct counts sli_counts_total(const struct sli_counts *counts);
struct counts sli_counts_covered(const struct sli_counts *counts);

/* 0 <= k <= n <= 2^53 (a double holds it exactly), in every stratum and in the coverage. */
bool sli_counts_valid(const struct sli_counts *counts);
