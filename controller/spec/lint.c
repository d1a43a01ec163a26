/* Advice on policies and plans, and the time each step will take. */
#include "spec/lint.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/utf8.h"
#include "spec/forecast.h"
#include "spec/plan.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    JUMP_MAX = 10, /* a step this many times heavier than the last exposes more than the last could prove */
    LONG_S = 7 * 86400,
    STABLE_RPS_MIN = 20, /* measured: handbook, "What is guaranteed, and what is not" */
    HOLDBACK_MAX = 5000  /* as spec/policy.c reads it */
};

struct findings {
    struct spec_finding *out;
    size_t count, max;
};

static const char *const level_words[] = {"error", "warning", "note"};

const char *spec_level_name(enum spec_level level)
{
    return level_words[level];
}

/* The next finding, with its text; NULL when there is no room. */
__attribute__((format(printf, 4, 5))) static struct spec_finding *
find(struct findings *findings, enum spec_level level, const char *pointer, const char *format, ...)
{
    va_list arguments;
    if (findings->count == findings->max) {
        return NULL;
    }
    struct spec_finding *finding = &findings->out[findings->count++];
    memset(finding, 0, sizeof *finding);
    finding->level = level;
    snprintf(finding->pointer, sizeof finding->pointer, "%s", pointer);
    va_start(arguments, format);
    vsnprintf(finding->text, sizeof finding->text, format, arguments);
    va_end(arguments);
    utf8_trim(finding->text);
    return finding;
}

__attribute__((format(printf, 2, 3))) static void mend(struct spec_finding *finding, const char *format, ...)
{
    va_list arguments;
    if (finding == NULL) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(finding->mend, sizeof finding->mend, format, arguments);
    va_end(arguments);
    utf8_trim(finding->mend);
}

static double allowed_bad(const struct slo *slo)
{
    return (1e6 - slo->objective_ppm) / 1e6;
}

static void lint_ceiling(struct findings *findings, const struct slos *slos,
                         const struct guardrail *guardrail, enum sli sli)
{
    char at[128];
    double allowed = allowed_bad(&slos->of[sli]);
    snprintf(at, sizeof at, "/guardrails/%s/ceiling", sli_name(sli));
    if (guardrail->ceiling <= 0) {
        mend(find(findings, LEVEL_WARNING, at,
                  "%s has no ceiling: a first release, and a fault that stable has too, are not seen by it",
                  sli_name(sli)),
             "set ceiling to about %.4g (1.5 x what the SLO allows)", fmin(150 * allowed, 95));
    } else if (guardrail->ceiling < allowed) {
        mend(
            find(findings, LEVEL_ERROR, at,
                 "the ceiling of %.4g %% is below what the SLO allows, %.4g %%: a release that keeps its SLO "
                 "is rolled back",
                 100 * guardrail->ceiling, 100 * allowed),
            "set ceiling to %.4g or more, or raise the objective", fmin(150 * allowed, 95));
    } else if (guardrail->ceiling < 1.3 * allowed) {
        mend(
            find(
                findings, LEVEL_WARNING, at,
                "the ceiling of %.4g %% is less than 1.3 x what the SLO allows, %.4g %%: a bad hour that the "
                "SLO bears can roll back",
                100 * guardrail->ceiling, 100 * allowed),
            "set ceiling to %.4g or more; it should be at least 1.3 x the worst normal hour",
            fmin(150 * allowed, 95));
    }
}

static void lint_guardrails(struct findings *findings, const struct slos *slos,
                            const struct spec_policy *spec)
{
    int used = 0, rollback = 0;
    for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
        const struct guardrail *guardrail = &spec->policy.guardrail[sli];
        char at[128];
        if (!guardrail->used) {
            continue;
        }
        used++;
        rollback += guardrail->action == ACTION_ROLLBACK ? 1 : 0;
        lint_ceiling(findings, slos, guardrail, sli);
        if (spec_source_kind(spec->source.kind)->polled && spec->source.bad[sli][0] == '\0') {
            snprintf(at, sizeof at, "/source/%s/bad", spec_source_kind(spec->source.kind)->field);
            mend(find(findings, LEVEL_ERROR, at,
                      "%s has an SLO but no counter: it will never have data, and no step will be proven",
                      sli_name(sli)),
                 "add \"%s\" with the selector of its counter, or remove the SLO", sli_name(sli));
        }
        snprintf(at, sizeof at, "/guardrails/%s/maturity", sli_name(sli));
        int64_t deadline = sli_deadline(sli) ? slos->of[sli].threshold_ms : 0;
        if (deadline > guardrail->maturity_s * 1000) {
            char slow[CLOCK_TEXT_MAX];
            mend(find(findings, LEVEL_WARNING, at,
                      "requests are counted at %lld s, before the threshold of %s is over: those that are "
                      "still running count as good or not at all",
                      (long long)guardrail->maturity_s, clock_format_duration(deadline, slow)),
                 "set maturity to %lld s or more", (long long)(deadline + 999) / 1000);
        }
    }
    if (used == 0) {
        mend(find(findings, LEVEL_ERROR, "/guardrails", "nothing is watched: no SLI has an SLO"),
             "give the service at least one SLO, such as error with an objective of 99");
    } else if (rollback == 0) {
        mend(find(findings, LEVEL_WARNING, "/guardrails",
                  "no guardrail has the action rollback: a bad release stays until a person acts"),
             "set the action of at least one guardrail to rollback");
    }
}

/* Where a factor x (1 - objective) is above one half, the window could burn only when most requests fail, and
   never where the objective allows more than 1/factor to fail. Defaults are used at the largest factor that
   makes sense; what somebody wrote is refused. */
static void lint_burns(struct findings *findings, const struct slos *slos, const struct policy *policy)
{
    struct policy defaults;
    policy_default(slos, &defaults);
    for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
        double most = burn_factor_max(policy->guardrail[sli].budget_rate);
        bool told = false;
        for (int i = 0; i < BURN_WINDOWS && policy->guardrail[sli].used; i++) {
            double factor = policy->burn[i].window.factor;
            char at[64];
            snprintf(at, sizeof at, "/burn/%d/factor", i);
            if (factor <= most) {
                continue;
            }
            bool own = factor < defaults.burn[i].window.factor || factor > defaults.burn[i].window.factor;
            if (own) {
                mend(find(findings, LEVEL_ERROR, at,
                          "the factor %.4g is too large for %s: its objective allows %.4g %% to be bad, and "
                          "%.4g times that is %.4g %%, more than half of all requests",
                          factor, sli_name(sli), 100 * allowed_bad(&slos->of[sli]), factor,
                          100 * factor * allowed_bad(&slos->of[sli])),
                     "set the factor to %.4g or less", most);
            } else if (!told) {
                find(findings, LEVEL_NOTE, at,
                     "%s allows %.4g %% to be bad: burn windows with a factor above %.4g are used with %.4g, "
                     "as more would need most requests to be bad",
                     sli_name(sli), 100 * allowed_bad(&slos->of[sli]), most, most);
                told = true;
            }
        }
    }
}

static void lint_plan(struct findings *findings, const struct policy *policy, const struct plan *plan)
{
    char at[128], times[NUMBER_MAX];
    struct fault fault = {0};
    if (spec_check_plan(plan, policy, "/plan", &fault) != STATUS_OK) {
        mend(find(findings, LEVEL_ERROR, fault.error[0].pointer, "%s", fault.error[0].detail),
             "lower the weight of this step, remove it, or lower the holdback");
    }
    for (size_t i = 1; i < plan->steps; i++) {
        int32_t before = plan->step[i - 1].weight, weight = plan->step[i].weight;
        if (weight > JUMP_MAX * before) {
            snprintf(at, sizeof at, "/plan/steps/%zu/weight", i);
            mend(find(findings, LEVEL_NOTE, at,
                      "from %.4g %% to %.4g %% is a jump of %s times: a fault that shows only here meets "
                      "many at once",
                      before / 100.0, weight / 100.0, number_measure((double)weight / before, times)),
                 "put a step between them, such as %.3g %%", sqrt((double)before * weight) / 100);
        }
    }
    if (plan->steps == 1) {
        mend(find(findings, LEVEL_WARNING, "/plan/steps",
                  "one step: everybody gets the canary at once, and only the bake can tell that it is bad"),
             "begin with a step of 1%% or 5%%");
    }
    if (policy->holdback == 0) {
        mend(find(findings, LEVEL_WARNING, "/holdback",
                  "no holdback: in the bake nothing is left to compare with. Only ceilings are watched "
                  "there, and the bake ends by time, unproven"),
             "set holdback to 2%% or more");
    }
}

/* A step that ends by its time and is shorter than the delay after which a guardrail counts watches nothing:
   the bake, and under pace time each step. */
static void lint_short(struct findings *findings, const struct spec_policy *spec, const struct plan *plan)
{
    for (size_t i = spec->policy.pace == PACE_TIME ? 0 : plan->steps - 1; i < plan->steps; i++) {
        enum sli latest = SLI_COUNT;
        char at[128], bake[CLOCK_TEXT_MAX], delay[CLOCK_TEXT_MAX], least[CLOCK_TEXT_MAX];
        double delay_s = -1;
        for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
            double one = spec_first_counted_s(spec, i, sli);
            if (spec->policy.guardrail[sli].used && one > delay_s) {
                delay_s = one;
                latest = sli;
            }
        }
        if (latest == SLI_COUNT || (double)plan->step[i].bake_s > delay_s) {
            continue;
        }
        snprintf(at, sizeof at, "/plan/steps/%zu/bake", i);
        clock_format_human(plan->step[i].bake_s * 1000, bake);
        clock_format_human((int64_t)ceil(delay_s) * 1000, delay);
        clock_format_human((int64_t)ceil(2 * delay_s) * 1000, least);
        mend(find(findings, LEVEL_WARNING, at,
                  "the bake of step %zu, %s, is over before a request in it counts for %s: that takes %s "
                  "(maturity %lld s, warm-up, settling)%s",
                  i + 1, bake, sli_name(latest), delay, (long long)spec->policy.guardrail[latest].maturity_s,
                  i + 1 == plan->steps ? "; it waits for the first, and watches no more than that"
                                       : "; under pace time it advances unwatched"),
             "set bake to %s or more, or a shorter maturity", least);
    }
}

static void lint_policy(struct findings *findings, const struct policy *policy)
{
    if (policy->pace == PACE_TIME) {
        mend(find(findings, LEVEL_WARNING, "/pace",
                  "pace time: steps advance when their time is over, also while nothing is proven"),
             "use pace evidence where there is enough traffic");
    }
    if (policy->alpha > 0.05) {
        mend(find(findings, LEVEL_NOTE, "/alpha",
                  "alpha %.3g: up to one healthy rollout in %.0f may be rolled back by chance", policy->alpha,
                  1 / policy->alpha),
             "0.01 is the default");
    }
}

static bool proves_in_time(const struct slos *slos, const struct spec_policy *policy, const struct plan *plan,
                           size_t step, double rps)
{
    struct spec_forecast forecast;
    spec_forecast(slos, policy, plan, rps, &forecast);
    return forecast.step[step].in_time;
}

/* What would make this step end before its deadline: more weight, a larger margin, more time, or no proof. */
static void mend_slow(struct spec_finding *finding, const struct slos *slos, const struct spec_policy *policy,
                      const struct plan *plan, size_t step, double rps)
{
    static const double margins[] = {0.01, 0.02, 0.05, 0.1, 0.2};
    struct plan heavier = *plan;
    int32_t limit = step + 1 < plan->steps ? plan->step[step + 1].weight : WEIGHT_FULL;
    char weight[64] = "", margin[80] = "", widest[80] = "";
    /* Beyond one half the comparison gains nothing: stable becomes the smaller arm. */
    for (int32_t w = plan->step[step].weight; w < limit && w <= WEIGHT_FULL / 2; w = w + w / 4 + 1) {
        heavier.step[step].weight = w;
        if (proves_in_time(slos, policy, &heavier, step, rps)) {
            snprintf(weight, sizeof weight, "a weight of %.4g%%, or ", ceil(w / 10.0) / 10);
            break;
        }
    }
    for (size_t i = 0; i < sizeof margins / sizeof margins[0]; i++) {
        struct spec_policy wider = *policy;
        for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
            struct guardrail *guardrail = &wider.policy.guardrail[sli];
            double own = guardrail->margin_add > 0 ? guardrail->margin_add : plan_margin(plan, step);
            guardrail->margin_add = fmax(own, margins[i]);
        }
        if (proves_in_time(slos, &wider, plan, step, rps)) {
            struct spec_forecast forecast;
            spec_forecast(slos, policy, plan, rps, &forecast);
            snprintf(margin, sizeof margin, "a margin of %.4g for %s, or ", 100 * margins[i],
                     sli_name(forecast.step[step].slowest));
            break;
        }
    }
    if (weight[0] == '\0' && margin[0] == '\0') {
        snprintf(widest, sizeof widest, "at this traffic no weight or margin proves it: ");
    }
    mend(finding,
         "%s%s%sa longer deadline, or pace time (advances unproven; ceilings and burn rates go on watching)",
         widest, weight, margin);
}

static char *human(double seconds, char out[CLOCK_TEXT_MAX])
{
    return clock_format_human((int64_t)(fmin(seconds, 1e9) * 1000), out);
}

/* The bake ends by its time also without proof. */
static void lint_bake(struct findings *findings, const struct spec_forecast *forecast)
{
    size_t number = forecast->steps;
    const struct spec_forecast_step *bake = &forecast->step[number - 1];
    char pointer[128], takes[CLOCK_TEXT_MAX], needs[CLOCK_TEXT_MAX];
    snprintf(pointer, sizeof pointer, "/plan/steps/%zu", number - 1);
    human(bake->seconds, takes);
    human(bake->proof_s, needs);
    if (bake->proof_s <= bake->seconds) {
        find(findings, LEVEL_NOTE, pointer, "step %zu, the bake: %s; proof needs about %s", number, takes,
             needs);
    } else if (isinf(bake->proof_s)) {
        find(findings, LEVEL_NOTE, pointer, "step %zu, the bake: %s; it cannot be proven and ends by time",
             number, takes);
    } else {
        mend(find(findings, LEVEL_NOTE, pointer,
                  "step %zu, the bake: %s; proof would need about %s, so that it ends by time, unproven",
                  number, takes, needs),
             "bake longer, or raise the holdback; both are a choice, not a must");
    }
}

/* How long a healthy canary needs for one step. */
static void lint_step(struct findings *findings, const struct slos *slos, const struct spec_policy *policy,
                      const struct plan *plan, const struct spec_forecast *forecast, size_t step)
{
    const struct plan_step *at = &plan->step[step];
    const struct spec_forecast_step *will = &forecast->step[step];
    char pointer[128], needs[CLOCK_TEXT_MAX], limit[CLOCK_TEXT_MAX], requests[NUMBER_MAX];
    bool by_proof = will->pace == PACED_BY_PROOF && will->slowest != SLI_COUNT;
    snprintf(pointer, sizeof pointer, "/plan/steps/%zu", step);
    human(will->seconds, needs);
    if (!will->in_time) {
        struct spec_finding *finding =
            find(findings, LEVEL_WARNING, pointer,
                 "step %zu, %.4g %%: a healthy canary needs about %s%s%s, longer than the deadline of %s: it "
                 "pauses and pages",
                 step + 1, at->weight / 100.0, needs, by_proof ? " to prove " : " for min_requests",
                 by_proof ? sli_name(will->slowest) : "", human((double)at->deadline_s, limit));
        if (by_proof) {
            mend_slow(finding, slos, policy, plan, step, forecast->rps);
        } else {
            mend(finding, "lower min_requests, or set a longer deadline");
        }
    } else if (by_proof) {
        find(findings, LEVEL_NOTE, pointer,
             "step %zu, %.4g %%: about %s for a healthy canary (%s of its requests, to prove %s)", step + 1,
             at->weight / 100.0, needs, number_measure(ceil(will->requests), requests),
             sli_name(will->slowest));
    } else {
        find(findings, LEVEL_NOTE, pointer, "step %zu, %.4g %%: about %s, by its %s", step + 1,
             at->weight / 100.0, needs, will->pace == PACED_BY_REQUESTS ? "min_requests" : "bake");
    }
}

static void lint_times(struct findings *findings, const struct slos *slos, const struct spec_policy *policy,
                       const struct plan *plan, double rps)
{
    struct spec_forecast forecast;
    char text[CLOCK_TEXT_MAX], first[CLOCK_TEXT_MAX], rate[NUMBER_MAX];
    number_measure(rps, rate);
    spec_forecast(slos, policy, plan, rps, &forecast);
    for (size_t i = 0; i + 1 < plan->steps; i++) {
        lint_step(findings, slos, policy, plan, &forecast, i);
    }
    lint_bake(findings, &forecast);
    if (isinf(forecast.total_s)) {
        find(findings, LEVEL_WARNING, "/plan",
             "at %s request%s a second this plan does not finish by itself: see the steps above", rate,
             number_plural(rate));
        return;
    }
    struct spec_finding *finding =
        find(findings, forecast.total_s > LONG_S ? LEVEL_WARNING : LEVEL_NOTE, "/plan",
             "at %s request%s a second a healthy rollout takes about %s in all; step 1 about %s", rate,
             number_plural(rate), human(forecast.total_s, text), human(forecast.step[0].seconds, first));
    if (forecast.total_s > LONG_S) {
        mend(finding, "use heavier steps: evidence comes with weight x (100%% - weight)");
    }
}

/* With little of stable's traffic left a breach in both arms cannot be seen in stable in time, and the canary
   is blamed for it. */
static void lint_holdback(struct findings *findings, const struct policy *policy, const struct plan *plan,
                          double rps)
{
    double stable = rps * policy->holdback / WEIGHT_FULL;
    if (policy->holdback == 0 || stable >= STABLE_RPS_MIN) {
        return;
    }
    int32_t before = plan->steps > 1 ? plan->step[plan->steps - 2].weight : 0;
    double wanted = ceil(STABLE_RPS_MIN / rps * 100) * 100; /* a whole percent */
    int32_t most = before < HOLDBACK_MAX ? HOLDBACK_MAX : WEIGHT_FULL - before - 100;
    char advice[120], rate[NUMBER_MAX];
    number_measure(stable, rate);
    if (wanted <= most) {
        snprintf(advice, sizeof advice, "set holdback to %.4g%%", wanted / 100);
    } else if (most > policy->holdback) {
        snprintf(advice, sizeof advice,
                 "set holdback to %.4g%%, the most this plan allows; it helps, but is still too little",
                 most / 100.0);
    } else {
        snprintf(advice, sizeof advice, "at this traffic there is no holdback that would be enough");
    }
    mend(
        find(
            findings, LEVEL_NOTE, "/holdback",
            "in the bake stable gets about %s request%s a second: a breach in both releases may be blamed on "
            "the canary (below about %d a second it cannot be told in time)",
            rate, number_plural(rate), STABLE_RPS_MIN),
        "%s", advice);
}

/* Errors first, then warnings, then notes; each in the order of finding. */
static void sort(struct spec_finding *out, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct spec_finding finding = out[i];
        size_t at = i;
        for (; at > 0 && out[at - 1].level > finding.level; at--) {
            out[at] = out[at - 1];
        }
        out[at] = finding;
    }
}

size_t spec_lint(const struct slos *slos, const struct spec_policy *spec, const struct plan *plan, double rps,
                 struct spec_finding *out, size_t max)
{
    struct findings findings = {.out = out, .max = max};
    double rate = rps > 0 ? rps : (double)spec->policy.rps_milli / 1000;
    lint_guardrails(&findings, slos, spec);
    lint_burns(&findings, slos, &spec->policy);
    lint_plan(&findings, &spec->policy, plan);
    lint_short(&findings, spec, plan);
    lint_policy(&findings, &spec->policy);
    if (rate > 0) {
        lint_times(&findings, slos, spec, plan, rate);
        lint_holdback(&findings, &spec->policy, plan, rate);
    }
    sort(out, findings.count);
    return findings.count;
}
