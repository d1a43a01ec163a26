/* The record of a rollout: all that its decisions rest on, page by page. */
#include "rollout/rollout.h"

#include "base/json.h"
#include "rollout/state.h"
#include "spec/inputs.h"
#include "store/record.h"
#include "store/views.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The lists, in the order in which pages give them, and the items of one page: with the longest items of each
   a page stays below 10 MB. */
typedef enum status (*read_list)(struct db *db, const char *rollout, struct page *page, struct fault *fault);

static const struct {
    const char *name;
    int limit;
    read_list read;
} lists[] = {{"decisions", 500, record_decisions},
             {"verdicts", 2000, record_verdicts},
             {"split_blocks", 5000, record_split_blocks},
             {"blocks", 20000, views_blocks}};

enum { LISTS = sizeof lists / sizeof lists[0] };

/* Where the next page begins: the key of the last item of each list that was given; -1 = none yet. */
struct place {
    int64_t after[LISTS];
};

static bool read_place(const char *cursor, struct place *out)
{
    for (int i = 0; i < LISTS; i++) {
        char *end = NULL;
        out->after[i] = -1;
        if (cursor[0] == '\0')
            continue;
        errno = 0;
        out->after[i] = strtoll(cursor, &end, 10);
        if (end == cursor || errno != 0 || out->after[i] < -1 || *end != (i + 1 < LISTS ? '.' : '\0'))
            return false;
        cursor = end + 1;
    }
    return true;
}

static void write_place(const struct place *place, char out[ROLLOUT_RECORD_CURSOR])
{
    size_t used = 0;
    for (int i = 0; i < LISTS; i++)
        used += (size_t)snprintf(out + used, ROLLOUT_RECORD_CURSOR - used, "%s%" PRId64, i > 0 ? "." : "",
                                 place->after[i]);
}

static void open_pages(struct page pages[LISTS], const struct place *place)
{
    for (int i = 0; i < LISTS; i++) {
        char text[24] = "";
        if (place->after[i] >= 0)
            snprintf(text, sizeof text, "%" PRId64, place->after[i]);
        page_init(&pages[i], text, lists[i].limit);
    }
}

/* One list after the other: who reads the pages in order knows all decisions before the first block, and need
   not keep the blocks. A list that was given in full goes on at its end: what has come since is given with a
   later page. *more: there is another page. */
static enum status read_lists(struct db *db, const char *id, struct place *place, struct page pages[LISTS],
                              bool *more, struct fault *fault)
{
    enum status status = STATUS_OK;
    *more = false;
    for (int i = 0; i < LISTS && status == STATUS_OK && !*more; i++) {
        status = lists[i].read(db, id, &pages[i], fault);
        if (pages[i].last[0] != '\0')
            place->after[i] = strtoll(pages[i].last, NULL, 10);
        *more = pages[i].next[0] != '\0';
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
    struct page pages[LISTS];
    bool more = false;
    next[0] = '\0';
    if (!read_place(cursor, &place)) {
        fault_set(fault, STATUS_INVALID, "The cursor does not belong to this list");
        fault_next(fault, "Begin again without a cursor, and give back next_cursor as it came.");
        return STATUS_INVALID;
    }
    open_pages(pages, &place);
    enum status status = read_lists(db, id, &place, pages, &more, fault);
    if (status == STATUS_OK)
        status = state_load(db, id, false, &state, fault);
    if (status == STATUS_OK) {
        put_head(state, out);
        for (int i = 0; i < LISTS; i++)
            put_list(out, lists[i].name, &pages[i]);
        status = text_status(out);
    }
    if (status == STATUS_OK && more)
        write_place(&place, next);
    for (int i = 0; i < LISTS; i++)
        page_free(&pages[i]);
    state_free(state);
    return status;
}
