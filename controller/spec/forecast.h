/* How long a plan takes a healthy canary at a rate of requests: for `serin lint`, and at the start of a
   rollout. An estimate: the evidence decides, and a healthy canary may be lucky or not. */
#pragma once

#include "spec/policy.h"

/* What a step waits for longest. */
enum spec_pace { PACED_BY_BAKE, PACED_BY_REQUESTS, PACED_BY_PROOF };
const char *spec_pace_name(enum spec_pace pace); /* "bake", "requests", "proof"; static */

struct spec_forecast_step {
    int32_t weight;   /* 1/10,000, as the canary gets it */
    double seconds;   /* until the step ends, if no deadline ends it; INFINITY = it does not end by itself */
    double proof_s;   /* median until every guardrail is proven; INFINITY = it cannot be */
    enum sli slowest; /* the guardrail that takes longest; SLI_COUNT = none is used */
    double requests;  /* canary requests that its proof needs on the average */
    enum spec_pace pace;
    bool in_time; /* before the step's deadline */
};

struct spec_forecast {
    double rps;
    double total_s; /* of all steps; INFINITY = a step does not end in time or not at all */
    size_t steps;
    struct spec_forecast_step step[PLAN_STEPS_MAX];
};

/* Forecasts `plan` under `policy` and `slos` at `rps` requests a second (> 0) of both arms together. The bake
   ends by its time also without proof. A step takes the longest of its bake, its min_requests, and the proof
   of all guardrails, each with the delay after which requests count; the bake waits until each guardrail has
   counted one. Half of all healthy rollouts are faster, half
   slower. */
void spec_forecast(const struct slos *slos, const struct spec_policy *policy, const struct plan *plan,
                   double rps, struct spec_forecast *out);

/* Seconds from the beginning of `step` (0-based) until the first request in it can be counted for `sli`: its
   maturity, what warm-up and blanking leave out, and the settling of reports. */
double spec_first_counted_s(const struct spec_policy *policy, size_t step, enum sli sli);

/* Canary requests that a healthy canary needs on the average in `step` (0-based) until `sli` is proven not
   worse, at half of its allowed bad share: ln(2 S_n / alpha_ni) / growth, see decision/pace.h. Infinite where
   stable has no traffic left to compare with. */
double spec_requests_needed(const struct slos *slos, const struct policy *policy, const struct plan *plan,
                            size_t step, enum sli sli);
