/* From stored counts to ticks of evidence: maturity, absent outcomes, blindness (deploy/handbook/deciding.md,
 * "What is counted"). */
#include "reconcile/observe.h"

#include "decision/reporting.h"
#include "reconcile/scrape.h"
#include "reconcile/ticks.h"
#include "rollout/change.h"
#include "store/cohorts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUCKETS_PER_TICK =
        600, /* at most this much history a turn, so that one rollout cannot hold up the others */
    LATE_WINDOW_S = 600,
    LATE_SETTLE_S = 60,
    COARSEST_HEARD_S = 7200, /* twice the longest maturity */
    LATE_MIN = 10,           /* fewer late ones are no habit */
    STRAY_GRACE_S = 10       /* between a poll and the request that it steers */
};

/* A batch is committed, or refused, within 2 s of its arrival; the rest is rounding to whole seconds. Counts
   that came later than this would be neither read nor late. */
static int64_t settle_ms = 3000;

void observe_set_settle(int64_t ms)
{
    settle_ms = ms;
}

static int64_t settle_s(const struct rollout_state *state)
{
    return (int64_t)ceil((double)settle_ms / 1000.0 * state->world.clock_rate);
}

/* The first second that some guardrail has not yet counted, and the end of what is mature for any. How far
   apart the guardrails' maturities are does not count towards the limit: the youngest must not starve behind
   the oldest. */
static void span(const struct rollout_state *state, int64_t now_s, int64_t *from, int64_t *to)
{
    int64_t base = state_base_s(state), shortest = INT64_MAX, longest = 0;
    *from = INT64_MAX;
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct guardrail *guardrail = &state->spec.policy.guardrail[i];
        if (!guardrail->used)
            continue;
        int64_t next = ticks_next(state, (enum sli)i);
        *from = next < *from ? next : *from;
        shortest = guardrail->maturity_s < shortest ? guardrail->maturity_s : shortest;
        longest = guardrail->maturity_s > longest ? guardrail->maturity_s : longest;
    }
    *from = *from == INT64_MAX ? now_s : *from + base;
    *to = shortest == INT64_MAX ? now_s : now_s - shortest - settle_s(state);
    if (longest > 0 && *to > *from + BUCKETS_PER_TICK + longest - shortest)
        *to = *from + BUCKETS_PER_TICK + longest - shortest;
}

/* Adds one row to an SLI's counts of its second.
   What came after its maturity and is known all the same, because it is read late (after an outage), counts
   as what it was. An outcome that is absent at its age: bad for a deadline SLI that is not `unreported`, good
   for the others where they are measured at all in that second, whoever by, if the gateway has reported
   since; if it has not, its whole second is dropped, in both arms. An outcome that arrived without the SLI
   leaves its counts alone, and shows as missing coverage.
 */
static void add_cohort(const struct cohort *cohort, enum sli sli, int64_t maturity_s, int32_t stratum,
                       bool measured, bool unreported, struct sli_counts *counts)
{
    int64_t n = cohort->n[sli], k = cohort->k[sli], late = cohort->late[sli];
    int64_t absent = cohort->admissions - cohort->outcomes - cohort->late_outcomes;
    if (cohort->absences && cohort->reported_at < cohort->second + 1 + maturity_s)
        return;
    int64_t without = cohort->absent[sli], arrived = n + without;
    if (measured) /* late in every SLI; those that are late in this one only are in n */
        n += cohort->late_outcomes;
    k = k + late < n ? k + late : n;
    if (absent > 0 && sli_deadline(sli) && !unreported) {
        n += absent;
        k += absent;
    } else if (absent > 0 && measured) {
        n += absent;
    }
    struct counts one = {.n_c = n, .k_c = k}, covered = {.n_c = arrived, .k_c = without};
    if (!cohort->canary) {
        one = (struct counts){.n_b = n, .k_b = k};
        covered = (struct counts){.n_b = arrived, .k_b = without};
    }
    counts_add(&counts->stratum[stratum], &one);
    counts_add(&counts->coverage[stratum], &covered);
}

static int64_t longest_maturity(const struct policy *policy)
{
    int64_t longest = 0;
    for (int i = 0; i < SLI_COUNT; i++)
        if (policy->guardrail[i].used && policy->guardrail[i].maturity_s > longest)
            longest = policy->guardrail[i].maturity_s;
    return longest;
}

/* Somebody has measured the SLI in this second. Asked of both arms together: rows of the canary are small,
   and would each for itself look unmeasured more often. */
static bool measured_in(const struct cohort *rows, size_t count, enum sli sli)
{
    for (size_t row = 0; row < count; row++)
        if (rows[row].n[sli] > 0 || rows[row].late[sli] > 0)
            return true;
    return false;
}

/* Outcomes come, and none of either release has ever had the SLI in this rollout: nobody reports it. The few
   requests without an outcome would be all that is counted, all of them bad. */
static bool unreported_in(const struct rollout_state *state, const struct cohort *rows, size_t count,
                          enum sli sli, bool measured)
{
    struct counts came = reporting_of(&state->evidence.evidence, sli, true);
    bool known = came.n_c > came.k_c || came.n_b > came.k_b, any = reporting_outcomes(&came) > 0;
    for (size_t row = 0; row < count && !any; row++)
        any = rows[row].absent[sli] > 0;
    return any && !known && !measured;
}

static struct sli_counts count_second(const struct rollout_state *state, const struct cohort *rows,
                                      size_t count, enum sli sli)
{
    struct sli_counts counts;
    bool measured = measured_in(rows, count, sli);
    bool unreported = unreported_in(state, rows, count, sli, measured);
    memset(&counts, 0, sizeof counts);
    counts.strata = state->spec.policy.strata;
    for (size_t row = 0; row < count; row++)
        add_cohort(&rows[row], sli, state->spec.policy.guardrail[sli].maturity_s,
                   spec_policy_stratum(&state->spec, rows[row].stratum), measured, unreported, &counts);
    return counts;
}

/* Requests of a second that was counted by completion may have ended as long before as its interval is: it
   follows a change of weight until that is over, too. */
static int64_t interval_of(const struct cohort *rows, size_t count)
{
    int64_t longest = 0;
    for (size_t row = 0; row < count; row++)
        longest = rows[row].interval_s > longest ? rows[row].interval_s : longest;
    return longest;
}

static enum status feed_slis(struct observe_result *result, const struct cohort *rows, size_t count,
                             int64_t second, int64_t now_s, const struct cohort_window *window,
                             struct fault *fault)
{
    const struct rollout_state *state = result->state;
    int64_t at = second - state_base_s(state);
    enum status status = STATUS_OK;
    for (int i = 0; i < SLI_COUNT && status == STATUS_OK; i++) {
        const struct guardrail *guardrail = &state->spec.policy.guardrail[i];
        if (!guardrail->used || at < ticks_next(state, (enum sli)i) ||
            second + 1 + guardrail->maturity_s + settle_s(state) > now_s)
            continue;
        if (count == 0 && window->reported_at < second + 1 + guardrail->maturity_s)
            continue;
        struct sli_counts counts = count_second(state, rows, count, (enum sli)i);
        result->blanking_more_s = interval_of(rows, count);
        status = ticks_give(result, (enum sli)i, (double)at, 1.0, &counts, fault);
        result->blanking_more_s = 0;
    }
    return status;
}

/* Where gateways report admissions: each second once. */
static enum status feed_admissions(struct observe_result *result, const struct cohort *rows, size_t count,
                                   int64_t second, struct fault *fault)
{
    const struct evidence_row *evidence = &result->state->evidence;
    double at = (double)(second - state_base_s(result->state));
    int64_t canary = 0, stable = 0;
    for (size_t row = 0; row < count; row++)
        *(rows[row].canary ? &canary : &stable) += rows[row].admissions;
    if (!evidence->has_quality || evidence->quality != QUALITY_COHORT ||
        at < evidence->evidence.split.last_tick)
        return STATUS_OK;
    return ticks_admissions(result, at, 1.0, canary, stable, fault);
}

/* Feeds second after second, each SLI as far as it is mature. A second without rows is a tick without
   requests if a gateway has reported since; if none has, it is missing. */
static enum status feed(struct observe_result *result, const struct cohort *cohorts, size_t count,
                        int64_t from, int64_t to, int64_t now_s, const struct cohort_window *window,
                        struct fault *fault)
{
    size_t at = 0;
    enum status status = STATUS_OK;
    for (int64_t second = from; second < to && status == STATUS_OK; second++) {
        size_t end = at;
        while (end < count && cohorts[end].second == second)
            end++;
        status = feed_admissions(result, cohorts + at, end - at, second, fault);
        if (status == STATUS_OK)
            status = feed_slis(result, cohorts + at, end - at, second, now_s, window, fault);
        at = end;
    }
    return status;
}

/* Cohorts by admission once anything was admitted, else outcomes with an age; by completion once anything was
   counted so, as then a change of weight shows in the counts. */
static void note_quality(struct evidence_row *evidence, const struct cohort *cohorts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool completion = evidence->has_quality && evidence->quality == QUALITY_COMPLETION;
        if (cohorts[i].interval_s > 0 || completion)
            evidence->quality = QUALITY_COMPLETION;
        else if (cohorts[i].admissions > 0)
            evidence->quality = QUALITY_COHORT;
        else if (!evidence->has_quality)
            evidence->quality = QUALITY_AGED;
        evidence->has_quality = true;
    }
}

/* SLIs of which more than a tenth of the bad outcomes of the last ten minutes came after their maturity: what
   is counted then is too little. Those of the newest minute may still be on their way. */
static enum status find_late(struct db *db, const struct rollout_state *state, int64_t settled,
                             uint32_t *late, struct fault *fault)
{
    struct cohort_late found;
    int64_t from =
        settled - LATE_WINDOW_S > state_base_s(state) ? settled - LATE_WINDOW_S : state_base_s(state);
    enum status status = cohorts_late(db, state->row.service, state->row.release, state->row.stable, from,
                                      settled - LATE_SETTLE_S, &found, fault);
    for (int i = 0; status == STATUS_OK && i < SLI_COUNT; i++)
        if (state->spec.policy.guardrail[i].used &&
            !(sli_deadline((enum sli)i) && state->evidence.quality == QUALITY_COHORT) &&
            found.late[i] >= LATE_MIN && found.late[i] * 10 > found.bad[i] + found.late[i])
            *late |= 1u << i;
    return status;
}

/* Requests that go to a release which the route does not name, though all gateways have had it for long. */
static enum status find_strays(struct db *db, const struct rollout_state *state, int64_t settled,
                               int64_t *requests, struct fault *fault)
{
    char release[NAME_MAX_LENGTH + 1];
    int64_t applied = state->route.applied_at.us / 1000000, from = settled - LATE_SETTLE_S;
    if (applied == 0)
        return STATUS_OK;
    from = from > applied + STRAY_GRACE_S ? from : applied + STRAY_GRACE_S;
    return from >= settled ? STATUS_OK
                           : cohorts_strays(db, state->row.service, state->row.release, state->row.stable,
                                            from, settled, requests, release, fault);
}

static enum status observe_outcomes(struct db *db, struct observe_result *result, struct fault *fault)
{
    struct rollout_state *state = result->state;
    struct cohort *cohorts = NULL;
    struct cohort_window window = {0};
    size_t count = 0;
    int64_t now_s = state->world.now.us / 1000000, from, to;
    int64_t longest = longest_maturity(&state->spec.policy);
    span(state, now_s, &from, &to);
    int64_t settled = now_s - longest - settle_s(state);
    enum status status =
        cohorts_window(db, state->row.service, settled - 60, settled, longest, &window, fault);
    /* said in every turn, also where no new second is mature: what is blind must not look well in between */
    result->observation.blind = window.blind * 10 > window.admissions;
    if (status == STATUS_OK)
        status = find_late(db, state, settled, &result->observation.late, fault);
    if (status == STATUS_OK)
        status = find_strays(db, state, settled, &result->observation.stray, fault);
    if (status != STATUS_OK || to <= from)
        return status;
    status = cohorts_read(db, state->row.service, state->row.release, state->row.stable, from, to, &cohorts,
                          &count, fault);
    if (status == STATUS_OK) {
        note_quality(&state->evidence, cohorts, count);
        status = feed(result, cohorts, count, from, to, now_s, &window, fault);
    }
    free(cohorts);
    return status;
}

/* For the split check: since when the gateways have the weight that was written last, and whether this loop
   was away for so long that the lease on it may have run out. While it runs, more than half of the lease is
   always left. */
static void note_applied(struct rollout_state *state)
{
    double now_s = state_seconds(state, state->world.now),
           seen_s = state_seconds(state, state->evidence.observed_at);
    double leased_s = seen_s + (double)change_lease() / 2;
    if (now_s > leased_s)
        evidence_lease_gap(&state->evidence.evidence, leased_s, now_s);
    const struct route_row *route = &state->route;
    if (route->applied_at.us != 0 && strcmp(route->rollout, state->row.id) == 0)
        evidence_weight_applied(&state->evidence.evidence, state_seconds(state, route->applied_at));
}

enum status observe_rollout(struct db *db, struct desk *desk, const char *id, int64_t lease_epoch,
                            struct observe_result *out, struct fault *fault)
{
    memset(out, 0, sizeof *out);
    enum status status = state_load(db, id, false, &out->state, fault);
    if (status != STATUS_OK)
        return status;
    out->observation = (struct observation){.evidence = &out->state->evidence,
                                            .row_version = out->state->row.row_version,
                                            .lease_epoch = lease_epoch};
    note_applied(out->state);
    struct route_coarsest coarsest;
    status = routes_coarsest(db, out->state->row.service, COARSEST_HEARD_S, &coarsest, fault);
    out->weight_step = coarsest.weight_step;
    if (status == STATUS_OK)
        status = spec_source_kind(out->state->spec.source.kind)->polled ? scrape_rollout(desk, out, fault)
                                                                        : observe_outcomes(db, out, fault);
    if (status != STATUS_OK)
        observe_free(out);
    out->observation.blocks = out->blocks;
    out->observation.split_blocks = out->split_blocks;
    return status;
}

void observe_free(struct observe_result *result)
{
    state_free(result->state);
    free(result->blocks);
    free(result->split_blocks);
    memset(result, 0, sizeof *result);
}
