/* What one read of Prometheus leaves for the next: the last value of every series. JSON outside, a table
 * inside. */
#pragma once

#include "base/fault.h"
#include "base/text.h"
#include "sources/prometheus_vector.h"

#include "decision/sli.h"

enum { CURSOR_REQUESTS = SLI_COUNT, CURSOR_SLOTS = SLI_COUNT + 1 };

struct cursor_series {
    struct prometheus_series last;
    double seen_s; /* when it was read last */
    bool missed;   /* it was absent in the read before, though its target was there */
};

struct cursor_slot {
    struct cursor_series *series; /* owned; sorted by key */
    size_t count, capacity;
};

struct cursor {
    double at_s;                           /* of the last read */
    double watched_s[ARM_COUNT];           /* when requests of the release were seen last; 0 = never */
    struct cursor_slot slot[CURSOR_SLOTS]; /* by SLI, and CURSOR_REQUESTS */
    uint32_t unseen;                       /* SLIs (1 << sli) of which no series has ever been there */
};

/* Reads what cursor_write wrote for the same `asked`. False if it is none, or cannot be read: *out is then
   empty. The caller frees *out (cursor_free) in either case. */
bool cursor_read(const char *json, const char *asked, struct cursor *out);
/* Appends the cursor; the caller looks at text_status. */
void cursor_write(const struct cursor *cursor, const char *asked, struct text *out);
void cursor_free(struct cursor *cursor);
/* False on no memory. */
bool cursor_add(struct cursor_slot *slot, const struct cursor_series *series);
void cursor_sort(struct cursor_slot *slot);
/* NULL if there is none. Lent. */
const struct cursor_series *cursor_find(const struct cursor_slot *slot, const char *key);
