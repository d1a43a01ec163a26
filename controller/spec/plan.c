/* Rollout plans: JSON to struct and back. */
#include "spec/plan.h"

#include "base/clock.h"
#include "spec/fields.h"

#include <json-c/json_object.h>
#include <stdio.h>
#include <string.h>

enum {
    BAKE_DEFAULT_S = 60,
    LAST_BAKE_DEFAULT_S = 600,
    BAKE_MAX_S = 30 * 86400,
    DEADLINE_DEFAULT_S = 86400,
    DEADLINE_MAX_S = 90 * 86400
};

#define REQUESTS_MAX INT64_C(1000000000000)

static enum status read_step(struct json_object *value, const char *pointer, bool last,
                             struct plan_step *step, struct fault *fault)
{
    struct json_fields fields;
    int64_t weight = 0;
    char deadline[CLOCK_TEXT_MAX], bake[CLOCK_TEXT_MAX];
    json_fields_open(&fields, value, pointer, fault);
    *step = (struct plan_step){.bake_s = last ? LAST_BAKE_DEFAULT_S : BAKE_DEFAULT_S,
                               .deadline_s = last ? 0 : DEADLINE_DEFAULT_S};
    json_fields_weight(&fields, "weight", JSON_REQUIRED, 1, WEIGHT_FULL, &weight);
    step->weight = (int32_t)weight;
    spec_fields_seconds(&fields, "bake", 0, BAKE_MAX_S, &step->bake_s);
    json_fields_integer(&fields, "min_requests", JSON_OPTIONAL, 0, REQUESTS_MAX, &step->min_requests);
    spec_fields_seconds(&fields, "deadline", 1, DEADLINE_MAX_S, &step->deadline_s);
    if (!fields.failed && step->deadline_s != 0 && step->deadline_s <= step->bake_s) {
        spec_wrong(&fields, "deadline", "is %s and must be longer than the bake, which is %s",
                   clock_format_duration(step->deadline_s * 1000, deadline),
                   clock_format_duration(step->bake_s * 1000, bake));
    }
    return json_fields_close(&fields);
}

static void check_weights(struct json_fields *fields, const char *steps_at, const struct plan *plan)
{
    char at[160];
    for (size_t i = 0; i < plan->steps; i++) {
        const struct plan_step *step = &plan->step[i];
        bool last = i + 1 == plan->steps;
        snprintf(at, sizeof at, "%s/%zu/weight", steps_at, i);
        if (i > 0 && step->weight <= step[-1].weight) {
            fields->failed = true;
            fault_at(fields->fault, at, "must be above that of the step before, %d.%02d%%",
                     step[-1].weight / 100, step[-1].weight % 100);
        } else if (last && step->weight != WEIGHT_FULL) {
            fields->failed = true;
            fault_at(fields->fault, at, "the last step must be 100%% (10000): it is the bake");
        }
    }
}

enum status spec_read_plan(struct json_object *value, const char *pointer, struct plan *out,
                           struct fault *fault)
{
    struct json_fields fields;
    struct json_object *steps;
    char steps_at[128];
    memset(out, 0, sizeof *out);
    json_fields_open(&fields, value, pointer, fault);
    if (json_fields_array(&fields, "steps", JSON_REQUIRED, 1, PLAN_STEPS_MAX, &steps)) {
        json_fields_pointer(&fields, "steps", steps_at);
        out->steps = json_object_array_length(steps);
        for (size_t i = 0; i < out->steps; i++) {
            char at[160];
            snprintf(at, sizeof at, "%s/%zu", steps_at, i);
            if (read_step(json_object_array_get_idx(steps, i), at, i + 1 == out->steps, &out->step[i],
                          fault) != STATUS_OK) {
                fields.failed = true;
            }
        }
        if (!fields.failed) {
            check_weights(&fields, steps_at, out);
        }
    }
    return json_fields_close(&fields);
}

enum status spec_check_plan(const struct plan *plan, const struct policy *policy, const char *pointer,
                            struct fault *fault)
{
    if (plan->steps < 2) {
        return STATUS_OK;
    }
    int32_t before = plan->step[plan->steps - 2].weight;
    int32_t bake = WEIGHT_FULL - policy->holdback;
    if (before < bake) {
        return STATUS_OK;
    }
    char at[160];
    snprintf(at, sizeof at, "%s/steps/%zu/weight", pointer, plan->steps - 2);
    return fault_at(fault, at,
                    "must be below %d.%02d%%, the weight of the bake: the policy's holdback keeps %d.%02d%% "
                    "with stable",
                    bake / 100, bake % 100, policy->holdback / 100, policy->holdback % 100);
}

static struct json_object *write_step(const struct plan_step *step, bool with_null)
{
    struct spec_writer writer;
    spec_writer_begin(&writer);
    spec_put_integer(&writer, "weight", step->weight);
    spec_put_ms(&writer, "bake", step->bake_s * 1000);
    spec_put_integer(&writer, "min_requests", step->min_requests);
    if (step->deadline_s != 0) {
        spec_put_ms(&writer, "deadline", step->deadline_s * 1000);
    } else if (with_null) {
        spec_put_null(&writer, "deadline");
    }
    return spec_writer_end(&writer);
}

static struct json_object *write_plan(const struct plan *plan, bool with_null)
{
    struct spec_writer writer;
    struct json_object *steps = json_object_new_array();
    bool ok = steps != NULL;
    for (size_t i = 0; ok && i < plan->steps; i++) {
        struct json_object *step = write_step(&plan->step[i], with_null);
        if (step == NULL || json_object_array_add(steps, step) != 0) {
            json_object_put(step);
            ok = false;
        }
    }
    if (!ok) {
        json_object_put(steps);
        return NULL;
    }
    spec_writer_begin(&writer);
    spec_put(&writer, "steps", steps);
    return spec_writer_end(&writer);
}

struct json_object *spec_write_plan(const struct plan *plan)
{
    return write_plan(plan, true);
}

struct json_object *spec_write_plan_input(const struct plan *plan)
{
    return write_plan(plan, false);
}
