/* Plans: defaults, what is refused and where, and that writing gives back what was read. */
#include "base/json.h"
#include "spec/plan.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(spec_plan, .timeout = 10);

static enum status read(const char *json, struct plan *out, struct fault *fault)
{
    struct json_object *value = NULL;
    memset(fault, 0, sizeof *fault);
    cr_assert_eq(json_parse(json, strlen(json), &value, fault), STATUS_OK, "%s", fault->detail);
    enum status status = spec_read_plan(value, "/plan", out, fault);
    json_object_put(value);
    return status;
}

Test(spec_plan, defaults)
{
    struct plan plan;
    struct fault fault;
    cr_assert_eq(read("{\"steps\":[{\"weight\":\"12.5%\"},{\"weight\":5000,\"min_requests\":40,"
                      "\"bake\":\"2h\",\"deadline\":\"3h\"},{\"weight\":\"100%\"}]}",
                      &plan, &fault),
                 STATUS_OK);
    cr_assert_eq(plan.steps, 3);
    cr_assert_eq(plan.step[0].weight, 1250);
    cr_assert_eq(plan.step[0].bake_s, 60);
    cr_assert_eq(plan.step[0].deadline_s, 86400);
    cr_assert_eq(plan.step[1].min_requests, 40);
    cr_assert_eq(plan.step[1].bake_s, 7200);
    cr_assert_eq(plan.step[1].deadline_s, 10800);
    cr_assert_eq(plan.step[2].weight, 10000);
    cr_assert_eq(plan.step[2].bake_s, 600);
    cr_assert_eq(plan.step[2].deadline_s, 0);
}

static const struct {
    char json[160], pointer[48], detail[64];
} refused[] = {
    {"{}", "/plan/steps", "is required"},
    {"{\"steps\":[]}", "/plan/steps", "1 to 16 entries"},
    {"{\"steps\":[null]}", "/plan/steps/0", "must be an object"},
    {"{\"steps\":[{\"weight\":5000}]}", "/plan/steps/0/weight", "the last step must be 100%"},
    {"{\"steps\":[{\"weight\":\"50%\"},{\"weight\":5000},{\"weight\":10000}]}", "/plan/steps/1/weight",
     "must be above that of the step before, 50.00%"},
    {"{\"steps\":[{\"weight\":0},{\"weight\":10000}]}", "/plan/steps/0/weight", "must be 0.01% to 100.00%"},
    {"{\"steps\":[{\"weight\":\"0.125%\"},{\"weight\":10000}]}", "/plan/steps/0/weight", "two decimals"},
    {"{\"steps\":[{\"weight\":10000,\"bake\":\"1500ms\"}]}", "/plan/steps/0/bake", "whole seconds"},
    {"{\"steps\":[{\"weight\":10000,\"deadline\":\"10m\"}]}", "/plan/steps/0/deadline", "longer than"},
    {"{\"steps\":[{\"weight\":100,\"bake\":\"30h\"},{\"weight\":10000}]}", "/plan/steps/0/deadline", "1d6h"},
    {"{\"steps\":[{\"weight\":10000,\"weihgt\":1}]}", "/plan/steps/0/weihgt", "did you mean \"weight\""},
    {"{\"steps\":[{\"weight\":10000,\"min_requests\":-1}]}", "/plan/steps/0/min_requests", "must be 0 to"},
};

Test(spec_plan, refused)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct plan plan;
        struct fault fault;
        cr_assert_eq(read(refused[i].json, &plan, &fault), STATUS_INVALID, "%s", refused[i].json);
        cr_assert_eq(fault.errors, 1, "%s: %zu", refused[i].json, fault.errors);
        cr_assert_str_eq(fault.error[0].pointer, refused[i].pointer);
        cr_assert_not_null(strstr(fault.error[0].detail, refused[i].detail), "%s: %s", refused[i].json,
                           fault.error[0].detail);
    }
}

Test(spec_plan, round_trip_and_schema)
{
    static const char json[] =
        "{\"steps\":[{\"bake\":\"1m\",\"deadline\":\"1d\",\"min_requests\":0,\"weight\":100},"
        "{\"bake\":\"10m\",\"deadline\":null,\"min_requests\":7,\"weight\":10000}]}";
    struct plan plan, again;
    struct fault fault;
    struct text text;
    cr_assert_eq(read(json, &plan, &fault), STATUS_OK, "%s", fault.error[0].detail);
    struct json_object *value = spec_write_plan(&plan);
    text_init(&text, 4096);
    cr_assert_eq(json_canonical(value, &text), STATUS_OK);
    cr_assert_str_eq(text_get(&text), json);
    cr_assert_eq(spec_read_plan(value, "", &again, NULL), STATUS_OK);
    cr_assert_eq(memcmp(&plan, &again, sizeof plan), 0);
    json_object_put(value);
    value = spec_write_plan_input(&plan);
    text_clear(&text);
    cr_assert_eq(json_canonical(value, &text), STATUS_OK);
    cr_assert_null(strstr(text_get(&text), "null"));
    cr_assert_eq(spec_read_plan(value, "", &again, NULL), STATUS_OK);
    cr_assert_eq(memcmp(&plan, &again, sizeof plan), 0);
    json_object_put(value);
    text_free(&text);
}

Test(spec_plan, must_rise_into_the_bake)
{
    struct plan plan = {.steps = 2, .step = {{.weight = 9800}, {.weight = 10000}}};
    struct policy policy = {.holdback = 200};
    struct fault fault = {0};
    cr_assert_eq(spec_check_plan(&plan, &policy, "/plan", &fault), STATUS_INVALID);
    cr_assert_str_eq(fault.error[0].pointer, "/plan/steps/0/weight");
    plan.step[0].weight = 9799;
    cr_assert_eq(spec_check_plan(&plan, &policy, "/plan", &fault), STATUS_OK);
    plan.steps = 1;
    plan.step[0].weight = 10000;
    cr_assert_eq(spec_check_plan(&plan, &policy, "/plan", &fault), STATUS_OK);
}
