/* Breaches of a ceiling, in both arms or in one: many cells of one SLI at constant weight, through phases. */
#pragma once

#include "rollout.h"
#include "tables.h"

enum { PHASES_MAX = 64 };

struct phase {
    double until_s, bad_c, bad_b;
    double seen_b; /* share of stable's outcomes that arrive */
    double tick_s;
};

struct breach {
    double rps, w, ceiling;
    double budget_rate; /* bad share that the SLO allows; > 0: the budget lane is on */
    int phases;
    struct phase phase[PHASES_MAX];
};

struct breach_outcome {
    double rolled_back_s, returned_s; /* infinite = not */
    double first_hold_s, last_hold_s; /* of the holds before that; infinite, -1 = none */
    double page_s;                    /* first hold for the budget */
    bool by_budget;                   /* rolled back, and the budget lane alone would have sufficed */
};

/* Appends a phase, in ticks of tick_s; after the last one. */
void breach_add(struct breach *breach, double length_s, double bad_c, double bad_b, double seen_b,
                double tick_s);
/* The quiet time before a breach: long ticks, short ones in the last minute. */
void breach_quiet(struct breach *breach, double length_s, double p0);

/* Runs each breach `runs` times, blocks of at least 5 s. `outcomes`: room for count x runs, run by run of
 * each. */
void breach_run(const struct settings *settings, int table, const struct breach *list, int count, int runs,
                struct breach_outcome *outcomes);

/* Share of outcomes rolled back or returned; quantile of what is finite (NaN if nothing is). */
double breach_blamed(const struct breach_outcome *outcomes, int runs);
double breach_returned(const struct breach_outcome *outcomes, int runs);
