/* Evidence and verdicts of a rollout. */
#include "store/blocks.h"

#include "rollouts.sql.h"

#include <stdlib.h>
#include <string.h>

enum { SOURCE_STATE_MAX = 4 << 20 };

static const char *const quality_names[] = {"cohort", "aged", "completion"};

const char *quality_name(enum data_quality quality)
{
    return quality_names[quality];
}

bool quality_parse(const char *text, enum data_quality *out)
{
    for (int i = 0; i <= QUALITY_COMPLETION; i++)
        if (strcmp(quality_names[i], text) == 0) {
            *out = (enum data_quality)i;
            return true;
        }
    return false;
}

void evidence_row_free(struct evidence_row *row)
{
    text_free(&row->source_state);
}

enum status rollouts_load_evidence(struct db *db, const char *id, struct evidence_row *row,
                                   struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    unsigned char *state = NULL;
    memset(row, 0, sizeof *row);
    text_init(&row->source_state, SOURCE_STATE_MAX);
    db_text(&params, id);
    enum status status = db_run(db, &sql_evidence_load, &params, &rows, fault);
    if (status != STATUS_OK)
        goto out;
    state = malloc(EVIDENCE_CODEC_MAX);
    if (state == NULL) {
        status = fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
        goto out;
    }
    size_t length =
        db_rows_count(rows) == 1 ? db_get_bytes(rows, 0, 0, state, EVIDENCE_CODEC_MAX) : (size_t)-1;
    if (length == (size_t)-1 || !evidence_decode(state, length, &row->evidence)) {
        status = fault_set(fault, STATUS_INTERNAL, "The stored evidence of rollout %s cannot be read", id);
        fault_next(fault, "Was it written by a newer serind? Run that one.");
        goto out;
    }
    text_puts(&row->source_state, db_get_text(rows, 0, 1));
    row->has_quality = quality_parse(db_get_text(rows, 0, 2), &row->quality);
    row->blocks = db_get_integer(rows, 0, 3);
    row->observed_at = db_get_time(rows, 0, 4);
    status = text_status(&row->source_state);
out:
    free(state);
    db_rows_free(rows);
    return status;
}

enum status rollouts_create_evidence(struct db *db, const char *id, const struct evidence *evidence,
                                     struct wall_time now, struct fault *fault)
{
    struct db_params params = {.count = 0};
    unsigned char *state = malloc(EVIDENCE_CODEC_MAX);
    if (state == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    db_text(&params, id);
    db_bytes(&params, state, evidence_encode(evidence, state));
    db_time(&params, now);
    enum status status = db_run(db, &sql_evidence_insert, &params, NULL, fault);
    free(state);
    return status;
}

enum status rollouts_store_evidence(struct db *db, const char *id, struct evidence_row *row,
                                    const struct block *blocks, size_t count, int64_t lease_epoch,
                                    struct fault *fault)
{
    struct db_params params = {.count = 0};
    unsigned char *state = malloc(EVIDENCE_CODEC_MAX);
    if (state == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    db_text(&params, id);
    db_bytes(&params, state, evidence_encode(&row->evidence, state));
    db_text(&params, row->source_state.length > 0 ? text_get(&row->source_state) : "{}");
    db_text(&params, row->has_quality ? quality_name(row->quality) : "none");
    db_integer(&params, row->blocks + (int64_t)count);
    db_time(&params, row->observed_at);
    db_integer(&params, lease_epoch);
    enum status status = db_run(db, &sql_evidence_update, &params, NULL, fault);
    if (status == STATUS_OK && count > 0)
        status = blocks_add(db, id, row->blocks + 1, blocks, count, fault);
    if (status == STATUS_OK)
        row->blocks += (int64_t)count;
    free(state);
    return status;
}

enum status rollouts_verdicts(struct db *db, const char *id, enum verdict out[SLI_COUNT], struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    for (int i = 0; i < SLI_COUNT; i++)
        out[i] = VERDICT_COUNT;
    db_text(&params, id);
    enum status status = db_run(db, &sql_verdicts_newest, &params, &rows, fault);
    for (int i = 0; status == STATUS_OK && i < db_rows_count(rows); i++) {
        enum sli sli;
        enum verdict verdict;
        if (sli_parse(db_get_text(rows, i, 0), &sli) && verdict_parse(db_get_text(rows, i, 1), &verdict))
            out[sli] = verdict;
        else
            status = fault_set(fault, STATUS_INTERNAL, "A stored verdict of rollout %s cannot be read", id);
    }
    db_rows_free(rows);
    return status;
}

enum status rollouts_add_verdict(struct db *db, const char *id, enum sli sli, enum verdict verdict,
                                 struct wall_time at, const char *detail_json, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, id);
    db_text(&params, sli_name(sli));
    db_text(&params, verdict_name(verdict));
    db_time(&params, at);
    db_text(&params, detail_json);
    return db_run(db, &sql_verdict_insert, &params, NULL, fault);
}

enum status rollouts_source_fault(struct db *db, const char *id, struct fault *out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    memset(out, 0, sizeof *out);
    db_text(&params, id);
    enum status status = db_run(db, &sql_verdict_error, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) > 0) {
        fault_set(out, STATUS_PEER, "%s", db_get_text(rows, 0, 0));
        fault_next(out, "%s", db_get_text(rows, 0, 1));
    }
    db_rows_free(rows);
    return status;
}
