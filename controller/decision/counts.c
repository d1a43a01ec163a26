/* Adding up counts. */
#include "decision/counts.h"

#include <string.h>

static const int64_t count_max = (int64_t)1 << 53;

struct sli_counts sli_counts_of(struct counts one)
{
    struct sli_counts counts;
    memset(&counts, 0, sizeof counts);
    counts.strata = 1;
    counts.stratum[0] = one;
    return counts;
}

static int64_t add(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

void counts_add(struct counts *sum, const struct counts *more)
{
    sum->n_c = add(sum->n_c, more->n_c);
    sum->k_c = add(sum->k_c, more->k_c);
    sum->n_b = add(sum->n_b, more->n_b);
    sum->k_b = add(sum->k_b, more->k_b);
}

void sli_counts_add(struct sli_counts *sum, const struct sli_counts *more)
{
    if (more->strata > sum->strata)
        sum->strata = more->strata;
    for (int32_t i = 0; i < more->strata; i++) {
        counts_add(&sum->stratum[i], &more->stratum[i]);
        counts_add(&sum->coverage[i], &more->coverage[i]);
    }
}

static struct counts total_of(const struct counts *counts, int32_t strata)
{
    struct counts total = {0};
    for (int32_t i = 0; i < strata; i++)
        counts_add(&total, &counts[i]);
    return total;
}

struct counts sli_counts_total(const struct sli_counts *counts)
{
    return total_of(counts->stratum, counts->strata);
}

struct counts sli_counts_covered(const struct sli_counts *counts)
{
    return total_of(counts->coverage, counts->strata);
}

static bool valid(const struct counts *counts)
{
    return counts->k_c >= 0 && counts->k_c <= counts->n_c && counts->n_c <= count_max && counts->k_b >= 0 &&
           counts->k_b <= counts->n_b && counts->n_b <= count_max;
}

bool sli_counts_valid(const struct sli_counts *counts)
{
    if (counts->strata < 1 || counts->strata > STRATA_MAX)
        return false;
    for (int32_t i = 0; i < counts->strata; i++)
        if (!valid(&counts->stratum[i]) || !valid(&counts->coverage[i]))
            return false;
    return true;
}
