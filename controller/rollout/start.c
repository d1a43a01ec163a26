/* Starting a rollout: everything that must hold first, then one row with plan, policy and objectives frozen
 * into it. */
#include "rollout/rollout.h"

#include "base/json.h"
#include "base/utf8.h"
#include "rollout/change.h"
#include "rollout/coarse.h"
#include "rollout/start.h"
#include "spec/plan.h"
#include "spec/slos.h"
#include "store/controls.h"
#include "store/events.h"
#include "store/overdispersion.h"
#include "store/preconditions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DOCUMENT_MAX = 1 << 20,
    BUDGET_MIN_REQUESTS = 1000 /* fewer say nothing about a month */
};

static enum status conflict(struct fault *fault, const char *next, const char *detail, const char *a,
                            const char *b)
{
    fault_set(fault, STATUS_CONFLICT, detail, a, b);
    fault_next(fault, "%s", next);
    return STATUS_CONFLICT;
}

/* --- documents
 * ----------------------------------------------------------------------------------------------------- */

struct documents {
    struct slos slos;
    struct spec_policy spec;
    struct plan plan;
};

static enum status parse_stored(const char *text, struct json_object **out, struct fault *fault)
{
    enum status status = json_parse(text, strlen(text), out, fault);
    return status == STATUS_OK ? STATUS_OK
                               : fault_set(fault, STATUS_INTERNAL, "A stored document cannot be read");
}

static enum status read_plan(const struct rollout_start *start, struct documents *out, struct fault *fault)
{
    enum status status = spec_read_plan(start->plan, "/plan", &out->plan, fault);
    return status == STATUS_OK ? spec_check_plan(&out->plan, &out->spec.policy, "/plan", fault) : status;
}

static enum status read_documents(struct db *db, const struct rollout_start *start, struct documents *out,
                                  struct fault *fault)
{
    struct json_object *slos = NULL, *policy = NULL;
    struct text slos_text, policy_text;
    text_init(&slos_text, DOCUMENT_MAX);
    text_init(&policy_text, DOCUMENT_MAX);
    enum status status = preconditions_documents(db, start->service, &slos_text, &policy_text, fault);
    if (status != STATUS_OK)
        goto out;
    if (slos_text.length == 0) {
        status = conflict(
            fault,
            "Say what good means first: 'serin apply' with kind Slos (PUT /v1/services/{service}/slos).",
            "The service %s has no objectives, so nothing could watch the rollout%s", start->service, "");
        goto out;
    }
    status = parse_stored(text_get(&slos_text), &slos, fault);
    if (status == STATUS_OK)
        status = spec_read_slos(slos, "", &out->slos, fault);
    if (status == STATUS_OK)
        status = parse_stored(policy_text.length == 0 ? "{}" : text_get(&policy_text), &policy, fault);
    if (status != STATUS_OK)
        goto out;
    status = spec_read_policy(policy, "", &out->slos, &out->spec, fault);
    if (status != STATUS_OK) {
        fault_next(fault,
                   "The policy no longer fits the objectives: apply one that does ('serin lint' says what is "
                   "wrong).");
        goto out;
    }
    if (start->plan != NULL)
        status = read_plan(start, out, fault);
    else if (out->spec.has_plan)
        out->plan = out->spec.plan;
    else
        plan_default(&out->plan);
out:
    json_object_put(slos);
    json_object_put(policy);
    text_free(&slos_text);
    text_free(&policy_text);
    return status;
}

static enum status freeze_document(struct json_object *value, struct text *out, struct fault *fault)
{
    enum status status = value != NULL ? json_canonical(value, out) : STATUS_NO_MEMORY;
    json_object_put(value);
    return status == STATUS_OK ? STATUS_OK : fault_set(fault, status, "The documents could not be frozen");
}

/* What is read of many counts. */
struct measured {
    double rps; /* < 0: not read yet */
    double eta[SLI_COUNT];
};

/* The rate that budgets and estimates use is frozen with the policy. */
static enum status freeze_rate(struct db *db, const char *service, double rps, struct policy *policy,
                               struct fault *fault)
{
    enum status status = STATUS_OK;
    if (policy->rps_milli > 0)
        return STATUS_OK;
    if (rps < 0) /* the policy has changed since */
        status = preconditions_rate(db, service, &rps, fault);
    if (status == STATUS_OK)
        policy->rps_milli = (int64_t)(rps * 1000.0);
    return status;
}

/* So is whether keys stick, for the split check. */
static enum status freeze_keyed(struct db *db, const char *service, struct spec_policy *spec,
                                struct fault *fault)
{
    bool keyed = false;
    enum status status = preconditions_keyed(db, service, &keyed, fault);
    if (status == STATUS_OK)
        spec_policy_keyed(spec, keyed);
    return status;
}

/* The rate and the overdispersion of stable, where the policy asks for them to be measured: before the
   service is locked, since they read hours of counts, and an abort must not wait for that. */
static enum status measure(struct db *db, const struct rollout_start *start, struct documents *documents,
                           struct measured *out, struct fault *fault)
{
    /* what is wrong with the documents is said when they are read under the lock */
    struct fault later = {.status = STATUS_OK};
    bool readable = read_documents(db, start, documents, &later) == STATUS_OK;
    enum status status = STATUS_OK;
    out->rps = -1;
    if (readable && documents->spec.policy.rps_milli <= 0)
        status = preconditions_rate(db, start->service, &out->rps, fault);
    for (int i = 0; i < SLI_COUNT && status == STATUS_OK; i++) {
        const struct guardrail *guardrail = &documents->spec.policy.guardrail[i];
        struct overdispersion_found found;
        double phi = 1;
        out->eta[i] = 1;
        if (!readable || !guardrail->used || !documents->spec.eta_auto[i])
            continue;
        status = overdispersion_measure(db, start->service, (enum sli)i, guardrail->block_s, &found, fault);
        if (status == STATUS_OK && overdispersion_phi(&found.sum, &phi))
            out->eta[i] = 1 / phi;
    }
    return status;
}

static void freeze_eta(struct spec_policy *spec, const double eta[SLI_COUNT])
{
    for (int i = 0; i < SLI_COUNT; i++) {
        if (spec->eta_auto[i])
            spec->policy.guardrail[i].eta = eta[i];
        spec->eta_auto[i] = false;
    }
}

static enum status freeze_documents(struct documents *documents, struct rollout_row *row, struct fault *fault)
{
    enum status status = freeze_document(spec_write_slos(&documents->slos), &row->slos, fault);
    if (status == STATUS_OK)
        status = freeze_document(spec_write_policy(&documents->spec), &row->policy, fault);
    if (status == STATUS_OK)
        status = freeze_document(spec_write_plan(&documents->plan), &row->plan, fault);
    return status;
}

/* --- what must hold
 * -------------------------------------------------------------------------------------------------- */

static enum status check_release(struct db *db, const char *service, const char *release, struct fault *fault)
{
    struct controls_release found;
    enum status status = controls_release(db, service, release, &found, fault);
    if (status == STATUS_OK && !found.exists) {
        status = fault_set(fault, STATUS_NOT_FOUND, "The service %s has no release %s", service, release);
        fault_next(fault, "List them with 'serin release list %s'.", service);
    } else if (status == STATUS_OK && found.quarantined) {
        status = conflict(
            fault,
            "Roll out a mended release, or lift the quarantine with a reason ('serin release "
            "lift-quarantine').",
            "Release %s (or one with the same content) was rolled back by evidence and is quarantined%s",
            release, "");
    }
    return status;
}

static enum status check_not_stable(const char *service, const char *release, const char *stable,
                                    struct fault *fault)
{
    return strcmp(release, stable) != 0
               ? STATUS_OK
               : conflict(fault, "There is nothing to roll out.",
                          "Release %s is the stable release of %s already", release, service);
}

static enum status check_gateways(struct db *db, const struct rollout_start *start, struct fault *fault)
{
    int64_t live = 0;
    if (start->allow_no_gateway)
        return STATUS_OK;
    enum status status = routes_live_gateways(db, start->service, &live, fault);
    if (status != STATUS_OK || live > 0)
        return status;
    fault_set(fault, STATUS_NO_GATEWAY,
              "No gateway of %s was heard in the last 60 s: nobody would apply the weights", start->service);
    fault_next(fault,
               "Start a gateway that polls GET /v1/routes/{service} with Serin-Gateway (one is known a "
               "second or two after its first poll), or start with --allow-no-gateway "
               "(allow_no_gateway).");
    return STATUS_NO_GATEWAY;
}

/* A weight that a live gateway cannot apply would never be acknowledged, and the rollout would wait at it. A
   first release takes everything. */
static enum status check_weights(struct db *db, const struct rollout_start *start,
                                 const struct documents *documents, const char *stable, struct fault *fault)
{
    struct route_coarsest coarsest;
    enum status status = routes_coarsest(db, start->service, COARSE_LIVE_S, &coarsest, fault);
    return status == STATUS_OK && stable[0] != '\0'
               ? coarse_check_plan(&coarsest, &documents->plan, &documents->spec.policy, fault)
               : status;
}

static enum status check_frozen(const struct rollout_world *world, struct fault *fault)
{
    if (!world->frozen)
        return STATUS_OK;
    return conflict(fault, "Lift the freeze with 'serin freeze --lift' first.",
                    "Advances are frozen everywhere: %s%s", world->freeze_reason, "");
}

static enum status check_sli_budget(struct db *db, const char *service, const struct documents *documents,
                                    enum sli sli, struct fault *fault)
{
    const struct slo *slo = &documents->slos.of[sli];
    const struct guardrail *guardrail = &documents->spec.policy.guardrail[sli];
    double n = 0, k = 0;
    if (!slo->used || !guardrail->used || guardrail->budget_share <= 0)
        return STATUS_OK;
    enum status status = preconditions_spent(db, service, sli, slo->window_s, &n, &k, fault);
    if (status != STATUS_OK)
        return status;
    double left = 1.0 - k / (n * (1.0 - (double)slo->objective_ppm / 1e6));
    if (n < BUDGET_MIN_REQUESTS || left >= 2.0 * guardrail->budget_share)
        return STATUS_OK;
    fault_set(fault, STATUS_CONFLICT,
              "The error budget of %s has %.1f %% left (%.0f bad of %.0f requests at an objective of %.4g "
              "%%): too little "
              "for a rollout",
              sli_name(sli), left > 0 ? left * 100 : 0.0, k, n, (double)slo->objective_ppm / 1e4);
    fault_next(
        fault,
        "If this release repairs %s, start it with --fix (fix). Otherwise wait, or mend the service first.",
        service);
    return STATUS_CONFLICT;
}

static enum status check_budget(struct db *db, const struct rollout_start *start,
                                const struct documents *documents, struct fault *fault)
{
    enum status status = STATUS_OK;
    for (int i = 0; i < SLI_COUNT && status == STATUS_OK && !start->fix; i++)
        status = check_sli_budget(db, start->service, documents, (enum sli)i, fault);
    return status;
}

/* A live rollout stands in the way, or is superseded in this transaction. */
static enum status clear_live(struct db *db, const struct rollout_start *start, const char *actor,
                              struct fault *fault)
{
    char live[ID_MAX], said[128];
    struct rollout_state *state = NULL;
    enum status status = rollouts_live(db, start->service, live, fault);
    if (status != STATUS_OK || live[0] == '\0')
        return status;
    if (!start->supersede)
        return conflict(fault, "Wait for it, abort it, or start this one with --supersede (supersede).",
                        "Rollout %s of %s is live", live, start->service);
    snprintf(said, sizeof said, "superseded by a rollout of %s", start->release);
    status = state_load_to_leave(db, live, &state, fault);
    if (status == STATUS_OK)
        status = change_run(db, state, &(struct change){.verb = VERB_SUPERSEDE, .actor = actor, .said = said},
                            NULL, fault);
    state_free(state);
    return status;
}

/* --- writing
 * ---------------------------------------------------------------------------------------------------------
 */

static enum status write_started(struct db *db, const struct rollout_row *row, const char *actor,
                                 struct fault *fault)
{
    char id[ID_MAX];
    struct json_object *data = json_object_new_object(), *stable;
    struct json_object *plan = NULL;
    if (data == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    stable = row->stable[0] != '\0' ? json_object_new_string(row->stable) : NULL;
    if (json_object_object_add(data, "stable", stable) != 0)
        json_object_put(stable);
    if (json_parse(text_get(&row->plan), row->plan.length, &plan, fault) == STATUS_OK &&
        json_object_object_add(data, "plan", plan) != 0)
        json_object_put(plan);
    struct event event = {.type = "rollout.started",
                          .service = row->service,
                          .rollout = row->id,
                          .release = row->release,
                          .rule = row->rule,
                          .actor = actor,
                          .reason = row->reason,
                          .data = data};
    enum status status = events_append(db, &event, id, fault);
    json_object_put(data);
    return status;
}

static void fill_row(const struct rollout_start *start, const struct start_origin *origin, const char *stable,
                     const struct rollout_world *world, struct rollout_row *row)
{
    id_new("ro", row->id);
    snprintf(row->service, sizeof row->service, "%s", start->service);
    snprintf(row->release, sizeof row->release, "%s", start->release);
    snprintf(row->stable, sizeof row->stable, "%s", stable);
    if (origin->salt != NULL)
        snprintf(row->salt, sizeof row->salt, "%s", origin->salt);
    else
        id_new("salt", row->salt);
    if (origin->retry_of != NULL)
        snprintf(row->retry_of, sizeof row->retry_of, "%s", origin->retry_of);
    row->phase = PHASE_PENDING;
    row->fix = start->fix;
    row->created_at = row->phase_since = world->now;
    snprintf(row->rule, sizeof row->rule, "created");
    snprintf(row->reason, sizeof row->reason, "Created.%s%s", start->reason != NULL ? " Reason given: " : "",
             start->reason != NULL ? start->reason : "");
    utf8_trim(row->reason);
}

enum status start_run(struct db *db, const struct rollout_start *start, const struct start_origin *origin,
                      const char *actor, char id[ID_MAX], struct fault *fault)
{
    struct documents *documents = calloc(1, sizeof *documents);
    struct evidence *evidence = calloc(1, sizeof *evidence);
    struct rollout_row row;
    struct rollout_world world;
    struct route_row route;
    struct measured measured;
    memset(&row, 0, sizeof row);
    text_init(&row.plan, 1 << 20);
    text_init(&row.policy, 1 << 20);
    text_init(&row.slos, 1 << 20);
    text_init(&row.muted, 1 << 20);
    enum status status = documents != NULL && evidence != NULL
                             ? STATUS_OK
                             : fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    if (status == STATUS_OK)
        status = measure(db, start, documents, &measured, fault);
    if (status == STATUS_OK)
        status = rollouts_lock_service(db, start->service, fault);
    if (status == STATUS_OK)
        status = rollouts_world(db, start->service, start->release, &world, fault);
    if (status == STATUS_OK)
        status = check_frozen(&world, fault);
    if (status == STATUS_OK)
        status = read_documents(db, start, documents, fault);
    if (status == STATUS_OK)
        status = check_release(db, start->service, start->release, fault);
    if (status == STATUS_OK)
        status = check_gateways(db, start, fault);
    if (status == STATUS_OK)
        status = clear_live(db, start, actor, fault);
    if (status == STATUS_OK)
        status = routes_current(db, start->service, &route, fault);
    if (status == STATUS_OK)
        status = check_not_stable(start->service, start->release, route.stable, fault);
    if (status == STATUS_OK)
        status = check_weights(db, start, documents, route.stable, fault);
    if (status == STATUS_OK)
        status = check_budget(db, start, documents, fault);
    if (status == STATUS_OK)
        status = freeze_rate(db, start->service, measured.rps, &documents->spec.policy, fault);
    if (status == STATUS_OK)
        status = freeze_keyed(db, start->service, &documents->spec, fault);
    if (status == STATUS_OK) {
        freeze_eta(&documents->spec, measured.eta);
        status = freeze_documents(documents, &row, fault);
    }
    if (status != STATUS_OK)
        goto out;

    fill_row(start, origin, route.stable, &world, &row);
    double tick_s = spec_source_kind(documents->spec.source.kind)->polled
                        ? (double)documents->spec.source.interval_ms / 1000.0
                        : 1.0;
    status = rollouts_insert(db, &row, actor, fault);
    if (status == STATUS_OK) {
        evidence_init(evidence, &documents->spec.policy, &documents->plan, tick_s);
        status = rollouts_create_evidence(db, row.id, evidence, world.now, fault);
    }
    if (status == STATUS_OK)
        status = write_started(db, &row, actor, fault);
    if (status == STATUS_OK)
        snprintf(id, ID_MAX, "%s", row.id);
out:
    rollout_row_free(&row);
    free(evidence);
    free(documents);
    return status;
}

enum status rollout_start(struct db *db, const struct rollout_start *start, const char *actor,
                          char id[ID_MAX], struct fault *fault)
{
    return start_run(db, start, &(struct start_origin){.salt = NULL, .retry_of = NULL}, actor, id, fault);
}
