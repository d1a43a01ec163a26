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
        free(record->split);
        free(record->verdict);
        free(record->link);
        free(record);
    }
}

bool record_equal(const struct record_decision *decision)
{
    return decision->decided && decision->hash && replay_equal(&decision->result);
}

/* --- decisions ----------------------------------------------------------------------------------------- */

static void copy(char *out, size_t size, struct json_object *object, const char *name)
{
    snprintf(out, size, "%s", pick_text(object, name));
}

/* What its event says of names and documents. */
static void read_names(struct record_decision *decision, struct json_object *event)
{
    struct json_object *data = pick(event, "data"), *frozen = pick(data, "frozen");
    copy(decision->event, sizeof decision->event, event, "id");
    copy(decision->at, sizeof decision->at, event, "at");
    copy(decision->service, sizeof decision->service, event, "service");
    copy(decision->release, sizeof decision->release, event, "release");
    copy(decision->rollout, sizeof decision->rollout, event, "rollout");
    copy(decision->stable, sizeof decision->stable, data, "stable");
    decision->has_frozen = frozen != NULL;
    for (size_t i = 0; i < SPEC_FROZEN; i++) {
        decision->has_frozen = decision->has_frozen &&
                               digest_parse_hex(pick_text(frozen, spec_frozen_name[i]), &decision->frozen[i]);
    }
}

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

/* Makes room for one more of `count` items (of `size` bytes each); *grown is where they are then, also on
 * failure. */
static enum status grow(void *items, size_t size, size_t count, size_t *room, size_t max, const char *what,
                        void **grown, struct fault *fault)
{
    *grown = items;
    if (count == max) {
        return fault_set(fault, STATUS_TOO_LARGE, "The record holds more than %zu %s", max, what);
    }
    if (count == *room) {
        size_t wanted = *room == 0 ? 64 : 2 * *room;
        void *more = realloc(items, wanted * size);
        if (more == NULL) {
            return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
        }
        *grown = more;
        *room = wanted;
    }
    return STATUS_OK;
}

static enum status add_decision(struct record *record, struct json_object *event, const char *pointer,
                                struct fault *fault)
{
    void *grown;
    enum status status = grow(record->decision, sizeof *record->decision, record->decisions, &record->room,
                              RECORD_DECISIONS_MAX, "decisions", &grown, fault);
    record->decision = grown;
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
    status = spec_read_link(event, pointer, &decision->link, fault);
    if (status != STATUS_OK) {
        return status;
    }
    read_names(decision, event);
    decision->hash = hash_holds(event);
    record->decisions++;
    return STATUS_OK;
}

/* --- links and verdicts --------------------------------------------------------------------------------- */

static enum status add_link(struct record *record, struct json_object *value, const char *pointer,
                            struct fault *fault)
{
    void *grown;
    enum status status = grow(record->link, sizeof *record->link, record->links, &record->link_room,
                              RECORD_LINKS_MAX, "links", &grown, fault);
    record->link = grown;
    if (status == STATUS_OK) {
        status = spec_read_link(value, pointer, &record->link[record->links], fault);
    }
    record->links += status == STATUS_OK ? 1 : 0;
    return status;
}

static enum status add_verdict(struct record *record, struct json_object *value, const char *pointer,
                               struct fault *fault)
{
    void *grown;
    enum status status = grow(record->verdict, sizeof *record->verdict, record->verdicts,
                              &record->verdict_room, RECORD_VERDICTS_MAX, "verdicts", &grown, fault);
    record->verdict = grown;
    if (status != STATUS_OK) {
        return status;
    }
    struct record_verdict *verdict = &record->verdict[record->verdicts];
    memset(verdict, 0, sizeof *verdict);
    status = spec_read_verdict(value, pointer, record->head.origin_us, &verdict->stored, fault);
    if (status == STATUS_OK) {
        copy(verdict->at, sizeof verdict->at, value, "at");
        record->verdicts++;
        record->verdicts_open++;
    }
    return status;
}

/* --- blocks of the split check ---------------------------------------------------------------------------
 */

static enum status add_split(struct record *record, struct json_object *value, const char *pointer,
                             struct fault *fault)
{
    int64_t seq = 0;
    void *grown;
    enum status status = grow(record->split, sizeof *record->split, record->splits, &record->split_room,
                              RECORD_SPLITS_MAX, "blocks of the split check", &grown, fault);
    record->split = grown;
    if (status == STATUS_OK) {
        status = spec_read_split_block(value, pointer, &seq, &record->split[record->splits], fault);
    }
    if (status == STATUS_OK && seq != (int64_t)record->splits + 1) {
        status = fault_at(fault, pointer, "has the number %" PRId64 ", the next must be %zu", seq,
                          record->splits + 1);
    }
    record->splits += status == STATUS_OK ? 1 : 0;
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
    record_check_decisions(record);
    record_check_verdicts(record);
}

static void breaks(struct record *record, const char *what, int64_t number)
{
    if (record->broken[0] == '\0') {
        snprintf(record->broken, sizeof record->broken, "%s %" PRId64 " cannot have been stored", what,
                 number);
    }
}

/* The split check's blocks that a decision rests on; false if there are fewer. */
static bool give_splits(struct record *record, const struct replay_decision *decision)
{
    while (record->replay.splits < decision->splits) {
        size_t at = (size_t)record->replay.splits;
        if (at == record->splits) {
            return false;
        }
        if (!replay_split(&record->replay, &record->split[at])) {
            breaks(record, "block of the split check", (int64_t)at + 1);
            return true;
        }
    }
    return true;
}

/* Decides everything that rests on the blocks given so far. */
static void decide_due(struct record *record)
{
    while (record->at < record->decisions && record->decision[record->at].stored.blocks <= record->blocks) {
        struct record_decision *decision = &record->decision[record->at++];
        if (!give_splits(record, &decision->stored)) {
            snprintf(record->broken, sizeof record->broken, "the record has too few of the split check");
        }
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
    if (record->at == record->decisions && record->verdicts_open == 0) {
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
    if (!replay_block(&record->replay, &block)) {
        breaks(record, "block", seq);
    }
    record_check_verdicts(record);
    return STATUS_OK;
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

typedef enum status (*add_item)(struct record *record, struct json_object *value, const char *pointer,
                                struct fault *fault);

static enum status read_list(struct record *record, struct json_object *page, const char *name, add_item add,
                             struct fault *fault)
{
    size_t count = pick_length(page, name);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        char pointer[64];
        snprintf(pointer, sizeof pointer, "/%s/%zu", name, i);
        status = add(record, pick_nth(page, name, i), pointer, fault);
    }
    return status;
}

/* What is of a later time than the blocks that have begun is left out. */
static enum status read_lists(struct record *record, struct json_object *page, struct fault *fault)
{
    static const struct {
        const char *name;
        add_item add;
    } lists[] = {{"decisions", add_decision},
                 {"links", add_link},
                 {"verdicts", add_verdict},
                 {"split_blocks", add_split}};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0] && status == STATUS_OK && !record->begun; i++) {
        status = read_list(record, page, lists[i].name, lists[i].add, fault);
    }
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
        record_check_page(record, page); /* before what reads it takes it apart */
        status = read_lists(record, page, fault);
    }
    if (status == STATUS_OK) {
        snprintf(record->cursor, sizeof record->cursor, "%s", pick_text(page, "next_cursor"));
        record->last = record->cursor[0] == '\0';
        if (!record->begun && (record->last || pick_length(page, "blocks") > 0)) {
            begin(record);
        }
        status = read_list(record, page, "blocks", add_block, fault);
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
    record_check_verdicts(record);
    record_end_verdicts(record);
}
