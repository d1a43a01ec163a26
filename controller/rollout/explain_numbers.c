/* The explanation in numbers: lanes, recent e-values, budget, shares, and the policy values behind them. */
#include "rollout/explain.h"

#include "decision/budget.h"
#include "decision/recent.h"
#include "decision/shares.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double proven_at = 20; /* of recent e-values; as decision/recent.h has it */

bool explain_put(struct json_object *object, const char *name, struct json_object *value)
{
    if (json_object_object_add(object, name, value) == 0)
        return true;
    json_object_put(value);
    return false;
}

bool explain_put_text(struct json_object *object, const char *name, const char *value)
{
    return explain_put(object, name,
                       value != NULL && value[0] != '\0' ? json_object_new_string(value) : NULL);
}

bool explain_put_time(struct json_object *object, const char *name, struct wall_time time)
{
    char text[CLOCK_TEXT_MAX];
    return explain_put(object, name, time.us == 0 ? NULL : json_object_new_string(clock_format(time, text)));
}

bool explain_put_number(struct json_object *object, const char *name, double value)
{
    char text[32];
    if (!isfinite(value))
        return explain_put(object, name, NULL);
    snprintf(text, sizeof text, "%.6g", value);
    return explain_put(object, name, json_object_new_double_s(strtod(text, NULL), text));
}

static struct json_object *lane(const struct evidence_lane *evidence)
{
    struct json_object *object = json_object_new_object(), *parts = json_object_new_array();
    if (object == NULL || parts == NULL) {
        json_object_put(parts);
        return object;
    }
    for (int j = 0; j < EVIDENCE_GRID; j++) {
        char text[32];
        snprintf(text, sizeof text, "%.6g", evidence->log_m[j]);
        json_object_array_add(
            parts, isfinite(evidence->log_m[j]) ? json_object_new_double_s(evidence->log_m[j], text) : NULL);
    }
    explain_put_number(object, "log", evidence_lane_log(evidence));
    explain_put_number(object, "uninvested", evidence->mass.u);
    explain_put(object, "log_by_odds_ratio", parts);
    return object;
}

static struct json_object *recent(const struct sli_evidence *sli)
{
    struct json_object *object = json_object_new_object();
    if (object == NULL)
        return NULL;
    explain_put_number(object, "stable", recent_value(sli->stable));
    explain_put_number(object, "canary", recent_value(sli->canary));
    explain_put_number(object, "worse", recent_value(sli->worse));
    explain_put_number(object, "proven_at", proven_at);
    explain_put(object, "stable_sick", json_object_new_boolean(sli->sick));
    explain_put(object, "sick_before", json_object_new_boolean(sli->sick_before));
    explain_put_number(object, "shared_since_s", sli->shared_since >= 0 ? sli->shared_since : (double)NAN);
    explain_put_number(object, "last_sick_s", sli->last_sick >= 0 ? sli->last_sick : (double)NAN);
    return object;
}

static struct json_object *budget(const struct sli_evidence *sli, const struct guardrail *guardrail)
{
    struct json_object *object = guardrail->allowed > 0 ? json_object_new_object() : NULL;
    if (object == NULL)
        return NULL;
    explain_put_number(object, "allowed", guardrail->allowed);
    explain_put_number(object, "spent", sli->budget_x);
    explain_put_number(object, "log", budget_log(sli, guardrail->allowed, guardrail->eta));
    explain_put_number(object, "log_any_harm", budget_log(sli, 0, guardrail->eta));
    return object;
}

/* Each burn window in use, as it is used for this objective. */
static struct json_object *burn(const struct rollout_state *state, enum sli id)
{
    static const char *const actions[] = {"rollback", "pause", "notify"};
    const struct policy *policy = &state->spec.policy;
    uint32_t burning = evidence_burning(&state->evidence.evidence, policy, id);
    struct json_object *list = json_object_new_array();
    for (int i = 0; list != NULL && i < BURN_WINDOWS; i++) {
        const struct burn_window *window = &policy->burn[i].window;
        struct json_object *one = window->factor > 0 ? json_object_new_object() : NULL;
        if (one == NULL)
            continue;
        explain_put_number(one, "factor", burn_factor(window, policy->guardrail[id].budget_rate));
        explain_put(one, "long_s", json_object_new_int64(window->long_s));
        explain_put(one, "short_s", json_object_new_int64(window->short_s));
        explain_put_text(one, "action", actions[policy_burn_action(policy, id, i)]);
        explain_put(one, "burns", json_object_new_boolean((burning >> i & 1) != 0));
        json_object_array_add(list, one);
    }
    return list;
}

/* How often the SLI was not measured, and the evidence that this is the canary's doing. */
static struct json_object *coverage(const struct sli_evidence *sli)
{
    const struct counts *total = &sli->coverage_total;
    struct json_object *object = json_object_new_object();
    if (object == NULL)
        return NULL;
    explain_put_number(object, "log", evidence_lane_log(&sli->coverage));
    explain_put(object, "canary_outcomes", json_object_new_int64(total->n_c));
    explain_put(object, "canary_without", json_object_new_int64(total->k_c));
    explain_put(object, "stable_outcomes", json_object_new_int64(total->n_b));
    explain_put(object, "stable_without", json_object_new_int64(total->k_b));
    return object;
}

struct json_object *explain_split(const struct rollout_state *state)
{
    const struct split_watch *watch = &state->evidence.evidence.split;
    struct json_object *object = json_object_new_object();
    if (object == NULL)
        return NULL;
    explain_put(object, "checked", json_object_new_boolean(state->spec.policy.split_check));
    explain_put_number(object, "log", split_log(&watch->split));
    explain_put_number(object, "share", watch->share >= 0 ? watch->share : (double)NAN);
    explain_put(object, "blocks", json_object_new_int64(watch->blocks));
    explain_put(object, "wrong", json_object_new_boolean(watch->crossed));
    explain_put(object, "keys_too_heavy", json_object_new_boolean(watch->uncovered));
    return object;
}

static struct json_object *shares_object(const struct shares *shares)
{
    struct json_object *object = json_object_new_object();
    if (object == NULL)
        return NULL;
    explain_put_number(object, "sli", shares->sli);
    explain_put_number(object, "relative", shares->relative);
    explain_put_number(object, "absolute", shares->absolute);
    explain_put_number(object, "budget", shares->budget);
    return object;
}

static struct json_object *open_block(const struct sli_evidence *sli)
{
    struct json_object *object = sli->block_start >= 0 ? json_object_new_object() : NULL;
    if (object == NULL)
        return NULL;
    explain_put_number(object, "start_s", sli->block_start);
    explain_put_number(object, "planned_end_s", sli->block_end);
    return object;
}

struct json_object *explain_evidence(const struct rollout_state *state, enum sli id)
{
    const struct evidence *evidence = &state->evidence.evidence;
    const struct sli_evidence *sli = &evidence->sli[id];
    const struct policy *policy = &state->spec.policy;
    bool ceiling = policy->guardrail[id].ceiling > 0;
    struct shares shares = policy_shares(policy, id);
    struct json_object *object = json_object_new_object();
    if (object == NULL)
        return NULL;
    explain_put_number(object, "log_relative", evidence_lane_log(&sli->relative));
    explain_put_number(object, "log_absolute", ceiling ? evidence_lane_log(&sli->absolute) : (double)NAN);
    explain_put_number(object, "log_threshold", -log(policy->alpha * shares.sli * shares.relative));
    explain_put_number(object, "log_noninferiority", evidence_ni(evidence, id));
    explain_put_number(object, "log_noninferiority_threshold", evidence_ni_threshold(evidence, policy));
    explain_put(object, "shares", shares_object(&shares));
    explain_put_number(object, "log_cap", shares.cap);
    explain_put(object, "relative", lane(&sli->relative));
    explain_put(object, "absolute", ceiling ? lane(&sli->absolute) : NULL);
    explain_put(object, "recent", ceiling ? recent(sli) : NULL);
    explain_put(object, "budget", budget(sli, &policy->guardrail[id]));
    explain_put(object, "burn", burn(state, id));
    explain_put(object, "coverage", coverage(sli));
    explain_put(object, "open_block", open_block(sli));
    explain_put(object, "weight", json_object_new_int(sli->weight));
    explain_put(object, "requests_dropped", json_object_new_int64(sli->rows_dropped));
    explain_put(object, "invalid_ticks", json_object_new_int64(sli->invalid_ticks));
    return object;
}

double explain_counted_s(const struct rollout_state *state, enum sli id)
{
    const struct sli_evidence *sli = &state->evidence.evidence.sli[id];
    return sli->block_start >= 0 ? sli->block_start : sli->last_tick;
}

struct json_object *explain_guardrail_policy(const struct rollout_state *state, enum sli sli)
{
    const struct guardrail *guardrail = &state->spec.policy.guardrail[sli];
    struct json_object *object = json_object_new_object();
    if (object == NULL)
        return NULL;
    size_t step = state->row.step > 0 ? (size_t)state->row.step - 1 : 0;
    double margin = guardrail->margin_add > 0 ? guardrail->margin_add : plan_margin(&state->plan, step);
    explain_put_number(object, "share", guardrail->share);
    explain_put_number(object, "tolerance", guardrail->tolerance);
    explain_put_number(object, "margin_ratio", guardrail->margin_ratio);
    explain_put_number(object, "margin", margin * 100);
    explain_put_number(object, "eta", guardrail->eta);
    explain_put_number(object, "budget_share", guardrail->budget_share * 100);
    explain_put_text(object, "on_blind",
                     policy_on_blind(&state->spec.policy, sli) == BLIND_ROLLBACK ? "rollback" : "pause");
    explain_put(object, "shared_hold_s",
                json_object_new_int64(policy_shared_hold_s(&state->spec.policy, sli)));
    explain_put(object, "block_s", json_object_new_int64(guardrail->block_s));
    explain_put(object, "maturity_s", json_object_new_int64(guardrail->maturity_s));
    return object;
}

struct json_object *explain_policy(const struct rollout_state *state)
{
    const struct policy *policy = &state->spec.policy;
    struct json_object *object = json_object_new_object();
    if (object == NULL)
        return NULL;
    explain_put_number(object, "alpha", policy->alpha);
    explain_put_number(object, "alpha_promotion", policy->alpha_ni);
    explain_put_number(object, "log_threshold", -log(policy->alpha));
    explain_put_text(object, "pace", policy->pace == PACE_TIME ? "time" : "evidence");
    explain_put(object, "holdback", json_object_new_int(policy->holdback));
    explain_put(object, "attr_wait_s", json_object_new_int64(policy->attr_wait_s));
    explain_put(object, "shared_hold_s", json_object_new_int64(policy->shared_hold_s));
    explain_put(object, "warmup_s", json_object_new_int64(policy->warmup_s));
    explain_put(object, "blanking_s", json_object_new_int64(policy->blanking_s));
    explain_put(object, "blind_s", json_object_new_int64(policy->blind_s));
    explain_put_text(object, "on_blind", policy->on_blind == BLIND_ROLLBACK ? "rollback" : "pause");
    explain_put(object, "paused_limit_s", json_object_new_int64(policy->paused_limit_s));
    explain_put_number(object, "expected_rps",
                       policy->rps_milli > 0 ? (double)policy->rps_milli / 1000 : (double)NAN);
    return object;
}
