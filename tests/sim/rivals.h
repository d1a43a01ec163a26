/* How others decide, on the same counts as ours. The settings are those of their documentation, or tuned with
   knowledge of the healthy bad share p0, which a user does not have:
     z          two-sided 95 % z-test of two proportions after every tick, from 30 requests an arm on
     GrowthBook sequential interval (Gaussian mixture, N* = 5000), alpha .05 for this SLI, or matched to 1 % a
                rollout of eight SLIs (two-sided: alpha 2 x .01/8)
     Argo       query once a minute over the last 5 minutes, success >= 95 % (or 1 - 2 p0), failureLimit 0 or
   3; failures are counted and never forgotten Flagger    query once a minute over the last minute, success >=
   99 % (or 1 - 2 p0), threshold 5; failures are counted, and the rollback comes with the next run Kayenta
   Mann-Whitney interval of the minutes' bad shares, 98 %, effect size .25, judged after 30 and 60 min burn
   rate  14.4x over 1 h and 5 min, 6x over 6 h and 30 min, of 2 p0 (SRE workbook); and the windows shrunk to a
                rollout, 17.3x 5 and 1 min, 7.2x 30 and 3 min, 3.6x 2 h and 10 min, with at least 10 bad */
#pragma once

#include "decision/counts.h"

#include <stdbool.h>

enum rival {
    RIVAL_Z,
    RIVAL_GROWTHBOOK,
    RIVAL_GROWTHBOOK_MATCHED,
    RIVAL_ARGO95_0,
    RIVAL_ARGO95_3,
    RIVAL_ARGO_TUNED_0,
    RIVAL_ARGO_TUNED_3,
    RIVAL_FLAGGER99,
    RIVAL_FLAGGER_TUNED,
    RIVAL_KAYENTA,
    RIVAL_BURN,
    RIVAL_BURN_CANARY,
    RIVAL_COUNT
};
const char *rival_name(enum rival rival);

enum { RIVAL_MINUTES = 361 }; /* remembered: the longest window, 6 h, and one */

struct rivals {
    double p0;
    double fired_s[RIVAL_COUNT];        /* when it rolled back, s; infinite = not yet */
    double requests[RIVAL_COUNT];       /* canary requests seen by then */
    struct counts all;                  /* up to the last tick */
    struct counts until[RIVAL_MINUTES]; /* up to the end of minute m, at m % RIVAL_MINUTES */
    int minutes;                        /* that have ended */
    int failed[RIVAL_COUNT];            /* queries */
    double share_c[60], share_b[60];    /* bad shares of the first 60 minutes; NaN = no request */
};

void rivals_begin(struct rivals *rivals, double p0);
/* The counts of one tick of dt_s that begins at t_s. Ticks are in order and do not cross a minute's end. */
void rivals_tick(struct rivals *rivals, double t_s, double dt_s, const struct counts *counts);
/* All of these have fired. */
bool rivals_done(const struct rivals *rivals, enum rival from, enum rival to);

/* The single judgements, for other streams. */
bool rival_z(const struct counts *all);
bool rival_growthbook(const struct counts *all, double alpha);
double rival_growthbook_matched_alpha(void);
