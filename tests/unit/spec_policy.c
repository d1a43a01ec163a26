/* Policies: defaults, every field, what is refused and where, exact round trips. */
#include "base/json.h"
#include "spec/fields.h"
#include "spec/policy.h"
#include "spec/slos.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(spec_policy, .timeout = 30);

static void make_slos(struct slos *slos)
{
    memset(slos, 0, sizeof *slos);
    slos->of[SLI_REFUSAL] = (struct slo){.used = true, .objective_ppm = 999000, .window_s = 2592000};
    slos->of[SLI_ERROR] = (struct slo){.used = true, .objective_ppm = 987654, .window_s = 2592000};
}

static enum status read(const char *json, struct spec_policy *out, struct fault *fault)
{
    struct json_object *value = NULL;
    struct slos slos;
    make_slos(&slos);
    memset(fault, 0, sizeof *fault);
    cr_assert_eq(json_parse(json, strlen(json), &value, fault), STATUS_OK, "%s", fault->detail);
    enum status status = spec_read_policy(value, "", &slos, out, fault);
    json_object_put(value);
    return status;
}

/* read(write(x)) == x, field by field and bit by bit. */
static void round_trip(const struct spec_policy *policy)
{
    struct spec_policy again;
    struct slos slos;
    struct fault fault = {0};
    make_slos(&slos);
    struct json_object *value = spec_write_policy(policy);
    cr_assert_not_null(value);
    cr_assert_eq(spec_read_policy(value, "", &slos, &again, &fault), STATUS_OK, "%s: %s",
                 fault.error[0].pointer, fault.error[0].detail);
    json_object_put(value);
    for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
        const struct guardrail *a = &policy->policy.guardrail[sli], *b = &again.policy.guardrail[sli];
        cr_assert(a->used == b->used && a->action == b->action && a->share == b->share &&
                  a->tolerance == b->tolerance && a->ceiling == b->ceiling &&
                  a->margin_ratio == b->margin_ratio && a->margin_add == b->margin_add && a->eta == b->eta &&
                  a->budget_share == b->budget_share && a->block_s == b->block_s &&
                  a->maturity_s == b->maturity_s);
    }
    const struct policy *a = &policy->policy, *b = &again.policy;
    cr_assert(a->alpha == b->alpha && a->alpha_ni == b->alpha_ni && a->pace == b->pace &&
              a->attr_wait_s == b->attr_wait_s && a->shared_hold_s == b->shared_hold_s &&
              a->warmup_s == b->warmup_s && a->blanking_s == b->blanking_s && a->blind_s == b->blind_s &&
              a->on_blind == b->on_blind && a->paused_limit_s == b->paused_limit_s &&
              a->holdback == b->holdback && a->rps_milli == b->rps_milli);
    cr_assert_eq(policy->has_plan, again.has_plan);
    cr_assert_eq(memcmp(&policy->plan, &again.plan, sizeof again.plan), 0);
    cr_assert_eq(memcmp(&policy->source, &again.source, sizeof again.source), 0);
}

Test(spec_policy, empty_is_the_default)
{
    struct spec_policy policy;
    struct fault fault;
    cr_assert_eq(read("{}", &policy, &fault), STATUS_OK);
    cr_assert(policy.policy.guardrail[SLI_REFUSAL].used);
    cr_assert_not(policy.policy.guardrail[SLI_LATENCY].used);
    cr_assert_float_eq(policy.policy.guardrail[SLI_REFUSAL].ceiling, 0.0015, 1e-15);
    cr_assert_not(policy.has_plan);
    cr_assert_eq(policy.plan.steps, 5);
    cr_assert_eq(policy.source.kind, SOURCE_OUTCOMES);
    round_trip(&policy);
}

static const char full[] =
    "{\"guardrails\":{\"refusal\":{\"action\":\"pause\",\"share\":2.5,\"tolerance\":1.3,\"ceiling\":0.15,"
    "\"margin_ratio\":3,\"margin\":0.7,\"eta\":0.3,\"budget_share\":0.1,\"block\":\"5s\","
    "\"maturity\":\"20s\"},\"error\":{\"ceiling\":null,\"action\":\"notify\"}},"
    "\"source\":{\"prometheus\":{\"url\":\"https://prom.example:9090/prefix\",\"interval\":\"2.5s\","
    "\"release_label\":\"rel\",\"requests\":\"llm_requests_total{service=\\\"chat\\\"}\","
    "\"bad\":{\"refusal\":\"{__name__=\\\"r}{\\\"}\"},\"bearer_token_env\":\"PROMETHEUS_TOKEN\"}},"
    "\"plan\":{\"steps\":[{\"weight\":\"1%\"},{\"weight\":10000}]},"
    "\"alpha\":0.02,\"alpha_promotion\":0.1,\"pace\":\"time\",\"attr_wait\":\"1m\",\"shared_hold\":\"6m\","
    "\"warmup\":\"30s\",\"blanking\":\"0s\",\"blind\":\"2m\",\"on_blind\":\"rollback\","
    "\"paused_limit\":\"1h\",\"holdback\":\"5%\",\"expected_rps\":12.345}";

Test(spec_policy, every_field)
{
    struct spec_policy policy;
    struct fault fault;
    cr_assert_eq(read(full, &policy, &fault), STATUS_OK, "%s: %s", fault.error[0].pointer,
                 fault.error[0].detail);
    const struct guardrail *refusal = &policy.policy.guardrail[SLI_REFUSAL];
    cr_assert_eq(refusal->action, ACTION_PAUSE);
    cr_assert(refusal->share == 2.5 && refusal->tolerance == 1.3 && refusal->ceiling == 0.0015);
    cr_assert(refusal->margin_ratio == 3 && refusal->margin_add == 0.007 && refusal->eta == 0.3);
    cr_assert(refusal->budget_share == 0.001 && refusal->block_s == 5 && refusal->maturity_s == 20);
    cr_assert(policy.policy.guardrail[SLI_ERROR].ceiling == 0);
    cr_assert_eq(policy.policy.guardrail[SLI_ERROR].action, ACTION_NOTIFY);
    cr_assert_eq(policy.source.kind, SOURCE_PROMETHEUS);
    cr_assert_eq(policy.source.interval_ms, 2500);
    cr_assert_str_eq(policy.source.bad[SLI_REFUSAL], "{__name__=\"r}{\"}");
    cr_assert_str_eq(policy.source.bearer_token_env, "PROMETHEUS_TOKEN");
    cr_assert(policy.has_plan && policy.plan.steps == 2);
    cr_assert(policy.policy.alpha == 0.02 && policy.policy.alpha_ni == 0.1);
    cr_assert_eq(policy.policy.pace, PACE_TIME);
    cr_assert_eq(policy.policy.on_blind, BLIND_ROLLBACK);
    cr_assert_eq(policy.policy.blanking_s, 0);
    cr_assert_eq(policy.policy.holdback, 500);
    cr_assert_eq(policy.policy.rps_milli, 12345);
    round_trip(&policy);
}

#define PROMETHEUS(url, requests)                                                                            \
    "{\"source\":{\"prometheus\":{\"url\":\"" url "\",\"requests\":\"" requests                              \
    "\",\"bad\":{\"error\":\"e\"}}}}"

static const struct {
    char json[256], pointer[64], detail[80];
} refused[] = {
    {"{\"guardrails\":{\"latency\":{}}}", "/guardrails/latency", "needs an SLO: add \"latency\""},
    {"{\"guardrails\":{\"refused\":{}}}", "/guardrails/refused", "did you mean \"refusal\""},
    {"{\"guardrails\":{\"error\":{\"burn\":1}}}", "/guardrails/error/burn", "unknown field"},
    {"{\"guardrails\":{\"error\":{\"ceiling\":0}}}", "/guardrails/error/ceiling", "null means no ceiling"},
    {"{\"guardrails\":{\"error\":{\"ceiling\":101}}}", "/guardrails/error/ceiling", "must be 0 to 100"},
    {"{\"guardrails\":{\"error\":{\"share\":0}}}", "/guardrails/error/share", "must be above 0"},
    {"{\"guardrails\":{\"error\":{\"margin\":0}}}", "/guardrails/error/margin", "must be above 0"},
    {"{\"guardrails\":{\"error\":{\"margin_ratio\":1}}}", "/guardrails/error/margin_ratio", "above 1"},
    {"{\"guardrails\":{\"error\":{\"eta\":1.01}}}", "/guardrails/error/eta", "at most 1"},
    {"{\"guardrails\":{\"error\":{\"tolerance\":0.9}}}", "/guardrails/error/tolerance", "must be 1 to 10"},
    {"{\"alpha\":0}", "/alpha", "above 0 and at most 0.2"},
    {"{\"alpha\":0.21}", "/alpha", "above 0 and at most 0.2"},
    {"{\"alpha_promotion\":0.51}", "/alpha_promotion", "at most 0.5"},
    {"{\"pace\":\"evidense\"}", "/pace", "did you mean \"evidence\""},
    {"{\"holdback\":\"60%\"}", "/holdback", "must be 0.00% to 50.00%"},
    {"{\"expected_rps\":0.0001}", "/expected_rps", "at most 3 decimals"},
    {"{\"blind\":\"0s\"}", "/blind", "must be 1s to 1d"},
    {"{\"source\":{}}", "/source", "exactly one"},
    {"{\"source\":{\"outcomes\":{\"x\":1}}}", "/source/outcomes/x", "unknown field"},
    {"{\"source\":{\"outcomes\":{},\"prometheus\":{}}}", "/source/prometheus/url", "is required"},
    {PROMETHEUS("ftp://x", "r"), "/source/prometheus/url", "http://"},
    {PROMETHEUS("http://", "r"), "/source/prometheus/url", "no host"},
    {PROMETHEUS("http://u:p@h/", "r"), "/source/prometheus/url", "bearer_token_env"},
    {PROMETHEUS("http://h/?a=b", "r"), "/source/prometheus/url", "without a query"},
    {PROMETHEUS("http://h h", "r"), "/source/prometheus/url", "holds a space"},
    {PROMETHEUS("http://h", "rate(r[5m])"), "/source/prometheus/requests", "without rate()"},
    {PROMETHEUS("http://h", "r{a=\\\"}\\\""), "/source/prometheus/requests", "plain selector"},
    {PROMETHEUS("http://h", "r[5m]"), "/source/prometheus/requests", "plain selector"},
    {"{\"source\":{\"prometheus\":{\"url\":\"http://h\",\"requests\":\"r\",\"bad\":{\"error\":\"e\"},"
     "\"bearer_token_env\":\"SECRET\"}}}",
     "/source/prometheus/bearer_token_env", "must contain PROMETHEUS"},
    {"{\"plan\":{\"steps\":[{\"weight\":9900},{\"weight\":10000}]}}", "/plan/steps/0/weight", "holdback"},
};

Test(spec_policy, refused)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct spec_policy policy;
        struct fault fault;
        cr_assert_eq(read(refused[i].json, &policy, &fault), STATUS_INVALID, "%s", refused[i].json);
        cr_assert_geq(fault.errors, 1, "%s", refused[i].json);
        cr_assert_str_eq(fault.error[0].pointer, refused[i].pointer);
        cr_assert_not_null(strstr(fault.error[0].detail, refused[i].detail), "%s: %s", refused[i].json,
                           fault.error[0].detail);
    }
}

Test(spec_policy, all_problems_at_once)
{
    struct spec_policy policy;
    struct fault fault;
    cr_assert_eq(read("{\"alpha\":1,\"pace\":\"no\",\"nonsense\":1,\"guardrails\":{\"error\":{\"eta\":2}}}",
                      &policy, &fault),
                 STATUS_INVALID);
    cr_assert_eq(fault.errors, 4);
}

/* Percentages are decimals: 0.07 % is the double nearest to 0.0007, and comes back as 0.07. */
Test(spec_policy, percentages_are_exact)
{
    char text[32];
    for (int i = 1; i <= 100000; i += 7) {
        double percent, share;
        snprintf(text, sizeof text, "%d.%03d", i / 1000, i % 1000);
        percent = strtod(text, NULL);
        snprintf(text, sizeof text, "%d.%05d", i / 100000, i % 100000);
        share = strtod(text, NULL);
        cr_assert(spec_percent_to_share(percent) == share, "%s", text);
        cr_assert(spec_share_to_percent(share) == percent, "%s", text);
    }
    /* And what no short decimal says is kept too, once it has been read. */
    double odd = 1.0 / 3.0;
    for (int i = 0; i < 10000; i++) {
        double share = spec_percent_to_share(odd);
        cr_assert(spec_percent_to_share(spec_share_to_percent(share)) == share, "%.17g", odd);
        odd *= 1.0003;
    }
}

Test(spec_policy, default_ceilings_round_trip)
{
    struct spec_policy policy;
    struct json_object *empty = json_object_new_object();
    struct slos slos;
    make_slos(&slos);
    for (int32_t ppm = 1; ppm < 1000000; ppm += 1013) {
        slos.of[SLI_ERROR].objective_ppm = ppm;
        cr_assert_eq(spec_read_policy(empty, "", &slos, &policy, NULL), STATUS_OK);
        round_trip(&policy);
    }
    json_object_put(empty);
}
