/* From two readings of raw counters to what happened in between. The rules stand in the header. */
#include "sources/prometheus_delta.h"

#include "sources/prometheus_cursor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t count_max = INT64_C(1) << 53;

struct sums {
    int64_t n[ARM_COUNT];
    int resets;
};

struct work {
    const struct prometheus_reading *reading;
    double now;
    bool first;
    struct cursor before, after;
    const char **targets; /* owned array of lent strings, sorted: targets whose requests are there */
    size_t target_count;
    struct fault *fault;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool target_there(const struct work *work, const char *target)
{
    return work->target_count > 0 &&
           bsearch(&target, work->targets, work->target_count, sizeof *work->targets, by_text) != NULL;
}

static enum status no_memory(struct fault *fault)
{
    return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
}

static enum status list_targets(struct work *work)
{
    const struct prometheus_answer *requests = work->reading->requests;
    work->targets = calloc(requests->count > 0 ? requests->count : 1, sizeof *work->targets);
    if (work->targets == NULL)
        return no_memory(work->fault);
    for (size_t i = 0; i < requests->count; i++)
        work->targets[i] = requests->series[i].target;
    work->target_count = requests->count;
    qsort(work->targets, work->target_count, sizeof *work->targets, by_text);
    return STATUS_OK;
}

static bool add(int64_t *sum, int64_t more)
{
    if (more > count_max - *sum)
        return false;
    *sum += more;
    return true;
}

/* What a series that is there adds; -1 = it was reset. */
static int64_t increase(const struct work *work, const struct prometheus_series *series,
                        const struct cursor_series *old)
{
    if (old != NULL) {
        if (series->value < old->last.value || old->missed)
            return -1;
        bool fresh = work->before.at_s - old->seen_s <= DELTA_KNOWN_S;
        return fresh ? series->value - old->last.value : 0;
    }
    double watched = work->before.watched_s[series->arm];
    bool from_zero = !work->first && watched > 0 && work->now - watched <= DELTA_KNOWN_S;
    return from_zero ? series->value : 0;
}

/* A series of the cursor that the answer does not have. */
static enum status remember(struct work *work, int slot, const struct cursor_series *old, struct sums *sums)
{
    struct cursor_series kept = *old;
    if (target_there(work, old->last.target)) {
        if (old->missed)
            return STATUS_OK; /* forgotten: it counts from 0 now */
        kept.missed = true;
        sums->resets++;
    } else if (work->now - old->seen_s > DELTA_FORGET_S) {
        return STATUS_OK;
    }
    return cursor_add(&work->after.slot[slot], &kept) ? STATUS_OK : no_memory(work->fault);
}

static bool answer_has(const struct prometheus_answer *answer, const char *key)
{
    size_t low = 0, high = answer->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(key, answer->series[middle].key);
        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

static enum status compare(struct work *work, int slot, const struct prometheus_answer *answer,
                           struct sums *sums)
{
    const struct cursor_slot *before = &work->before.slot[slot];
    *sums = (struct sums){0};
    for (size_t i = 0; i < answer->count; i++) {
        const struct prometheus_series *series = &answer->series[i];
        int64_t more = increase(work, series, cursor_find(before, series->key));
        if (more < 0) {
            sums->resets++;
        } else if (!add(&sums->n[series->arm], more)) {
            fault_set(work->fault, STATUS_PEER, "The counters of Prometheus grew by more than 2^53 at once");
            fault_next(work->fault, "Check that the selectors name counters of requests.");
            return STATUS_PEER;
        }
        if (!cursor_add(&work->after.slot[slot],
                        &(struct cursor_series){.last = *series, .seen_s = work->now}))
            return no_memory(work->fault);
    }
    for (size_t i = 0; i < before->count; i++) {
        enum status status = STATUS_OK;
        if (!answer_has(answer, before->series[i].last.key))
            status = remember(work, slot, &before->series[i], sums);
        if (status != STATUS_OK)
            return status;
    }
    cursor_sort(&work->after.slot[slot]);
    return STATUS_OK;
}

static bool any_series(const struct prometheus_answer *answer, enum prometheus_arm arm)
{
    for (size_t i = 0; i < answer->count; i++)
        if (answer->series[i].arm == arm)
            return true;
    return false;
}

static void fill_sli(struct source_tick *out, enum sli sli, const struct sums *traffic,
                     const struct sums *bad)
{
    struct counts counts = {.n_c = traffic->n[ARM_CANARY],
                            .k_c = bad->n[ARM_CANARY],
                            .n_b = traffic->n[ARM_STABLE],
                            .k_b = bad->n[ARM_STABLE]};
    if (bad->resets > 0)
        return;
    if (counts.k_c > counts.n_c || counts.k_b > counts.n_b) {
        out->impossible++;
        return;
    }
    out->counts[sli] = counts;
    out->has[sli] = true;
}

static enum status compare_all(struct work *work, struct source_tick *out)
{
    const struct prometheus_reading *reading = work->reading;
    struct sums traffic, bad;
    bool there[ARM_COUNT];
    enum status status = compare(work, CURSOR_REQUESTS, reading->requests, &traffic);
    if (status != STATUS_OK)
        return status;
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        there[arm] = any_series(reading->requests, (enum prometheus_arm)arm);
        work->after.watched_s[arm] = there[arm] ? work->now : work->before.watched_s[arm];
    }
    out->resets = traffic.resets;
    out->valid = !work->first && traffic.resets == 0;
    for (int sli = 0; sli < SLI_COUNT; sli++) {
        if (reading->bad[sli] == NULL)
            continue;
        status = compare(work, sli, reading->bad[sli], &bad);
        if (status != STATUS_OK)
            return status;
        out->resets += bad.resets;
        bool before = work->first || (work->before.unseen >> sli & 1) != 0;
        if (before && work->after.slot[sli].count == 0)
            work->after.unseen |= 1u << sli;
        out->absent[sli] = (there[ARM_STABLE] || there[ARM_CANARY]) && (work->after.unseen >> sli & 1) != 0;
        if (out->valid && (there[ARM_STABLE] || there[ARM_CANARY]))
            fill_sli(out, (enum sli)sli, &traffic, &bad);
    }
    return STATUS_OK;
}

static enum status write_cursor(struct work *work, struct text *new_cursor)
{
    size_t total = 0;
    work->after.at_s = work->now;
    for (int i = 0; i < CURSOR_SLOTS; i++)
        total += work->after.slot[i].count;
    if (total <= DELTA_SERIES_MAX)
        cursor_write(&work->after, work->reading->asked, new_cursor);
    enum status status = text_status(new_cursor);
    if (status == STATUS_NO_MEMORY)
        return no_memory(work->fault);
    if (total > DELTA_SERIES_MAX || status != STATUS_OK) {
        fault_set(work->fault, STATUS_PEER, "Prometheus has too many series of these releases (%zu)", total);
        fault_next(work->fault, "Narrow the selectors, or sum the series by release in recording rules.");
        return STATUS_PEER;
    }
    return STATUS_OK;
}

/* An unusable tick; the cursor stays as it is. */
static enum status stay(const struct work *work, const char *cursor_json, struct text *new_cursor)
{
    text_puts(new_cursor, cursor_json != NULL && cursor_json[0] != '\0' ? cursor_json : "{}");
    if (text_status(new_cursor) == STATUS_OK)
        return STATUS_OK;
    return no_memory(work->fault);
}

static bool any_warning(const struct prometheus_reading *reading)
{
    bool warned = reading->requests->warned;
    for (int sli = 0; sli < SLI_COUNT; sli++)
        warned = warned || (reading->bad[sli] != NULL && reading->bad[sli]->warned);
    return warned;
}

enum status prometheus_delta(const char *cursor_json, const struct prometheus_reading *reading,
                             struct source_tick *out, struct text *new_cursor, struct fault *fault)
{
    struct work work = {.reading = reading, .now = round(reading->at_s * 1000) / 1000, .fault = fault};
    enum status status;
    *out = (struct source_tick){0};
    text_clear(new_cursor);
    work.first = !cursor_read(cursor_json, reading->asked, &work.before);
    if (!work.first && work.before.at_s - work.now > DELTA_KNOWN_S) {
        cursor_free(&work.before); /* the clock was set back */
        work.first = true;
    }
    out->from_s = work.first ? work.now : work.before.at_s;
    out->to_s = work.now > out->from_s ? work.now : out->from_s;
    out->first = work.first;
    out->warned = any_warning(reading);
    if (out->warned || (!work.first && work.now <= work.before.at_s)) {
        status = stay(&work, cursor_json, new_cursor);
    } else {
        status = list_targets(&work);
        if (status == STATUS_OK)
            status = compare_all(&work, out);
        if (status == STATUS_OK)
            status = write_cursor(&work, new_cursor);
    }
    if (status != STATUS_OK)
        text_clear(new_cursor);
    free(work.targets);
    cursor_free(&work.before);
    cursor_free(&work.after);
    return status;
}
