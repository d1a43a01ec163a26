/* Keeps the newest snapshot on disk, on a thread of its own: a slow disk holds up nobody. */
#pragma once

#include "gateway/snapshot.h"

struct keeper;

/* Keeps in `directory`, which is copied. NULL on no memory. */
struct keeper *keeper_new(const char *directory);
/* Takes over a reference: this is the newest now. One thread. */
void keeper_take(struct keeper *keeper, struct snapshot *snapshot);
/* Has it written, unless the one before is still being written: then with a later call. */
void keeper_step(struct keeper *keeper);
/* Writes what is not yet kept, and frees. NULL is fine. */
void keeper_free(struct keeper *keeper);
