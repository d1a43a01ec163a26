/* Burn windows: how fast the canary's arm spends the error budget, as a page of an on-call would put it. Burn
   = bad share / (1 - objective). A window burns while the burn is at least its factor over the long window
   *and* over the short one, with at least 10 bad outcomes in the long one (without that minimum they alarm
   falsely at low traffic). Until a window has been filled, what is missing of it
   counts as good, so that a burst at the start is no burn. Counts are kept in buckets of half the short
   window, so each window is long by up to one bucket less than its name. Source: Google SRE Workbook,
   "Alerting on SLOs"; windows shrunk to a rollout: handbook, "Burn windows". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    BURN_WINDOWS = 3,
    BURN_BUCKETS = 32,
    BURN_RATIO_MAX = BURN_BUCKETS / 2, /* longest long window, in short ones */
    BURN_BAD_MIN = 10
};

struct burn_window {
    double factor; /* 0 = the window is not used */
    int64_t long_s, short_s;
};

struct burn_ring {
    double since;   /* start of the first block, s; -1 = none */
    int64_t newest; /* number of the newest bucket since the start; -1 = none */
    int64_t n[BURN_BUCKETS], k[BURN_BUCKETS];
};

/* The largest factor that can be told from a service that is simply down: factor x (1 - objective) <= 0.5. */
double burn_factor_max(double budget_rate);
/* The window's factor, but no more than that. Below 1 (an SLO below 50 %) the window is not used. */
double burn_factor(const struct burn_window *window, double budget_rate);

void burn_init(struct burn_ring *ring);
/* n outcomes, k of them bad, of a block from start_s to end_s (s since the start; calls in order). */
void burn_add(struct burn_ring *ring, const struct burn_window *window, double start_s, double end_s,
              int64_t n, int64_t k);
/* Burns at now_s (not before an earlier call's end_s). budget_rate = 1 - objective, 0..1. */
bool burn_now(const struct burn_ring *ring, const struct burn_window *window, double now_s,
              double budget_rate);
