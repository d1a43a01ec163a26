/* A rollout's record, read page by page, and its decisions computed anew as the blocks come by. Holds all
   decisions and all blocks of the split check (one a minute), but no more than one page of the others. */
#pragma once

#include "base/fault.h"
#include "spec/record.h"

enum {
    RECORD_DECISIONS_MAX = 20000,
    RECORD_SPLITS_MAX = 200000,
    RECORD_BLOCKS_MAX = 20000000,
    RECORD_VERDICTS_MAX = 200000,
    RECORD_LINKS_MAX = 200000,
    RECORD_FINDINGS_MAX = 20, /* that are kept in words; all are counted */
    RECORD_SENTENCE_MAX = 320,
    RECORD_TRIES_MAX = 10000,  /* blocks at which a verdict is computed anew */
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
    struct spec_link link;
    bool has_frozen; /* its event says which documents it went by */
    struct digest frozen[SPEC_FROZEN];
    char service[NAME_MAX_LENGTH + 1], release[NAME_MAX_LENGTH + 1], stable[NAME_MAX_LENGTH + 1],
        rollout[ID_MAX]; /* as its event has them */
};

/* One change of a verdict. */
struct record_verdict {
    struct replay_verdict stored;
    char at[64];
    enum replay_match match; /* how far it has come */
    enum verdict computed;
    size_t tries;
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
    bool saved;       /* it comes from a file; for those who show it */
    char cursor[256]; /* of the next page */
    int64_t blocks;
    char broken[96];
    struct record_verdict *verdict;
    size_t verdicts, verdict_room;
    size_t verdict_next[SLI_COUNT]; /* the first that may not be settled, of each SLI */
    size_t verdicts_open;           /* not settled */
    struct spec_link *link;         /* events that hold no decision of this rollout */
    size_t links, link_room;
    size_t pages;
    struct digest chain; /* of the page before */
    char finding[RECORD_FINDINGS_MAX][RECORD_SENTENCE_MAX];
    size_t findings;
};

/* A record without pages. Never NULL but on no memory. */
struct record *record_new(void) MUST_CHECK;
void record_free(struct record *record); /* NULL is fine */

/* Reads the next page (schema Record). MALFORMED, INVALID or TOO_LARGE with what is wrong and where. */
enum status record_page(struct record *record, const char *json, size_t length,
                        struct fault *fault) MUST_CHECK;
/* After the last page: decides what is left. */
void record_end(struct record *record);

/* What is wrong with the record beside decisions that come out otherwise: a sentence each. */
void record_find(struct record *record, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Holds a page against its digests, and to the page before. */
void record_check_page(struct record *record, struct json_object *page);
/* Once all decisions are there: they stand in an unbroken chain of events, and went by the head's documents.
 */
void record_check_decisions(struct record *record);
/* After the blocks that came last: verdicts that rest on them. */
void record_check_verdicts(struct record *record);
/* After the last block: verdicts that did not come out, and those that decisions miss. */
void record_end_verdicts(struct record *record);

/* The decision comes out as it was stored, from an event that is what was hashed. */
bool record_equal(const struct record_decision *decision);
