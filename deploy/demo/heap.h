/* What is to happen next: a binary heap of events by virtual time. */
#pragma once

#include "demo/service.h"

struct event {
    int64_t at_us, admitted_us; /* virtual */
    uint32_t service;           /* index */
    bool arrival;               /* else: the request ends */
    struct assignment assignment;
    struct answer answer;
};

struct heap {
    struct event *event; /* owned */
    size_t count, capacity;
};

/* Copies the event in. False if out of memory. */
bool heap_add(struct heap *heap, const struct event *event);
/* The earliest event, NULL if there is none; lent until the next change. */
const struct event *heap_first(const struct heap *heap);
void heap_drop_first(struct heap *heap);
void heap_free(struct heap *heap);
