/* The forecast of times against healthy rollouts that the evidence itself paces. */
#include "spec/forecast.h"

#include "decision/evidence.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(spec_forecast, .timeout = 100);

enum { RUNS = 15 };

static struct slos slos;
static struct spec_policy policy;
static struct plan plan;

static void begin(int slis, int32_t objective_ppm)
{
    static const enum sli used[] = {SLI_REFUSAL, SLI_ERROR, SLI_TRUNCATED};
    memset(&slos, 0, sizeof slos);
    memset(&policy, 0, sizeof policy);
    for (int i = 0; i < slis; i++)
        slos.of[used[i]] = (struct slo){.used = true, .objective_ppm = objective_ppm, .window_s = 2592000};
    policy_default(&slos, &policy.policy);
    plan_default(&plan);
    /* counts are mature at once here, and a step ends with its proof, not before a time */
    for (int i = 0; i < SLI_COUNT; i++)
        policy.policy.guardrail[i].maturity_s = 0;
}

/* xorshift64*, the same on every machine. */
static double draw(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (double)((*state * UINT64_C(2685821657736338717)) >> 11) / 9007199254740992.0;
}

static int64_t binomial(uint64_t *state, int64_t n, double p)
{
    int64_t k = 0;
    for (int64_t i = 0; i < n; i++)
        k += draw(state) < p ? 1 : 0;
    return k;
}

/* One healthy rollout through all steps but the bake: seconds of each. Both arms fail half as often as the
   objective allows. */
static void roll(double rps, uint64_t seed, double seconds[PLAN_STEPS_MAX])
{
    static struct evidence evidence;
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    double owed = 0, t = 0;
    evidence_init(&evidence, &policy.policy, &plan, 1.0);
    for (size_t step = 0; step + 1 < plan.steps; step++) {
        int32_t weight = plan_weight(&plan, &policy.policy, step);
        double start = t;
        evidence_weight(&evidence, t, weight, true);
        do {
            owed += rps;
            int64_t n = (int64_t)owed;
            owed -= (double)n;
            int64_t canary = binomial(&state, n, (double)weight / WEIGHT_FULL);
            for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
                struct block closed[2];
                if (!policy.policy.guardrail[sli].used)
                    continue;
                double p = (1e6 - slos.of[sli].objective_ppm) / 2e6;
                struct sli_counts counts = sli_counts_of((struct counts){
                    canary, binomial(&state, canary, p), n - canary, binomial(&state, n - canary, p)});
                evidence_tick(&evidence, &policy.policy, &plan, sli, QUALITY_COHORT, t, 1.0, &counts, true,
                              false, closed);
            }
            t += 1;
        } while (t - start < (double)plan.step[step].bake_s || !evidence_proven(&evidence, &policy.policy));
        seconds[step] = t - start;
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double values[RUNS])
{
    qsort(values, RUNS, sizeof values[0], by_value);
    return values[RUNS / 2];
}

/* The forecast of each step is within a factor of 2 of the median of healthy rollouts, and that of the whole
   within 1.5. */
static void hold(int slis, int32_t objective_ppm, double rps)
{
    const double factor = 2, whole = 1.5;
    static double taken[PLAN_STEPS_MAX][RUNS], total[RUNS];
    struct spec_forecast forecast;
    double sum = 0;
    begin(slis, objective_ppm);
    spec_forecast(&slos, &policy, &plan, rps, &forecast);
    for (int run = 0; run < RUNS; run++) {
        double seconds[PLAN_STEPS_MAX];
        total[run] = 0;
        roll(rps, (uint64_t)run + 1, seconds);
        for (size_t step = 0; step + 1 < plan.steps; step++) {
            taken[step][run] = seconds[step];
            total[run] += seconds[step];
        }
    }
    for (size_t step = 0; step + 1 < plan.steps; step++) {
        double real = median(taken[step]), said = forecast.step[step].seconds;
        sum += said;
        if (getenv("SERIN_FORECAST_SHOW") != NULL)
            fprintf(stderr,
                    "slis %d objective %g %% rps %g step %zu: said %.0f s, median %.0f s, ratio %.2f\n", slis,
                    objective_ppm / 1e4, rps, step + 1, said, real, real / said);
        cr_expect(real <= factor * said && said <= factor * real,
                  "%d SLIs, %g %%, %g rps, step %zu: said %.0f s, median %.0f s", slis, objective_ppm / 1e4,
                  rps, step + 1, said, real);
    }
    double real = median(total);
    if (getenv("SERIN_FORECAST_SHOW") != NULL)
        fprintf(stderr, "  total: said %.0f s, median %.0f s, ratio %.2f\n", sum, real, real / sum);
    cr_expect(real <= whole * sum && sum <= whole * real,
              "%d SLIs, %g %%, %g rps: said %.0f s, median %.0f s", slis, objective_ppm / 1e4, rps, sum,
              real);
}

Test(spec_forecast, one_sli)
{
    hold(1, 990000, 10);
    hold(1, 950000, 10);
    hold(1, 900000, 10);
    hold(1, 990000, 100);
    hold(1, 950000, 100);
    hold(1, 990000, 1);
}

Test(spec_forecast, several_slis)
{
    hold(3, 990000, 10);
    hold(3, 950000, 100);
    hold(3, 900000, 10);
}
