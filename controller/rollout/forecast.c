/* The expected time of a rollout, and what is known to stand in its way, told at its start. */
#include "spec/forecast.h"
#include "base/json.h"
#include "base/number.h"
#include "decision/reporting.h"
#include "rollout/reason.h"
#include "rollout/rollout.h"
#include "rollout/state.h"
#include "store/preconditions.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_seconds(struct text *out, const char *name, double seconds)
{
    if (isfinite(seconds))
        text_printf(out, "\"%s\":%.0f", name, ceil(seconds));
    else
        text_printf(out, "\"%s\":null", name);
}

static void put_step(struct text *out, size_t number, const struct spec_forecast_step *step)
{
    bool proof = step->slowest != SLI_COUNT && isfinite(step->proof_s);
    text_printf(out, "%s{\"step\":%zu,\"weight\":%d,", number > 1 ? "," : "", number, (int)step->weight);
    put_seconds(out, "seconds", step->seconds);
    text_printf(out, ",\"paced_by\":\"%s\",", spec_pace_name(step->pace));
    put_seconds(out, "proof_s", step->proof_s);
    if (proof)
        text_printf(out, ",\"slowest\":\"%s\",", sli_name(step->slowest));
    else
        text_puts(out, ",\"slowest\":null,");
    text_printf(out, "\"in_time\":%s}", step->in_time ? "true" : "false");
}

static void put(struct text *out, const struct spec_forecast *forecast, bool measured)
{
    text_printf(out, "{\"rps\":%.4g,\"measured\":%s,", forecast->rps, measured ? "true" : "false");
    put_seconds(out, "total_s", forecast->total_s);
    text_puts(out, ",\"steps\":[");
    for (size_t i = 0; i < forecast->steps; i++)
        put_step(out, i + 1, &forecast->step[i]);
    text_puts(out, "]}");
}

/* A first release has nothing to be compared with: it takes all traffic, and only bakes. */
static void only_bake(const struct rollout_state *state, double rps, struct spec_forecast *forecast)
{
    struct plan bake = {.steps = 1, .step = {state->plan.step[state->plan.steps - 1]}};
    spec_forecast(&state->slos, &state->spec, &bake, rps, forecast);
    forecast->step[0].weight = WEIGHT_FULL;
    forecast->step[0].proof_s = INFINITY;
    forecast->step[0].slowest = SLI_COUNT;
}

/* --- what nobody reports ---------------------------------------------------------------------------- */

struct unreported {
    uint32_t set;     /* guardrails (1 << sli) of whose SLI nothing is known of stable, not even once */
    int64_t outcomes; /* of stable in the newest rows of the last ten minutes */
};

static enum status find_unreported(struct db *db, const struct rollout_state *state, struct unreported *out,
                                   struct fault *fault)
{
    int64_t known[SLI_COUNT];
    *out = (struct unreported){.set = 0};
    if (state->row.stable[0] == '\0' || spec_source_kind(state->spec.source.kind)->polled)
        return STATUS_OK;
    enum status status =
        preconditions_reported(db, state->row.service, state->row.stable, &out->outcomes, known, fault);
    for (int i = 0; i < SLI_COUNT && status == STATUS_OK && out->outcomes >= REPORTING_MIN; i++)
        if (state->spec.policy.guardrail[i].used && known[i] == 0)
            out->set |= 1u << i;
    return status;
}

/* Nothing ends by itself for which a proof is needed that cannot come. */
static void forget_proof(struct spec_forecast *forecast)
{
    forecast->total_s = INFINITY;
    for (size_t i = 0; i < forecast->steps; i++) {
        forecast->step[i].seconds = forecast->step[i].proof_s = INFINITY;
        forecast->step[i].pace = PACED_BY_PROOF;
        forecast->step[i].in_time = false;
    }
}

static void put_warning(struct text *out, const struct rollout_state *state, enum sli sli, int64_t outcomes)
{
    char detail[400], next[400], report[240], number[32];
    bool by_time = state->spec.policy.pace == PACE_TIME;
    reason_report_as(INT64_C(1) << sli, report, sizeof report);
    snprintf(detail, sizeof detail,
             "Nobody reports %s: none of the newest %s requests of %s has it, which were counted in the last "
             "10 min, "
             "nor any of the day before. %s",
             sli_name(sli), number_count(outcomes, number), state->row.stable,
             by_time ? "It will watch nothing while the plan goes on by time."
                     : "The first step will hold for it.");
    snprintf(next, sizeof next, "%s. Or abort this rollout, take %s out of the objectives, and start anew.",
             report, sli_name(sli));
    text_printf(out, "{\"sli\":\"%s\",\"detail\":", sli_name(sli));
    json_put_string(out, detail, strlen(detail));
    text_puts(out, ",\"next_step\":");
    json_put_string(out, next, strlen(next));
    text_putc(out, '}');
}

static void put_warnings(struct text *out, const struct rollout_state *state,
                         const struct unreported *unreported)
{
    bool first = true;
    text_putc(out, '[');
    for (int i = 0; i < SLI_COUNT; i++) {
        if ((unreported->set >> i & 1) == 0)
            continue;
        text_puts(out, first ? "" : ",");
        put_warning(out, state, (enum sli)i, unreported->outcomes);
        first = false;
    }
    text_putc(out, ']');
}

enum status rollout_forecast(struct db *db, const char *id, struct text *out, struct text *warnings,
                             struct fault *fault)
{
    struct unreported unreported = {.set = 0};
    struct rollout_state *state = NULL;
    struct spec_forecast forecast;
    double measured = 0;
    enum status status = state_load(db, id, false, &state, fault);
    if (status == STATUS_OK)
        status = preconditions_rate(db, state->row.service, &measured, fault);
    if (status == STATUS_OK)
        status = find_unreported(db, state, &unreported, fault);
    if (status == STATUS_OK) {
        double rps = measured > 0 ? measured : (double)state->spec.policy.rps_milli / 1000;
        if (rps > 0) {
            if (state->row.stable[0] == '\0')
                only_bake(state, rps, &forecast);
            else
                spec_forecast(&state->slos, &state->spec, &state->plan, rps, &forecast);
            if (unreported.set != 0 && state->spec.policy.pace != PACE_TIME)
                forget_proof(&forecast);
            put(out, &forecast, measured > 0);
        } else {
            text_puts(out, "null");
        }
        put_warnings(warnings, state, &unreported);
    }
    state_free(state);
    return status;
}
