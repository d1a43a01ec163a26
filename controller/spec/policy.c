/* Policies: JSON to struct. */
#include "spec/policy.h"

#include "spec/fields.h"
#include "spec/plan.h"

#include <stdio.h>
#include <string.h>

/* Bounds of durations, in seconds. */
enum { MINUTE = 60, HOUR = 3600, DAY = 86400, HOLDBACK_MAX = 5000, RPS_MAX = 100000000 };
enum { BURN_FACTOR_MAX = 100000, KEY_EFFECT_MAX = 1000000 };
static const double key_effect_keyed = 20; /* requests of one key in an hour, at most in even services */

static const char *const action_words[] = {"rollback", "pause", "notify", NULL};
static const char *const pace_words[] = {"evidence", "time", NULL};
static const char *const blind_words[] = {"pause", "rollback", NULL};
static const char *const alert_words[] = {"notify", "hold", "pause", "rollback", NULL};

/* The ceiling: null says none; 0 would say "no bad outcome ever", which no test can hold a canary to. */
static void read_ceiling(struct json_fields *fields, struct guardrail *guardrail)
{
    struct json_object *value;
    double percent;
    if (json_fields_any(fields, "ceiling", JSON_OPTIONAL, &value) && value == NULL) {
        guardrail->ceiling = 0;
        return;
    }
    if (!json_fields_number(fields, "ceiling", JSON_OPTIONAL, 0, 100, &percent)) {
        return;
    }
    if (spec_percent_to_share(percent) <= 0) {
        spec_wrong(fields, "ceiling", "must be above 0; null means no ceiling");
        return;
    }
    guardrail->ceiling = spec_percent_to_share(percent);
}

static void read_share(struct json_fields *fields, const char *name, double above, double *out)
{
    double percent;
    if (spec_fields_above(fields, name, above, 100, &percent)) {
        *out = spec_percent_to_share(percent);
    }
}

/* A number, or "auto". */
static void read_eta(struct json_fields *fields, struct guardrail *guardrail, bool *automatic)
{
    struct json_object *value;
    if (!json_fields_any(fields, "eta", JSON_OPTIONAL, &value) || value == NULL)
        return;
    *automatic =
        json_object_is_type(value, json_type_string) && strcmp(json_object_get_string(value), "auto") == 0;
    if (!*automatic && json_object_is_type(value, json_type_string))
        spec_wrong(fields, "eta", "must be a number above 0 and at most 1, or \"auto\"");
    else if (!*automatic)
        spec_fields_above(fields, "eta", 0, 1, &guardrail->eta);
}

static enum status read_guardrail(struct json_object *value, const char *pointer, struct guardrail *guardrail,
                                  bool *eta_auto, struct fault *fault)
{
    struct json_fields fields;
    double percent;
    int action;
    json_fields_open(&fields, value, pointer, fault);
    if (json_fields_word(&fields, "action", JSON_OPTIONAL, action_words, &action)) {
        guardrail->action = (enum guardrail_action)action;
    }
    spec_fields_above(&fields, "share", 0, 100, &guardrail->share);
    json_fields_number(&fields, "tolerance", JSON_OPTIONAL, 1, 10, &guardrail->tolerance);
    read_ceiling(&fields, guardrail);
    spec_fields_above(&fields, "margin_ratio", 1, 100, &guardrail->margin_ratio);
    read_share(&fields, "margin", 0, &guardrail->margin_add);
    read_eta(&fields, guardrail, eta_auto);
    if (json_fields_number(&fields, "budget_share", JSON_OPTIONAL, 0, 100, &percent)) {
        guardrail->budget_share = spec_percent_to_share(percent);
    }
    if (json_fields_word(&fields, "on_blind", JSON_OPTIONAL, blind_words, &action)) {
        guardrail->on_blind = (enum blind_action)action;
    }
    spec_fields_seconds(&fields, "shared_hold", 1, DAY, &guardrail->shared_hold_s);
    spec_fields_seconds(&fields, "block", 0, HOUR, &guardrail->block_s);
    spec_fields_seconds(&fields, "maturity", 0, HOUR, &guardrail->maturity_s);
    return json_fields_close(&fields);
}

static enum status read_guardrails(struct json_object *value, const char *pointer, const struct slos *slos,
                                   struct spec_policy *out, struct fault *fault)
{
    struct json_fields fields;
    json_fields_open(&fields, value, pointer, fault);
    for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
        const char *name = sli_name(sli);
        struct json_object *guardrail;
        char at[128];
        if (!json_fields_any(&fields, name, JSON_OPTIONAL, &guardrail)) {
            continue;
        }
        if (!slos->of[sli].used) {
            spec_wrong(&fields, name,
                       "needs an SLO: add \"%s\" with an objective to the service's SLOs, or remove this "
                       "guardrail",
                       name);
            continue;
        }
        json_fields_pointer(&fields, name, at);
        if (read_guardrail(guardrail, at, &out->policy.guardrail[sli], &out->eta_auto[sli], fault) !=
            STATUS_OK) {
            fields.failed = true;
        }
    }
    return json_fields_close(&fields);
}

static void read_times(struct json_fields *fields, struct policy *policy)
{
    spec_fields_seconds(fields, "attr_wait", 0, HOUR, &policy->attr_wait_s);
    spec_fields_seconds(fields, "shared_hold", 1, DAY, &policy->shared_hold_s);
    spec_fields_seconds(fields, "warmup", 0, HOUR, &policy->warmup_s);
    spec_fields_seconds(fields, "blanking", 0, HOUR, &policy->blanking_s);
    spec_fields_seconds(fields, "blind", 1, DAY, &policy->blind_s);
    spec_fields_seconds(fields, "paused_limit", MINUTE, 30 * DAY, &policy->paused_limit_s);
}

static void read_rules(struct json_fields *fields, struct policy *policy)
{
    int64_t holdback;
    int word;
    spec_fields_above(fields, "alpha", 0, 0.2, &policy->alpha);
    spec_fields_above(fields, "alpha_promotion", 0, 0.5, &policy->alpha_ni);
    if (json_fields_word(fields, "pace", JSON_OPTIONAL, pace_words, &word)) {
        policy->pace = (enum pace)word;
    }
    if (json_fields_word(fields, "on_blind", JSON_OPTIONAL, blind_words, &word)) {
        policy->on_blind = (enum blind_action)word;
    }
    if (json_fields_weight(fields, "holdback", JSON_OPTIONAL, 0, HOLDBACK_MAX, &holdback)) {
        policy->holdback = (int32_t)holdback;
    }
    spec_fields_decimal(fields, "expected_rps", JSON_OPTIONAL, 0, RPS_MAX, 3, &policy->rps_milli);
}

/* --- burn windows
 * ------------------------------------------------------------------------------------------------------ */

static enum status read_window(struct json_object *value, const char *pointer, struct burn_rule *out,
                               struct fault *fault)
{
    struct json_fields fields;
    struct burn_window *window = &out->window;
    int action;
    *out = (struct burn_rule){.action = ACTION_PAUSE};
    json_fields_open(&fields, value, pointer, fault);
    json_fields_number(&fields, "factor", JSON_REQUIRED, 1, BURN_FACTOR_MAX, &window->factor);
    spec_fields_seconds(&fields, "long", MINUTE, 7 * DAY, &window->long_s);
    spec_fields_seconds(&fields, "short", 2, DAY, &window->short_s);
    if (json_fields_word(&fields, "action", JSON_OPTIONAL, action_words, &action)) {
        out->action = (enum guardrail_action)action;
    }
    if (!fields.failed && (window->long_s == 0 || window->short_s == 0)) {
        spec_wrong(&fields, window->long_s == 0 ? "long" : "short", "is required");
    } else if (!fields.failed &&
               (window->short_s >= window->long_s || window->long_s > BURN_RATIO_MAX * window->short_s)) {
        spec_wrong(&fields, "long", "must be above the short window and at most %d times as long",
                   BURN_RATIO_MAX);
    }
    return json_fields_close(&fields);
}

/* A list replaces the defaults; an empty one means no windows. */
static void read_burn(struct json_fields *fields, struct policy *policy, struct fault *fault)
{
    struct json_object *list;
    char at[128], one[160];
    if (!json_fields_array(fields, "burn", JSON_OPTIONAL, 0, BURN_WINDOWS, &list)) {
        return;
    }
    memset(policy->burn, 0, sizeof policy->burn);
    json_fields_pointer(fields, "burn", at);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        snprintf(one, sizeof one, "%s/%zu", at, i);
        if (read_window(json_object_array_get_idx(list, i), one, &policy->burn[i], fault) != STATUS_OK) {
            fields->failed = true;
        }
    }
}

static struct json_object *write_burn(const struct policy *policy)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < BURN_WINDOWS && list != NULL; i++) {
        const struct burn_rule *rule = &policy->burn[i];
        struct spec_writer writer;
        if (rule->window.factor <= 0) {
            continue;
        }
        spec_writer_begin(&writer);
        spec_put_number(&writer, "factor", rule->window.factor);
        spec_put_ms(&writer, "long", rule->window.long_s * 1000);
        spec_put_ms(&writer, "short", rule->window.short_s * 1000);
        spec_put_text(&writer, "action", action_words[rule->action]);
        struct json_object *one = spec_writer_end(&writer);
        if (one == NULL || json_object_array_add(list, one) != 0) {
            json_object_put(one);
            json_object_put(list);
            return NULL;
        }
    }
    return list;
}

/* --- the split check and strata
 * ------------------------------------------------------------------------------------------------------ */

static enum status read_split(struct json_object *value, const char *pointer, struct spec_policy *out,
                              struct fault *fault)
{
    struct json_fields fields;
    json_fields_open(&fields, value, pointer, fault);
    json_fields_bool(&fields, "enabled", JSON_OPTIONAL, &out->policy.split_check);
    out->has_keyed = json_fields_bool(&fields, "keyed", JSON_OPTIONAL, &out->policy.keyed);
    out->has_key_effect =
        json_fields_number(&fields, "key_effect", JSON_OPTIONAL, 1, KEY_EFFECT_MAX, &out->policy.key_effect);
    return json_fields_close(&fields);
}

static struct json_object *write_split(const struct spec_policy *spec)
{
    struct spec_writer writer;
    spec_writer_begin(&writer);
    spec_put(&writer, "enabled", json_object_new_boolean(spec->policy.split_check));
    if (spec->has_keyed) {
        spec_put(&writer, "keyed", json_object_new_boolean(spec->policy.keyed));
    }
    if (spec->has_key_effect) {
        spec_put_number(&writer, "key_effect", spec->policy.key_effect);
    }
    return spec_writer_end(&writer);
}

void spec_policy_keyed(struct spec_policy *spec, bool keyed)
{
    if (!spec->has_keyed) {
        spec->policy.keyed = keyed;
        spec->has_keyed = true;
    }
    if (!spec->has_key_effect) {
        spec->policy.key_effect = spec->policy.keyed ? key_effect_keyed : 1;
        spec->has_key_effect = true;
    }
}

int32_t spec_policy_stratum(const struct spec_policy *spec, const char *name)
{
    for (int32_t i = 1; i < spec->policy.strata; i++) {
        if (strcmp(spec->stratum[i - 1], name) == 0) {
            return i;
        }
    }
    return 0;
}

static void read_strata(struct json_fields *fields, struct spec_policy *out)
{
    struct json_object *list;
    if (!json_fields_array(fields, "strata", JSON_OPTIONAL, 0, STRATA_MAX - 1, &list)) {
        return;
    }
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        const char *name = json_object_is_type(one, json_type_string) ? json_object_get_string(one) : "";
        if (!name_valid(name)) {
            spec_wrong(fields, "strata", "must hold names of 1 to 63 letters, digits, '.', '_' and '-'");
            return;
        }
        if (spec_policy_stratum(out, name) != 0) {
            spec_wrong(fields, "strata", "names %s twice", name);
            return;
        }
        snprintf(out->stratum[i], sizeof out->stratum[i], "%s", name);
        out->policy.strata++;
    }
    if (spec_source_kind(out->source.kind)->polled && out->policy.strata > 1) {
        spec_wrong(fields, "strata",
                   "come with reported outcomes; a %s source does not have them: remove this",
                   spec_source_kind(out->source.kind)->name);
    }
}

static struct json_object *write_strata(const struct spec_policy *spec)
{
    struct json_object *list = json_object_new_array();
    for (int32_t i = 1; i < spec->policy.strata && list != NULL; i++) {
        struct json_object *one = json_object_new_string(spec->stratum[i - 1]);
        if (one == NULL || json_object_array_add(list, one) != 0) {
            json_object_put(one);
            json_object_put(list);
            return NULL;
        }
    }
    return list;
}

static enum status read_alerts(struct json_object *value, const char *pointer, struct policy *policy,
                               struct fault *fault)
{
    struct json_fields fields;
    int action;
    json_fields_open(&fields, value, pointer, fault);
    if (json_fields_word(&fields, "action", JSON_REQUIRED, alert_words, &action)) {
        policy->alert_action = (enum alert_action)action;
    }
    return json_fields_close(&fields);
}

static struct json_object *write_alerts(const struct policy *policy)
{
    struct spec_writer writer;
    spec_writer_begin(&writer);
    spec_put_text(&writer, "action", alert_words[policy->alert_action]);
    return spec_writer_end(&writer);
}

/* The default ceilings are computed; a percentage must be able to say them, so that a policy that is written
   out and read again is the same to the last bit. */
static void settle_defaults(struct policy *policy)
{
    for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
        struct guardrail *guardrail = &policy->guardrail[sli];
        if (guardrail->used) {
            guardrail->ceiling = spec_percent_to_share(spec_share_to_percent(guardrail->ceiling));
        }
    }
}

enum status spec_read_policy(struct json_object *value, const char *pointer, const struct slos *slos,
                             struct spec_policy *out, struct fault *fault)
{
    struct json_fields fields;
    struct json_object *part;
    char at[128];
    memset(out, 0, sizeof *out);
    policy_default(slos, &out->policy);
    settle_defaults(&out->policy);
    plan_default(&out->plan);
    json_fields_open(&fields, value, pointer, fault);
    if (json_fields_object(&fields, "guardrails", JSON_OPTIONAL, &part) &&
        read_guardrails(part, json_fields_pointer(&fields, "guardrails", at), slos, out, fault) !=
            STATUS_OK) {
        fields.failed = true;
    }
    read_rules(&fields, &out->policy);
    read_times(&fields, &out->policy);
    if (json_fields_object(&fields, "source", JSON_OPTIONAL, &part) &&
        spec_read_source(part, json_fields_pointer(&fields, "source", at), &out->source, fault) !=
            STATUS_OK) {
        fields.failed = true;
    }
    read_burn(&fields, &out->policy, fault);
    if (json_fields_object(&fields, "split_check", JSON_OPTIONAL, &part) &&
        read_split(part, json_fields_pointer(&fields, "split_check", at), out, fault) != STATUS_OK) {
        fields.failed = true;
    }
    read_strata(&fields, out);
    if (json_fields_object(&fields, "alerts", JSON_OPTIONAL, &part) &&
        read_alerts(part, json_fields_pointer(&fields, "alerts", at), &out->policy, fault) != STATUS_OK) {
        fields.failed = true;
    }
    if (json_fields_object(&fields, "plan", JSON_OPTIONAL, &part)) {
        out->has_plan = true;
        json_fields_pointer(&fields, "plan", at);
        if (spec_read_plan(part, at, &out->plan, fault) != STATUS_OK ||
            spec_check_plan(&out->plan, &out->policy, at, fault) != STATUS_OK) {
            fields.failed = true;
        }
    }
    return json_fields_close(&fields);
}

static struct json_object *write_guardrail(const struct guardrail *guardrail, bool eta_auto)
{
    struct spec_writer writer;
    spec_writer_begin(&writer);
    spec_put_text(&writer, "action", action_words[guardrail->action]);
    spec_put_number(&writer, "share", guardrail->share);
    spec_put_number(&writer, "tolerance", guardrail->tolerance);
    if (guardrail->ceiling > 0) {
        spec_put_number(&writer, "ceiling", spec_share_to_percent(guardrail->ceiling));
    } else {
        spec_put_null(&writer, "ceiling");
    }
    spec_put_number(&writer, "margin_ratio", guardrail->margin_ratio);
    if (guardrail->margin_add > 0) {
        spec_put_number(&writer, "margin", spec_share_to_percent(guardrail->margin_add));
    }
    if (eta_auto) {
        spec_put_text(&writer, "eta", "auto");
    } else {
        spec_put_number(&writer, "eta", guardrail->eta);
    }
    spec_put_number(&writer, "budget_share", spec_share_to_percent(guardrail->budget_share));
    if (guardrail->on_blind != BLIND_AS_POLICY) {
        spec_put_text(&writer, "on_blind", blind_words[guardrail->on_blind]);
    }
    if (guardrail->shared_hold_s > 0) {
        spec_put_ms(&writer, "shared_hold", guardrail->shared_hold_s * 1000);
    }
    spec_put_ms(&writer, "block", guardrail->block_s * 1000);
    spec_put_ms(&writer, "maturity", guardrail->maturity_s * 1000);
    return spec_writer_end(&writer);
}

struct json_object *spec_write_policy(const struct spec_policy *spec)
{
    const struct policy *policy = &spec->policy;
    struct spec_writer writer, guardrails;
    spec_writer_begin(&guardrails);
    for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
        if (policy->guardrail[sli].used) {
            spec_put(&guardrails, sli_name(sli),
                     write_guardrail(&policy->guardrail[sli], spec->eta_auto[sli]));
        }
    }
    spec_writer_begin(&writer);
    spec_put(&writer, "guardrails", spec_writer_end(&guardrails));
    spec_put(&writer, "source", spec_write_source(&spec->source));
    if (spec->has_plan) {
        spec_put(&writer, "plan", spec_write_plan_input(&spec->plan));
    }
    spec_put(&writer, "burn", write_burn(policy));
    spec_put(&writer, "split_check", write_split(spec));
    if (policy->strata > 1) {
        spec_put(&writer, "strata", write_strata(spec));
    }
    spec_put(&writer, "alerts", write_alerts(policy));
    spec_put_number(&writer, "alpha", policy->alpha);
    spec_put_number(&writer, "alpha_promotion", policy->alpha_ni);
    spec_put_text(&writer, "pace", pace_words[policy->pace]);
    spec_put_ms(&writer, "attr_wait", policy->attr_wait_s * 1000);
    spec_put_ms(&writer, "shared_hold", policy->shared_hold_s * 1000);
    spec_put_ms(&writer, "warmup", policy->warmup_s * 1000);
    spec_put_ms(&writer, "blanking", policy->blanking_s * 1000);
    spec_put_ms(&writer, "blind", policy->blind_s * 1000);
    spec_put_text(&writer, "on_blind", blind_words[policy->on_blind]);
    spec_put_ms(&writer, "paused_limit", policy->paused_limit_s * 1000);
    spec_put_integer(&writer, "holdback", policy->holdback);
    if (policy->rps_milli > 0) {
        spec_put_number(&writer, "expected_rps", (double)policy->rps_milli / 1000);
    }
    return spec_writer_end(&writer);
}
