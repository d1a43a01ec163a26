/* Records: pages in, computed decisions out. */
#include "cli/record.h"

#include "base/digest.h"
#include "base/json.h"
#include "cli/pick.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENT_MAX = 1 << 20 };

struct record *record_new(void)
{
    return calloc(1, sizeof(struct record));
}

void record_free(struct record *record)
{
    if (record != NULL) {
        free(record->decision);
        free(record);
    }
}

bool record_equal(const struct record_decision *decision)
{
    return decision->decided && decision->hash && replay_equal(&decision->result);
}

/* --- decisions ----------------------------------------------------------------------------------------- */

/* sha256(hash before || canonical JSON of the event as it was stored). Takes both hashes out of `event`. */
static bool hash_holds(struct json_object *event)
{
    struct digest before, said, now;
    struct text text;
    bool good = digest_parse_hex(pick_text(event, "prev_hash"), &before) &&
                digest_parse_hex(pick_text(event, "hash"), &said);
    json_object_object_del(event, "prev_hash");
    json_object_object_del(event, "hash");
    text_init(&text, EVENT_MAX);
    text_add(&text, (const char *)before.bytes, good ? sizeof before.bytes : 0);
    if (good && json_canonical(event, &text) == STATUS_OK) {
        now = digest_sha256(text.data, text.length);
        good = digest_equal(&now, &said);
    } else {
        good = false;
    }
    text_free(&text);
    return good;
}

static enum status grow(struct record *record, struct fault *fault)
{
    if (record->decisions == RECORD_DECISIONS_MAX) {
        return fault_set(fault, STATUS_TOO_LARGE, "The record holds more than %d decisions",
                         RECORD_DECISIONS_MAX);
    }
    if (record->decisions == record->room) {
        size_t room = record->room == 0 ? 64 : 2 * record->room;
        struct record_decision *more = realloc(record->decision, room * sizeof *more);
        if (more == NULL) {
            return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
        }
        record->decision = more;
        record->room = room;
    }
    return STATUS_OK;
}

static enum status add_decision(struct record *record, struct json_object *event, const char *pointer,
                                struct fault *fault)
{
    enum status status = grow(record, fault);
    if (status != STATUS_OK) {
        return status;
    }
    struct record_decision *decision = &record->decision[record->decisions];
    memset(decision, 0, sizeof *decision);
    status = spec_read_decision(event, pointer, &decision->stored, &decision->missing, fault);
    int64_t before = record->decisions > 0 ? record->decision[record->decisions - 1].stored.blocks : 0;
    if (status == STATUS_OK && decision->stored.blocks < before) {
        status = fault_at(fault, pointer, "rests on fewer blocks than the decision before it");
    }
    if (status != STATUS_OK) {
        return status;
    }
    snprintf(decision->event, sizeof decision->event, "%s", pick_text(event, "id"));
    snprintf(decision->at, sizeof decision->at, "%s", pick_text(event, "at"));
    decision->hash = hash_holds(event);
    record->decisions++;
    return STATUS_OK;
}

static enum status read_decisions(struct record *record, struct json_object *page, struct fault *fault)
{
    size_t count = pick_length(page, "decisions");
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK && !record->begun; i++) {
        char pointer[64];
        snprintf(pointer, sizeof pointer, "/decisions/%zu", i);
        status = add_decision(record, pick_nth(page, "decisions", i), pointer, fault);
    }
    return status;
}

/* --- blocks --------------------------------------------------------------------------------------------- */

static void begin(struct record *record)
{
    const struct spec_record *head = &record->head;
    record->begun = true;
    replay_begin(&record->replay, &(struct replay_rollout){.policy = &head->policy.policy,
                                                           .plan = &head->plan,
                                                           .weight = head->weight,
                                                           .weights = head->weights,
                                                           .tick_s = head->tick_s,
                                                           .fix = head->fix});
    if (record->decisions > 0) {
        replay_next(&record->replay, &record->decision[0].stored);
    }
}

/* Decides everything that rests on the blocks given so far. */
static void decide_due(struct record *record)
{
    while (record->at < record->decisions && record->decision[record->at].stored.blocks <= record->blocks) {
        struct record_decision *decision = &record->decision[record->at++];
        memcpy(decision->broken, record->broken, sizeof decision->broken);
        decision->decided = record->broken[0] == '\0';
        replay_decide(&record->replay, &decision->result);
        if (record->at < record->decisions) {
            replay_next(&record->replay, &record->decision[record->at].stored);
        }
    }
}

static enum status add_block(struct record *record, struct json_object *value, const char *pointer,
                             struct fault *fault)
{
    struct block block;
    int64_t seq = 0;
    decide_due(record);
    if (record->at == record->decisions) {
        return STATUS_OK; /* nothing rests on it */
    }
    enum status status = spec_read_block(value, pointer, &seq, &block, fault);
    if (status == STATUS_OK && seq != record->blocks + 1) {
        status = fault_at(fault, pointer, "has the number %" PRId64 ", the next must be %" PRId64, seq,
                          record->blocks + 1);
    }
    if (status == STATUS_OK && record->blocks == RECORD_BLOCKS_MAX) {
        status =
            fault_set(fault, STATUS_TOO_LARGE, "The record holds more than %d blocks", RECORD_BLOCKS_MAX);
    }
    if (status != STATUS_OK) {
        return status;
    }
    record->blocks++;
    if (!replay_block(&record->replay, &block) && record->broken[0] == '\0') {
        snprintf(record->broken, sizeof record->broken, "block %" PRId64 " cannot have been stored", seq);
    }
    return STATUS_OK;
}

static enum status read_blocks(struct record *record, struct json_object *page, struct fault *fault)
{
    size_t count = pick_length(page, "blocks");
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        char pointer[64];
        snprintf(pointer, sizeof pointer, "/blocks/%zu", i);
        status = add_block(record, pick_nth(page, "blocks", i), pointer, fault);
    }
    return status;
}

/* --- pages ---------------------------------------------------------------------------------------------- */

static enum status read_head(struct record *record, struct json_object *page, struct fault *fault)
{
    struct spec_record *head = malloc(sizeof *head);
    enum status status = head != NULL ? spec_read_record(page, head, fault)
                                      : fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    if (status == STATUS_OK && record->head.rollout[0] != '\0' &&
        strcmp(record->head.rollout, head->rollout) != 0) {
        status = fault_at(fault, "/rollout", "is another rollout than that of the page before");
    }
    if (status == STATUS_OK && !record->begun) {
        record->head = *head;
    }
    free(head);
    return status;
}

enum status record_page(struct record *record, const char *json, size_t length, struct fault *fault)
{
    struct json_object *page = NULL;
    if (record->last) {
        return fault_set(fault, STATUS_INVALID, "There is a page after the last");
    }
    enum status status = json_parse(json, length, &page, fault);
    if (status == STATUS_OK) {
        status = read_head(record, page, fault);
    }
    if (status == STATUS_OK) {
        status = read_decisions(record, page, fault);
    }
    if (status == STATUS_OK) {
        snprintf(record->cursor, sizeof record->cursor, "%s", pick_text(page, "next_cursor"));
        record->last = record->cursor[0] == '\0';
        if (!record->begun && (record->last || pick_length(page, "blocks") > 0)) {
            begin(record);
        }
        status = read_blocks(record, page, fault);
    }
    json_object_put(page);
    return status;
}

void record_end(struct record *record)
{
    if (!record->begun) {
        begin(record);
    }
    decide_due(record);
}
