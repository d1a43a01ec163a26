/* Gateways' clocks: times of batches that do not move with the network. */
#include "gateway/clocks.h"

#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(gateway_clocks, .timeout = 30);

static const int64_t base_us = 1800000000000000;

static int64_t place(struct clocks *clocks, const char *gateway, int64_t clock_ms, int64_t received_us)
{
    return clocks_place(clocks, gateway, clock_ms, (struct wall_time){received_us}).us;
}

Test(gateway_clocks, jitter_does_not_move_what_happened_at_one_time)
{
    struct clocks *clocks = clocks_new();
    int64_t first = place(clocks, "gw", 5000, base_us);
    for (int i = 1; i < 500; i++) {
        /* an outcome reported i x 100 ms later, age i x 100 ms, with up to 15 ms of jitter on the way */
        int64_t made = place(clocks, "gw", 5000 + i * 100, base_us + i * 100000 + i * 7919 % 15000);
        cr_assert_eq(made - i * 100000, first, "batch %d moved by %lld us", i,
                     (long long)(made - i * 100000 - first));
    }
    clocks_free(clocks);
}

Test(gateway_clocks, a_batch_that_is_sent_again_keeps_its_time)
{
    struct clocks *clocks = clocks_new();
    place(clocks, "gw", 1000, base_us);
    int64_t made = place(clocks, "gw", 2000, base_us + 1000000 + 45000000);
    cr_expect_eq(made, base_us + 1000000);
    clocks_free(clocks);
}

Test(gateway_clocks, a_first_batch_that_was_late_is_corrected_by_a_quick_one)
{
    struct clocks *clocks = clocks_new();
    place(clocks, "gw", 1000, base_us + 30000000);
    cr_expect_eq(place(clocks, "gw", 2000, base_us + 1000000), base_us + 1000000);
    clocks_free(clocks);
}

Test(gateway_clocks, drift_is_followed_and_a_restart_begins_anew)
{
    struct clocks *clocks = clocks_new();
    int64_t last = 0;
    for (int second = 0; second < 7200; second++) /* this gateway's clock loses 100 us a second */
        last = place(clocks, "gw", (int64_t)second * 1000 - second / 10, base_us + (int64_t)second * 1000000);
    cr_expect_lt(base_us + 7199000000 - last, 200000, "off by %lld us",
                 (long long)(base_us + 7199000000 - last));
    cr_expect_eq(place(clocks, "gw", 3, base_us + 8000000000), base_us + 8000000000,
                 "its clock has begun anew");
    clocks_free(clocks);
}

Test(gateway_clocks, never_later_than_the_arrival_and_many_gateways_fit)
{
    struct clocks *clocks = clocks_new();
    char name[32];
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "gw-%d", i);
        cr_assert_leq(place(clocks, name, 1000 + i, base_us), base_us);
        cr_assert_leq(place(clocks, name, 1010 + i, base_us + 5000), base_us + 5000);
    }
    clocks_free(clocks);
}
