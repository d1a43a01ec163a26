/* What the loop tells /metrics. */
#include "reconcile/numbers.h"

#include "base/meter.h"
#include "decision/reporting.h"
#include "decision/shares.h"
#include "store/standing.h"

#include <math.h>

enum { PUBLISH_EVERY_MS = 5000, EVIDENCE_FOR_S = 120 /* twice the longest time between two ticks */ };

enum status numbers_publish(struct db *db, struct mono_time *next, struct fault *fault)
{
    static const enum metric published[] = {METRIC_ROLLOUTS,
                                            METRIC_ROLLOUT_PHASE_SECONDS,
                                            METRIC_ROLLOUT_BLIND_SECONDS,
                                            METRIC_GATEWAYS_LIVE,
                                            METRIC_GATEWAYS_BEHIND,
                                            METRIC_GATEWAYS_SILENT,
                                            METRIC_GATEWAY_EPOCHS_BEHIND,
                                            METRIC_ROUTE_UNAPPLIED_SECONDS,
                                            METRIC_FROZEN,
                                            METRIC_WEBHOOK_OUTBOX,
                                            METRIC_WEBHOOK_OUTBOX_OLDEST_SECONDS};
    if (clock_mono().us < next->us)
        return STATUS_OK;
    *next = clock_mono_after_ms(clock_mono(), PUBLISH_EVERY_MS);
    struct meter_draft *draft = meter_draft_new();
    if (draft == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    enum status status = standing_read(db, draft, fault);
    if (status == STATUS_OK)
        meter_publish(draft, published, sizeof published / sizeof published[0]);
    meter_draft_free(draft);
    return status;
}

static double seconds_since(struct mono_time began)
{
    return (double)(clock_mono().us - began.us) / 1e6;
}

void numbers_turn(enum status status, struct mono_time began)
{
    meter_observe(METRIC_TURN_SECONDS, seconds_since(began), NULL);
    if (status == STATUS_OK || status == STATUS_IN_PROGRESS)
        meter_set(METRIC_TURN_TIMESTAMP_SECONDS, (double)clock_wall().us / 1e6, NULL);
}

/* How far the evidence is on its way to a threshold; what speaks for the canary counts as nothing. */
static double ratio(double log, double log_threshold)
{
    return log > 0 && isfinite(log) ? log / log_threshold : 0;
}

static void show_guardrail(const struct rollout_state *state, enum sli id)
{
    const struct policy *policy = &state->spec.policy;
    const struct sli_evidence *sli = &state->evidence.evidence.sli[id];
    struct shares shares = policy_shares(policy, id);
    double most =
        ratio(evidence_lane_log(&sli->relative), -log(policy->alpha * shares.sli * shares.relative));
    if (shares.absolute > 0)
        most = fmax(most, ratio(evidence_lane_log(&sli->absolute),
                                -log(policy->alpha * shares.sli * shares.absolute)));
    meter_set_for(METRIC_GUARDRAIL_EVIDENCE_RATIO, EVIDENCE_FOR_S, most, state->row.service, sli_name(id),
                  NULL);
}

/* Also where no row of the table says so: a plan that goes by time passes what nobody reports. */
static void show_unreported(const struct rollout_state *state)
{
    const struct policy *policy = &state->spec.policy;
    const struct evidence *evidence = &state->evidence.evidence;
    bool serves = state->row.phase == PHASE_PROGRESSING || state->row.phase == PHASE_BAKING;
    double step_s = (double)(state->world.now.us - state->row.step_since.us) / 1e6;
    bool due = serves && state->row.step_since.us != 0 && step_s >= (double)policy->blind_s;
    uint32_t missing = due ? reporting_missing(evidence, policy, state->muted, step_s) : 0;
    for (int i = 0; i < SLI_COUNT; i++) {
        struct counts step = reporting_of(evidence, (enum sli)i, false);
        if (policy->guardrail[i].used)
            meter_set_for(METRIC_GUARDRAIL_UNREPORTED_REQUESTS, EVIDENCE_FOR_S,
                          (missing >> i & 1) != 0 ? (double)step.n_c : 0, state->row.service,
                          sli_name((enum sli)i), NULL);
    }
}

static void show_evidence(struct rollout_state *state)
{
    const struct policy *policy = &state->spec.policy;
    struct judgement judgement =
        evidence_judge(&state->evidence.evidence, policy, state->muted, state->row.fix);
    meter_set_for(METRIC_ROLLOUT_EVIDENCE_RATIO, EVIDENCE_FOR_S,
                  ratio(fmax(judgement.log_g_rel, judgement.log_g_all), -log(policy->alpha)),
                  state->row.service, NULL);
    for (int i = 0; i < SLI_COUNT; i++)
        if (policy->guardrail[i].used)
            show_guardrail(state, (enum sli)i);
}

void numbers_tick(enum status status, struct mono_time began, struct observe_result *result)
{
    bool later = status == STATUS_SUPERSEDED || status == STATUS_IN_PROGRESS;
    meter_add(METRIC_TICKS_TOTAL, 1, status == STATUS_OK ? "ok" : later ? "superseded" : "failed", NULL);
    meter_observe(METRIC_TICK_SECONDS, seconds_since(began), NULL);
    if (status == STATUS_OK && result != NULL) {
        show_evidence(result->state);
        show_unreported(result->state);
    }
}
