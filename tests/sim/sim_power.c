/* How soon is a bad canary rolled back? Refusals rise from 2 % to `bad` on canary alone; eight SLIs, the
   other seven healthy; ceiling 1.5 times the healthy share. sim_power [rollouts 200] [seed 1] [rps 100]
   [weight 0.05] [bad 0.38] [late_s 0] [tick_s 1] Prints the median and the 95 % quantile of the seconds from
   the fault to the rollback. */
#include "rollout.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROLLOUTS_MAX = 10000 };

static const double patience_s = 86400;

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds from the fault to the rollback; < 0: it came before the fault. */
static double roll_out(struct sim *sim, double weight, double bad, double late_s, int64_t *requests)
{
    for (int i = 0; i < SIM_SLIS; i++)
        sim->ceiling[i] = 1.5 * sim->stable[i];
    sim_start(sim);
    sim_weight(sim, (int32_t)(weight * WEIGHT_FULL));
    for (;;) {
        if (sim->now_s >= late_s && sim->canary[0] < bad) {
            sim->canary[0] = bad;
            sim->canary_requests = 0;
        }
        if (sim_tick(sim).action >= JUDGE_RETURN || sim->now_s > late_s + patience_s)
            break;
    }
    *requests = sim->canary_requests;
    return sim->now_s - late_s;
}

int main(int argc, char **argv)
{
    static double seconds[ROLLOUTS_MAX], requests[ROLLOUTS_MAX];
    int rollouts = (int)sim_argument(argc, argv, 1, 200), before = 0;
    uint64_t seed = (uint64_t)sim_argument(argc, argv, 2, 1);
    double rps = sim_argument(argc, argv, 3, 100), weight = sim_argument(argc, argv, 4, 0.05);
    double bad = sim_argument(argc, argv, 5, 0.38), late_s = sim_argument(argc, argv, 6, 0);
    double tick_s = sim_argument(argc, argv, 7, 1);
    rollouts = rollouts < 1 ? 1 : rollouts > ROLLOUTS_MAX ? ROLLOUTS_MAX : rollouts;
    for (int i = 0; i < rollouts; i++) {
        struct sim sim;
        int64_t canary_requests;
        sim_init(&sim, rps, tick_s, seed, (uint64_t)i);
        seconds[i] = roll_out(&sim, weight, bad, late_s, &canary_requests);
        requests[i] = (double)canary_requests;
        before += seconds[i] < 0;
    }
    qsort(seconds, (size_t)rollouts, sizeof seconds[0], by_size);
    qsort(requests, (size_t)rollouts, sizeof requests[0], by_size);
    printf(
        "refusals 2 %% -> %g %%, %g requests/s, weight %g %%, fault after %g s, %g s ticks: rolled back "
        "after %g s (median), "
        "%g s (95 %%), %g canary requests (median); %d of %d before the fault\n",
        100 * bad, rps, 100 * weight, late_s, tick_s, seconds[rollouts / 2], seconds[rollouts * 95 / 100],
        requests[rollouts / 2], before, rollouts);
    return before > 0 && before * 50 > rollouts;
}
