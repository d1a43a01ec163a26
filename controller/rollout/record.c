/* The record of a rollout: all that its decisions rest on, page by page. */
#include "rollout/rollout.h"

#include "base/json.h"
#include "rollout/state.h"
#include "spec/inputs.h"
#include "store/record.h"
#include "store/views.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Items of one page. With the longest items of each a page stays below 10 MB. */
enum { DECISIONS_MAX = 500, VERDICTS_MAX = 2000, BLOCKS_MAX = 20000 };

/* Where the next page begins: the last item of each list that was given; -1 = none yet. */
struct place {
    int64_t decision, verdict, block;
};

static bool read_place(const char *cursor, struct place *out)
{
    char end;
    *out = (struct place){-1, -1, -1};
    return cursor[0] == '\0' ||
           (strlen(cursor) <= 60 && sscanf(cursor, "%" SCNd64 ".%" SCNd64 ".%" SCNd64 "%c", &out->decision,
                                           &out->verdict, &out->block, &end) == 3);
}

static void open_page(struct page *page, int64_t after, int limit)
{
    char text[24] = "";
    if (after >= 0)
        snprintf(text, sizeof text, "%" PRId64, after);
    page_init(page, text, limit);
}

static int64_t left_at(const struct page *page, int64_t before)
{
    return page->last[0] != '\0' ? strtoll(page->last, NULL, 10) : before;
}

struct lists {
    struct page decisions, verdicts, blocks;
    struct place next;
    bool more;
};

/* Decisions first, then verdicts, then blocks: who reads the pages in order knows all decisions before the
   first block, and need not keep the blocks. A list that was given in full goes on at its end: what has come
   since is given with a later page. */
static enum status read_lists(struct db *db, const char *id, const struct place *place, struct lists *out,
                              struct fault *fault)
{
    out->next = *place;
    enum status status = record_decisions(db, id, &out->decisions, fault);
    out->next.decision = left_at(&out->decisions, place->decision);
    out->more = out->decisions.next[0] != '\0';
    if (status == STATUS_OK && !out->more) {
        status = record_verdicts(db, id, &out->verdicts, fault);
        out->next.verdict = left_at(&out->verdicts, place->verdict);
        out->more = out->verdicts.next[0] != '\0';
    }
    if (status == STATUS_OK && !out->more) {
        status = views_blocks(db, id, &out->blocks, fault);
        out->next.block = left_at(&out->blocks, place->block);
        out->more = out->blocks.next[0] != '\0';
    }
    return status;
}

static void put_string(struct text *out, const char *name, const char *value)
{
    text_printf(out, "\"%s\":", name);
    if (value[0] != '\0')
        json_put_string(out, value, strlen(value));
    else
        text_puts(out, "null");
    text_putc(out, ',');
}

static void put_document(struct text *out, const char *name, const struct text *document)
{
    text_printf(out, "\"%s\":", name);
    text_add(out, text_get(document), document->length);
    text_putc(out, ',');
}

static void put_weights(struct text *out, const struct evidence *evidence)
{
    text_puts(out, "\"weights\":[");
    for (int32_t i = 0; i < evidence->weights; i++)
        text_printf(out, "%s{\"at_s\":%.17g,\"weight\":%d,\"raised\":%s}", i > 0 ? "," : "",
                    evidence->weight[i].at_s, (int)evidence->weight[i].weight,
                    evidence->weight[i].raised ? "true" : "false");
    text_printf(out, "],\"weights_complete\":%s,",
                evidence->weights < EVIDENCE_WEIGHTS_MAX ? "true" : "false");
}

static void put_head(const struct rollout_state *state, struct text *out)
{
    char time[CLOCK_TEXT_MAX];
    struct wall_time origin = {state_base_s(state) * 1000000};
    text_putc(out, '{');
    put_string(out, "rollout", state->row.id);
    put_string(out, "version", SERIN_VERSION);
    put_string(out, "service", state->row.service);
    put_string(out, "release", state->row.release);
    put_string(out, "stable", state->row.stable);
    put_string(out, "phase", phase_name(state->row.phase));
    put_string(out, "created_at", clock_format(state->row.created_at, time));
    put_string(out, "origin", clock_format(origin, time));
    put_string(out, "quality", state->evidence.has_quality ? quality_name(state->evidence.quality) : "none");
    text_printf(out, "\"fix\":%s,\"tick_s\":%.17g,\"blocks_stored\":%" PRId64 ",",
                state->row.fix ? "true" : "false", state->evidence.evidence.tick_s, state->evidence.blocks);
    put_document(out, "slos", &state->row.slos);
    put_document(out, "policy", &state->row.policy);
    put_document(out, "plan", &state->row.plan);
    put_weights(out, &state->evidence.evidence);
}

static void put_list(struct text *out, const char *name, const struct page *page)
{
    text_printf(out, "\"%s\":[", name);
    text_add(out, text_get(&page->items), page->items.length);
    text_puts(out, "],");
}

/* The answer but for next_cursor. The lists are read before the row, so that the row knows every change of
   the weight that a decision in them may rest on. */
enum status rollout_record(struct db *db, const char *id, const char *cursor, struct text *out,
                           char next[ROLLOUT_RECORD_CURSOR], struct fault *fault)
{
    struct rollout_state *state = NULL;
    struct place place;
    struct lists lists = {.more = false};
    next[0] = '\0';
    if (!read_place(cursor, &place)) {
        fault_set(fault, STATUS_INVALID, "The cursor does not belong to this list");
        fault_next(fault, "Begin again without a cursor, and give back next_cursor as it came.");
        return STATUS_INVALID;
    }
    open_page(&lists.decisions, place.decision, DECISIONS_MAX);
    open_page(&lists.verdicts, place.verdict, VERDICTS_MAX);
    open_page(&lists.blocks, place.block, BLOCKS_MAX);
    enum status status = read_lists(db, id, &place, &lists, fault);
    if (status == STATUS_OK)
        status = state_load(db, id, false, &state, fault);
    if (status == STATUS_OK) {
        put_head(state, out);
        put_list(out, "decisions", &lists.decisions);
        put_list(out, "verdicts", &lists.verdicts);
        put_list(out, "blocks", &lists.blocks);
        status = text_status(out);
    }
    if (status == STATUS_OK && lists.more)
        snprintf(next, ROLLOUT_RECORD_CURSOR, "%" PRId64 ".%" PRId64 ".%" PRId64, lists.next.decision,
                 lists.next.verdict, lists.next.block);
    page_free(&lists.decisions);
    page_free(&lists.verdicts);
    page_free(&lists.blocks);
    state_free(state);
    return status;
}
