/* The series of one answer, in an order that finds those of a release. */
#include "sources/prometheus_vector.h"

#include <stdlib.h>
#include <string.h>

static const char *name_of(const struct prometheus_vector *vector, size_t at)
{
    return text_get(&vector->names) + at;
}

static int by_release(const struct prometheus_vector *vector, const struct prometheus_sample *sample,
                      const char *service, const char *release)
{
    int order = vector->by_service ? strcmp(name_of(vector, sample->service), service) : 0;
    return order != 0 ? order : strcmp(name_of(vector, sample->release), release);
}

static int by_all(const void *a, const void *b, void *context)
{
    const struct prometheus_vector *vector = context;
    const struct prometheus_sample *left = a, *right = b;
    int order = by_release(vector, left, name_of(vector, right->service), name_of(vector, right->release));
    return order != 0 ? order : strcmp(left->key, right->key);
}

bool prometheus_vector_sort(struct prometheus_vector *vector)
{
    qsort_r(vector->sample, vector->count, sizeof *vector->sample, by_all, vector);
    for (size_t i = 1; i < vector->count; i++)
        if (by_all(&vector->sample[i - 1], &vector->sample[i], vector) == 0)
            return false;
    return true;
}

void prometheus_vector_free(struct prometheus_vector *vector)
{
    free(vector->sample);
    text_free(&vector->names);
    *vector = (struct prometheus_vector){0};
}

void prometheus_answer_free(struct prometheus_answer *answer)
{
    free(answer->series);
    *answer = (struct prometheus_answer){0};
}

/* The first sample that is not before the release, and how many are of it. */
static size_t find(const struct prometheus_vector *vector, const char *service, const char *release,
                   size_t *count)
{
    size_t low = 0, high = vector->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_release(vector, &vector->sample[middle], service, release) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *count = 0;
    while (low + *count < vector->count &&
           by_release(vector, &vector->sample[low + *count], service, release) == 0)
        ++*count;
    return low;
}

static int by_key(const void *a, const void *b)
{
    const struct prometheus_series *left = a, *right = b;
    return strcmp(left->key, right->key);
}

static enum status copy(const struct prometheus_vector *vector, size_t from, size_t count,
                        enum prometheus_arm arm, struct prometheus_answer *out, struct fault *fault)
{
    for (size_t i = from; i < from + count; i++) {
        const struct prometheus_sample *sample = &vector->sample[i];
        struct prometheus_series *series = &out->series[out->count++];
        if (sample->odd != 0) {
            fault_set(fault, STATUS_PEER, "%s", name_of(vector, sample->odd));
            fault_next(fault,
                       "The selector must name raw counters of whole requests: not gauges, sums of "
                       "seconds or histograms. Narrow it, or mend what exports the series.");
            return STATUS_PEER;
        }
        memcpy(series->key, sample->key, sizeof series->key);
        memcpy(series->target, sample->target, sizeof series->target);
        series->arm = arm;
        series->value = sample->value;
    }
    return STATUS_OK;
}

enum status prometheus_select(const struct prometheus_vector *vector, const struct source_want *want,
                              struct prometheus_answer *out, struct fault *fault)
{
    size_t stable_count = 0, canary_count, stable = 0;
    size_t canary = find(vector, want->service, want->canary, &canary_count);
    *out = (struct prometheus_answer){.warned = vector->warned};
    if (want->stable != NULL)
        stable = find(vector, want->service, want->stable, &stable_count);
    size_t count = stable_count + canary_count;
    out->series = calloc(count > 0 ? count : 1, sizeof *out->series);
    if (out->series == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    enum status status = copy(vector, stable, stable_count, ARM_STABLE, out, fault);
    if (status == STATUS_OK)
        status = copy(vector, canary, canary_count, ARM_CANARY, out, fault);
    if (status != STATUS_OK) {
        prometheus_answer_free(out);
        return status;
    }
    qsort(out->series, out->count, sizeof *out->series, by_key);
    return STATUS_OK;
}
