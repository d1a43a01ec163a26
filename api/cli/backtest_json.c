/* A backtest as JSON: setup, summary, and every rollout with all its decisions and their inputs. */
#include "base/json.h"
#include "cli/backtest.h"
#include "cli/cli.h"
#include "spec/inputs.h"
#include "spec/plan.h"
#include "spec/slos.h"

enum { JSON_BYTES_MAX = 1 << 30 };

static struct json_object *whole(int64_t value)
{
    return json_object_new_int64(value);
}

static struct json_object *text_or_null(const char *text)
{
    return text != NULL ? json_object_new_string(text) : NULL;
}

/* cli_add() takes NULL for no memory; here it is the value null. */
static void add_null(struct json_object **object, const char *name)
{
    if (*object != NULL && json_object_object_add(*object, name, NULL) != 0) {
        json_object_put(*object);
        *object = NULL;
    }
}

static void add_sli(struct json_object **object, const char *name, enum sli sli)
{
    if (sli == SLI_COUNT) {
        add_null(object, name);
    } else {
        cli_add(object, name, text_or_null(sli_name(sli)));
    }
}

static struct json_object *spread(const struct backtest_spread *values)
{
    struct json_object *object = json_object_new_object();
    cli_add(&object, "p5", spec_write_real(values->low));
    cli_add(&object, "median", spec_write_real(values->median));
    cli_add(&object, "p95", spec_write_real(values->high));
    return object;
}

static struct json_object *arm(const struct backtest *backtest, const struct backtest_arm *arm_of)
{
    struct json_object *object = json_object_new_object(), *slis = json_object_new_object();
    cli_add(&object, "release", text_or_null(arm_of->name));
    cli_add(&object, "outcomes", whole((int64_t)arm_of->count));
    cli_add(&object, "bad_in_any", whole(arm_of->any_bad));
    for (int i = 0; i < SLI_COUNT; i++) {
        if (backtest->setup.spec.policy.guardrail[i].used) {
            struct json_object *counts = json_object_new_object();
            cli_add(&counts, "n", whole(arm_of->n[i]));
            cli_add(&counts, "k", whole(arm_of->k[i]));
            cli_add(&slis, sli_name((enum sli)i), counts);
        }
    }
    cli_add(&object, "slis", slis);
    return object;
}

static struct json_object *setup(const struct backtest *backtest)
{
    const struct backtest_setup *of = &backtest->setup;
    struct json_object *object = json_object_new_object(), *left_out = json_object_new_array(),
                       *recordings = json_object_new_object();
    cli_add(&object, "outcomes", text_or_null(backtest->outcomes_path));
    cli_add(&object, "policy_file", text_or_null(backtest->policy_path));
    cli_add(&object, "slos", spec_write_slos(&of->slos));
    cli_add(&object, "policy", spec_write_policy(&of->spec));
    cli_add(&object, "plan", spec_write_plan(&of->plan));
    cli_add(&object, "stable", arm(backtest, &of->traffic.stable));
    cli_add(&object, "canary", arm(backtest, &of->traffic.canary));
    for (int i = 0; i < SLI_COUNT; i++) {
        if (of->spec.policy.guardrail[i].used) {
            cli_add(&recordings, sli_name((enum sli)i),
                    text_or_null(backtest_truth_name(backtest_compare(of, (enum sli)i))));
        }
    }
    cli_add(&object, "the_canary_is", recordings);
    cli_add(&object, "arrivals", text_or_null(backtest->arrivals));
    cli_add(&object, "requests_per_second", spec_write_real(of->traffic.rps));
    cli_add(&object, "as_recorded", json_object_new_boolean(of->traffic.as_recorded));
    cli_add(&object, "in_order", json_object_new_boolean(of->traffic.in_order));
    cli_add(&object, "fix", json_object_new_boolean(of->fix));
    cli_add(&object, "until_s", whole(of->until_s));
    cli_add(&object, "settle_s", whole(of->settle_s));
    cli_add(&object, "apply_s", spec_write_real(of->apply_s));
    for (int i = 0; i < SLI_COUNT && left_out != NULL; i++) {
        if ((backtest->left_out >> i & 1) != 0) {
            json_object_array_add(left_out, text_or_null(sli_name((enum sli)i)));
        }
    }
    cli_add(&object, "left_out", left_out);
    return object;
}

static struct json_object *summary(const struct backtest_summary *of)
{
    struct json_object *object = json_object_new_object(), *groups = json_object_new_array(),
                       *waits = json_object_new_array();
    cli_add(&object, "rollouts", whole((int64_t)of->seeds));
    cli_add(&object, "completed", whole((int64_t)of->completed));
    cli_add(&object, "rolled_back", whole((int64_t)of->rolled_back));
    cli_add(&object, "blamed", whole((int64_t)of->blamed));
    cli_add(&object, "paused", whole((int64_t)of->paused));
    cli_add(&object, "not_ended", whole((int64_t)of->open));
    cli_add(&object, "after_s", spread(&of->at_s));
    cli_add(&object, "canary_requests", spread(&of->canary));
    cli_add(&object, "canary_counted", spread(&of->counted));
    cli_add(&object, "users_worse_off", spread(&of->harm));
    for (size_t i = 0; i < of->groups && groups != NULL; i++) {
        const struct backtest_group *group = &of->group[i];
        struct json_object *one = json_object_new_object();
        cli_add(&one, "phase", text_or_null(phase_name(group->phase)));
        cli_add(&one, "rule", text_or_null(group->rule->id));
        add_sli(&one, "guardrail", group->lead);
        cli_add(&one, "rollouts", whole((int64_t)group->seeds));
        cli_add(&one, "unproven", whole((int64_t)group->unproven));
        cli_add(&one, "after_s", spread(&group->at_s));
        cli_add(&one, "canary_requests", spread(&group->canary));
        cli_add(&one, "canary_counted", spread(&group->counted));
        cli_add(&one, "users_worse_off", spread(&group->harm));
        json_object_array_add(groups, one);
    }
    for (size_t i = 0; i < of->waits && waits != NULL; i++) {
        struct json_object *one = json_object_new_object();
        cli_add(&one, "rule", text_or_null(of->wait[i].rule->id));
        cli_add(&one, "rollouts", whole((int64_t)of->wait[i].seeds));
        cli_add(&one, "seconds", spread(&of->wait[i].seconds));
        json_object_array_add(waits, one);
    }
    cli_add(&object, "groups", groups);
    cli_add(&object, "on_the_way", waits);
    return object;
}

static struct json_object *decision(const struct backtest *backtest, const struct backtest_decision *of)
{
    struct json_object *object = json_object_new_object();
    char sentence[BACKTEST_SENTENCE_MAX];
    const struct offline_decision *made = &of->decision;
    cli_add(&object, "at_s", spec_write_real(of->at_s));
    cli_add(&object, "rule", text_or_null(made->rule->id));
    cli_add(&object, "phase", text_or_null(phase_name(made->phase)));
    cli_add(&object, "step", whole(made->step));
    cli_add(&object, "weight", whole(made->weight));
    cli_add(&object, "says", text_or_null(backtest_sentence(&backtest->setup, made, sentence)));
    cli_add(&object, "inputs", spec_write_inputs(&made->snapshot));
    return object;
}

static struct json_object *guardrails(const struct backtest *backtest, const struct backtest_result *of)
{
    struct json_object *object = json_object_new_object();
    for (int i = 0; i < SLI_COUNT; i++) {
        if (!backtest->setup.spec.policy.guardrail[i].used) {
            continue;
        }
        const struct counts *total = &of->sli[i].total;
        struct json_object *one = json_object_new_object(), *canary = json_object_new_object(),
                           *stable = json_object_new_object();
        cli_add(&canary, "n", whole(total->n_c));
        cli_add(&canary, "k", whole(total->k_c));
        cli_add(&stable, "n", whole(total->n_b));
        cli_add(&stable, "k", whole(total->k_b));
        cli_add(&one, "verdict", text_or_null(verdict_name(of->sli[i].verdict)));
        cli_add(&one, "canary", canary);
        cli_add(&one, "stable", stable);
        cli_add(&one, "log_relative", spec_write_real(of->sli[i].relative));
        cli_add(&one, "log_absolute", spec_write_real(of->sli[i].absolute));
        cli_add(&one, "log_noninferiority", spec_write_real(of->sli[i].proof));
        cli_add(&object, sli_name((enum sli)i), one);
    }
    return object;
}

static struct json_object *result(const struct backtest *backtest, const struct backtest_result *of)
{
    struct json_object *object = json_object_new_object(), *decisions = json_object_new_array();
    cli_add(&object, "seed", whole((int64_t)of->seed));
    cli_add(&object, "phase", text_or_null(phase_name(of->phase)));
    cli_add(&object, "rule", text_or_null(of->rule->id));
    add_sli(&object, "guardrail", of->lead);
    cli_add(&object, "step", whole(of->step));
    cli_add(&object, "unproven", json_object_new_boolean(of->unproven));
    cli_add(&object, "after_s", spec_write_real(of->at_s));
    cli_add(&object, "seen_s", spec_write_real(of->seen_s));
    cli_add(&object, "canary_requests", whole(of->canary));
    cli_add(&object, "canary_counted", whole(of->counted));
    cli_add(&object, "canary_bad", whole(of->canary_bad));
    cli_add(&object, "stable_requests", whole(of->stable));
    cli_add(&object, "stable_bad", whole(of->stable_bad));
    cli_add(&object, "users_worse_off", spec_write_real(of->harm));
    cli_add(&object, "log_g_rel", spec_write_real(of->log_g_rel));
    cli_add(&object, "log_g_all", spec_write_real(of->log_g_all));
    cli_add(&object, "log_noninferiority_threshold", spec_write_real(of->proof_needed));
    cli_add(&object, "guardrails", guardrails(backtest, of));
    for (size_t i = 0; i < of->decisions && decisions != NULL; i++) {
        json_object_array_add(decisions, decision(backtest, &of->decision[i]));
    }
    cli_add(&object, "decisions", decisions);
    return object;
}

/* Rollout after rollout, so that many do not have to be in memory as objects at once. */
int backtest_json(struct cli *cli, const struct backtest *backtest)
{
    struct json_object *object = json_object_new_object();
    struct text out;
    text_init(&out, JSON_BYTES_MAX);
    cli_add(&object, "setup", setup(backtest));
    cli_add(&object, "summary", summary(&backtest->summary));
    enum status status = object != NULL ? json_put(object, &out) : STATUS_NO_MEMORY;
    json_object_put(object);
    if (status == STATUS_OK && out.length > 0) {
        out.length--; /* the closing brace comes last */
        text_puts(&out, ",\"results\":[");
    }
    for (size_t i = 0; i < backtest->results && status == STATUS_OK; i++) {
        object = result(backtest, &backtest->result[i]);
        text_puts(&out, i > 0 ? ",\n" : "\n");
        status = object != NULL ? json_put(object, &out) : STATUS_NO_MEMORY;
        json_object_put(object);
    }
    text_puts(&out, "]}\n");
    if (status != STATUS_OK) {
        text_free(&out);
        return cli_refuse(cli, NULL, "out of memory");
    }
    return cli_print(cli, &out);
}
