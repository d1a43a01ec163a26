/* A batch on its way in: its entries and a small hash to find them. */
#include "sources/counts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ENTRIES = 16 };

struct counts_delta *counts_delta_new(const char *gateway, const char *key, const char *service)
{
    struct counts_delta *delta = calloc(1, sizeof *delta);
    if (delta == NULL)
        return NULL;
    snprintf(delta->gateway, sizeof delta->gateway, "%s", gateway);
    snprintf(delta->key, sizeof delta->key, "%s", key != NULL ? key : "");
    snprintf(delta->service, sizeof delta->service, "%s", service);
    return delta;
}

void counts_delta_free(struct counts_delta *delta)
{
    if (delta == NULL)
        return;
    free(delta->entry);
    free(delta->slot);
    free(delta->point);
    counts_delta_free(delta->ended);
    free(delta);
}

struct counts_point *counts_delta_point(struct counts_delta *delta)
{
    if (delta->points == delta->points_capacity) {
        size_t capacity = delta->points_capacity == 0 ? FIRST_ENTRIES : delta->points_capacity * 2;
        struct counts_point *point = reallocarray(delta->point, capacity, sizeof *point);
        if (point == NULL)
            return NULL;
        delta->point = point;
        delta->points_capacity = capacity;
    }
    memset(&delta->point[delta->points], 0, sizeof *delta->point);
    return &delta->point[delta->points++];
}

static size_t hash(const char *release, const char *stratum, int64_t bucket_s)
{
    uint64_t value = 14695981039346656037u ^ (uint64_t)bucket_s; /* FNV-1a */
    for (; *release != '\0'; release++)
        value = (value ^ (unsigned char)*release) * 1099511628211u;
    for (; *stratum != '\0'; stratum++)
        value = (value ^ (unsigned char)*stratum ^ 0x100) * 1099511628211u;
    return (size_t)(value ^ value >> 32);
}

/* Where the entry is, or the free slot where it belongs. There is always a free one: at most half are taken.
 */
static size_t find(const struct counts_delta *delta, const char *release, const char *stratum,
                   int64_t bucket_s)
{
    size_t at = hash(release, stratum, bucket_s) & (delta->slots - 1);
    while (delta->slot[at] != 0) {
        const struct counts_entry *entry = &delta->entry[delta->slot[at] - 1];
        if (entry->bucket_s == bucket_s && strcmp(entry->release, release) == 0 &&
            strcmp(entry->stratum, stratum) == 0)
            break;
        at = (at + 1) & (delta->slots - 1);
    }
    return at;
}

static bool grow(struct counts_delta *delta)
{
    size_t capacity = delta->capacity == 0 ? FIRST_ENTRIES : delta->capacity * 2;
    struct counts_entry *entry = reallocarray(delta->entry, capacity, sizeof *entry);
    if (entry == NULL)
        return false;
    delta->entry = entry;
    size_t *slot = calloc(capacity * 2, sizeof *slot);
    if (slot == NULL)
        return false;
    free(delta->slot);
    delta->slot = slot;
    delta->slots = capacity * 2;
    delta->capacity = capacity;
    for (size_t i = 0; i < delta->entries; i++)
        delta->slot[find(delta, delta->entry[i].release, delta->entry[i].stratum, delta->entry[i].bucket_s)] =
            i + 1;
    return true;
}

struct counts_entry *counts_delta_entry(struct counts_delta *delta, const char *release, const char *stratum,
                                        int64_t bucket_s)
{
    if (delta->slots > 0) {
        size_t at = find(delta, release, stratum, bucket_s);
        if (delta->slot[at] != 0)
            return &delta->entry[delta->slot[at] - 1];
    }
    if (delta->entries == delta->capacity && !grow(delta))
        return NULL;
    struct counts_entry *entry = &delta->entry[delta->entries++];
    memset(entry, 0, sizeof *entry);
    snprintf(entry->release, sizeof entry->release, "%s", release);
    snprintf(entry->stratum, sizeof entry->stratum, "%s", stratum);
    entry->bucket_s = bucket_s;
    delta->slot[find(delta, entry->release, entry->stratum, bucket_s)] = delta->entries;
    return entry;
}
