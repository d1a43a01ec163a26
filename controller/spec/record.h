/* The record of a rollout (schema Record): what a replay reads, from the server or from a file. Readers for
   its parts; unknown fields are passed over, since a newer server may write more. */
#pragma once

#include "base/id.h"
#include "decision/replay.h"
#include "spec/policy.h"

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
};

/* Reads everything but the lists decisions, verdicts and blocks. INVALID with what is wrong and where; *out
   is then unspecified. `fault` may be NULL, here and below. */
enum status spec_read_record(struct json_object *value, struct spec_record *out,
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
