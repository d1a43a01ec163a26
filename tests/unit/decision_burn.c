/* Burn windows: what is asked of the long and of the short one, filling, expiry, gaps, and the largest
 * factor. */
#include "decision_support.h"

#include "decision/burn.h"

#include <criterion/criterion.h>
#include <math.h>

static const struct burn_window fast = {10, 300, 60}; /* with 99 %: a share of 10 % */
static const double rate = 0.01;

/* Blocks of 5 s with n outcomes each, k of them bad, from `from` to `to`. */
static void blocks(struct burn_ring *ring, double from, double to, int64_t n, int64_t k)
{
    for (double t = from; t < to; t += 5)
        burn_add(ring, &fast, t, t + 5, n, k);
}

static bool burns(const struct burn_ring *ring, double now)
{
    return burn_now(ring, &fast, now, rate);
}

Test(decision_burn, factor_is_cut_to_what_can_be_told_from_an_outage)
{
    cr_expect(near(burn_factor_max(0.01), 50));
    cr_expect(near(burn_factor_max(0.04), 12.5));
    cr_expect(burn_factor_max(0) == INFINITY);
    cr_expect(burn_factor(&fast, 0.01) == 10 && near(burn_factor(&fast, 0.2), 2.5));
    /* a 96 % objective and 17.3x: 69 % bad would be asked for; half of the requests is enough */
    const struct burn_window page = {17.3, 300, 60};
    struct burn_ring ring;
    burn_init(&ring);
    for (double t = 0; t < 600; t += 5)
        burn_add(&ring, &page, t, t + 5, 100, 51);
    cr_expect(burn_now(&ring, &page, 600, 0.04));
    burn_init(&ring);
    for (double t = 0; t < 600; t += 5)
        burn_add(&ring, &page, t, t + 5, 100, 49);
    cr_expect_not(burn_now(&ring, &page, 600, 0.04));
}

Test(decision_burn, both_windows_must_burn)
{
    struct burn_ring ring;
    burn_init(&ring);
    blocks(&ring, 0, 600, 100, 10);
    cr_expect(burns(&ring, 600), "at its factor exactly");
    blocks(&ring, 600, 660, 100, 0);
    cr_expect_not(burns(&ring, 660), "the short window has become well");
    burn_init(&ring);
    blocks(&ring, 0, 600, 100, 0);
    blocks(&ring, 600, 660, 100, 40);
    cr_expect_not(burns(&ring, 660), "the long window has not seen enough: 8 %%");
    blocks(&ring, 660, 690, 100, 40);
    cr_expect(burns(&ring, 690));
    burn_init(&ring);
    blocks(&ring, 0, 600, 100, 9);
    cr_expect_not(burns(&ring, 600));
}

Test(decision_burn, ten_bad_outcomes_at_least)
{
    for (int64_t bad = 9; bad <= 10; bad++) {
        struct burn_ring ring;
        burn_init(&ring);
        for (int i = 0; i < 10; i++) /* one in each of the window's buckets of 30 s */
            burn_add(&ring, &fast, 600 + 30 * i, 630 + 30 * i, 2, i < bad);
        ring.since = 0;
        cr_expect_eq(burns(&ring, 900), bad == 10, "%d bad", (int)bad);
        cr_expect_eq(ring.k[(900 / 30 - 1) % BURN_BUCKETS], bad == 10);
    }
    /* the count, apart from the share: all of few are bad */
    for (int64_t bad = 9; bad <= 10; bad++) {
        struct burn_ring ring;
        burn_init(&ring);
        burn_add(&ring, &fast, 0, 5, 0, 0);
        burn_add(&ring, &fast, 895, 900, bad, bad);
        cr_expect_eq(burns(&ring, 900), bad == 10, "%d bad", (int)bad);
    }
}

/* What the window lacks counts as good: at the start a burst has to last. */
Test(decision_burn, a_window_fills_before_it_burns)
{
    struct burn_ring ring;
    burn_init(&ring);
    double first = -1;
    for (double t = 0; t < 600 && first < 0; t += 5) {
        burn_add(&ring, &fast, t, t + 5, 100, 40);
        if (burns(&ring, t + 5))
            first = t + 5;
    }
    cr_expect(first == 75, "40 %% of 75 s of 300 s are 10 %%: %g", first);
    burn_init(&ring); /* the clock runs from the first block, not from the start of the rollout */
    first = -1;
    for (double t = 1000; t < 1600 && first < 0; t += 5) {
        burn_add(&ring, &fast, t, t + 5, 100, 40);
        if (burns(&ring, t + 5))
            first = t + 5;
    }
    cr_expect(first == 1075, "%g", first);
}

Test(decision_burn, what_is_older_than_the_window_is_gone)
{
    struct burn_ring ring;
    burn_init(&ring);
    blocks(&ring, 0, 600, 100, 50);
    double last = 600;
    for (double t = 600; t < 1200; t += 5) {
        burn_add(&ring, &fast, t, t + 5, 100, 0);
        last = burns(&ring, t + 5) ? t + 5 : last;
    }
    /* the short window: 50 % of what is left of it, no later than its own length after the end */
    cr_expect(last > 600 && last <= 660, "%g", last);
    /* nothing more comes: the clock alone takes them out */
    burn_init(&ring);
    blocks(&ring, 0, 600, 100, 50);
    cr_expect(burns(&ring, 600) && burns(&ring, 630));
    cr_expect_not(burns(&ring, 661), "the short window is empty");
    cr_expect_not(burns(&ring, 1e7));
}

Test(decision_burn, a_gap_longer_than_the_ring_leaves_nothing)
{
    const double gaps[] = {30.0 * BURN_BUCKETS - 30, 30.0 * BURN_BUCKETS, 30.0 * BURN_BUCKETS + 30, 1e6};
    for (int i = 0; i < 4; i++) {
        struct burn_ring ring;
        burn_init(&ring);
        blocks(&ring, 0, 600, 100, 100);
        double t = 600 + gaps[i];
        burn_add(&ring, &fast, t, t + 5, 100, 0);
        int64_t n = 0, k = 0;
        for (int64_t b = ring.newest; b > ring.newest - 10; b--) {
            n += ring.n[b % BURN_BUCKETS];
            k += ring.k[b % BURN_BUCKETS];
        }
        cr_expect(n == 100 && k == 0, "gap %g: %d of %d", gaps[i], (int)k, (int)n);
        cr_expect_not(burns(&ring, t + 5), "gap %g", gaps[i]);
    }
}

/* The ring gives for every window up to its length what a list of all blocks gives. */
Test(decision_burn, the_ring_is_the_list)
{
    enum { BLOCKS = 400 };
    struct dice dice = dice_seeded(31);
    int burning = 0;
    for (int run = 0; run < 200; run++) {
        int64_t short_s = 2 + 2 * dice_below(&dice, 40);
        struct burn_window window = {1 + (double)dice_below(&dice, 20),
                                     short_s * (1 + dice_below(&dice, BURN_RATIO_MAX)), short_s};
        struct burn_ring ring;
        double ends[BLOCKS], since = 7, t = since, width = (double)short_s / 2;
        int64_t n[BLOCKS], k[BLOCKS];
        burn_init(&ring);
        for (int i = 0; i < BLOCKS; i++) {
            double length = (double)(1 + dice_below(&dice, 1 + short_s)), gap = 0;
            if (dice_below(&dice, 20) == 0)
                gap = (double)dice_below(&dice, 40 * short_s);
            n[i] = dice_below(&dice, 50);
            k[i] = dice_binomial(&dice, n[i], 0.15);
            if (i == 0)
                gap = 0;
            burn_add(&ring, &window, t + gap, t + gap + length, n[i], k[i]);
            ends[i] = t = t + gap + length;
            bool over[2];
            for (int w = 0; w < 2; w++) {
                double seconds = (double)(w == 0 ? window.long_s : window.short_s), all = 0, bad = 0;
                int64_t last = (int64_t)ceil(t / width) - 1, buckets = (int64_t)ceil(seconds / width);
                for (int j = 0; j <= i; j++) {
                    int64_t bucket = (int64_t)ceil(ends[j] / width) - 1;
                    all += bucket > last - buckets ? (double)n[j] : 0;
                    bad += bucket > last - buckets ? (double)k[j] : 0;
                }
                double filled = fmin(1, (t - since) / seconds);
                over[w] = all > 0 && bad >= (w == 0 ? 10 : 1) &&
                          bad * filled >= burn_factor(&window, 0.02) * 0.02 * all;
            }
            cr_assert_eq(burn_now(&ring, &window, t, 0.02), over[0] && over[1], "run %d, block %d", run, i);
            burning += over[0] && over[1];
        }
    }
    cr_expect_gt(burning, 1000, "%d", burning);
}

Test(decision_burn, what_is_not_used_or_not_known_never_burns)
{
    struct burn_ring ring;
    const struct burn_window unused = {0, 300, 60};
    burn_init(&ring);
    cr_expect_not(burns(&ring, 600), "nothing has come");
    blocks(&ring, 0, 600, 100, 100);
    cr_expect(burns(&ring, 600));
    cr_expect_not(burn_now(&ring, &fast, 600, 0), "no objective");
    cr_expect_not(burn_now(&ring, &unused, 600, rate));
    burn_init(&ring);
    burn_add(&ring, &unused, 0, 5, 100, 100);
    cr_expect(ring.newest == -1 && ring.since == -1);
}

Test(decision_burn, sums_stop_at_the_end_of_their_range)
{
    struct burn_ring ring;
    burn_init(&ring);
    for (int i = 0; i < 3; i++)
        burn_add(&ring, &fast, 0, 5, INT64_MAX / 2 + 10, INT64_MAX / 2 + 10);
    cr_expect(ring.n[0] == INT64_MAX && ring.k[0] == INT64_MAX);
    cr_expect_not(burns(&ring, 5), "5 s of 300 s");
    cr_expect(burns(&ring, 30));
}

/* A time that cannot be (a clock that went wrong, bytes that are not ours) is no undefined number of a
 * bucket. */
Test(decision_burn, times_beyond_all_use_do_no_harm)
{
    const double times[] = {1e12, 1e19, 1e300};
    for (int i = 0; i < 3; i++) {
        struct burn_ring ring;
        burn_init(&ring);
        blocks(&ring, 0, 600, 100, 100);
        cr_expect_not(burns(&ring, times[i]));
        burn_add(&ring, &fast, times[i], times[i] + 5, 100, 100);
        cr_expect(ring.newest > 0 && ring.newest <= (int64_t)1 << 53, "at %g", times[i]);
        int64_t n = 0;
        for (int b = 0; b < BURN_BUCKETS; b++)
            n += ring.n[b];
        cr_expect_eq(n, 100, "at %g: only the newest is kept", times[i]);
    }
}
