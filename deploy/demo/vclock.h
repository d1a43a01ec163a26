/* The demo's clock. Requests, latencies and ages are in virtual time, which runs `scale` times as fast as
   real time, as the database's clock does in a scaled test; with scale 1 both are the same. Leases are in
   real time. */
#pragma once

#include "base/clock.h"

#include <stdint.h>

struct vclock {
    struct mono_time start;
    double scale;
};

/* scale > 0. */
void vclock_start(struct vclock *clock, double scale);
/* Virtual microseconds since vclock_start(). */
int64_t vclock_now_us(const struct vclock *clock);
