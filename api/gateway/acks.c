/* A hash of gateways. What has been written is forgotten, so it holds only what a second brings. */
#include "gateway/acks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1024, SPARES_MAX = 1024 };

struct entry {
    struct entry *next;
    struct ack ack;
};

struct acks {
    size_t count, maximum;
    struct entry *slot[SLOTS];
    struct entry *spare; /* what was forgotten, for the next second: a poll allocates nothing */
    size_t spares;
};

struct acks *acks_new(size_t maximum)
{
    struct acks *acks = calloc(1, sizeof *acks);
    if (acks != NULL)
        acks->maximum = maximum;
    return acks;
}

static void clear(struct acks *acks)
{
    for (size_t i = 0; i < SLOTS; i++) {
        while (acks->slot[i] != NULL) {
            struct entry *entry = acks->slot[i];
            acks->slot[i] = entry->next;
            if (acks->spares == SPARES_MAX) {
                free(entry);
                continue;
            }
            entry->next = acks->spare;
            acks->spare = entry;
            acks->spares++;
        }
    }
    acks->count = 0;
}

void acks_free(struct acks *acks)
{
    if (acks == NULL)
        return;
    clear(acks);
    for (struct entry *entry = acks->spare, *next; entry != NULL; entry = next) {
        next = entry->next;
        free(entry);
    }
    free(acks);
}

static size_t slot_of(const char *service, const char *instance)
{
    uint64_t value = 14695981039346656037u; /* FNV-1a */
    for (; *service != '\0'; service++)
        value = (value ^ (unsigned char)*service) * 1099511628211u;
    value *= 1099511628211u;
    for (; *instance != '\0'; instance++)
        value = (value ^ (unsigned char)*instance) * 1099511628211u;
    return (size_t)((value ^ value >> 32) % SLOTS);
}

static struct entry *new_entry(struct acks *acks)
{
    struct entry *entry = acks->spare;
    if (entry == NULL)
        return malloc(sizeof *entry);
    acks->spare = entry->next;
    acks->spares--;
    return entry;
}

void acks_heard_coarse(struct acks *acks, const char *service, const char *instance, int64_t incarnation,
                       int64_t applied_epoch, int32_t weight_step, struct mono_time now)
{
    size_t slot = slot_of(service, instance);
    struct entry *entry = acks->slot[slot];
    while (entry != NULL &&
           (strcmp(entry->ack.service, service) != 0 || strcmp(entry->ack.instance, instance) != 0))
        entry = entry->next;
    if (entry != NULL && entry->ack.heard.us > now.us)
        return;
    if (entry == NULL) {
        entry = acks->count < acks->maximum ? new_entry(acks) : NULL;
        if (entry == NULL)
            return; /* it says so again with its next poll */
        snprintf(entry->ack.service, sizeof entry->ack.service, "%s", service);
        snprintf(entry->ack.instance, sizeof entry->ack.instance, "%s", instance);
        entry->ack.applied.us = 0;
        entry->next = acks->slot[slot];
        acks->slot[slot] = entry;
        acks->count++;
    }
    if (entry->ack.applied.us == 0 || entry->ack.incarnation != incarnation ||
        entry->ack.applied_epoch != applied_epoch)
        entry->ack.applied = now;
    entry->ack.incarnation = incarnation;
    entry->ack.applied_epoch = applied_epoch;
    entry->ack.weight_step = weight_step;
    entry->ack.heard = now;
}

void acks_heard(struct acks *acks, const char *service, const char *instance, int64_t incarnation,
                int64_t applied_epoch, struct mono_time now)
{
    acks_heard_coarse(acks, service, instance, incarnation, applied_epoch, 1, now);
}

void acks_sweep(struct acks *acks, bool (*keep)(void *argument, struct ack *ack), void *argument)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct entry **at = &acks->slot[i];
        while (*at != NULL) {
            struct entry *entry = *at;
            if (keep(argument, &entry->ack)) {
                at = &entry->next;
                continue;
            }
            *at = entry->next;
            free(entry);
            acks->count--;
        }
    }
}

static int by_name(const void *a, const void *b)
{
    const struct ack *x = a, *y = b;
    int order = strcmp(x->service, y->service);
    return order != 0 ? order : strcmp(x->instance, y->instance);
}

size_t acks_take(struct acks *acks, struct ack **out)
{
    size_t used = 0;
    *out = acks->count > 0 ? calloc(acks->count, sizeof **out) : NULL;
    if (*out == NULL)
        return 0;
    for (size_t i = 0; i < SLOTS; i++) {
        for (const struct entry *entry = acks->slot[i]; entry != NULL; entry = entry->next)
            (*out)[used++] = entry->ack;
    }
    clear(acks);
    qsort(*out, used, sizeof **out, by_name);
    return used;
}

void acks_return(struct acks *acks, const struct ack *taken, size_t count)
{
    for (size_t i = 0; i < count; i++) /* when it had applied it, and then when it was heard last */
    {
        const struct ack *ack = &taken[i];
        acks_heard_coarse(acks, ack->service, ack->instance, ack->incarnation, ack->applied_epoch,
                          ack->weight_step, ack->applied);
        acks_heard_coarse(acks, ack->service, ack->instance, ack->incarnation, ack->applied_epoch,
                          ack->weight_step, ack->heard);
    }
}
