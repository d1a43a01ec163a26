/* The record of a rollout (schema Record): what a replay reads, from the server or from a file. Readers for
   its parts; unknown fields are passed over, since a newer server may write more. */
#pragma once

#include "base/digest.h"
#include "base/id.h"
#include "decision/replay_verdict.h"
#include "spec/policy.h"

/* The documents that are frozen into a rollout, by their names in a record. */
enum { SPEC_FROZEN = 3 };
extern const char *const spec_frozen_name[SPEC_FROZEN];

struct spec_record {
    char rollout[ID_MAX], version[32]; /* version: of the serind that wrote the record */
    char service[NAME_MAX_LENGTH + 1], release[NAME_MAX_LENGTH + 1],
        stable[NAME_MAX_LENGTH + 1]; /* "" = none */
    struct slos slos;
    struct spec_policy policy; /* with its allowances */
    struct plan plan;
    struct weight_change weight[EVIDENCE_WEIGHTS_MAX];
    size_t weights;
    bool weights_complete; /* false: there were more, and the oldest were forgotten */
    bool fix;
    double tick_s;
    int64_t origin_us; /* where evidence time is 0 */
    /* the part of the service's chain of events that decisions and links make up; first 0 = no decision yet
     */
    int64_t first, last;
    struct digest before, hash; /* before the first, and of the last */
    struct digest frozen[SPEC_FROZEN];
};

/* Reads everything but the lists decisions, verdicts and blocks. INVALID with what is wrong and where; *out
   is then unspecified. `fault` may be NULL, here and below. */
enum status spec_read_record(struct json_object *value, struct spec_record *out,
                             struct fault *fault) MUST_CHECK;

/* Another event of the service's chain. */
struct spec_link {
    int64_t seq;
    struct digest hash, before;
};

/* Reads a change of a verdict (schema VerdictChange). `origin_us`: the record's. INVALID. */
enum status spec_read_verdict(struct json_object *value, const char *pointer, int64_t origin_us,
                              struct replay_verdict *out, struct fault *fault) MUST_CHECK;
/* Reads a link, or of an event that holds a decision what links it. INVALID. */
enum status spec_read_link(struct json_object *value, const char *pointer, struct spec_link *out,
                           struct fault *fault) MUST_CHECK;

/* Reads an event that holds a decision. *missing: fields of its inputs that a later version added. INVALID.
 */
enum status spec_read_decision(struct json_object *event, const char *pointer, struct replay_decision *out,
                               size_t *missing, struct fault *fault) MUST_CHECK;

/* Reads a block (schema Block), or one of the split check (SplitBlock). INVALID. */
enum status spec_read_block(struct json_object *value, const char *pointer, int64_t *seq, struct block *out,
                            struct fault *fault) MUST_CHECK;
enum status spec_read_split_block(struct json_object *value, const char *pointer, int64_t *seq,
                                  struct split_block *out, struct fault *fault) MUST_CHECK;
