/* Series in arrays, one for each metric, with an index by the hash of their labels. */
#include "base/meter.h"

#include "base/clock.h"
#include "base/lane.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS_MAX = 1024 }; /* bytes of the labels of a series, written down */

enum type { COUNTER, GAUGE, HISTOGRAM };
static const char *const type_name[] = {"counter", "gauge", "histogram"};

static const struct {
    const char *name, *labels, *help;
    enum type type;
    size_t series;
} table[METRIC_COUNT] = {
#define X(id, name, type, labels, series, help) {name, labels, help, type, series},
    METRIC_TABLE(X)
#undef X
};

const double meter_bucket_s[METER_BUCKETS] = {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

struct series {
    uint64_t hash;
    char *labels;           /* owned; `a="1",b="2"`, "" = none */
    double value;           /* of a histogram: the sum */
    int64_t *bucket;        /* owned; METER_BUCKETS + 1, of a histogram only */
    struct mono_time until; /* 0 = for ever */
};

struct family {
    struct series *series; /* owned */
    size_t count, capacity;
    uint32_t
        *slot; /* owned; `slots` of them, a power of two and more than count: place in series + 1, 0 = free */
    size_t slots;
};

struct meter_draft {
    struct family family[METRIC_COUNT];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct meter_draft all; /* lock */
static double dropped;         /* lock */

static pthread_mutex_t collector_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*collector)(void *argument); /* collector_lock */
static void *collector_argument;          /* collector_lock */

const char *meter_name(enum metric metric)
{
    return table[metric].name;
}

/* --- labels
 * ------------------------------------------------------------------------------------------------------- */

static void put_escaped(struct text *out, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\n')
            text_puts(out, "\\n");
        else if (*value == '\\' || *value == '"')
            text_printf(out, "\\%c", *value);
        else
            text_putc(out, *value);
    }
}

/* False if the values are not as many as the table's labels, or too long. */
static bool put_labels(struct text *out, enum metric metric, va_list values)
{
    const char *name = table[metric].labels, *value;
    while ((value = va_arg(values, const char *)) != NULL) {
        size_t length = strcspn(name, ",");
        if (length == 0)
            return false;
        text_printf(out, "%s%.*s=\"", name != table[metric].labels ? "," : "", (int)length, name);
        put_escaped(out, value);
        text_putc(out, '"');
        name += length + (name[length] == ',');
    }
    return *name == '\0' && text_status(out) == STATUS_OK;
}

static uint64_t hash_of(const char *labels)
{
    uint64_t value = 14695981039346656037u; /* FNV-1a */
    for (; *labels != '\0'; labels++)
        value = (value ^ (unsigned char)*labels) * 1099511628211u;
    return value;
}

/* --- series
 * ------------------------------------------------------------------------------------------------------- */

static void series_free(struct series *series)
{
    free(series->labels);
    free(series->bucket);
}

static void family_clear(struct family *family)
{
    for (size_t i = 0; i < family->count; i++)
        series_free(&family->series[i]);
    free(family->series);
    free(family->slot);
    *family = (struct family){0};
}

/* The slot of a series with these labels, or the free one where it belongs. */
static uint32_t *slot_of(const struct family *family, uint64_t hash, const char *labels)
{
    size_t at = (size_t)hash & (family->slots - 1);
    for (; family->slot[at] != 0; at = (at + 1) & (family->slots - 1)) {
        const struct series *series = &family->series[family->slot[at] - 1];
        if (series->hash == hash && strcmp(series->labels, labels) == 0)
            break;
    }
    return &family->slot[at];
}

static void index_again(struct family *family)
{
    memset(family->slot, 0, family->slots * sizeof *family->slot);
    for (size_t i = 0; i < family->count; i++)
        *slot_of(family, family->series[i].hash, family->series[i].labels) = (uint32_t)i + 1;
}

static void forget_old(struct family *family)
{
    struct mono_time now = clock_mono();
    size_t before = family->count;
    for (size_t i = 0; i < family->count;) {
        struct series *series = &family->series[i];
        if (series->until.us == 0 || series->until.us > now.us) {
            i++;
            continue;
        }
        series_free(series);
        *series = family->series[--family->count];
    }
    if (family->count < before)
        index_again(family);
}

static bool make_room(struct family *family, size_t most)
{
    if (family->count == most)
        forget_old(family);
    if (family->count == most)
        return false;
    if (family->count < family->capacity)
        return true;
    size_t capacity = family->capacity > 0 ? family->capacity * 2 : 4;
    uint32_t *slot = calloc(capacity * 2, sizeof *slot);
    struct series *grown = slot != NULL ? realloc(family->series, capacity * sizeof *grown) : NULL;
    if (grown == NULL) {
        free(slot);
        return false;
    }
    free(family->slot);
    *family = (struct family){grown, family->count, capacity, slot, capacity * 2};
    index_again(family);
    return true;
}

/* The series with these labels, made if it is new; NULL if there is no room. */
static struct series *find(struct family *family, enum metric metric, const char *labels)
{
    uint64_t hash = hash_of(labels);
    if (family->slots > 0 && *slot_of(family, hash, labels) != 0)
        return &family->series[*slot_of(family, hash, labels) - 1];
    if (!make_room(family, table[metric].series))
        return NULL;
    struct series made = {.hash = hash, .labels = strdup(labels)};
    bool histogram = table[metric].type == HISTOGRAM;
    if (histogram)
        made.bucket = calloc(METER_BUCKETS + 1, sizeof *made.bucket);
    if (made.labels == NULL || (histogram && made.bucket == NULL)) {
        series_free(&made);
        return NULL;
    }
    *slot_of(family, hash, labels) = (uint32_t)family->count + 1;
    family->series[family->count] = made;
    return &family->series[family->count++];
}

/* The lock is held. `draft`: NULL = what is shown. */
static struct series *find_by(struct meter_draft *draft, enum metric metric, va_list values)
{
    struct text labels;
    struct series *series = NULL;
    text_init(&labels, LABELS_MAX);
    if (put_labels(&labels, metric, values))
        series = find(&draft->family[metric], metric, text_get(&labels));
    text_free(&labels);
    if (series == NULL)
        dropped += 1;
    return series;
}

void meter_add(enum metric metric, double amount, ...)
{
    va_list values;
    va_start(values, amount);
    pthread_mutex_lock(&lock);
    struct series *series = find_by(&all, metric, values);
    if (series != NULL)
        series->value += amount;
    pthread_mutex_unlock(&lock);
    va_end(values);
}

void meter_set(enum metric metric, double value, ...)
{
    va_list values;
    va_start(values, value);
    pthread_mutex_lock(&lock);
    struct series *series = find_by(&all, metric, values);
    if (series != NULL)
        series->value = value;
    pthread_mutex_unlock(&lock);
    va_end(values);
}

void meter_set_for(enum metric metric, int64_t for_s, double value, ...)
{
    va_list values;
    va_start(values, value);
    pthread_mutex_lock(&lock);
    struct series *series = find_by(&all, metric, values);
    if (series != NULL) {
        series->value = value;
        series->until = clock_mono_after_ms(clock_mono(), for_s * 1000);
    }
    pthread_mutex_unlock(&lock);
    va_end(values);
}

void meter_observe(enum metric metric, double seconds, ...)
{
    va_list values;
    size_t at = 0;
    while (at < METER_BUCKETS && seconds > meter_bucket_s[at])
        at++;
    va_start(values, seconds);
    pthread_mutex_lock(&lock);
    struct series *series = find_by(&all, metric, values);
    if (series != NULL) {
        series->value += seconds;
        series->bucket[at]++;
    }
    pthread_mutex_unlock(&lock);
    va_end(values);
}

/* --- drafts
 * ------------------------------------------------------------------------------------------------------- */

struct meter_draft *meter_draft_new(void)
{
    return calloc(1, sizeof(struct meter_draft));
}

void meter_draft_free(struct meter_draft *draft)
{
    if (draft == NULL)
        return;
    for (size_t i = 0; i < METRIC_COUNT; i++)
        family_clear(&draft->family[i]);
    free(draft);
}

void meter_draft_set(struct meter_draft *draft, enum metric metric, double value, ...)
{
    va_list values;
    va_start(values, value);
    pthread_mutex_lock(&lock); /* for what is dropped */
    struct series *series = find_by(draft, metric, values);
    if (series != NULL)
        series->value = value;
    pthread_mutex_unlock(&lock);
    va_end(values);
}

void meter_publish(struct meter_draft *draft, const enum metric *metrics, size_t count)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count; i++) {
        struct family before = all.family[metrics[i]];
        all.family[metrics[i]] = draft->family[metrics[i]];
        draft->family[metrics[i]] = before;
    }
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < METRIC_COUNT; i++)
        family_clear(&draft->family[i]);
}

/* --- writing
 * ------------------------------------------------------------------------------------------------------ */

void meter_collector(void (*collect)(void *argument), void *argument)
{
    pthread_mutex_lock(&collector_lock);
    collector = collect;
    collector_argument = argument;
    pthread_mutex_unlock(&collector_lock);
}

static void collect(void)
{
    pthread_mutex_lock(&collector_lock);
    if (collector != NULL)
        collector(collector_argument);
    pthread_mutex_unlock(&collector_lock);
    lane_meter();
    pthread_mutex_lock(&lock);
    double so_far = dropped;
    pthread_mutex_unlock(&lock);
    meter_set(METRIC_METRIC_SERIES_DROPPED_TOTAL, so_far, NULL);
}

static void put_line(struct text *out, const char *name, const char *suffix, const char *labels, double value)
{
    bool some = labels[0] != '\0';
    text_printf(out, "%s%s%s%s%s %.15g\n", name, suffix, some ? "{" : "", labels, some ? "}" : "", value);
}

static void put_histogram(struct text *out, const char *name, const struct series *series)
{
    const char *labels = series->labels, *comma = labels[0] != '\0' ? "," : "";
    int64_t below = 0;
    for (size_t i = 0; i < METER_BUCKETS; i++) {
        below += series->bucket[i];
        text_printf(out, "%s_bucket{%s%sle=\"%g\"} %lld\n", name, labels, comma, meter_bucket_s[i],
                    (long long)below);
    }
    below += series->bucket[METER_BUCKETS];
    text_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %lld\n", name, labels, comma, (long long)below);
    put_line(out, name, "_sum", labels, series->value);
    put_line(out, name, "_count", labels, (double)below);
}

void meter_write(struct text *out, void (*own)(void *argument, enum metric metric, struct text *out),
                 void *argument)
{
    collect();
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const char *name = table[i].name;
        text_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, table[i].help, name, type_name[table[i].type]);
        if (own != NULL)
            own(argument, (enum metric)i, out);
        pthread_mutex_lock(&lock);
        forget_old(&all.family[i]);
        for (size_t j = 0; j < all.family[i].count; j++) {
            const struct series *series = &all.family[i].series[j];
            if (series->bucket != NULL)
                put_histogram(out, name, series);
            else
                put_line(out, name, "", series->labels, series->value);
        }
        pthread_mutex_unlock(&lock);
    }
}

void meter_sample(struct text *out, enum metric metric, double value, ...)
{
    struct text labels;
    va_list values;
    text_init(&labels, LABELS_MAX);
    va_start(values, value);
    if (put_labels(&labels, metric, values))
        put_line(out, table[metric].name, "", text_get(&labels), value);
    va_end(values);
    text_free(&labels);
}
