/* The verbs of one rollout. */
#include "rollout/rollout.h"

#include "base/json.h"
#include "rollout/change.h"
#include "rollout/coarse.h"
#include "rollout/start.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MUTE_LIMIT_S = 7 * 86400 };

/* `until` as a time: RFC 3339, or a duration from now. */
static enum status mute_until(const struct rollout_command *command, struct wall_time now,
                              char out[CLOCK_TEXT_MAX], struct fault *fault)
{
    struct wall_time until;
    int64_t ms;
    if (command->reason == NULL || command->reason[0] == '\0') {
        fault_at(fault, "/reason", "must say why the guardrail is muted");
        return STATUS_INVALID;
    }
    if (command->until != NULL && clock_parse_duration(command->until, &ms))
        until.us = now.us + ms * 1000;
    else if (command->until == NULL || !clock_parse(command->until, &until))
        return fault_at(fault, "/until", "must be a time (RFC 3339) or a duration from now (\"1h\")");
    if (until.us <= now.us || until.us > now.us + (int64_t)MUTE_LIMIT_S * 1000000)
        return fault_at(fault, "/until", "must lie in the next 7 days");
    clock_format(until, out);
    return STATUS_OK;
}

static enum status retry(struct db *db, const struct rollout_state *state,
                         const struct rollout_command *command, const char *actor, char result[ID_MAX],
                         struct fault *fault)
{
    struct json_object *plan = NULL;
    enum status status = json_parse(text_get(&state->row.plan), state->row.plan.length, &plan, fault);
    if (status == STATUS_OK) {
        struct rollout_start start = {.service = state->row.service,
                                      .release = state->row.release,
                                      .plan = plan,
                                      .reason = command->reason,
                                      .fix = state->row.fix,
                                      .allow_no_gateway = command->allow_no_gateway};
        status =
            start_run(db, &start, &(struct start_origin){.salt = state->row.salt, .retry_of = state->row.id},
                      actor, result, fault);
    }
    json_object_put(plan);
    return status;
}

static enum status check_version(const struct rollout_state *state, const struct rollout_command *command,
                                 struct fault *fault)
{
    if (command->if_version == 0 || command->if_version == state->row.row_version)
        return STATUS_OK;
    fault_set(fault, STATUS_STALE_VERSION, "Rollout %s is at version %" PRId64 ", not %" PRId64,
              state->row.id, state->row.row_version, command->if_version);
    fault_next(fault, "Read it again; then decide anew.");
    return STATUS_STALE_VERSION;
}

enum status rollout_command(struct db *db, const char *id, const struct rollout_command *command,
                            const char *actor, char result[ID_MAX], struct fault *fault)
{
    struct rollout_state *state = NULL;
    const struct rule *rule = NULL;
    char until[CLOCK_TEXT_MAX] = "";
    snprintf(result, ID_MAX, "%s", id);
    enum status status = command->verb == VERB_ABORT ? state_load_to_leave(db, id, &state, fault)
                                                     : state_load(db, id, true, &state, fault);
    if (status == STATUS_OK)
        status = check_version(state, command, fault);
    if (status == STATUS_OK && command->verb == VERB_SET_WEIGHT)
        status = routes_coarsest(db, state->row.service, COARSE_LIVE_S, &state->coarsest, fault);
    if (status == STATUS_OK && command->verb == VERB_MUTE)
        status = mute_until(command, state->world.now, until, fault);
    if (status == STATUS_OK && command->verb == VERB_MUTE && command->muted < SLI_COUNT &&
        !state->spec.policy.guardrail[command->muted].used)
        status = fault_at(fault, "/sli", "is not watched by this rollout");
    if (status != STATUS_OK)
        goto out;
    struct change change = {.verb = command->verb,
                            .actor = actor,
                            .said = command->reason,
                            .new_weight = command->weight,
                            .muted = command->muted,
                            .until = until};
    status = change_run(db, state, &change, &rule, fault);
    if (status == STATUS_OK && (rule->effects & EFFECT_RETRY))
        status = retry(db, state, command, actor, result, fault);
out:
    state_free(state);
    return status;
}
