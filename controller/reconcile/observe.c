/* From stored counts to ticks of evidence: maturity, absent outcomes, blindness (decision engine addendum,
 * section 4). */
#include "reconcile/observe.h"

#include "reconcile/scrape.h"
#include "reconcile/ticks.h"
#include "store/cohorts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUCKETS_PER_TICK =
        600 /* at most this much history a turn, so that one rollout cannot hold up the others */
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

/* The first second that some guardrail has not yet counted, and the end of what is mature for any. */
static void span(const struct rollout_state *state, int64_t now_s, int64_t *from, int64_t *to)
{
    int64_t base = state_base_s(state), shortest = INT64_MAX;
    *from = INT64_MAX;
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct guardrail *guardrail = &state->spec.policy.guardrail[i];
        if (!guardrail->used)
            continue;
        int64_t next = ticks_next(state, (enum sli)i);
        if (next < *from)
            *from = next;
        if (guardrail->maturity_s < shortest)
            shortest = guardrail->maturity_s;
    }
    *from = *from == INT64_MAX ? now_s : *from + base;
    *to = shortest == INT64_MAX ? now_s : now_s - shortest - settle_s(state);
    if (*to > *from + BUCKETS_PER_TICK)
        *to = *from + BUCKETS_PER_TICK;
}

/* Adds one row to an SLI's counts of its second.
   What came after its maturity and is known all the same, because it is read late (after an outage), counts
   as what it was. An outcome that is absent at its age: bad for a deadline SLI, good for the others where
   they are measured at all, if the gateway has reported since; if it has not, its whole second is dropped, in
   both arms. */
static void add_cohort(const struct cohort *cohort, enum sli sli, int64_t maturity_s, struct counts *counts)
{
    int64_t n = cohort->n[sli], k = cohort->k[sli], late = cohort->late[sli];
    int64_t absent = cohort->admissions - cohort->outcomes - cohort->late_outcomes;
    if (cohort->absences && cohort->reported_at < cohort->second + 1 + maturity_s)
        return;
    if (n > 0 || late > 0)
        n += late > cohort->late_outcomes ? late : cohort->late_outcomes;
    k += late;
    if (absent > 0 && sli_deadline(sli)) {
        n += absent;
        k += absent;
    } else if (absent > 0 && n > 0) {
        n += absent;
    }
    if (cohort->canary) {
        counts->n_c += n;
        counts->k_c += k;
    } else {
        counts->n_b += n;
        counts->k_b += k;
    }
}

static int64_t longest_maturity(const struct policy *policy)
{
    int64_t longest = 0;
    for (int i = 0; i < SLI_COUNT; i++)
        if (policy->guardrail[i].used && policy->guardrail[i].maturity_s > longest)
            longest = policy->guardrail[i].maturity_s;
    return longest;
}

/* Feeds second after second, each SLI as far as it is mature. A second without rows is a tick without
   requests if a gateway has reported since; if none has, it is missing. */
static enum status feed(struct observe_result *result, const struct cohort *cohorts, size_t count,
                        int64_t from, int64_t to, int64_t now_s, const struct cohort_window *window,
                        struct fault *fault)
{
    const struct rollout_state *state = result->state;
    int64_t base = state_base_s(state);
    size_t at = 0;
    enum status status = STATUS_OK;
    for (int64_t second = from; second < to && status == STATUS_OK; second++) {
        size_t end = at;
        while (end < count && cohorts[end].second == second)
            end++;
        for (int i = 0; i < SLI_COUNT && status == STATUS_OK; i++) {
            const struct guardrail *guardrail = &state->spec.policy.guardrail[i];
            struct counts counts = {0};
            if (!guardrail->used || second - base < ticks_next(state, (enum sli)i) ||
                second + 1 + guardrail->maturity_s + settle_s(state) > now_s)
                continue;
            if (end == at && window->reported_at < second + 1 + guardrail->maturity_s)
                continue;
            for (size_t row = at; row < end; row++)
                add_cohort(&cohorts[row], (enum sli)i, guardrail->maturity_s, &counts);
            struct sli_counts all = sli_counts_of(counts);
            status = ticks_give(result, (enum sli)i, (double)(second - base), 1.0, &all, fault);
        }
        at = end;
    }
    return status;
}

/* Cohorts by admission once anything was admitted, else outcomes with an age. */
static void note_quality(struct evidence_row *evidence, const struct cohort *cohorts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (cohorts[i].admissions > 0)
            evidence->quality = QUALITY_COHORT;
        else if (!evidence->has_quality)
            evidence->quality = QUALITY_AGED;
        evidence->has_quality = true;
    }
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

enum status observe_rollout(struct db *db, const char *id, int64_t lease_epoch, struct observe_result *out,
                            struct fault *fault)
{
    memset(out, 0, sizeof *out);
    enum status status = state_load(db, id, false, &out->state, fault);
    if (status != STATUS_OK)
        return status;
    out->observation = (struct observation){.evidence = &out->state->evidence,
                                            .row_version = out->state->row.row_version,
                                            .lease_epoch = lease_epoch};
    if (out->state->spec.source.kind == SOURCE_PROMETHEUS)
        status = scrape_rollout(out, fault);
    else
        status = observe_outcomes(db, out, fault);
    if (status != STATUS_OK)
        observe_free(out);
    out->observation.blocks = out->blocks;
    return status;
}

void observe_free(struct observe_result *result)
{
    state_free(result->state);
    free(result->blocks);
    memset(result, 0, sizeof *result);
}
