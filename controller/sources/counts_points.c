/* Points into counts. */
#include "sources/counts_points.h"

#include "base/log.h"
#include "sources/prometheus_delta.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)COUNTS_VALUES == (int)SERIES_VALUES, "the values of a point are those of its row");

enum { GROWTH_MAX = 1000000000 };
static const int64_t known_ns = DELTA_KNOWN_S * INT64_C(1000000000);

/* --- one point
 * ---------------------------------------------------------------------------------------------------- */

static struct counts_growth from_zero(const struct counts_point *point, int64_t since_ns)
{
    struct counts_growth growth = {
        .counts = true, .keep = true, .sum = point->sum, .interval_ns = point->time_ns - since_ns};
    memcpy(growth.value, point->value, sizeof growth.value);
    return growth;
}

static struct counts_growth since_last(const struct counts_point *point, const struct series_row *last)
{
    struct counts_growth growth = {
        .keep = true, .sum = point->sum - last->sum, .interval_ns = point->time_ns - last->time_ns};
    if (growth.interval_ns <= 0)
        return (struct counts_growth){.keep = false};
    growth.counts = growth.interval_ns <= known_ns && point->shape == last->shape;
    for (size_t i = 0; i < COUNTS_VALUES; i++) {
        growth.value[i] = point->value[i] - last->value[i];
        growth.counts = growth.counts && growth.value[i] >= 0;
    }
    if (!(growth.sum >= 0))
        growth.sum = NAN;
    return growth;
}

struct counts_growth counts_points_grow(const struct counts_point *point, const struct series_row *last,
                                        bool known, int64_t heard_ns)
{
    if (last != NULL)
        return since_last(point, last);
    if (point->start_ns > 0 && point->start_ns >= heard_ns && point->time_ns - point->start_ns <= known_ns)
        return from_zero(point, point->start_ns);
    if (heard_ns > 0 && !known && point->time_ns >= heard_ns && point->time_ns - heard_ns <= known_ns)
        return from_zero(point, heard_ns);
    return (struct counts_growth){.keep = true, .sum = NAN};
}

/* --- its effect
 * --------------------------------------------------------------------------------------------------- */

static int64_t bad_of(enum counts_verdict verdict, const int64_t value[COUNTS_VALUES])
{
    switch (verdict) {
    case COUNTS_BAD:
    case COUNTS_BAD_ALONE:
        return value[0];
    case COUNTS_OVER_FIRST:
        return value[1];
    case COUNTS_OVER_SECOND:
        return value[2];
    case COUNTS_NOTHING:
    case COUNTS_GOOD:
    case COUNTS_ABSENT:
        break;
    }
    return 0;
}

static void count(const struct counts_effect *effect, const struct counts_growth *growth,
                  struct counts_entry *entry)
{
    int64_t requests = growth->value[0];
    int64_t interval_s = (growth->interval_ns + 999999999) / 1000000000;
    entry->interval_s = interval_s > entry->interval_s ? interval_s : entry->interval_s;
    if (entry->interval_s < 1)
        entry->interval_s = 1;
    for (int i = 0; i < SLI_COUNT; i++) {
        enum counts_verdict verdict = (enum counts_verdict)effect->verdict[i];
        bool mature = (effect->mature & 1u << i) != 0;
        if (verdict == COUNTS_NOTHING)
            continue;
        if (verdict == COUNTS_ABSENT) {
            entry->absent[i] += effect->in_time ? requests : 0;
            continue;
        }
        if (verdict != COUNTS_BAD_ALONE && (!mature || effect->in_time))
            entry->n[i] += requests;
        *(mature ? &entry->late[i] : &entry->k[i]) += bad_of(verdict, growth->value);
    }
    if (effect->outcomes)
        *(effect->in_time ? &entry->outcomes : &entry->late_outcomes) += requests;
    if (effect->in_time && effect->sum >= 0 && isfinite(growth->sum)) {
        entry->sums[effect->sum] += growth->sum * effect->scale;
        entry->summed[effect->sum] += requests;
    }
}

/* Counters of one process that were read a moment apart, or sent in several requests. What was bad is never
   forgotten: there were at least so many requests. */
static void mend_impossible(const struct counts_delta *delta)
{
    for (size_t at = 0; at < delta->entries; at++) {
        struct counts_entry *entry = &delta->entry[at];
        for (int i = 0; i < SLI_COUNT; i++) {
            if (entry->k[i] <= entry->n[i])
                continue;
            log_event(LOG_WARN, "sources", "more requests were bad than there were; the bad ones are counted",
                      "service", delta->service, "release", entry->release, "sli", sli_name((enum sli)i),
                      "gateway", delta->gateway, NULL);
            entry->n[i] = entry->k[i];
        }
    }
}

/* --- all of a transaction
 * ----------------------------------------------------------------------------------------- */

/* A point on its way, with what its series is called in the table. */
struct work {
    const struct counts_point *point;
    struct counts_delta *delta;
    struct series_row row;
};

static void hex_of(const uint64_t id[2], char out[SERIES_ID])
{
    snprintf(out, SERIES_ID, "%016" PRIx64 "%016" PRIx64, id[0], id[1]);
}

static int by_series(const void *a, const void *b)
{
    const struct work *x = a, *y = b;
    int order = series_order(&x->row, &y->row);
    return order != 0 ? order : (x->row.time_ns > y->row.time_ns) - (x->row.time_ns < y->row.time_ns);
}

/* So that no sum of sums leaves its 64 bits: nobody has a thousand million requests between two points. */
static bool is_sound(const struct counts_growth *growth)
{
    for (size_t i = 0; i < COUNTS_VALUES; i++) {
        if (growth->value[i] < 0 || growth->value[i] > GROWTH_MAX)
            return false;
    }
    return true;
}

static enum status give(struct counts_delta *delta, const struct counts_point *point,
                        const struct counts_growth *growth, struct fault *fault)
{
    const struct counts_effect *effect = &point->effect;
    if (!is_sound(growth)) {
        log_event(LOG_WARN, "sources", "a point of more than 1,000,000,000 requests is not counted",
                  "service", delta->service, "release", effect->release, "gateway", delta->gateway, NULL);
        return STATUS_OK;
    }
    struct counts_entry *entry =
        counts_delta_entry(delta->ended, effect->release, effect->stratum, effect->bucket_s);
    if (entry == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    count(effect, growth, entry);
    return STATUS_OK;
}

/* What is known of the process of `row`: its rows, and when it was last heard. */
struct process {
    const struct series_row *rows;
    size_t count;
    int64_t heard_ns;
};

static struct process process_of(const struct series_row *known, size_t count, const char *target)
{
    size_t low = 0, high = count;
    struct process process = {.count = 0};
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(known[middle].target, target) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    process.rows = known + low;
    for (; low + process.count < count && strcmp(known[low + process.count].target, target) == 0;
         process.count++) {
        int64_t time_ns = known[low + process.count].time_ns;
        process.heard_ns = time_ns > process.heard_ns ? time_ns : process.heard_ns;
    }
    return process;
}

/* Its row; NULL if there is none, then *other says whether there is one with another start (which then stands
   beside the place that was looked for, and both neighbours are looked at). */
static const struct series_row *find(const struct process *process, const struct series_row *row, bool *other)
{
    *other = false;
    for (size_t low = 0, high = process->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        const struct series_row *at = &process->rows[middle];
        int order = series_order(at, row);
        if (order == 0)
            return at;
        *other = *other || strcmp(at->series, row->series) == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

struct table {
    struct series_row *known, *kept; /* owned; as they were, and the new ones */
    size_t count, keeps;
    int64_t room;
    bool full;
};

/* All points of one series, in order of their time. */
static enum status grow_series(struct work *work, size_t count, const struct process *process,
                               struct table *table, struct fault *fault)
{
    bool other;
    const struct series_row *found = find(process, &work[0].row, &other), *last = found;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct counts_growth growth = counts_points_grow(work[i].point, last, other, process->heard_ns);
        if (growth.counts)
            status = give(work[i].delta, work[i].point, &growth, fault);
        if (growth.keep)
            last = &work[i].row;
    }
    if (last != found && last != NULL) {
        table->kept[table->keeps++] = *last;
        table->room -= found == NULL;
    }
    return status;
}

/* The end of the run of points that begins at `at` and is of one series, or of one process. */
static size_t series_end(const struct work *work, size_t count, size_t at)
{
    size_t end = at + 1;
    while (end < count && series_order(&work[at].row, &work[end].row) == 0)
        end++;
    return end;
}

static size_t process_end(const struct work *work, size_t count, size_t at)
{
    size_t end = at + 1;
    while (end < count && strcmp(work[at].row.target, work[end].row.target) == 0)
        end++;
    return end;
}

/* Whether all new series of a process have a place. If not, none of its points counts: its known series may
   be those of what went well, and the new one that of its errors. */
static bool fits(const struct work *work, size_t count, const struct process *process,
                 const struct table *table)
{
    int64_t fresh = 0;
    bool other;
    for (size_t at = 0; at < count; at = series_end(work, count, at))
        fresh += find(process, &work[at].row, &other) == NULL;
    return fresh <= table->room && (int64_t)process->count + fresh <= SERIES_TARGET_MAX;
}

static enum status grow_all(struct work *work, size_t count, struct table *table, struct fault *fault)
{
    enum status status = STATUS_OK;
    for (size_t at = 0, end; at < count && status == STATUS_OK; at = end) {
        struct process process = process_of(table->known, table->count, work[at].row.target);
        end = process_end(work, count, at);
        if (!fits(work + at, end - at, &process, table)) {
            table->full = true;
            continue;
        }
        for (size_t same; at < end && status == STATUS_OK; at = same) {
            same = series_end(work, end, at);
            status = grow_series(work + at, same - at, &process, table, fault);
        }
    }
    return status;
}

static enum status read_table(struct db *db, const struct work *work, size_t count, struct table *table,
                              struct fault *fault)
{
    size_t targets = 0;
    const char **target = calloc(count, sizeof *target);
    table->kept = calloc(count, sizeof *table->kept);
    if (target == NULL || table->kept == NULL) {
        free(target);
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(work[i].row.target, work[i - 1].row.target) != 0)
            target[targets++] = work[i].row.target;
    }
    enum status status = series_take(db, target, targets, &table->known, &table->count, fault);
    if (status == STATUS_OK)
        status = series_room(db, &table->room, fault);
    free(target);
    return status;
}

static enum status grow_cumulative(struct db *db, struct work *work, size_t count, struct fault *fault)
{
    struct table table = {.count = 0};
    if (count == 0)
        return STATUS_OK;
    qsort(work, count, sizeof *work, by_series);
    enum status status = read_table(db, work, count, &table, fault);
    if (status == STATUS_OK)
        status = grow_all(work, count, &table, fault);
    if (status == STATUS_OK)
        status = series_put(db, table.kept, table.keeps, fault);
    if (status == STATUS_OK && table.full)
        log_event(LOG_WARN, "sources", "too many series; a process with new ones is not counted", "service",
                  work[0].delta->service, "gateway", work[0].delta->gateway, "next_step",
                  "Take attributes of many values out of the metrics by a view, or export deltas.", NULL);
    free(table.known);
    free(table.kept);
    return status;
}

/* Deltas count at once; cumulative points go onto the list. */
static enum status sort_out(struct counts_delta *delta, struct work *work, size_t *used, struct fault *fault)
{
    enum status status = STATUS_OK;
    counts_delta_free(delta->ended);
    delta->ended = counts_delta_new(delta->gateway, NULL, delta->service);
    if (delta->ended == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    for (size_t i = 0; i < delta->points && status == STATUS_OK; i++) {
        const struct counts_point *point = &delta->point[i];
        if (!point->cumulative) {
            struct counts_growth growth = from_zero(point, point->start_ns);
            status = give(delta, point, &growth, fault);
            continue;
        }
        struct work *one = &work[(*used)++];
        *one = (struct work){.point = point, .delta = delta};
        hex_of(point->target, one->row.target);
        hex_of(point->series, one->row.series);
        one->row.start_ns = point->start_ns;
        one->row.time_ns = point->time_ns;
        one->row.shape = point->shape;
        one->row.sum = isfinite(point->sum) ? point->sum : 0;
        memcpy(one->row.value, point->value, sizeof one->row.value);
    }
    return status;
}

enum status counts_points_end(struct db *db, struct counts_delta *const *deltas, size_t count,
                              struct fault *fault)
{
    size_t total = 0, used = 0;
    for (size_t i = 0; i < count; i++)
        total += deltas[i]->points;
    if (total == 0)
        return STATUS_OK;
    struct work *work = calloc(total, sizeof *work);
    enum status status = work != NULL ? STATUS_OK : fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = sort_out(deltas[i], work, &used, fault);
    if (status == STATUS_OK)
        status = grow_cumulative(db, work, used, fault);
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        mend_impossible(deltas[i]->ended);
    free(work);
    return status;
}
