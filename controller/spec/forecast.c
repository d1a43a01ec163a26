/* Times of a plan. */
#include "spec/forecast.h"

#include "decision/pace.h"

#include <math.h>
#include <string.h>

const char *spec_pace_name(enum spec_pace pace)
{
    static const char *const names[] = {"bake", "requests", "proof"};
    return names[pace];
}

/* What a step asks for; ln 2 is the price of proving one margin of two. */
static double needed_nats(const struct policy *policy, const struct plan *plan)
{
    return log(2 * (double)plan->steps / policy->alpha_ni);
}

double spec_requests_needed(const struct slos *slos, const struct policy *policy, const struct plan *plan,
                            size_t step, enum sli sli)
{
    const struct guardrail *guardrail = &policy->guardrail[sli];
    double p = (1e6 - slos->of[sli].objective_ppm) / 1e6 / 2;
    double w = plan_weight(plan, policy, step) / (double)WEIGHT_FULL;
    double d = guardrail->margin_add > 0 ? guardrail->margin_add : plan_margin(plan, step);
    double growth = pace_growth(w, p, guardrail->margin_ratio, d) * guardrail->eta;
    return growth > 0 ? needed_nats(policy, plan) / growth : INFINITY;
}

/* The chance that a proof which takes `mean` seconds on the average is there after `seconds`: an inverse
   Gaussian, the first passage of a walk with drift, whose steps are log likelihood ratios (their variance is
   twice their mean), through `nats`. */
static double proven_by(double seconds, double mean, double nats)
{
    double shape = mean * nats / 2, root = sqrt(shape / seconds);
    double below = erfc(-root * (seconds / mean - 1) / M_SQRT2) / 2;
    return below + exp(nats) * erfc(root * (seconds / mean + 1) / M_SQRT2) / 2;
}

/* From the maturity of a second to its counting, s: SERIN_SETTLE_MS as it is by default. */
static const double settle_s = 3;

/* How long after its admission a request counts, and how long at the start of a step none do. */
static double delay_s(const struct spec_policy *policy, size_t step, enum sli sli)
{
    double delay = (double)policy->policy.guardrail[sli].maturity_s;
    if (sli_latency(sli) && step == 0) {
        delay += (double)policy->policy.warmup_s;
    }
    if (spec_source_kind(policy->source.kind)->polled) {
        delay += (double)policy->policy.blanking_s;
    }
    return delay;
}

double spec_first_counted_s(const struct spec_policy *policy, size_t step, enum sli sli)
{
    return delay_s(policy, step, sli) + settle_s;
}

/* Until min_requests are counted, in the guardrail that counts soonest; and in the bake until each guardrail
   has counted one. */
static double counted_s(const struct spec_policy *policy, const struct plan *plan, size_t step,
                        double canary_rps)
{
    int64_t least = plan->step[step].min_requests;
    double soonest = INFINITY, latest = 0;
    for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
        if (policy->policy.guardrail[sli].used) {
            soonest = fmin(soonest, spec_first_counted_s(policy, step, sli));
            latest = fmax(latest, spec_first_counted_s(policy, step, sli));
        }
    }
    double counted = (double)(least > 0 ? least : 1) / canary_rps + (isfinite(soonest) ? soonest : 0);
    return step + 1 < plan->steps ? counted : fmax(counted, latest + 1 / canary_rps);
}

/* The chance that everything is proven after `seconds`, as if the SLIs had nothing to do with each other. */
static double all_proven_by(double seconds, const struct spec_policy *policy, size_t step,
                            const double mean[SLI_COUNT], double nats)
{
    double all = 1;
    for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
        double own = seconds - delay_s(policy, step, sli);
        if (policy->policy.guardrail[sli].used) {
            all *= own > 0 ? proven_by(own, mean[sli], nats) : 0;
        }
    }
    return all;
}

/* The median time until every guardrail is proven. */
static void find_proof(const struct slos *slos, const struct spec_policy *policy, const struct plan *plan,
                       size_t step, double canary_rps, struct spec_forecast_step *out)
{
    double mean[SLI_COUNT] = {0}, longest = -1, nats = needed_nats(&policy->policy, plan);
    out->slowest = SLI_COUNT;
    for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
        if (!policy->policy.guardrail[sli].used) {
            continue;
        }
        double requests = spec_requests_needed(slos, &policy->policy, plan, step, sli);
        mean[sli] = requests / canary_rps;
        if (mean[sli] + delay_s(policy, step, sli) > longest) {
            longest = mean[sli] + delay_s(policy, step, sli);
            out->slowest = sli;
            out->requests = requests;
        }
    }
    if (out->slowest == SLI_COUNT || !isfinite(longest)) {
        out->proof_s = out->requests = INFINITY; /* nothing is watched, or nothing can be proven */
        return;
    }
    double low = 0, high = 20 * longest;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (all_proven_by(middle, policy, step, mean, nats) < 0.5) {
            low = middle;
        } else {
            high = middle;
        }
    }
    out->proof_s = high;
}

static void forecast_step(const struct slos *slos, const struct spec_policy *policy, const struct plan *plan,
                          size_t step, double rps, struct spec_forecast_step *out)
{
    const struct plan_step *at = &plan->step[step];
    memset(out, 0, sizeof *out);
    out->weight = plan_weight(plan, &policy->policy, step);
    double canary_rps = rps * out->weight / WEIGHT_FULL;
    find_proof(slos, policy, plan, step, canary_rps, out);
    bool waits = step + 1 < plan->steps && policy->policy.pace == PACE_EVIDENCE;
    double counted = counted_s(policy, plan, step, canary_rps);
    out->seconds = (double)at->bake_s;
    if (counted > out->seconds) {
        out->seconds = counted;
        out->pace = PACED_BY_REQUESTS;
    }
    if (waits && out->proof_s > out->seconds) {
        out->seconds = out->proof_s;
        out->pace = PACED_BY_PROOF;
    }
    out->in_time = isfinite(out->seconds) && (at->deadline_s == 0 || out->seconds <= (double)at->deadline_s);
}

void spec_forecast(const struct slos *slos, const struct spec_policy *policy, const struct plan *plan,
                   double rps, struct spec_forecast *out)
{
    memset(out, 0, sizeof *out);
    out->rps = rps;
    out->steps = plan->steps;
    for (size_t i = 0; i < plan->steps; i++) {
        forecast_step(slos, policy, plan, i, rps, &out->step[i]);
        out->total_s = out->step[i].in_time ? out->total_s + out->step[i].seconds : INFINITY;
    }
}
