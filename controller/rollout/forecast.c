/* The expected time of a rollout, told at its start. */
#include "spec/forecast.h"
#include "rollout/rollout.h"
#include "rollout/state.h"
#include "store/preconditions.h"

#include <math.h>
#include <stdlib.h>

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

enum status rollout_forecast(struct db *db, const char *id, struct text *out, struct fault *fault)
{
    struct rollout_state *state = NULL;
    struct spec_forecast forecast;
    double measured = 0;
    enum status status = state_load(db, id, false, &state, fault);
    if (status == STATUS_OK)
        status = preconditions_rate(db, state->row.service, &measured, fault);
    if (status == STATUS_OK) {
        double rps = measured > 0 ? measured : (double)state->spec.policy.rps_milli / 1000;
        if (rps > 0) {
            if (state->row.stable[0] == '\0')
                only_bake(state, rps, &forecast);
            else
                spec_forecast(&state->slos, &state->spec, &state->plan, rps, &forecast);
            put(out, &forecast, measured > 0);
        } else {
            text_puts(out, "null");
        }
    }
    state_free(state);
    return status;
}
