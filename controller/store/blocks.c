/* Rows of blocks. */
#include "store/blocks.h"

#include "blocks.sql.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Array parameters, one for each column, as array literals. */
enum { COLUMNS = 12, ARRAY_MAX = 8 << 20, COUNTS = 4 };

static void put_counts(struct text *out, const char *separator, const struct counts *counts)
{
    text_printf(out, "%s%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, separator, counts->n_c, counts->k_c,
                counts->n_b, counts->k_b);
}

/* An element of a text[] that is itself the literal of an array, or NULL. */
/* Four numbers a stratum; NULL where they say nothing. */
static void put_strata(struct text *out, const char *separator, const struct counts *counts, int32_t strata,
                       bool known)
{
    text_puts(out, separator);
    if (!known) {
        text_puts(out, "NULL");
        return;
    }
    text_puts(out, "\"{");
    for (int32_t i = 0; i < strata; i++)
        put_counts(out, i == 0 ? "" : ",", &counts[i]);
    text_puts(out, "}\"");
}

static void put_block(struct text column[COLUMNS], const char *separator, int64_t seq,
                      const struct block *block)
{
    const struct sli_counts *counts = &block->counts;
    struct counts total = sli_counts_total(counts), covered = sli_counts_covered(counts);
    const int64_t sums[COUNTS] = {total.n_c, total.k_c, total.n_b, total.k_b};
    text_printf(&column[0], "%s%" PRId64, separator, seq);
    text_printf(&column[1], "%s%d", separator, (int)block->sli);
    text_printf(&column[2], "%s%.17g", separator, block->start_s);
    text_printf(&column[3], "%s%.17g", separator, block->length_s);
    text_printf(&column[4], "%s%d", separator, (int)block->weight);
    text_printf(&column[5], "%s%s", separator, block->new_step ? "t" : "f");
    for (int i = 0; i < COUNTS; i++)
        text_printf(&column[6 + i], "%s%" PRId64, separator, sums[i]);
    put_strata(&column[10], separator, counts->stratum, counts->strata, counts->strata > 1);
    put_strata(&column[11], separator, counts->coverage, counts->strata, covered.n_c > 0 || covered.n_b > 0);
}

enum status blocks_add(struct db *db, const char *rollout, int64_t first_seq, const struct block *blocks,
                       size_t count, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct text column[COLUMNS];
    enum status status = STATUS_OK;
    for (int c = 0; c < COLUMNS; c++) {
        text_init(&column[c], ARRAY_MAX);
        text_putc(&column[c], '{');
    }
    for (size_t i = 0; i < count; i++)
        put_block(column, i == 0 ? "" : ",", first_seq + (int64_t)i, &blocks[i]);
    db_text(&params, rollout);
    for (int c = 0; c < COLUMNS && status == STATUS_OK; c++) {
        text_putc(&column[c], '}');
        status = text_status(&column[c]);
        db_text(&params, text_get(&column[c]));
    }
    if (status == STATUS_OK)
        status = db_run(db, &sql_blocks_insert, &params, NULL, fault);
    else
        fault_set(fault, status, "The blocks of evidence could not be written down");
    for (int c = 0; c < COLUMNS; c++)
        text_free(&column[c]);
    return status;
}

static void counts_of(const int64_t numbers[COUNTS], struct counts *out)
{
    *out = (struct counts){numbers[0], numbers[1], numbers[2], numbers[3]};
}

static void read_block(const struct db_rows *rows, int row, struct block *out)
{
    int64_t numbers[COUNTS * STRATA_MAX];
    out->sli = (enum sli)db_get_integer(rows, row, 0);
    out->start_s = db_get_number(rows, row, 1);
    out->length_s = db_get_number(rows, row, 2);
    out->weight = (int32_t)db_get_integer(rows, row, 3);
    out->new_step = db_get_bool(rows, row, 4);
    size_t strata = db_get_integers(rows, row, 9, numbers, COUNTS * STRATA_MAX) / COUNTS;
    for (size_t i = 0; i < strata; i++)
        counts_of(&numbers[COUNTS * i], &out->counts.stratum[i]);
    if (strata == 0) {
        for (int i = 0; i < COUNTS; i++)
            numbers[i] = db_get_integer(rows, row, 5 + i);
        counts_of(numbers, &out->counts.stratum[0]);
    }
    out->counts.strata = strata == 0 ? 1 : (int32_t)strata;
    strata = db_get_integers(rows, row, 10, numbers, COUNTS * STRATA_MAX) / COUNTS;
    for (size_t i = 0; i < strata; i++)
        counts_of(&numbers[COUNTS * i], &out->counts.coverage[i]);
}

/* The rows, and room for what they hold: `size` bytes each, zeroed, the caller's. */
static enum status read_rows(struct db *db, const struct statement *statement, const char *rollout,
                             int64_t after, size_t max, size_t size, struct db_rows **rows, void **room,
                             struct fault *fault)
{
    struct db_params params = {.count = 0};
    *room = NULL;
    db_text(&params, rollout);
    db_integer(&params, after);
    db_integer(&params, max > (size_t)INT32_MAX ? INT32_MAX : (int64_t)max);
    enum status status = db_run(db, statement, &params, rows, fault);
    if (status != STATUS_OK)
        return status;
    *room = calloc((size_t)db_rows_count(*rows) + 1, size);
    return *room != NULL ? STATUS_OK : fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
}

static void read_split_block(const struct db_rows *rows, int row, struct split_block *out)
{
    *out = (struct split_block){.start_s = db_get_number(rows, row, 0),
                                .n_c = db_get_integer(rows, row, 1),
                                .n = db_get_integer(rows, row, 2),
                                .w_lo = db_get_number(rows, row, 3),
                                .w_hi = db_get_number(rows, row, 4),
                                .new_step = db_get_bool(rows, row, 5)};
}

enum status blocks_read(struct db *db, const char *rollout, int64_t after, size_t max, struct block **out,
                        size_t *count, struct fault *fault)
{
    struct db_rows *rows = NULL;
    void *room = NULL;
    *count = 0;
    enum status status =
        read_rows(db, &sql_blocks_read, rollout, after, max, sizeof **out, &rows, &room, fault);
    *out = room;
    for (; status == STATUS_OK && *count < (size_t)db_rows_count(rows); ++*count)
        read_block(rows, (int)*count, &(*out)[*count]);
    db_rows_free(rows);
    return status;
}

enum status split_blocks_add(struct db *db, const char *rollout, int64_t seq, const struct split_block *block,
                             struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, rollout);
    db_integer(&params, seq);
    db_number(&params, block->start_s);
    db_integer(&params, block->n_c);
    db_integer(&params, block->n);
    db_number(&params, block->w_lo);
    db_number(&params, block->w_hi);
    db_bool(&params, block->new_step);
    return db_run(db, &sql_split_blocks_insert, &params, NULL, fault);
}

enum status split_blocks_read(struct db *db, const char *rollout, int64_t after, size_t max,
                              struct split_block **out, size_t *count, struct fault *fault)
{
    struct db_rows *rows = NULL;
    void *room = NULL;
    *count = 0;
    enum status status =
        read_rows(db, &sql_split_blocks_read, rollout, after, max, sizeof **out, &rows, &room, fault);
    *out = room;
    for (; status == STATUS_OK && *count < (size_t)db_rows_count(rows); ++*count)
        read_split_block(rows, (int)*count, &(*out)[*count]);
    db_rows_free(rows);
    return status;
}
