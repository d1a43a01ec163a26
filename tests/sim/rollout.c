/* A simulated rollout. */
#include "rollout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    enum sli sli;
    double bad;
} usual[SIM_SLIS] = {
    {SLI_REFUSAL, .02}, {SLI_TIMEOUT, .003},       {SLI_ERROR, .005},          {SLI_TTFT, .05},
    {SLI_LATENCY, .05}, {SLI_SCHEMA_INVALID, .01}, {SLI_EMPTY_RETRIEVAL, .01}, {SLI_TRUNCATED, .005},
};

void sim_init(struct sim *sim, double rps, double tick_s, uint64_t seed, uint64_t stream)
{
    memset(sim, 0, sizeof *sim);
    sim->rps = rps;
    sim->tick_s = tick_s;
    sim->draw = draw_seeded(seed, stream);
    for (int i = 0; i < SIM_SLIS; i++)
        sim->stable[i] = sim->canary[i] = usual[i].bad;
}

void sim_start(struct sim *sim)
{
    struct slos slos;
    memset(&slos, 0, sizeof slos);
    for (int i = 0; i < SIM_SLIS; i++)
        slos.of[usual[i].sli] = (struct slo){.used = true, .objective_ppm = 990000};
    policy_default(&slos, &sim->policy);
    plan_default(&sim->plan);
    for (int i = 0; i < SIM_SLIS; i++)
        sim->policy.guardrail[usual[i].sli].ceiling = sim->ceiling[i];
    evidence_init(&sim->evidence, &sim->policy, &sim->plan, sim->tick_s);
}

void sim_weight(struct sim *sim, int32_t weight)
{
    sim->weight = weight;
    evidence_weight(&sim->evidence, sim->now_s, weight, true);
}

struct judgement sim_tick(struct sim *sim)
{
    int64_t n = draw_poisson(&sim->draw, sim->rps * sim->tick_s);
    int64_t n_c = draw_binomial(&sim->draw, n, (double)sim->weight / WEIGHT_FULL);
    sim->canary_requests += n_c;
    for (int i = 0; i < SIM_SLIS; i++) {
        struct block closed[2];
        struct counts counts = {.n_c = n_c, .n_b = n - n_c};
        counts.k_c = draw_binomial(&sim->draw, counts.n_c, sim->canary[i]);
        counts.k_b = draw_binomial(&sim->draw, counts.n_b, sim->stable[i]);
        struct sli_counts all = sli_counts_of(counts);
        evidence_tick(&sim->evidence, &sim->policy, &sim->plan, usual[i].sli, QUALITY_COHORT, sim->now_s,
                      sim->tick_s, &all, i == 0, false, closed);
    }
    sim->now_s += sim->tick_s;
    return evidence_judge(&sim->evidence, &sim->policy, 0, false);
}

double sim_argument(int argc, char **argv, int at, double otherwise)
{
    char *end;
    if (at >= argc)
        return otherwise;
    double x = strtod(argv[at], &end);
    if (end == argv[at] || *end != '\0' || !(x >= 0)) {
        fprintf(stderr, "%s: argument %d is no number: %s\n", argv[0], at, argv[at]);
        exit(2);
    }
    return x;
}
