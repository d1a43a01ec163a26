/* A table of scenarios: each row is one small simulation, repeated, with a few results. */
#pragma once

#include "draw.h"
#include "tables.h"

enum { RESULTS_MAX = 8 };

enum result_kind {
    RESULT_NONE,
    RESULT_SHARE,   /* 0 or 1 of each run; printed as a share */
    RESULT_SECONDS, /* printed as the median, infinite when half are */
    RESULT_NUMBER,  /* printed as the median */
};

struct scenario {
    const char *text; /* the first column */
    void (*run)(const struct scenario *scenario, struct draw *draw, double result[RESULTS_MAX]);
    double a, b, c; /* what the run makes of it */
    int runs;       /* full number */
    int target;     /* the first result is a share that has to be <= 1 %: reported for this one, and marked in
                      the first column; 0 = none */
    struct {
        enum result_kind kind;
        const char *name;
    } result[RESULTS_MAX];
};

/* Runs and prints all of them, each in a row: text, rollouts, results. `table`: for the streams. Quick runs
   take every `stride`-th. medians, if not NULL, gets the printed value of each result of each scenario
   (shares: 0..1). */
void scenarios_print(const struct settings *settings, int table, const struct scenario *list, int count,
                     double (*medians)[RESULTS_MAX]);
