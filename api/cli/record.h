/* A rollout's record, read page by page, and its decisions computed anew as the blocks come by. Holds all
   decisions and all blocks of the split check (one a minute), but no more than one page of the others. */
#pragma once

#include "base/fault.h"
#include "spec/record.h"

enum {
    RECORD_DECISIONS_MAX = 20000,
    RECORD_SPLITS_MAX = 200000,
    RECORD_BLOCKS_MAX = 20000000,
    RECORD_PAGE_MAX = 32 << 20 /* bytes */
};

/* One decision: as stored, and what came out. */
struct record_decision {
    char event[ID_MAX], at[64];
    struct replay_decision stored;
    struct replay_result result;
    size_t missing;  /* fields of its inputs that a later version added */
    bool hash;       /* the event has the hash that it says */
    bool decided;    /* false: the record has fewer blocks than the decision rests on */
    char broken[96]; /* why not, if a block before it cannot be used; else "" */
};

struct record {
    struct spec_record head; /* of the newest page */
    struct record_decision *decision;
    size_t decisions, room, at; /* `at`: the next to be decided */
    struct split_block *split;
    size_t splits, split_room;
    struct replay replay;
    bool begun;       /* blocks have come: decisions after that are of a later time, and are left out */
    bool last;        /* the last page was read */
    char cursor[256]; /* of the next page */
    int64_t blocks;
    char broken[96];
};

/* A record without pages. Never NULL but on no memory. */
struct record *record_new(void) MUST_CHECK;
void record_free(struct record *record); /* NULL is fine */

/* Reads the next page (schema Record). MALFORMED, INVALID or TOO_LARGE with what is wrong and where. */
enum status record_page(struct record *record, const char *json, size_t length,
                        struct fault *fault) MUST_CHECK;
/* After the last page: decides what is left. */
void record_end(struct record *record);

/* The decision comes out as it was stored, from an event that is what was hashed. */
bool record_equal(const struct record_decision *decision);
