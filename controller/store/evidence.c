/* Evidence, blocks and verdicts of a rollout. */
#include "store/rollouts.h"

#include "rollouts.sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOURCE_STATE_MAX = 4 << 20, BLOCK_ARRAY_MAX = 8 << 20 };

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

/* Ten array parameters, one for each column, as array literals. */
enum { BLOCK_COLUMNS = 10 };

static void put_block(struct text column[BLOCK_COLUMNS], const char *separator, int64_t seq,
                      const struct block *block)
{
    text_printf(&column[0], "%s%" PRId64, separator, seq);
    text_printf(&column[1], "%s%d", separator, (int)block->sli);
    text_printf(&column[2], "%s%.17g", separator, block->start_s);
    text_printf(&column[3], "%s%.17g", separator, block->length_s);
    text_printf(&column[4], "%s%d", separator, (int)block->weight);
    text_printf(&column[5], "%s%s", separator, block->new_step ? "t" : "f");
    text_printf(&column[6], "%s%" PRId64, separator, block->counts.n_c);
    text_printf(&column[7], "%s%" PRId64, separator, block->counts.k_c);
    text_printf(&column[8], "%s%" PRId64, separator, block->counts.n_b);
    text_printf(&column[9], "%s%" PRId64, separator, block->counts.k_b);
}

static enum status insert_blocks(struct db *db, const char *id, int64_t first_seq, const struct block *blocks,
                                 size_t count, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct text column[BLOCK_COLUMNS];
    enum status status = STATUS_OK;
    for (int c = 0; c < BLOCK_COLUMNS; c++) {
        text_init(&column[c], BLOCK_ARRAY_MAX);
        text_putc(&column[c], '{');
    }
    for (size_t i = 0; i < count; i++)
        put_block(column, i == 0 ? "" : ",", first_seq + (int64_t)i, &blocks[i]);
    db_text(&params, id);
    for (int c = 0; c < BLOCK_COLUMNS && status == STATUS_OK; c++) {
        text_putc(&column[c], '}');
        status = text_status(&column[c]);
        db_text(&params, text_get(&column[c]));
    }
    if (status == STATUS_OK)
        status = db_run(db, &sql_blocks_insert, &params, NULL, fault);
    else
        fault_set(fault, status, "The blocks of evidence could not be written down");
    for (int c = 0; c < BLOCK_COLUMNS; c++)
        text_free(&column[c]);
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
        status = insert_blocks(db, id, row->blocks + 1, blocks, count, fault);
    if (status == STATUS_OK)
        row->blocks += (int64_t)count;
    free(state);
    return status;
}

enum status rollouts_read_blocks(struct db *db, const char *id, struct block **out, size_t *count,
                                 struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    *out = NULL;
    *count = 0;
    db_text(&params, id);
    enum status status = db_run(db, &sql_blocks_read, &params, &rows, fault);
    if (status != STATUS_OK)
        return status;
    size_t total = (size_t)db_rows_count(rows);
    *out = calloc(total + 1, sizeof **out);
    if (*out == NULL) {
        db_rows_free(rows);
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    }
    for (int i = 0; i < (int)total; i++)
        (*out)[i] = (struct block){.sli = (enum sli)db_get_integer(rows, i, 0),
                                   .start_s = db_get_number(rows, i, 1),
                                   .length_s = db_get_number(rows, i, 2),
                                   .weight = (int32_t)db_get_integer(rows, i, 3),
                                   .new_step = db_get_bool(rows, i, 4),
                                   .counts = {db_get_integer(rows, i, 5), db_get_integer(rows, i, 6),
                                              db_get_integer(rows, i, 7), db_get_integer(rows, i, 8)}};
    *count = total;
    db_rows_free(rows);
    return STATUS_OK;
}

static bool verdict_parse(const char *text, enum verdict *out)
{
    for (int i = 0; i < VERDICT_COUNT; i++)
        if (strcmp(verdict_name((enum verdict)i), text) == 0) {
            *out = (enum verdict)i;
            return true;
        }
    return false;
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
