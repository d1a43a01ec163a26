/* What waits to be reported for one service: bounded; when it is full the oldest are dropped, and counted. */
#pragma once

#include "demo/outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct report {
    int64_t admitted_us; /* virtual */
    uint16_t release;    /* index of the service's releases */
    bool admission;      /* `count` requests were assigned; else: one request ended */
    uint32_t count;
    struct outcome outcome;
};

struct ring {
    struct report *report; /* owned; grows up to `maximum` */
    size_t first, count, capacity, maximum;
    uint64_t dropped; /* requests and outcomes */
};

void ring_init(struct ring *ring, size_t maximum);
void ring_free(struct ring *ring);
/* Adds one; an admission is merged into a recent one of the same release within `merge_us`. */
void ring_add(struct ring *ring, const struct report *report, int64_t merge_us);
/* Moves at most `most` of the oldest to `out`; returns how many. */
size_t ring_take(struct ring *ring, struct report *out, size_t most);
