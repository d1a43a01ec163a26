/* The demo's clock: virtual time at a multiple of real time. */
#include "demo/vclock.h"

void vclock_start(struct vclock *clock, double scale)
{
    clock->start = clock_mono();
    clock->scale = scale;
}

int64_t vclock_now_us(const struct vclock *clock)
{
    return (int64_t)((double)(clock_mono().us - clock->start.us) * clock->scale);
}
