/* How others decide. Sources of the rules: Argo Rollouts analysis/analysis.go (Failed > failureLimit, Failed
   never falls); Flagger pkg/controller/scheduler.go (FailedChecks, compared at the next run); Kayenta
   MannWhitneyClassifier.scala (lower limit > 0.25 x |Hodges-Lehmann|); GrowthBook's sequential testing
   (tuning parameter 5000); Google SRE workbook, "Alerting on SLOs". */
#include "rivals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { JUDGED_MINUTES = 60 };

static const double minute_s = 60, slack_s = 1e-6;

const char *rival_name(enum rival rival)
{
    static const char *const names[RIVAL_COUNT] = {
        [RIVAL_Z] = "naive z",
        [RIVAL_GROWTHBOOK] = "GrowthBook .05",
        [RIVAL_GROWTHBOOK_MATCHED] = "GrowthBook, alpha matched",
        [RIVAL_ARGO95_0] = "Argo 95 %, limit 0",
        [RIVAL_ARGO95_3] = "Argo 95 %, limit 3",
        [RIVAL_ARGO_TUNED_0] = "Argo 1-2p0, limit 0",
        [RIVAL_ARGO_TUNED_3] = "Argo 1-2p0, limit 3",
        [RIVAL_FLAGGER99] = "Flagger 99 %",
        [RIVAL_FLAGGER_TUNED] = "Flagger 1-2p0",
        [RIVAL_KAYENTA] = "Kayenta 30/60 min",
        [RIVAL_BURN] = "burn rate 14.4x/6x",
        [RIVAL_BURN_CANARY] = "burn, canary windows",
    };
    return names[rival];
}

void rivals_begin(struct rivals *rivals, double p0)
{
    memset(rivals, 0, sizeof *rivals);
    rivals->p0 = p0;
    for (int i = 0; i < RIVAL_COUNT; i++)
        rivals->fired_s[i] = rivals->requests[i] = INFINITY;
}

bool rivals_done(const struct rivals *rivals, enum rival from, enum rival to)
{
    for (int i = (int)from; i <= (int)to; i++)
        if (isinf(rivals->fired_s[i]))
            return false;
    return true;
}

static void fire(struct rivals *rivals, enum rival rival, double at_s)
{
    if (isfinite(rivals->fired_s[rival]))
        return;
    rivals->fired_s[rival] = at_s;
    rivals->requests[rival] = (double)rivals->all.n_c;
}

/* --- after every tick ------------------------------------------------------------------------------ */

bool rival_z(const struct counts *all)
{
    double n_c = (double)all->n_c, n_b = (double)all->n_b;
    if (n_c < 30 || n_b < 30)
        return false;
    double p_c = (double)all->k_c / n_c, p_b = (double)all->k_b / n_b;
    double p = (double)(all->k_c + all->k_b) / (n_c + n_b);
    return p_c - p_b > 1.96 * sqrt(p * (1 - p) * (1 / n_c + 1 / n_b));
}

bool rival_growthbook(const struct counts *all, double alpha)
{
    if (all->k_c <= 0 || all->k_b <= 0)
        return false;
    double n_c = (double)all->n_c, n_b = (double)all->n_b, n = n_c + n_b;
    double p_c = (double)all->k_c / n_c, p_b = (double)all->k_b / n_b;
    if (p_c <= p_b)
        return false;
    double rho2 = (-2 * log(alpha) + log(-2 * log(alpha) + 1)) / 5000, m = n * rho2 + 1;
    double variance = n * (p_c * (1 - p_c) / n_c + p_b * (1 - p_b) / n_b);
    return p_c - p_b > sqrt(variance) * sqrt(2 * m / (n * n * rho2) * log(sqrt(m) / alpha));
}

double rival_growthbook_matched_alpha(void)
{
    return 2 * 0.01 / 8;
}

/* --- once a minute --------------------------------------------------------------------------------- */

/* n and k of canary in the last `minutes` minutes, or in all there are. */
static void window(const struct rivals *rivals, int minutes, double *n, double *k)
{
    const struct counts *now = &rivals->until[rivals->minutes % RIVAL_MINUTES];
    struct counts before = {0, 0, 0, 0};
    if (minutes < rivals->minutes)
        before = rivals->until[(rivals->minutes - minutes) % RIVAL_MINUTES];
    *n = (double)(now->n_c - before.n_c);
    *k = (double)(now->k_c - before.k_c);
}

static void query(struct rivals *rivals, enum rival rival, int minutes, double max_bad, int failures,
                  double delay_s, double now_s)
{
    double n, k;
    window(rivals, minutes, &n, &k);
    if (n > 0 && k > max_bad * n && ++rivals->failed[rival] == failures)
        fire(rivals, rival, now_s + delay_s);
}

static bool burns(const struct rivals *rivals, double factor, int longer, int shorter, double min_bad)
{
    double n_l, k_l, n_s, k_s, allowed = factor * 2 * rivals->p0;
    window(rivals, longer, &n_l, &k_l);
    window(rivals, shorter, &n_s, &k_s);
    return k_l > allowed * n_l && k_s > allowed * n_s && k_l >= min_bad;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int without_nan(const double *from, int count, double *to)
{
    int kept = 0;
    for (int i = 0; i < count; i++)
        if (!isnan(from[i]))
            to[kept++] = from[i];
    return kept;
}

/* Lower limit of the 98 % interval for the shift of canary's minutes against stable's, above a quarter of its
   Hodges-Lehmann estimate. */
static bool kayenta(const struct rivals *rivals, int minutes)
{
    double x[JUDGED_MINUTES], y[JUDGED_MINUTES], pooled[2 * JUDGED_MINUTES],
        d[JUDGED_MINUTES * JUDGED_MINUTES];
    int m = without_nan(rivals->share_c, minutes, x), n = without_nan(rivals->share_b, minutes, y);
    if (m < 2 || n < 2)
        return false;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            d[i * n + j] = x[i] - y[j];
    memcpy(pooled, x, (size_t)m * sizeof *x);
    memcpy(pooled + m, y, (size_t)n * sizeof *y);
    qsort(d, (size_t)(m * n), sizeof *d, by_size);
    qsort(pooled, (size_t)(m + n), sizeof *pooled, by_size);
    double ties = 0, all = m + n;
    for (int i = 0, j; i < m + n; i = j) {
        for (j = i; j < m + n && !(pooled[j] > pooled[i]); j++)
            ;
        double t = j - i;
        ties += t * t * t - t;
    }
    double s = sqrt(m * n / 12.0 * (all + 1 - ties / (all * (all - 1))));
    int at = (int)floor(m * n / 2.0 + 0.5 + 2.3263 * s);
    if (at >= m * n || !(s > 0))
        return false;
    double median = m * n % 2 == 1 ? d[m * n / 2] : (d[m * n / 2 - 1] + d[m * n / 2]) / 2;
    return d[m * n - 1 - at] > 0.25 * fabs(median);
}

static double share_of(int64_t k, int64_t n)
{
    return n > 0 ? (double)k / (double)n : NAN;
}

static void minute(struct rivals *rivals, double now_s)
{
    const struct counts before = rivals->until[rivals->minutes % RIVAL_MINUTES];
    const double p0 = rivals->p0;
    if (rivals->minutes < JUDGED_MINUTES) {
        rivals->share_c[rivals->minutes] =
            share_of(rivals->all.k_c - before.k_c, rivals->all.n_c - before.n_c);
        rivals->share_b[rivals->minutes] =
            share_of(rivals->all.k_b - before.k_b, rivals->all.n_b - before.n_b);
    }
    rivals->minutes++;
    rivals->until[rivals->minutes % RIVAL_MINUTES] = rivals->all;
    query(rivals, RIVAL_ARGO95_0, 5, .05, 1, 0, now_s);
    query(rivals, RIVAL_ARGO95_3, 5, .05, 4, 0, now_s);
    query(rivals, RIVAL_ARGO_TUNED_0, 5, 2 * p0, 1, 0, now_s);
    query(rivals, RIVAL_ARGO_TUNED_3, 5, 2 * p0, 4, 0, now_s);
    query(rivals, RIVAL_FLAGGER99, 1, .01, 5, minute_s, now_s);
    query(rivals, RIVAL_FLAGGER_TUNED, 1, 2 * p0, 5, minute_s, now_s);
    if (burns(rivals, 14.4, 60, 5, 1) || burns(rivals, 6, 360, 30, 1))
        fire(rivals, RIVAL_BURN, now_s);
    if (burns(rivals, 17.3, 5, 1, 10) || burns(rivals, 7.2, 30, 3, 10) || burns(rivals, 3.6, 120, 10, 10))
        fire(rivals, RIVAL_BURN_CANARY, now_s);
    if ((rivals->minutes == JUDGED_MINUTES / 2 || rivals->minutes == JUDGED_MINUTES) &&
        isinf(rivals->fired_s[RIVAL_KAYENTA]) && kayenta(rivals, rivals->minutes))
        fire(rivals, RIVAL_KAYENTA, now_s);
}

void rivals_tick(struct rivals *rivals, double t_s, double dt_s, const struct counts *counts)
{
    double now_s = t_s + dt_s;
    rivals->all.n_c += counts->n_c;
    rivals->all.k_c += counts->k_c;
    rivals->all.n_b += counts->n_b;
    rivals->all.k_b += counts->k_b;
    if (isinf(rivals->fired_s[RIVAL_Z]) && rival_z(&rivals->all))
        fire(rivals, RIVAL_Z, now_s);
    if (isinf(rivals->fired_s[RIVAL_GROWTHBOOK]) && rival_growthbook(&rivals->all, .05))
        fire(rivals, RIVAL_GROWTHBOOK, now_s);
    if (isinf(rivals->fired_s[RIVAL_GROWTHBOOK_MATCHED]) &&
        rival_growthbook(&rivals->all, rival_growthbook_matched_alpha()))
        fire(rivals, RIVAL_GROWTHBOOK_MATCHED, now_s);
    if (now_s >= (rivals->minutes + 1) * minute_s - slack_s)
        minute(rivals, now_s);
}
