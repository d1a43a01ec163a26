/* What gateways have applied, as heard by one gateway thread: gathered in memory, written down once a second.
   One thread. */
#pragma once

#include "base/clock.h"
#include "base/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ack {
    char service[NAME_MAX_LENGTH + 1], instance[NAME_MAX_LENGTH + 1];
    int64_t incarnation, applied_epoch; /* an epoch of this incarnation; -1 = it has not said */
    int32_t weight_step;                /* it can apply the multiples of this, 1/10,000; 1 = every weight */
    struct mono_time heard;
    struct mono_time applied; /* first heard with this epoch */
};

struct acks;
/* Remembers at most `maximum` gateways; more are not noted. NULL on no memory. */
struct acks *acks_new(size_t maximum);
void acks_free(struct acks *acks); /* NULL is fine */

/* The newest word counts. Of one that can apply every weight. */
void acks_heard(struct acks *acks, const char *service, const char *instance, int64_t incarnation,
                int64_t applied_epoch, struct mono_time now);
/* The same, of one that can apply the multiples of `weight_step` only. */
void acks_heard_coarse(struct acks *acks, const char *service, const char *instance, int64_t incarnation,
                       int64_t applied_epoch, int32_t weight_step, struct mono_time now);
/* Shows each that is remembered to `keep`, which may change its epoch; forgets those for which it is false.
 */
void acks_sweep(struct acks *acks, bool (*keep)(void *argument, struct ack *ack), void *argument);
/* What was heard since the last call, sorted by (service, instance): *out is the caller's (free). Returns how
   many; 0 and NULL also on no memory, and then nothing is lost. */
size_t acks_take(struct acks *acks, struct ack **out);
/* What acks_take() gave could not be written: it will be given again, unless newer was heard. */
void acks_return(struct acks *acks, const struct ack *taken, size_t count);
