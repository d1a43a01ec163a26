/* From stored counts to ticks of evidence: maturity, absent outcomes, blindness (decision engine addendum,
 * section 4). */
#include "reconcile/observe.h"

#include "reconcile/scrape.h"
#include "reconcile/ticks.h"

#include "rollouts.sql.h"

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

/* One row: what one gateway reported of one release in one second. */
struct bucket {
    int64_t second, admissions, outcomes, n[SLI_COUNT], k[SLI_COUNT], heard_at;
    bool canary;
};

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

static enum status read_buckets(struct db *db, const struct rollout_state *state, int64_t from, int64_t to,
                                struct bucket **out, size_t *count, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    *out = NULL;
    *count = 0;
    db_text(&params, state->row.service);
    db_integer(&params, from);
    db_integer(&params, to);
    db_text(&params, state->row.release);
    db_text(&params, state->row.stable);
    enum status status = db_run(db, &sql_observations_read, &params, &rows, fault);
    if (status != STATUS_OK)
        return status;
    *out = calloc((size_t)db_rows_count(rows) + 1, sizeof **out);
    if (*out == NULL)
        status = fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    for (int i = 0; status == STATUS_OK && i < db_rows_count(rows); i++) {
        struct bucket *bucket = &(*out)[(*count)++];
        bucket->second = db_get_integer(rows, i, 0);
        bucket->canary = strcmp(db_get_text(rows, i, 1), state->row.release) == 0;
        bucket->admissions = db_get_integer(rows, i, 2);
        bucket->outcomes = db_get_integer(rows, i, 3);
        db_get_integers(rows, i, 4, bucket->n, SLI_COUNT);
        db_get_integers(rows, i, 5, bucket->k, SLI_COUNT);
        bucket->heard_at = db_get_integer(rows, i, 6);
    }
    db_rows_free(rows);
    return status;
}

/* Adds one row to an SLI's counts of its second. An outcome that is absent at its age: bad for a deadline
   SLI, good for the others where they are measured at all, if the gateway has reported since; if it has not,
   the row is dropped in both arms (every row of that gateway in that second is judged alike). */
static void add_bucket(const struct bucket *bucket, enum sli sli, int64_t maturity_s, struct counts *counts)
{
    int64_t n = bucket->n[sli], k = bucket->k[sli];
    int64_t absent = bucket->admissions - bucket->outcomes;
    if (absent > 0) {
        if (bucket->heard_at < bucket->second + 1 + maturity_s)
            return;
        if (sli_deadline(sli)) {
            n += absent;
            k += absent;
        } else if (n > 0) {
            n += absent;
        }
    }
    if (bucket->canary) {
        counts->n_c += n;
        counts->k_c += k;
    } else {
        counts->n_b += n;
        counts->k_b += k;
    }
}

struct window {
    int64_t reported_at, admissions, blind;
};

/* How much of the newest mature minute cannot be followed, and when a gateway last reported. */
static enum status read_window(struct db *db, const struct rollout_state *state, int64_t to,
                               int64_t maturity_s, struct window *out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, state->row.service);
    db_integer(&params, to - 60);
    db_integer(&params, to);
    db_integer(&params, maturity_s);
    enum status status = db_run(db, &sql_observations_blind, &params, &rows, fault);
    if (status == STATUS_OK) {
        out->reported_at = db_get_integer(rows, 0, 0);
        out->admissions = db_get_integer(rows, 0, 1);
        out->blind = db_get_integer(rows, 0, 2);
    }
    db_rows_free(rows);
    return status;
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
static enum status feed(struct observe_result *result, const struct bucket *buckets, size_t count,
                        int64_t from, int64_t to, int64_t now_s, const struct window *window,
                        struct fault *fault)
{
    const struct rollout_state *state = result->state;
    int64_t base = state_base_s(state);
    size_t at = 0;
    enum status status = STATUS_OK;
    for (int64_t second = from; second < to && status == STATUS_OK; second++) {
        size_t end = at;
        while (end < count && buckets[end].second == second)
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
                add_bucket(&buckets[row], (enum sli)i, guardrail->maturity_s, &counts);
            status = ticks_give(result, (enum sli)i, (double)(second - base), 1.0, &counts, fault);
        }
        at = end;
    }
    return status;
}

/* Cohorts by admission once anything was admitted, else outcomes with an age. */
static void note_quality(struct evidence_row *evidence, const struct bucket *buckets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (buckets[i].admissions > 0)
            evidence->quality = QUALITY_COHORT;
        else if (!evidence->has_quality)
            evidence->quality = QUALITY_AGED;
        evidence->has_quality = true;
    }
}

static enum status observe_outcomes(struct db *db, struct observe_result *result, struct fault *fault)
{
    struct rollout_state *state = result->state;
    struct bucket *buckets = NULL;
    struct window window = {0};
    size_t count = 0;
    int64_t now_s = state->world.now.us / 1000000, from, to;
    int64_t longest = longest_maturity(&state->spec.policy);
    span(state, now_s, &from, &to);
    enum status status = read_window(db, state, now_s - longest - settle_s(state), longest, &window, fault);
    if (status != STATUS_OK || to <= from)
        return status;
    status = read_buckets(db, state, from, to, &buckets, &count, fault);
    if (status == STATUS_OK) {
        note_quality(&state->evidence, buckets, count);
        result->observation.blind = window.blind * 10 > window.admissions;
        status = feed(result, buckets, count, from, to, now_s, &window, fault);
    }
    free(buckets);
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
