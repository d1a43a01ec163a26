/* Many rollouts of a backtest together. */
#include "cli/backtest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value below which q of the sorted ones lie. */
static double quantile(const double *sorted, size_t count, double q)
{
    size_t at = (size_t)ceil(q * (double)count);
    return sorted[at > 0 ? at - 1 : 0];
}

static struct backtest_spread spread_of(double *values, size_t count)
{
    if (count == 0) {
        return (struct backtest_spread){0, 0, 0};
    }
    qsort(values, count, sizeof *values, ascending);
    return (struct backtest_spread){quantile(values, count, .05), quantile(values, count, .5),
                                    quantile(values, count, .95)};
}

typedef double (*measure)(const struct backtest_result *result);

static double at_s(const struct backtest_result *result)
{
    return result->at_s;
}

static double canary(const struct backtest_result *result)
{
    return (double)result->canary;
}

static double counted(const struct backtest_result *result)
{
    return (double)result->counted;
}

static double harm(const struct backtest_result *result)
{
    return result->harm;
}

static bool blames(const struct backtest_result *result)
{
    return result->phase == PHASE_ROLLED_BACK && (result->rule->effects & EFFECT_QUARANTINE) != 0;
}

static bool belongs(const struct backtest_group *group, const struct backtest_result *result)
{
    return group == NULL ||
           (group->phase == result->phase && group->blame == blames(result) &&
            (group->rule == NULL || (group->rule == result->rule && group->lead == result->lead)));
}

/* Of the results of a group; of all with NULL. */
static struct backtest_spread spread(const struct backtest_result *result, size_t count,
                                     const struct backtest_group *group, measure what, double *room)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (belongs(group, &result[i])) {
            room[n++] = what(&result[i]);
        }
    }
    return spread_of(room, n);
}

/* The largest first, else as they came; they are few. */
static void sort(struct backtest_group *group, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct backtest_group one = group[i];
        size_t at = i;
        for (; at > 0 && group[at - 1].seeds < one.seeds; at--) {
            group[at] = group[at - 1];
        }
        group[at] = one;
    }
}

/* Sorts the results into groups; into kinds if `kinds`. Returns how many there are. */
static size_t find_groups(const struct backtest_result *result, size_t count, bool kinds,
                          struct backtest_group *group, size_t max, double *room)
{
    size_t groups = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < groups && !belongs(&group[at], &result[i])) {
            at++;
        }
        if (at == max) {
            continue; /* there are fewer ways to end */
        }
        if (at == groups) {
            group[groups++] = (struct backtest_group){.phase = result[i].phase,
                                                      .blame = blames(&result[i]),
                                                      .rule = kinds ? NULL : result[i].rule,
                                                      .lead = result[i].lead};
        }
        group[at].lead = group[at].lead == result[i].lead ? group[at].lead : SLI_COUNT;
        group[at].seeds++;
        group[at].unproven += result[i].unproven;
    }
    for (size_t i = 0; i < groups; i++) {
        group[i].at_s = spread(result, count, &group[i], at_s, room);
        group[i].canary = spread(result, count, &group[i], canary, room);
        group[i].counted = spread(result, count, &group[i], counted, room);
        group[i].harm = spread(result, count, &group[i], harm, room);
    }
    sort(group, groups);
    return groups;
}

/* What holds or pauses by the evidence, rather than by the plan. */
static bool is_wait(const struct rule *rule)
{
    return strncmp(rule->id, "hold.", 5) == 0 || strcmp(rule->id, "alarm.notice") == 0 ||
           (rule->verb == VERB_TICK && rule->next == PHASE_PAUSED);
}

static void find_waits(const struct backtest_result *result, size_t count, struct backtest_summary *out,
                       double *room)
{
    for (size_t row = 0; row < rules_count() && out->waits < BACKTEST_WAITS_MAX; row++) {
        size_t n = 0;
        for (size_t i = 0; i < count && is_wait(rules_row(row)); i++) {
            if (result[i].rule_s[row] > 0) {
                room[n++] = result[i].rule_s[row];
            }
        }
        if (n > 0) {
            out->wait[out->waits++] = (struct backtest_wait){rules_row(row), n, spread_of(room, n)};
        }
    }
}

static void find_typical(const struct backtest_result *result, size_t count, struct backtest_summary *out)
{
    const struct backtest_group *group = &out->group[0];
    double best = INFINITY;
    for (size_t i = 0; i < count; i++) {
        double off = fabs(result[i].at_s - group->at_s.median);
        if (belongs(group, &result[i]) && off < best) {
            best = off;
            out->typical = i;
        }
    }
}

enum status backtest_sum_up(const struct backtest_result *result, size_t count, struct backtest_summary *out,
                            struct fault *fault)
{
    double *room = calloc(count + 1, sizeof *room);
    *out = (struct backtest_summary){.seeds = count};
    if (room == NULL) {
        return fault_set(fault, STATUS_NO_MEMORY, "out of memory");
    }
    out->groups = find_groups(result, count, false, out->group, BACKTEST_GROUPS_MAX, room);
    out->kinds = find_groups(result, count, true, out->kind, BACKTEST_KINDS_MAX, room);
    for (size_t i = 0; i < count; i++) {
        out->completed += result[i].phase == PHASE_COMPLETED;
        out->rolled_back += result[i].phase == PHASE_ROLLED_BACK;
        out->blamed += blames(&result[i]);
        out->paused += result[i].phase == PHASE_PAUSED;
        out->open += result[i].phase == PHASE_PROGRESSING || result[i].phase == PHASE_BAKING;
    }
    find_waits(result, count, out, room);
    find_typical(result, count, out);
    out->at_s = spread(result, count, NULL, at_s, room);
    out->canary = spread(result, count, NULL, canary, room);
    out->counted = spread(result, count, NULL, counted, room);
    out->harm = spread(result, count, NULL, harm, room);
    free(room);
    return STATUS_OK;
}

/* --- what the recordings are like ------------------------------------------------------------------ */

const char *backtest_truth_name(enum backtest_truth truth)
{
    static const char *const names[TRUTH_COUNT] = {"unknown", "within",  "between",
                                                   "harmful", "ceiling", "shared"};
    return names[truth];
}

static double share(const struct backtest_arm *arm, enum sli sli)
{
    return (double)arm->k[sli] / (double)arm->n[sli];
}

double backtest_odds(const struct backtest_setup *setup, enum sli sli)
{
    double c = share(&setup->traffic.canary, sli), b = share(&setup->traffic.stable, sli);
    return c / (1 - c) / (b / (1 - b));
}

enum backtest_truth backtest_compare(const struct backtest_setup *setup, enum sli sli)
{
    const struct guardrail *guardrail = &setup->spec.policy.guardrail[sli];
    const struct backtest_arm *stable = &setup->traffic.stable, *canary = &setup->traffic.canary;
    if (stable->n[sli] == 0 || canary->n[sli] == 0) {
        return TRUTH_NONE;
    }
    double c = share(canary, sli), b = share(stable, sli), odds = backtest_odds(setup, sli);
    double widest = 0; /* of the margins that its steps have to prove */
    for (size_t step = 0; step < setup->plan.steps; step++) {
        double margin = guardrail->margin_add > 0 ? guardrail->margin_add : plan_margin(&setup->plan, step);
        widest = margin > widest ? margin : widest;
    }
    bool beyond = odds > guardrail->tolerance; /* false for NAN: neither has a bad row */
    if (beyond && odds >= guardrail->margin_ratio && c >= b + widest) {
        return TRUTH_HARMFUL;
    }
    if (guardrail->ceiling > 0 && c > guardrail->ceiling) {
        return b > guardrail->ceiling ? TRUTH_SHARED : TRUTH_CEILING;
    }
    return beyond ? TRUTH_BETWEEN : TRUTH_WITHIN;
}

/* P(X <= k) of n coins with p. */
static double binomial_at_most(size_t k, size_t n, double p)
{
    double sum = 0, log_term = (double)n * log1p(-p);
    for (size_t i = 0; i <= k; i++) {
        sum += exp(log_term);
        log_term += log((double)(n - i) / (double)(i + 1)) + log(p / (1 - p));
    }
    return sum;
}

double backtest_at_most(size_t k, size_t n)
{
    double low = (double)k / (double)n, high = 1;
    if (k >= n) {
        return 1;
    }
    for (int i = 0; i < 60; i++) {
        double p = (low + high) / 2;
        if (binomial_at_most(k, n, p) > .05) {
            low = p;
        } else {
            high = p;
        }
    }
    return high;
}
