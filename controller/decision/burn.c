/* Burn windows over rings of buckets. */
#include "decision/burn.h"

#include <math.h>

static const double usable = 0.5, edge_s = 1e-9;
static const double bucket_max =
    9007199254740992.0; /* no rollout lasts so long; a wrong time must do no harm */

double burn_factor_max(double budget_rate)
{
    return budget_rate > 0 ? usable / budget_rate : INFINITY;
}

double burn_factor(const struct burn_window *window, double budget_rate)
{
    double most = burn_factor_max(budget_rate);
    return window->factor < most ? window->factor : most;
}

static void clear(struct burn_ring *ring)
{
    for (int i = 0; i < BURN_BUCKETS; i++)
        ring->n[i] = ring->k[i] = 0;
}

void burn_init(struct burn_ring *ring)
{
    ring->since = -1;
    ring->newest = -1;
    clear(ring);
}

static int64_t add(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

static double width_s(const struct burn_window *window)
{
    return (double)window->short_s / 2;
}

/* The bucket that holds the instant before end_s. */
static int64_t bucket_of(const struct burn_window *window, double end_s)
{
    double at = ceil((end_s - edge_s) / width_s(window)) - 1;
    return at > 0 ? (int64_t)(at < bucket_max ? at : bucket_max) : 0;
}

void burn_add(struct burn_ring *ring, const struct burn_window *window, double start_s, double end_s,
              int64_t n, int64_t k)
{
    if (window->factor <= 0)
        return;
    int64_t bucket = bucket_of(window, end_s);
    if (ring->since < 0)
        ring->since = start_s;
    if (bucket < ring->newest)
        bucket = ring->newest;
    if (ring->newest < 0 || bucket - ring->newest >= BURN_BUCKETS)
        clear(ring);
    else
        for (int64_t i = ring->newest + 1; i <= bucket; i++)
            ring->n[i % BURN_BUCKETS] = ring->k[i % BURN_BUCKETS] = 0;
    ring->newest = bucket;
    int64_t *sum_n = &ring->n[bucket % BURN_BUCKETS], *sum_k = &ring->k[bucket % BURN_BUCKETS];
    *sum_n = add(*sum_n, n);
    *sum_k = add(*sum_k, k);
}

/* The newest seconds_s before now_s have at least the share of bad outcomes, and at least bad_min of them. */
static bool exceeds(const struct burn_ring *ring, const struct burn_window *window, double now_s,
                    double seconds_s, double share, int64_t bad_min)
{
    int64_t last = bucket_of(window, now_s), first = last - (int64_t)ceil(seconds_s / width_s(window)) + 1;
    double n = 0, k = 0, filled = (now_s - ring->since) / seconds_s;
    for (int64_t i = first > 0 ? first : 0; i <= last && i <= ring->newest; i++) {
        if (ring->newest - i >= BURN_BUCKETS)
            continue;
        n += (double)ring->n[i % BURN_BUCKETS];
        k += (double)ring->k[i % BURN_BUCKETS];
    }
    return n > 0 && k >= (double)bad_min && k * (filled < 1 ? filled : 1) >= share * n;
}

bool burn_now(const struct burn_ring *ring, const struct burn_window *window, double now_s,
              double budget_rate)
{
    double factor = burn_factor(window, budget_rate), share = factor * budget_rate;
    /* below 1 the budget is spent no faster than the SLO allows, and that is no burn */
    return window->factor > 0 && factor >= 1 && budget_rate > 0 && ring->newest >= 0 &&
           exceeds(ring, window, now_s, (double)window->long_s, share, BURN_BAD_MIN) &&
           exceeds(ring, window, now_s, (double)window->short_s, share, 1);
}
