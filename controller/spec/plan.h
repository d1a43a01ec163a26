/* Rollout plans as people write them (schema PlanWrite). */
#pragma once

#include "base/fault.h"
#include "decision/policy.h"

#include <json-c/json_object.h>

/* Reads `value` (lent) into *out: 1 to 16 steps, weights rising to 10,000. What is absent has its default:
   bake 60s, in the last step 10m; min_requests 0; deadline 24h, in the last step none. Durations are whole
   seconds; a deadline must be longer than its bake. `pointer` is where `value` stands in the input. INVALID
   with every problem at its pointer; *out is then unspecified. `fault` may be NULL. */
enum status spec_read_plan(struct json_object *value, const char *pointer, struct plan *out,
                           struct fault *fault) MUST_CHECK;

/* Holds a plan against the policy it would run under: the weight must rise into the last step too, where
   stable keeps policy->holdback. INVALID with the step's pointer below `pointer` (where the plan stands). */
enum status spec_check_plan(const struct plan *plan, const struct policy *policy, const char *pointer,
                            struct fault *fault) MUST_CHECK;

/* Schema Plan: weights as integers, durations as strings, "deadline": null for none. spec_read_plan() of it
   gives *plan again. Owned by the caller; NULL on no memory. */
struct json_object *spec_write_plan(const struct plan *plan) MUST_CHECK;
/* The same as schema PlanWrite, which has no null: a deadline of none is left out. */
struct json_object *spec_write_plan_input(const struct plan *plan) MUST_CHECK;
