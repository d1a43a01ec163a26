/* Requests of a backtest: recorded outcomes, drawn at the weights of the moment or as they came. */
#include "base/digest.h"
#include "cli/backtest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- arms ------------------------------------------------------------------------------------------ */

static enum status no_memory(struct fault *fault)
{
    return fault_set(fault, STATUS_NO_MEMORY, "out of memory");
}

/* Rows sorted by key (counting sort): those of key k are found without a search. */
static bool index_keys(struct backtest_arm *arm, size_t keys)
{
    arm->key_at = calloc(keys + 2, sizeof *arm->key_at);
    arm->by_key = calloc(arm->count, sizeof *arm->by_key);
    if (arm->key_at == NULL || arm->by_key == NULL) {
        return false;
    }
    /* counted two places on and summed up, key_at[k + 1] is where key k begins; placing its rows moves that
       to where it ends, which is where the next begins */
    for (size_t i = 0; i < arm->count; i++) {
        if (arm->row[i].key >= 0) {
            arm->key_at[arm->row[i].key + 2]++;
        }
    }
    for (size_t k = 1; k < keys + 2; k++) {
        arm->key_at[k] += arm->key_at[k - 1];
    }
    for (size_t i = 0; i < arm->count; i++) {
        if (arm->row[i].key >= 0) {
            arm->by_key[arm->key_at[arm->row[i].key + 1]++] = i;
        }
    }
    return true;
}

static bool copy_arm(struct backtest_arm *arm, const struct outcomes *outcomes, int32_t release,
                     uint32_t watched, const struct spec_policy *policy)
{
    arm->name = outcomes->releases.word[release];
    arm->row = calloc(outcomes->count, sizeof *arm->row);
    for (size_t i = 0; arm->row != NULL && i < outcomes->count; i++) {
        const struct outcome *outcome = &outcomes->item[i];
        if (outcome->release != release) {
            continue;
        }
        struct outcome *row = &arm->row[arm->count++];
        *row = *outcome;
        row->stratum =
            row->stratum >= 0 ? spec_policy_stratum(policy, outcomes->strata.word[row->stratum]) : 0;
        arm->any_bad += (outcome->bad & watched) != 0;
        for (int sli = 0; sli < SLI_COUNT; sli++) {
            arm->n[sli] += outcome->known >> sli & 1;
            arm->k[sli] += outcome->bad >> sli & 1;
        }
    }
    return arm->row != NULL && (outcomes->keys.count == 0 || index_keys(arm, outcomes->keys.count));
}

enum status traffic_init(struct backtest_traffic *traffic, const struct outcomes *outcomes, int32_t stable,
                         int32_t canary, uint32_t watched, const struct spec_policy *policy,
                         struct fault *fault)
{
    *traffic = (struct backtest_traffic){
        .watched = watched, .keys = &outcomes->keys, .strata = policy->policy.strata};
    return copy_arm(&traffic->stable, outcomes, stable, watched, policy) &&
                   copy_arm(&traffic->canary, outcomes, canary, watched, policy)
               ? STATUS_OK
               : no_memory(fault);
}

static void free_arm(struct backtest_arm *arm)
{
    free(arm->row);
    free(arm->by_key);
    free(arm->key_at);
}

void traffic_free(struct backtest_traffic *traffic)
{
    free_arm(&traffic->stable);
    free_arm(&traffic->canary);
    free(traffic->arrival);
    free(traffic->recorded);
    free(traffic->of_canary);
    *traffic = (struct backtest_traffic){0};
}

/* --- arrivals -------------------------------------------------------------------------------------- */

void traffic_at_random(struct backtest_traffic *traffic, double rps)
{
    traffic->rps = rps;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static enum status too_few(const char *name, struct fault *fault)
{
    fault_set(fault, STATUS_INVALID, "%s has fewer than two different times in its column arrival", name);
    fault_next(fault,
               "Give the requests' times of arrival, or another file of them with --arrivals, or "
               "--rps for requests that come at random.");
    return STATUS_INVALID;
}

/* Files hold one release behind the other, or all by time: what counts is the order inside each that is used;
   without a column for it (-1), that of all rows. */
static bool out_of_order(const struct outcomes *outcomes, int32_t release, int32_t other)
{
    const int32_t used[] = {release, other};
    for (size_t arm = 0; arm < 2; arm++) {
        double newest = -INFINITY;
        for (size_t i = 0; i < outcomes->count; i++) {
            const struct outcome *outcome = &outcomes->item[i];
            if (outcome->release != used[arm] || isnan(outcome->arrival_s)) {
                continue;
            }
            if (outcome->arrival_s < newest) {
                return true;
            }
            newest = outcome->arrival_s;
        }
    }
    return false;
}

enum status traffic_like(struct backtest_traffic *traffic, const struct outcomes *outcomes, int32_t release,
                         int32_t other, const char *name, struct fault *fault)
{
    size_t count = 0;
    traffic->sorted = out_of_order(outcomes, release, other);
    traffic->arrival = calloc(outcomes->count, sizeof *traffic->arrival);
    if (traffic->arrival == NULL) {
        return no_memory(fault);
    }
    for (size_t i = 0; i < outcomes->count; i++) {
        const struct outcome *outcome = &outcomes->item[i];
        if (!isnan(outcome->arrival_s) &&
            (release < 0 || outcome->release == release || outcome->release == other)) {
            traffic->arrival[count++] = outcome->arrival_s;
        }
    }
    qsort(traffic->arrival, count, sizeof *traffic->arrival, ascending);
    double first = count > 0 ? traffic->arrival[0] : 0;
    double span = count > 0 ? traffic->arrival[count - 1] - first : 0;
    if (!(span > 0)) {
        return too_few(name, fault);
    }
    for (size_t i = 0; i < count; i++) {
        traffic->arrival[i] -= first;
    }
    traffic->arrivals = count;
    traffic->span_s = span + span / (double)(count - 1);
    traffic->rps = (double)count / traffic->span_s;
    return STATUS_OK;
}

struct timed {
    const struct outcome *row;
    bool canary;
};

static int earlier(const void *a, const void *b)
{
    const struct timed *x = a, *y = b;
    double s = x->row->arrival_s, t = y->row->arrival_s;
    return s != t ? (s > t) - (s < t) : (x->row->line > y->row->line) - (x->row->line < y->row->line);
}

static size_t add_timed(const struct backtest_arm *arm, bool canary, struct timed *out)
{
    size_t count = 0;
    for (size_t i = 0; i < arm->count; i++) {
        if (!isnan(arm->row[i].arrival_s)) {
            out[count++] = (struct timed){&arm->row[i], canary};
        }
    }
    return count;
}

/* The rows from the canary's first second on. */
static enum status take(struct backtest_traffic *traffic, const struct timed *rows, size_t count,
                        const char *name, struct fault *fault)
{
    size_t first = 0;
    while (first < count && !rows[first].canary) {
        first++;
    }
    double begin = first < count ? floor(rows[first].row->arrival_s) : 0;
    while (first > 0 && rows[first - 1].row->arrival_s >= begin) {
        first--;
    }
    for (size_t i = first; i < count; i++) {
        traffic->arrival[i - first] = rows[i].row->arrival_s - begin;
        traffic->recorded[i - first] = rows[i].row;
        traffic->of_canary[i - first] = rows[i].canary;
    }
    traffic->skipped = first;
    traffic->arrivals = count - first;
    traffic->span_s = traffic->arrivals > 0 ? traffic->arrival[traffic->arrivals - 1] + 1 : 0;
    if (traffic->arrivals < 2 || !(traffic->span_s > 1)) {
        return too_few(name, fault);
    }
    traffic->rps = (double)traffic->arrivals / traffic->span_s;
    traffic->as_recorded = true;
    return STATUS_OK;
}

enum status traffic_as_recorded(struct backtest_traffic *traffic, const char *name, struct fault *fault)
{
    size_t most = traffic->stable.count + traffic->canary.count;
    struct timed *rows = calloc(most, sizeof *rows);
    traffic->arrival = calloc(most, sizeof *traffic->arrival);
    traffic->recorded = calloc(most, sizeof(const struct outcome *));
    traffic->of_canary = calloc(most, sizeof *traffic->of_canary);
    enum status status =
        rows != NULL && traffic->arrival != NULL && traffic->recorded != NULL && traffic->of_canary != NULL
            ? STATUS_OK
            : no_memory(fault);
    if (status == STATUS_OK) {
        size_t count = add_timed(&traffic->stable, false, rows);
        count += add_timed(&traffic->canary, true, rows + count);
        for (size_t i = 1; i < count; i++) {
            traffic->sorted = traffic->sorted || (rows[i].canary == rows[i - 1].canary &&
                                                  rows[i].row->arrival_s < rows[i - 1].row->arrival_s);
        }
        qsort(rows, count, sizeof *rows, earlier);
        status = take(traffic, rows, count, name, fault);
    }
    free(rows);
    return status;
}

/* --- one rollout's requests ------------------------------------------------------------------------ */

static void first_arrival(struct traffic_stream *stream)
{
    const struct backtest_traffic *traffic = stream->traffic;
    stream->next_s =
        traffic->arrival != NULL ? traffic->arrival[0] : random_exponential(&stream->random) / traffic->rps;
}

enum status traffic_start(struct traffic_stream *stream, const struct backtest_traffic *traffic,
                          uint64_t seed, struct fault *fault)
{
    *stream = (struct traffic_stream){.traffic = traffic};
    random_seed(&stream->random, seed);
    snprintf(stream->salt, sizeof stream->salt, "seed_%llu", (unsigned long long)seed);
    size_t keys = traffic->keys != NULL ? traffic->keys->count : 0;
    if (keys > 0) {
        stream->bucket = malloc(keys * sizeof *stream->bucket);
        if (stream->bucket == NULL) {
            return no_memory(fault);
        }
        memset(stream->bucket, 0xff, keys * sizeof *stream->bucket);
    }
    first_arrival(stream);
    return STATUS_OK;
}

void traffic_stop(struct traffic_stream *stream)
{
    free(stream->bucket);
    stream->bucket = NULL;
}

bool traffic_over(const struct traffic_stream *stream)
{
    return stream->traffic->as_recorded && stream->next >= stream->traffic->arrivals;
}

static void next_arrival(struct traffic_stream *stream)
{
    const struct backtest_traffic *traffic = stream->traffic;
    if (traffic->arrival == NULL) {
        stream->next_s += random_exponential(&stream->random) / traffic->rps;
        return;
    }
    stream->next++;
    if (stream->next == traffic->arrivals && !traffic->as_recorded) {
        stream->next = 0;
        stream->rounds_s += traffic->span_s;
    }
    if (stream->next < traffic->arrivals) {
        stream->next_s = stream->rounds_s + traffic->arrival[stream->next];
    }
}

/* The bucket of a key under this rollout's salt, by the rule that gateways go by. */
static int bucket_of(struct traffic_stream *stream, int32_t key)
{
    if (stream->bucket[key] < 0) {
        const char *word = stream->traffic->keys->word[key];
        stream->bucket[key] = (int16_t)digest_bucket(stream->salt, word, strlen(word));
    }
    return stream->bucket[key];
}

static const struct outcome *any_row(struct traffic_stream *stream, const struct backtest_arm *arm)
{
    return &arm->row[random_below(&stream->random, arm->count)];
}

/* A key as often as it comes in both recordings; then one of its outcomes from the arm that it sticks to, or
   any of that arm if it was never seen there. */
static const struct outcome *draw_by_key(struct traffic_stream *stream, int32_t weight, bool *canary)
{
    const struct backtest_traffic *traffic = stream->traffic;
    uint64_t at = random_below(&stream->random, traffic->stable.count + traffic->canary.count);
    int32_t key = at < traffic->stable.count ? traffic->stable.row[at].key
                                             : traffic->canary.row[at - traffic->stable.count].key;
    int bucket = key >= 0 ? bucket_of(stream, key) : (int)random_below(&stream->random, WEIGHT_FULL);
    *canary = bucket < weight;
    const struct backtest_arm *arm = *canary ? &traffic->canary : &traffic->stable;
    size_t first = key >= 0 ? arm->key_at[key] : 0, end = key >= 0 ? arm->key_at[key + 1] : 0;
    if (first == end) {
        return any_row(stream, arm);
    }
    return &arm->row[arm->by_key[first + random_below(&stream->random, end - first)]];
}

static const struct outcome *draw(struct traffic_stream *stream, int32_t weight, bool *canary)
{
    const struct backtest_traffic *traffic = stream->traffic;
    if (traffic->as_recorded) {
        *canary = traffic->of_canary[stream->next];
        return traffic->recorded[stream->next];
    }
    if (stream->bucket != NULL && !traffic->in_order) {
        return draw_by_key(stream, weight, canary);
    }
    *canary = (int32_t)random_below(&stream->random, WEIGHT_FULL) < weight;
    const struct backtest_arm *arm = *canary ? &traffic->canary : &traffic->stable;
    if (!traffic->in_order) {
        return any_row(stream, arm);
    }
    /* one release in both arms has one order: what it met at a time, it meets in both */
    bool own = *canary && traffic->canary.name != traffic->stable.name;
    size_t *next = own ? &stream->in_canary : &stream->in_stable;
    const struct outcome *row = &arm->row[*next];
    *next = (*next + 1) % arm->count;
    return row;
}

static void count(const struct outcome *row, bool canary, uint32_t watched, struct backtest_second *out)
{
    uint32_t known = row->known & watched, bad = row->bad & watched;
    *(canary ? &out->canary : &out->stable) += 1;
    *(canary ? &out->canary_bad : &out->stable_bad) += bad != 0;
    for (int sli = 0; watched >> sli != 0; sli++) {
        struct sli_counts *sums = &out->sli[sli];
        struct counts *counts = &sums->stratum[row->stratum], *covered = &sums->coverage[row->stratum];
        if ((watched >> sli & 1) == 0) {
            continue;
        }
        *(canary ? &counts->n_c : &counts->n_b) += known >> sli & 1;
        *(canary ? &counts->k_c : &counts->k_b) += bad >> sli & 1;
        *(canary ? &covered->n_c : &covered->n_b) += 1;
        *(canary ? &covered->k_c : &covered->k_b) += (known >> sli & 1) == 0;
    }
}

static void clear(const struct backtest_traffic *traffic, struct backtest_second *out)
{
    memset(out, 0, sizeof *out);
    for (int sli = 0; traffic->watched >> sli != 0; sli++) {
        out->sli[sli].strata = traffic->strata;
    }
}

void traffic_second(struct traffic_stream *stream, int64_t second, const struct offline *offline,
                    struct backtest_second *out)
{
    clear(stream->traffic, out);
    double end = (double)second + 1;
    while (stream->next_s < end && !traffic_over(stream)) {
        bool canary;
        const struct outcome *row = draw(stream, offline_weight_at(offline, stream->next_s), &canary);
        count(row, canary, stream->traffic->watched, out);
        next_arrival(stream);
    }
}
