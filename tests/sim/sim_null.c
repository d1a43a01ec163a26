/* How often is a healthy rollout rolled back? 24 h, weights 1-5-10-25-50 %, eight SLIs with relative and
   absolute lanes. sim_null [rollouts 400] [seed 1] [rps 10] [tick_s 15] [odds 1] [ceiling 1.5] odds: true
   odds ratio of canary; ceiling: as a multiple of canary's bad share. odds 1.1 and ceiling 1 are the worst
   that is allowed. Fails if more were rolled back than 1 % explains (three standard deviations above it). */
#include "rollout.h"

#include <math.h>
#include <stdio.h>

static const struct {
    double at_s;
    int32_t weight;
} raises[] = {{0, 100}, {3600, 500}, {7200, 1000}, {14400, 2500}, {28800, 5000}};
enum { RAISES = sizeof raises / sizeof raises[0] };

static const double day_s = 86400, allowed_share = 0.01;

struct outcome {
    struct judgement last;
    double held_s, at_s;
};

static struct outcome roll_out(struct sim *sim, double odds, double ceiling)
{
    struct outcome outcome = {.held_s = 0};
    int next = 0;
    for (int i = 0; i < SIM_SLIS; i++) {
        double p = sim->stable[i];
        sim->canary[i] = odds * p / (1 - p + odds * p);
        sim->ceiling[i] = ceiling * sim->canary[i];
    }
    sim_start(sim);
    while (sim->now_s < day_s && outcome.last.action < JUDGE_RETURN) {
        for (; next < RAISES && sim->now_s >= raises[next].at_s; next++)
            sim_weight(sim, raises[next].weight);
        outcome.last = sim_tick(sim);
        outcome.held_s += outcome.last.action == JUDGE_HOLD ? sim->tick_s : 0;
    }
    outcome.at_s = sim->now_s;
    return outcome;
}

int main(int argc, char **argv)
{
    int rollouts = (int)sim_argument(argc, argv, 1, 400), rolled_back = 0, returned = 0, held = 0;
    double held_s = 0;
    uint64_t seed = (uint64_t)sim_argument(argc, argv, 2, 1);
    double rps = sim_argument(argc, argv, 3, 10), tick_s = sim_argument(argc, argv, 4, 15);
    double odds = sim_argument(argc, argv, 5, 1), ceiling = sim_argument(argc, argv, 6, 1.5);
    for (int i = 0; i < rollouts; i++) {
        struct sim sim;
        sim_init(&sim, rps, tick_s, seed, (uint64_t)i);
        struct outcome outcome = roll_out(&sim, odds, ceiling);
        rolled_back += outcome.last.action == JUDGE_ROLLBACK;
        returned += outcome.last.action == JUDGE_RETURN;
        held += outcome.held_s > 0;
        held_s += outcome.held_s;
        if (outcome.last.action >= JUDGE_RETURN)
            printf("  rollout %d: action %d, reason %d, %s, after %.0f s\n", i, outcome.last.action,
                   outcome.last.reason, sli_name(outcome.last.lead), outcome.at_s);
    }
    double most = allowed_share * rollouts + 3 * sqrt(allowed_share * (1 - allowed_share) * rollouts);
    printf(
        "healthy for 24 h, %g requests/s, %g s ticks, odds %g, ceiling %g x: %d of %d rolled back (%.2f %%), "
        "%d returned, "
        "%d held at some time, for %.0f s on average\n",
        rps, tick_s, odds, ceiling, rolled_back, rollouts,
        100.0 * rolled_back / (rollouts > 0 ? rollouts : 1), returned, held, held > 0 ? held_s / held : 0);
    return rolled_back > most;
}
