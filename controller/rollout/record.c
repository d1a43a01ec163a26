/* The record of a rollout: all that its decisions rest on, page by page. */
#include "rollout/rollout.h"

#include "base/json.h"
#include "rollout/state.h"
#include "spec/inputs.h"
#include "spec/record_digest.h"
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

enum { DECISIONS, LINKS };

static const struct {
    const char *name;
    int limit;
    read_list read;
} lists[] = {{"decisions", 500, record_decisions},
             {"links", 5000, NULL}, /* as far as the decisions go */
             {"verdicts", 2000, record_verdicts},
             {"split_blocks", 5000, record_split_blocks},
             {"blocks", 5000, views_blocks}};

enum { LISTS = sizeof lists / sizeof lists[0], PAGE_BYTES_MAX = 32 << 20 };

/* Where the next page begins: the key of the last item of each list that was given (-1 = none yet), and what
   the digests of this page rest on. */
struct place {
    int64_t after[LISTS];
    struct digest chain;
};

static bool read_place(const char *cursor, struct place *out)
{
    bool first = cursor[0] == '\0';
    memset(&out->chain, 0, sizeof out->chain);
    for (int i = 0; i < LISTS; i++) {
        char *end = NULL;
        out->after[i] = -1;
        if (first)
            continue;
        errno = 0;
        out->after[i] = strtoll(cursor, &end, 10);
        if (end == cursor || errno != 0 || out->after[i] < -1 || *end != '.')
            return false;
        cursor = end + 1;
    }
    return first || digest_parse_hex(cursor, &out->chain);
}

static void write_place(const struct place *place, char out[ROLLOUT_RECORD_CURSOR])
{
    char hex[DIGEST_HEX];
    size_t used = 0;
    for (int i = 0; i < LISTS; i++)
        used += (size_t)snprintf(out + used, ROLLOUT_RECORD_CURSOR - used, "%" PRId64 ".", place->after[i]);
    snprintf(out + used, ROLLOUT_RECORD_CURSOR - used, "%s", digest_hex(&place->chain, hex));
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
        status = i == LINKS ? record_links(db, id, place->after[DECISIONS], &pages[i], fault)
                            : lists[i].read(db, id, &pages[i], fault);
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

static void put_span(const struct record_span *span, struct text *out)
{
    if (span->first == 0)
        text_puts(out, "\"events\":null,");
    else
        text_printf(
            out, "\"events\":{\"first\":%" PRId64 ",\"before\":\"%s\",\"last\":%" PRId64 ",\"hash\":\"%s\"},",
            span->first, span->before, span->last, span->hash);
}

static void put_head(const struct rollout_state *state, const struct record_span *span, struct text *out)
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
    put_span(span, out);
}

static void put_list(struct text *out, const char *name, const struct page *page)
{
    text_printf(out, "\"%s\":[", name);
    text_add(out, text_get(&page->items), page->items.length);
    text_puts(out, "],");
}

/* Adds the digests of the page that `page` holds (without the brace that ends it, and with a comma), and
   moves place->chain on. */
static enum status put_digests(struct text *page, bool more, struct place *place, struct fault *fault)
{
    struct json_object *value = NULL, *digests = NULL;
    struct text whole;
    text_init(&whole, PAGE_BYTES_MAX);
    text_add(&whole, text_get(page), page->length - 1);
    text_putc(&whole, '}');
    enum status status = text_status(&whole);
    if (status == STATUS_OK)
        status = json_parse(text_get(&whole), whole.length, &value, fault);
    text_free(&whole);
    if (status == STATUS_OK) {
        digests = spec_page_digests(value, &place->chain, more, &place->chain);
        status = digests != NULL ? STATUS_OK : fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    }
    if (status == STATUS_OK) {
        text_puts(page, "\"digests\":");
        status = json_put(digests, page);
        text_putc(page, ',');
    }
    json_object_put(digests);
    json_object_put(value);
    return status;
}

/* The answer but for next_cursor. The lists are read before the row, so that the row knows every change of
   the weight that a decision in them may rest on. */
enum status rollout_record(struct db *db, const char *id, const char *cursor, struct text *out,
                           char next[ROLLOUT_RECORD_CURSOR], struct fault *fault)
{
    struct rollout_state *state = NULL;
    struct place place;
    struct page pages[LISTS];
    struct record_span span;
    struct text page;
    bool more = false;
    next[0] = '\0';
    if (!read_place(cursor, &place)) {
        fault_set(fault, STATUS_INVALID, "The cursor does not belong to this list");
        fault_next(fault, "Begin again without a cursor, and give back next_cursor as it came.");
        return STATUS_INVALID;
    }
    open_pages(pages, &place);
    text_init(&page, PAGE_BYTES_MAX);
    enum status status = read_lists(db, id, &place, pages, &more, fault);
    if (status == STATUS_OK)
        status = record_span(db, id, place.after[DECISIONS], &span, fault);
    if (status == STATUS_OK)
        status = state_load(db, id, false, &state, fault);
    if (status == STATUS_OK) {
        put_head(state, &span, &page);
        for (int i = 0; i < LISTS; i++)
            put_list(&page, lists[i].name, &pages[i]);
        status = text_status(&page);
    }
    if (status == STATUS_OK)
        status = put_digests(&page, more, &place, fault);
    if (status == STATUS_OK) {
        text_add(out, text_get(&page), page.length);
        status = text_status(out);
    }
    if (status == STATUS_OK && more)
        write_place(&place, next);
    for (int i = 0; i < LISTS; i++)
        page_free(&pages[i]);
    text_free(&page);
    state_free(state);
    return status;
}
