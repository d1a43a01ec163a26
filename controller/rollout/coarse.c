/* Weights between those that a gateway can apply. */
#include "rollout/coarse.h"

#include "rollout/reason.h"

#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 16 };

static bool fits(const struct route_coarsest *coarsest, int32_t weight)
{
    return coarsest->weight_step <= 1 || weight % coarsest->weight_step == 0;
}

static int32_t below(const struct route_coarsest *coarsest, int32_t weight)
{
    return weight - weight % coarsest->weight_step;
}

bool coarse_says(const struct route_coarsest *coarsest, int32_t weight, char out[COARSE_SAYS_MAX])
{
    char asked[WORD_MAX], step[WORD_MAX], applied[WORD_MAX];
    out[0] = '\0';
    if (fits(coarsest, weight))
        return false;
    reason_weight(weight, asked, sizeof asked);
    reason_weight(coarsest->weight_step, step, sizeof step);
    reason_weight(below(coarsest, weight), applied, sizeof applied);
    snprintf(out, COARSE_SAYS_MAX, "%s cannot apply %s: its weights are multiples of %s. It applies %s.",
             coarsest->instance, asked, step, applied);
    return true;
}

void coarse_lower(const struct route_coarsest *coarsest, int32_t weight, char *out, size_t size)
{
    char lower[WORD_MAX];
    out[0] = '\0';
    if (weight <= 0)
        return;
    if (coarsest->weight_step > 1)
        reason_weight(below(coarsest, weight - 1), lower, sizeof lower);
    else
        reason_weight(weight / 2, lower, sizeof lower);
    if (coarsest->instance[0] != '\0')
        snprintf(out, size, "A lower one, which %s can apply too, is %s. ", coarsest->instance, lower);
    else
        snprintf(out, size, "A lower one is %s. ", lower);
}

bool coarse_next_step(const struct rollout_state *state, char *out, size_t size)
{
    const struct route_row *route = &state->route;
    char says[COARSE_SAYS_MAX], lower[WORD_MAX];
    out[0] = '\0';
    if (!phase_live(state->row.phase) || strcmp(route->rollout, state->row.id) != 0 ||
        !coarse_says(&state->coarsest, route->canary_weight, says))
        return false;
    reason_weight(below(&state->coarsest, route->canary_weight), lower, sizeof lower);
    *strchr(lower, ' ') = '\0'; /* as it is written on the command line */
    snprintf(
        out, size,
        "%s Lower the weight to that ('serin rollout set-weight %s %s%%'), promote the rollout, or abort it.",
        says, state->row.id, lower);
    return true;
}

static enum status refuse(const struct route_coarsest *coarsest, int32_t weight, size_t step, bool held_back,
                          struct fault *fault)
{
    char asked[WORD_MAX], multiple[WORD_MAX], lower[WORD_MAX] = "", upper[WORD_MAX];
    reason_weight(weight, asked, sizeof asked);
    reason_weight(coarsest->weight_step, multiple, sizeof multiple);
    reason_weight(below(coarsest, weight) + coarsest->weight_step, upper, sizeof upper);
    if (below(coarsest, weight) > 0)
        reason_weight(below(coarsest, weight), lower, sizeof lower);
    fault_set(fault, STATUS_CONFLICT,
              "The gateway %s cannot apply %s, %s %zu: its weights are multiples of %s", coarsest->instance,
              asked, held_back ? "what the holdback leaves to step" : "the weight of step", step + 1,
              multiple);
    fault_next(
        fault,
        "Change the %s: the nearest that it can apply %s %s%s%s. Or let that gateway follow its routes in "
        "another way (HAProxy: by Lua).",
        held_back ? "holdback of the policy" : "plan", lower[0] != '\0' ? "are" : "is", lower,
        lower[0] != '\0' ? " and " : "", upper);
    return STATUS_CONFLICT;
}

enum status coarse_check_plan(const struct route_coarsest *coarsest, const struct plan *plan,
                              const struct policy *policy, struct fault *fault)
{
    for (size_t i = 0; i < plan->steps; i++) {
        int32_t weight = plan_weight(plan, policy, i);
        if (!fits(coarsest, weight))
            return refuse(coarsest, weight, i, weight != plan->step[i].weight, fault);
    }
    return STATUS_OK;
}
