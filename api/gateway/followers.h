/* Gateways that follow the routes of all services at once: which revision each has applied, and what of it is
   yet to be written down. A revision stands for an epoch of every service; only services whose epoch has
   changed are written at once, all of them every FOLLOWERS_REFRESH_MS. One thread, but for
   followers_expand(). */
#pragma once

#include "base/clock.h"
#include "gateway/acks.h"
#include "gateway/snapshot.h"

enum { FOLLOWERS_REFRESH_MS = 5000, FOLLOWERS_KEPT_MS = 120000 };

/* What is to be written of one gateway. */
struct follower_word {
    char instance[NAME_MAX_LENGTH + 1];
    int64_t incarnation, rev; /* it has applied this revision of this incarnation; -1 = it has not said */
    int64_t since;            /* only services that have changed after this revision; -1 = all */
    struct mono_time heard;
};

struct followers;
/* Remembers at most `maximum` gateways; more are not noted. NULL on no memory. */
struct followers *followers_new(size_t maximum);
void followers_free(struct followers *followers); /* NULL is fine */

/* The newest word counts. `rev` is of this incarnation. */
void followers_heard(struct followers *followers, const char *instance, int64_t incarnation, int64_t rev,
                     struct mono_time now);
/* What is to be written now, and counts as written from now on: *out is the caller's (free). Forgets who was
   not heard for long. Returns how many; 0 and NULL also on no memory, and then nothing is lost. */
size_t followers_take(struct followers *followers, struct mono_time now, struct follower_word **out);
/* What followers_take() gave could not be written: all of it will be given again. */
void followers_return(struct followers *followers, const struct follower_word *taken, size_t count);

/* The epochs that these words stand for (-1 for words of another incarnation), sorted by (service, instance):
   *out is the caller's (free). Returns how many; 0 and NULL also on no memory, then *failed. Any thread. */
size_t followers_expand(const struct follower_word *words, size_t count, const struct snapshot *snapshot,
                        struct ack **out, bool *failed);
