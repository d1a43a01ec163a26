/* A tick's commit: evidence, verdicts, then the same change_run() as every command. */
#include "rollout/tick.h"

#include "base/json.h"
#include "rollout/change.h"
#include "store/blocks.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Takes over the observed evidence into the locked state. */
static void adopt(struct rollout_state *state, const struct observation *observation)
{
    state->evidence.evidence = observation->evidence->evidence;
    state->evidence.quality = observation->evidence->quality;
    state->evidence.has_quality = observation->evidence->has_quality;
    state->evidence.observed_at = state->world.now;
    state->late = observation->late;
    state->stray = observation->stray;
    state->source = observation->source;
    state->source_fault = observation->source_fault;
    text_clear(&state->evidence.source_state);
    text_puts(&state->evidence.source_state, text_get(&observation->evidence->source_state));
}

static enum verdict verdict_now(const struct rollout_state *state, const struct observation *observation,
                                enum sli sli)
{
    return course_verdict(&state->evidence.evidence, &state->spec.policy, sli,
                          state_seconds(state, state->world.now), observation->blind, observation->source);
}

static void number(struct text *out, const char *name, double value)
{
    if (isfinite(value))
        text_printf(out, ",\"%s\":%.12g", name, value);
    else
        text_printf(out, ",\"%s\":null", name);
}

/* `fault`: why the source fails; NULL for other verdicts. */
static void verdict_detail(const struct rollout_state *state, enum sli sli, const struct fault *fault,
                           struct text *out)
{
    const struct evidence *evidence = &state->evidence.evidence;
    const struct counts *total = &evidence->sli[sli].total, *step = &evidence->sli[sli].step_total;
    text_printf(out,
                "{\"total\":{\"canary\":{\"n\":%" PRId64 ",\"k\":%" PRId64 "},\"stable\":{\"n\":%" PRId64
                ",\"k\":%" PRId64 "}},\"step\":{\"canary\":{\"n\":%" PRId64 ",\"k\":%" PRId64
                "},\"stable\":{\"n\":%" PRId64 ",\"k\":%" PRId64 "}}",
                total->n_c, total->k_c, total->n_b, total->k_b, step->n_c, step->k_c, step->n_b, step->k_b);
    number(out, "log_noninferiority", evidence_ni(evidence, sli));
    number(out, "log_noninferiority_threshold", evidence_ni_threshold(evidence, &state->spec.policy));
    text_printf(out, ",\"weight\":%d,\"step_number\":%d", (int)state->row.weight, (int)state->row.step);
    if (fault != NULL) {
        text_puts(out, ",\"error\":");
        json_put_string(out, fault->detail, strlen(fault->detail));
        text_puts(out, ",\"next_step\":");
        json_put_string(out, fault->next_step, strlen(fault->next_step));
    }
    text_putc(out, '}');
}

/* Verdicts are stored when they change; a fail stays (the database holds us to it). *blind: some guardrail
   that may act has no data, or a source that fails or warns; state->blind_rollback: one of them asks to roll
   back then. */
static enum status store_verdicts(struct db *db, struct rollout_state *state,
                                  const struct observation *observation, bool *blind, struct fault *fault)
{
    enum verdict before[SLI_COUNT];
    struct text detail;
    text_init(&detail, 16384);
    *blind = false;
    enum status status = rollouts_verdicts(db, state->row.id, before, fault);
    for (int i = 0; i < SLI_COUNT && status == STATUS_OK; i++) {
        if (!state->spec.policy.guardrail[i].used)
            continue;
        enum verdict verdict = verdict_now(state, observation, (enum sli)i);
        bool blinds = course_blinds(verdict) || observation->source != SOURCE_WELL;
        if (blinds && (state->muted & 1u << i) == 0) {
            *blind = true;
            state->blind_rollback |= policy_on_blind(&state->spec.policy, (enum sli)i) == BLIND_ROLLBACK;
        }
        if (verdict == before[i] || before[i] == VERDICT_FAIL)
            continue;
        text_clear(&detail);
        verdict_detail(state, (enum sli)i,
                       observation->source != SOURCE_WELL ? &observation->source_fault : NULL, &detail);
        status = rollouts_add_verdict(db, state->row.id, (enum sli)i, verdict, state->world.now,
                                      text_get(&detail), fault);
    }
    text_free(&detail);
    return status;
}

/* Times that follow from the world: since when the weight is applied, since when data are missing, and which
   burn windows have stopped burning. */
static bool note_times(struct rollout_state *state, bool blind)
{
    struct course course = state_course(state);
    bool ours = strcmp(state->route.rollout, state->row.id) == 0;
    bool changed = course_note(&course, ours ? state->route.applied_at.us : 0, state->world.now.us, blind);
    changed |= course_note_burns(&course, &state->evidence.evidence, &state->spec.policy);
    state_keep(state, &course);
    return changed;
}

/* The canary's lease is renewed while this loop runs and commits; it runs out by itself when Serin does not.
 */
static enum status renew_lease(struct db *db, const struct rollout_state *state, struct fault *fault)
{
    int64_t lease_us = change_lease() * 1000000;
    if (!phase_live(state->row.phase) || state->route.valid_until.us == 0 ||
        strcmp(state->route.rollout, state->row.id) != 0 ||
        state->route.valid_until.us - state->world.now.us > lease_us * 2 / 3)
        return STATUS_OK;
    return routes_renew(db, state->row.service, state->route.epoch,
                        (struct wall_time){state->world.now.us + lease_us}, fault);
}

/* The database is in another incarnation than when this rollout was last seen: it was restored. */
static enum status restored(struct db *db, struct rollout_state *state, const struct rule **rule,
                            struct fault *fault)
{
    int64_t version = state->row.row_version;
    state->row.incarnation = state->world.incarnation;
    enum status status =
        change_run(db, state, &(struct change){.verb = VERB_RESTORED, .actor = "serin"}, rule, fault);
    return status == STATUS_OK && state->row.row_version == version ? rollouts_update(db, &state->row, fault)
                                                                    : status;
}

static enum status store_split_blocks(struct db *db, const struct rollout_state *state,
                                      const struct observation *observation, struct fault *fault)
{
    int64_t last = state->evidence.evidence.split.blocks;
    size_t count = observation->split_block_count;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = split_blocks_add(db, state->row.id, last - (int64_t)count + 1 + (int64_t)i,
                                  &observation->split_blocks[i], fault);
    return status;
}

static enum status commit(struct db *db, struct rollout_state *state, const struct observation *observation,
                          const struct rule **rule, struct fault *fault)
{
    bool blind = false;
    int64_t version = state->row.row_version;
    adopt(state, observation);
    /* judged before it is stored, so that what is latched is stored */
    struct snapshot ignored;
    state_snapshot(state, 0, &ignored);
    enum status status = STATUS_OK;
    if (observation->changed)
        status = rollouts_store_evidence(db, state->row.id, &state->evidence, observation->blocks,
                                         observation->block_count, observation->lease_epoch, fault);
    if (status == STATUS_OK)
        status = store_split_blocks(db, state, observation, fault);
    if (status == STATUS_OK)
        status = store_verdicts(db, state, observation, &blind, fault);
    if (status != STATUS_OK)
        return status;
    bool noted = note_times(state, blind);
    status = change_run(db, state, &(struct change){.verb = VERB_TICK, .actor = "serin"}, rule, fault);
    if (status == STATUS_OK && noted && state->row.row_version == version)
        status = rollouts_update(db, &state->row, fault);
    if (status == STATUS_OK)
        status = renew_lease(db, state, fault);
    return status;
}

enum status tick_run(struct db *db, const char *id, const struct observation *observation,
                     const struct rule **rule, struct fault *fault)
{
    struct rollout_state *state = NULL;
    enum status status = state_load(db, id, true, &state, fault);
    if (status != STATUS_OK)
        return status;
    if (state->row.row_version != observation->row_version ||
        state->row.lease_epoch != observation->lease_epoch || !phase_live(state->row.phase))
        status = fault_set(fault, STATUS_SUPERSEDED, "Rollout %s has changed since it was observed", id);
    else if (state->row.incarnation != state->world.incarnation)
        status = restored(db, state, rule, fault);
    else
        status = commit(db, state, observation, rule, fault);
    state_free(state);
    return status;
}
