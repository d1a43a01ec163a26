/* Reading the record of a rollout. */
#include "spec/record.h"

#include "base/clock.h"
#include "base/json.h"
#include "spec/fields.h"
#include "spec/inputs.h"
#include "spec/plan.h"
#include "spec/record_digest.h"
#include "spec/slos.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BLOCKS_MAX = 1 << 30 };

#define EVENTS_MAX (INT64_C(1) << 53)

const char *const spec_frozen_name[SPEC_FROZEN] = {"slos", "policy", "plan"};

static const double time_max_s = 1e12; /* of evidence: far beyond any rollout, and exact to the microsecond */

static enum status closed(const struct json_fields *fields)
{
    return fields->failed ? STATUS_INVALID : STATUS_OK;
}

static bool read_text(struct json_fields *fields, const char *name, size_t size, char *out)
{
    const char *text;
    if (!json_fields_text(fields, name, JSON_REQUIRED, 0, size - 1, &text)) {
        return false;
    }
    snprintf(out, size, "%s", text);
    return true;
}

/* A number that may be infinite. */
static bool read_real(struct json_fields *fields, const char *name, double *out)
{
    struct json_object *value;
    if (!json_fields_any(fields, name, JSON_REQUIRED, &value)) {
        return false;
    }
    if (!spec_read_real(value, out)) {
        spec_wrong(fields, name, "is no number");
        return false;
    }
    return true;
}

/* --- the head ---------------------------------------------------------------------------------------- */

static enum status read_weight(struct json_object *value, const char *pointer, double before,
                               struct weight_change *out, struct fault *fault)
{
    struct json_fields fields;
    int64_t weight = 0;
    json_fields_open(&fields, value, pointer, fault);
    json_fields_number(&fields, "at_s", JSON_REQUIRED, 0, time_max_s, &out->at_s);
    json_fields_integer(&fields, "weight", JSON_REQUIRED, 0, WEIGHT_FULL, &weight);
    json_fields_bool(&fields, "raised", JSON_REQUIRED, &out->raised);
    out->weight = (int32_t)weight;
    if (!fields.failed && out->at_s < before) {
        spec_wrong(&fields, "at_s", "is before the change of weight before it");
    }
    return closed(&fields);
}

static void read_weights(struct json_fields *fields, struct spec_record *out)
{
    struct json_object *list;
    char at[160];
    if (!json_fields_array(fields, "weights", JSON_REQUIRED, 0, EVIDENCE_WEIGHTS_MAX, &list)) {
        return;
    }
    out->weights = json_object_array_length(list);
    for (size_t i = 0; i < out->weights; i++) {
        snprintf(at, sizeof at, "%s/weights/%zu", fields->pointer, i);
        double before = i > 0 ? out->weight[i - 1].at_s : 0;
        if (read_weight(json_object_array_get_idx(list, i), at, before, &out->weight[i], fields->fault) !=
            STATUS_OK) {
            fields->failed = true;
            return;
        }
    }
}

static void read_documents(struct json_fields *fields, struct spec_record *out)
{
    struct json_object *slos, *policy, *plan;
    bool have = json_fields_any(fields, "slos", JSON_REQUIRED, &slos);
    have = json_fields_any(fields, "policy", JSON_REQUIRED, &policy) && have;
    have = json_fields_any(fields, "plan", JSON_REQUIRED, &plan) && have;
    if (!have || spec_read_slos(slos, "/slos", &out->slos, fields->fault) != STATUS_OK ||
        spec_read_policy(policy, "/policy", &out->slos, &out->policy, fields->fault) != STATUS_OK ||
        spec_read_plan(plan, "/plan", &out->plan, fields->fault) != STATUS_OK) {
        fields->failed = true;
        return;
    }
    policy_allowances(&out->slos, &out->policy.policy);
}

static void read_digest(struct json_fields *fields, const char *name, struct digest *out)
{
    const char *hex;
    if (json_fields_text(fields, name, JSON_REQUIRED, 0, DIGEST_HEX, &hex) && !digest_parse_hex(hex, out)) {
        spec_wrong(fields, name, "must be 64 hex digits");
    }
}

static void read_time(struct json_fields *fields, const char *name, struct wall_time *out)
{
    const char *text;
    if (json_fields_text(fields, name, JSON_REQUIRED, 1, 64, &text) && !clock_parse(text, out)) {
        spec_wrong(fields, name, "must be a time (RFC 3339)");
    }
}

static void read_span(struct json_fields *above, struct spec_record *out)
{
    struct json_fields fields;
    struct json_object *span;
    if (!json_fields_object(above, "events", JSON_OPTIONAL, &span)) {
        return;
    }
    json_fields_open(&fields, span, "/events", above->fault);
    json_fields_integer(&fields, "first", JSON_REQUIRED, 1, EVENTS_MAX, &out->first);
    json_fields_integer(&fields, "last", JSON_REQUIRED, 1, EVENTS_MAX, &out->last);
    read_digest(&fields, "before", &out->before);
    read_digest(&fields, "hash", &out->hash);
    above->failed = above->failed || fields.failed;
}

static void digest_documents(struct json_object *value, struct json_fields *fields, struct spec_record *out)
{
    for (size_t i = 0; i < SPEC_FROZEN; i++) {
        struct json_object *document;
        if (!json_object_object_get_ex(value, spec_frozen_name[i], &document) ||
            spec_digest(document, &out->frozen[i]) != STATUS_OK) {
            fields->failed = true;
        }
    }
}

enum status spec_read_record(struct json_object *value, struct spec_record *out, struct fault *fault)
{
    struct json_fields fields;
    const char *stable;
    struct wall_time origin = {0};
    memset(out, 0, sizeof *out);
    json_fields_open(&fields, value, "", fault);
    read_text(&fields, "rollout", sizeof out->rollout, out->rollout);
    read_text(&fields, "version", sizeof out->version, out->version);
    read_text(&fields, "service", sizeof out->service, out->service);
    read_text(&fields, "release", sizeof out->release, out->release);
    if (json_fields_text(&fields, "stable", JSON_OPTIONAL, 0, NAME_MAX_LENGTH, &stable)) {
        snprintf(out->stable, sizeof out->stable, "%s", stable);
    }
    json_fields_bool(&fields, "fix", JSON_REQUIRED, &out->fix);
    json_fields_bool(&fields, "weights_complete", JSON_REQUIRED, &out->weights_complete);
    json_fields_number(&fields, "tick_s", JSON_REQUIRED, 1e-3, 86400, &out->tick_s);
    read_time(&fields, "origin", &origin);
    out->origin_us = origin.us;
    read_weights(&fields, out);
    read_documents(&fields, out);
    read_span(&fields, out);
    if (!fields.failed) {
        digest_documents(value, &fields, out);
    }
    return closed(&fields);
}

/* --- decisions ----------------------------------------------------------------------------------------- */

static void read_lane(struct json_object *value, const char *pointer, struct replay_lane *out,
                      struct json_fields *above)
{
    struct json_fields fields;
    int64_t weight = 0;
    json_fields_open(&fields, value, pointer, above->fault);
    json_fields_integer(&fields, "weight", JSON_REQUIRED, 0, WEIGHT_FULL, &weight);
    out->known = read_real(&fields, "relative", &out->relative) &&
                 read_real(&fields, "absolute", &out->absolute) &&
                 read_real(&fields, "promotion", &out->promotion);
    out->weight = (int32_t)weight;
    above->failed = above->failed || fields.failed;
}

/* Events before this was stored have no "evidence". */
static void read_seen(struct json_object *value, const char *pointer, struct replay_decision *out,
                      struct json_fields *above)
{
    struct json_fields fields;
    struct json_object *slis, *lane;
    char at[160];
    json_fields_open(&fields, value, pointer, above->fault);
    json_fields_bool(&fields, "bare", JSON_OPTIONAL, &out->bare);
    json_fields_number(&fields, "at_s", JSON_REQUIRED, 0, time_max_s, &out->at_s);
    if (json_fields_object(&fields, "slis", JSON_REQUIRED, &slis)) {
        for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
            snprintf(at, sizeof at, "%s/slis/%s", pointer, sli_name(sli));
            if (json_object_object_get_ex(slis, sli_name(sli), &lane)) {
                read_lane(lane, at, &out->lane[sli], &fields);
            }
        }
    }
    above->failed = above->failed || fields.failed;
}

static void read_data(struct json_object *value, const char *pointer, struct replay_decision *out,
                      size_t *missing, struct json_fields *above)
{
    struct json_fields fields;
    struct json_object *inputs, *seen;
    const char *verb, *phase;
    char at[160];
    int64_t step = 0;
    json_fields_open(&fields, value, pointer, above->fault);
    if (json_fields_text(&fields, "verb", JSON_REQUIRED, 1, 32, &verb) && !verb_parse(verb, &out->verb)) {
        spec_wrong(&fields, "verb", "is no command that this version knows");
    }
    if (json_fields_text(&fields, "phase", JSON_REQUIRED, 1, 32, &phase) &&
        !phase_parse(phase, &out->phase)) {
        spec_wrong(&fields, "phase", "is no phase");
    }
    json_fields_integer(&fields, "step", JSON_REQUIRED, 0, PLAN_STEPS_MAX, &step);
    json_fields_integer(&fields, "blocks", JSON_REQUIRED, 0, BLOCKS_MAX, &out->blocks);
    json_fields_integer(&fields, "split_blocks", JSON_OPTIONAL, 0, BLOCKS_MAX, &out->splits);
    out->step = (int32_t)step;
    if (json_fields_any(&fields, "inputs", JSON_REQUIRED, &inputs) &&
        !spec_read_inputs(inputs, &out->snapshot, missing)) {
        spec_wrong(&fields, "inputs", "are not those of a decision");
    }
    out->older = *missing > 0;
    out->at_s = (double)out->snapshot.now_ms / 1000.0;
    if (json_fields_object(&fields, "evidence", JSON_OPTIONAL, &seen)) {
        snprintf(at, sizeof at, "%s/evidence", pointer);
        read_seen(seen, at, out, &fields);
    }
    above->failed = above->failed || fields.failed;
}

enum status spec_read_decision(struct json_object *event, const char *pointer, struct replay_decision *out,
                               size_t *missing, struct fault *fault)
{
    struct json_fields fields;
    struct json_object *data;
    char at[160];
    memset(out, 0, sizeof *out);
    *missing = 0;
    json_fields_open(&fields, event, pointer, fault);
    read_text(&fields, "rule", sizeof out->rule, out->rule);
    if (json_fields_object(&fields, "data", JSON_REQUIRED, &data)) {
        snprintf(at, sizeof at, "%s/data", pointer);
        read_data(data, at, out, missing, &fields);
    }
    return closed(&fields);
}

enum status spec_read_link(struct json_object *value, const char *pointer, struct spec_link *out,
                           struct fault *fault)
{
    struct json_fields fields;
    memset(out, 0, sizeof *out);
    json_fields_open(&fields, value, pointer, fault);
    json_fields_integer(&fields, "seq", JSON_REQUIRED, 1, EVENTS_MAX, &out->seq);
    read_digest(&fields, "hash", &out->hash);
    read_digest(&fields, "prev_hash", &out->before);
    return closed(&fields);
}

/* --- blocks --------------------------------------------------------------------------------------------- */

static void read_arm(struct json_object *value, const char *pointer, int64_t *n, int64_t *k,
                     struct json_fields *above)
{
    static const int64_t most = INT64_C(1) << 53;
    struct json_fields fields;
    json_fields_open(&fields, value, pointer, above->fault);
    json_fields_integer(&fields, "n", JSON_REQUIRED, 0, most, n);
    json_fields_integer(&fields, "k", JSON_REQUIRED, 0, most, k);
    if (!fields.failed && *k > *n) {
        spec_wrong(&fields, "k", "is more than n");
    }
    above->failed = above->failed || fields.failed;
}

/* Canary and stable. */
static void read_arms(struct json_fields *fields, struct counts *out)
{
    struct json_object *arm;
    char at[200];
    if (json_fields_object(fields, "canary", JSON_REQUIRED, &arm)) {
        snprintf(at, sizeof at, "%s/canary", fields->pointer);
        read_arm(arm, at, &out->n_c, &out->k_c, fields);
    }
    if (json_fields_object(fields, "stable", JSON_REQUIRED, &arm)) {
        snprintf(at, sizeof at, "%s/stable", fields->pointer);
        read_arm(arm, at, &out->n_b, &out->k_b, fields);
    }
}

/* n and k of canary, n and k of stable: `counts` times four whole numbers. */
static bool read_numbers(struct json_fields *fields, const char *name, struct json_object *list,
                         struct counts *out, size_t counts)
{
    static const int64_t most = INT64_C(1) << 53;
    for (size_t i = 0; i < counts; i++) {
        int64_t number[4];
        for (size_t j = 0; j < 4; j++) {
            struct json_object *value = json_object_array_get_idx(list, 4 * i + j);
            number[j] = json_object_get_int64(value);
            if (!json_object_is_type(value, json_type_int) || number[j] < 0 || number[j] > most) {
                spec_wrong(fields, name, "must hold whole numbers");
                return false;
            }
        }
        out[i] = (struct counts){number[0], number[1], number[2], number[3]};
        if (out[i].k_c > out[i].n_c || out[i].k_b > out[i].n_b) {
            spec_wrong(fields, name, "has more bad ones than there are");
            return false;
        }
    }
    return true;
}

/* Four numbers a stratum. Returns how many strata there are; 0 = none, or it was refused. */
static int32_t read_by_stratum(struct json_fields *fields, const char *name, size_t least, struct counts *out)
{
    struct json_object *list;
    if (!json_fields_array(fields, name, JSON_OPTIONAL, 4 * least, (size_t)4 * STRATA_MAX, &list)) {
        return 0;
    }
    size_t length = json_object_array_length(list);
    if (length % 4 != 0) {
        spec_wrong(fields, name, "must hold four numbers a stratum");
        return 0;
    }
    return read_numbers(fields, name, list, out, length / 4) ? (int32_t)(length / 4) : 0;
}

/* Strata only where there is more than one. */
static void read_strata(struct json_fields *fields, struct block *out)
{
    int32_t strata = read_by_stratum(fields, "strata", 2, out->counts.stratum);
    int32_t covered = read_by_stratum(fields, "coverage", 1, out->counts.coverage);
    out->counts.strata = strata > 0 ? strata : 1;
    if (covered > out->counts.strata) {
        spec_wrong(fields, "coverage", "has more strata than the counts");
    }
}

enum status spec_read_block(struct json_object *value, const char *pointer, int64_t *seq, struct block *out,
                            struct fault *fault)
{
    struct json_fields fields;
    struct counts total = {0};
    const char *sli;
    int64_t weight = 0;
    memset(out, 0, sizeof *out);
    json_fields_open(&fields, value, pointer, fault);
    json_fields_integer(&fields, "seq", JSON_REQUIRED, 1, BLOCKS_MAX, seq);
    if (json_fields_text(&fields, "sli", JSON_REQUIRED, 1, 32, &sli) && !sli_parse(sli, &out->sli)) {
        spec_wrong(&fields, "sli", "is no SLI that this version knows");
    }
    json_fields_number(&fields, "start_s", JSON_REQUIRED, 0, time_max_s, &out->start_s);
    json_fields_number(&fields, "length_s", JSON_REQUIRED, 0, time_max_s, &out->length_s);
    json_fields_integer(&fields, "weight", JSON_REQUIRED, 0, WEIGHT_FULL, &weight);
    json_fields_bool(&fields, "new_step", JSON_REQUIRED, &out->new_step);
    out->weight = (int32_t)weight;
    read_arms(&fields, &total);
    out->counts = sli_counts_of(total);
    read_strata(&fields, out);
    return closed(&fields);
}

enum status spec_read_split_block(struct json_object *value, const char *pointer, int64_t *seq,
                                  struct split_block *out, struct fault *fault)
{
    static const int64_t most = INT64_C(1) << 53;
    struct json_fields fields;
    memset(out, 0, sizeof *out);
    json_fields_open(&fields, value, pointer, fault);
    json_fields_integer(&fields, "seq", JSON_REQUIRED, 1, BLOCKS_MAX, seq);
    json_fields_number(&fields, "start_s", JSON_REQUIRED, 0, time_max_s, &out->start_s);
    json_fields_integer(&fields, "n_c", JSON_REQUIRED, 0, most, &out->n_c);
    json_fields_integer(&fields, "n", JSON_REQUIRED, 0, most, &out->n);
    json_fields_number(&fields, "w_lo", JSON_REQUIRED, 0, 1, &out->w_lo);
    json_fields_number(&fields, "w_hi", JSON_REQUIRED, 0, 1, &out->w_hi);
    json_fields_bool(&fields, "new_step", JSON_REQUIRED, &out->new_step);
    return closed(&fields);
}

/* --- verdicts ------------------------------------------------------------------------------------------- */

enum status spec_read_verdict(struct json_object *value, const char *pointer, int64_t origin_us,
                              struct replay_verdict *out, struct fault *fault)
{
    struct json_fields fields, inner, arms;
    struct json_object *detail, *total, *proof;
    struct wall_time at = {0};
    const char *text;
    char where[160], below[180];
    memset(out, 0, sizeof *out);
    json_fields_open(&fields, value, pointer, fault);
    if (json_fields_text(&fields, "sli", JSON_REQUIRED, 1, 32, &text) && !sli_parse(text, &out->sli)) {
        spec_wrong(&fields, "sli", "is no SLI that this version knows");
    }
    if (json_fields_text(&fields, "verdict", JSON_REQUIRED, 1, 32, &text) &&
        !verdict_parse(text, &out->verdict)) {
        spec_wrong(&fields, "verdict", "is no verdict");
    }
    read_time(&fields, "at", &at);
    out->at_s = (double)(at.us - origin_us) / 1e6;
    if (!json_fields_object(&fields, "detail", JSON_REQUIRED, &detail)) {
        return STATUS_INVALID;
    }
    snprintf(where, sizeof where, "%s/detail", pointer);
    json_fields_open(&inner, detail, where, fault);
    if (json_fields_object(&inner, "total", JSON_REQUIRED, &total)) {
        snprintf(below, sizeof below, "%s/total", where);
        json_fields_open(&arms, total, below, fault);
        read_arms(&arms, &out->total);
        inner.failed = inner.failed || arms.failed;
    }
    if (json_object_object_get_ex(detail, "log_noninferiority", &proof) && proof != NULL) {
        out->has_proof = true;
        json_fields_number(&inner, "log_noninferiority", JSON_REQUIRED, -time_max_s, time_max_s, &out->proof);
    }
    return fields.failed || inner.failed ? STATUS_INVALID : STATUS_OK;
}
