/* A binary heap of events by virtual time. */
#include "demo/heap.h"

#include <stdlib.h>

bool heap_add(struct heap *heap, const struct event *event)
{
    if (heap->count == heap->capacity) {
        size_t capacity = heap->capacity > 0 ? heap->capacity * 2 : 1024;
        struct event *more = realloc(heap->event, capacity * sizeof *more);
        if (more == NULL) {
            return false;
        }
        heap->event = more;
        heap->capacity = capacity;
    }
    size_t at = heap->count++;
    while (at > 0 && heap->event[(at - 1) / 2].at_us > event->at_us) {
        heap->event[at] = heap->event[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->event[at] = *event;
    return true;
}

const struct event *heap_first(const struct heap *heap)
{
    return heap->count > 0 ? &heap->event[0] : NULL;
}

void heap_drop_first(struct heap *heap)
{
    struct event *moved = &heap->event[--heap->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count && heap->event[child + 1].at_us < heap->event[child].at_us) {
            child++;
        }
        if (heap->event[child].at_us >= moved->at_us) {
            break;
        }
        heap->event[at] = heap->event[child];
        at = child;
    }
    heap->event[at] = *moved;
}

void heap_free(struct heap *heap)
{
    free(heap->event);
    *heap = (struct heap){0};
}
