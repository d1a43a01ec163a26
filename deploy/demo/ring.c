/* A bounded ring of reports. */
#include "demo/ring.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 256, MERGE_LOOK = 4 };

void ring_init(struct ring *ring, size_t maximum)
{
    *ring = (struct ring){.maximum = maximum};
}

void ring_free(struct ring *ring)
{
    free(ring->report);
    ring_init(ring, ring->maximum);
}

static struct report *at(struct ring *ring, size_t index)
{
    return &ring->report[(ring->first + index) % ring->capacity];
}

static void drop_first(struct ring *ring)
{
    ring->dropped += at(ring, 0)->count;
    ring->first = (ring->first + 1) % ring->capacity;
    ring->count--;
}

/* Room for one more: grows, or drops the oldest. False only if there is no memory at all. */
static bool make_room(struct ring *ring)
{
    if (ring->count < ring->capacity) {
        return true;
    }
    size_t capacity = ring->capacity > 0 ? ring->capacity * 2 : FIRST_CAPACITY;
    capacity = capacity > ring->maximum ? ring->maximum : capacity;
    struct report *more = capacity > ring->capacity ? calloc(capacity, sizeof *more) : NULL;
    if (more == NULL) {
        if (ring->count > 0) {
            drop_first(ring);
        }
        return ring->capacity > 0;
    }
    for (size_t i = 0; i < ring->count; i++) {
        more[i] = *at(ring, i);
    }
    free(ring->report);
    ring->report = more;
    ring->capacity = capacity;
    ring->first = 0;
    return true;
}

void ring_add(struct ring *ring, const struct report *report, int64_t merge_us)
{
    for (size_t back = 1; report->admission && back <= MERGE_LOOK && back <= ring->count; back++) {
        struct report *recent = at(ring, ring->count - back);
        if (recent->admission && recent->release == report->release &&
            report->admitted_us - recent->admitted_us < merge_us) {
            recent->count += report->count;
            return;
        }
    }
    if (make_room(ring)) {
        ring->count++;
        *at(ring, ring->count - 1) = *report;
    } else {
        ring->dropped += report->count;
    }
}

size_t ring_take(struct ring *ring, struct report *out, size_t most)
{
    size_t taken = 0;
    while (taken < most && ring->count > 0) {
        out[taken++] = *at(ring, 0);
        ring->first = (ring->first + 1) % ring->capacity;
        ring->count--;
    }
    return taken;
}
