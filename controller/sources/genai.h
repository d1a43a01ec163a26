/* What a GenAI span says of a request: one table from the attributes and the providers' words to SLIs. Pure.

   Nothing but the facts below is ever kept of a span: an attribute that is not in the table is dropped where
   it is read, and with it every prompt and completion. */
#pragma once

#include "base/id.h"
#include "decision/sli.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One value of an attribute, lent. A list comes element by element. */
struct genai_value {
    enum { GENAI_TEXT, GENAI_BOOL, GENAI_INTEGER, GENAI_NUMBER } kind;
    const char *text; /* not terminated */
    size_t length;
    int64_t integer; /* also of a bool */
    double number;
};

/* Attributes that name service, release and stratum; set by whoever runs Serin. NUL from their end on. */
enum { GENAI_SETTING = 128 };
struct genai_names {
    char service[GENAI_SETTING], release[GENAI_SETTING], stratum[GENAI_SETTING];
};

/* How a request ended, in the words of all providers. */
enum genai_end {
    GENAI_OK,
    GENAI_REFUSAL,
    GENAI_CONTENT_FILTER,
    GENAI_TRUNCATED,
    GENAI_SCHEMA_INVALID,
    GENAI_TOOL_ERROR,
    GENAI_RATE_LIMITED,
    GENAI_TIMEOUT,
    GENAI_ERROR,
    GENAI_CANCELLED, /* whoever asked has gone: nobody's fault */
    GENAI_UNKNOWN    /* a word that is not in the table */
};

/* The first attribute that does not say what it was meant to, those that mean most before the others: one is
   enough to say so. `name` is the attribute; of serin.sli.NAME it is NAME, its beginning, with '?' for what
   is in no name. */
enum { GENAI_WRONG_NAME = 40 };
struct genai_wrong {
    enum genai_why {
        GENAI_ALL_RIGHT,
        GENAI_OTHER_NAME, /* one that nobody reads; `expected` is the one that is */
        GENAI_NO_VALUE,   /* of another kind or range than `expected` says */
        GENAI_NO_SLI,     /* serin.sli.NAME of no SLI, and one that is no bool: they judge nothing */
        GENAI_NO_BOOL
    } why;
    const char *expected; /* static */
    char name[GENAI_WRONG_NAME];
};

enum genai_token { GENAI_TOKEN_OTHER, GENAI_TOKEN_INPUT, GENAI_TOKEN_OUTPUT };
/* What the label of an evaluation says. */
enum genai_label { GENAI_NO_LABEL, GENAI_LABEL_PASS, GENAI_LABEL_FAIL, GENAI_LABEL_UNKNOWN };
enum { GENAI_EVENT_NAME = 64 };

/* The name of a service, release or stratum: none, one, or one that is no name; then `text` is the beginning
   of what was given instead, with '?' for what is in no name. */
struct genai_name {
    enum { GENAI_ABSENT, GENAI_NAMED, GENAI_NO_NAME } state;
    char text[NAME_MAX_LENGTH + 1];
};

/* All that is kept of a resource or a span. */
struct genai_facts {
    struct genai_name service, release, stratum, variant; /* by genai_names; feature_flag.result.variant */
    struct genai_name service_name, service_version;      /* the conventions' own */
    bool genai, inference;                                /* has a gen_ai.* operation; asks a model */
    bool says_refusal, says_schema, says_tools;           /* its provider has words for these */
    unsigned finished;                                    /* bit of each enum genai_end in finish reasons */
    bool failed, status_failed;          /* error.type is there; the span's status is error */
    enum genai_end failure;              /* of error.type */
    int64_t http_status;                 /* 0 = none */
    double first_chunk_s;                /* -1 = none */
    int64_t input_tokens, output_tokens; /* -1 = none */
    uint64_t said, said_bad;             /* bit of each SLI that serin.sli.* gives */
    struct genai_wrong wrong;
    /* of a point */
    enum genai_token token;
    /* of a log record */
    char event[GENAI_EVENT_NAME]; /* of the attribute; "" = none */
    int evaluation;               /* SLI that gen_ai.evaluation.name names; SLI_COUNT: "score"; -1 = none */
    enum genai_label label;
    double score; /* NAN = none */
    bool thrown;  /* exception.type is there */
    enum genai_end exception;
};

void genai_facts_begin(struct genai_facts *facts);
/* What an attribute's key is to us. */
struct genai_key {
    bool service, release, stratum; /* by genai_names */
    const char *sli;                /* NAME of serin.sli.NAME, lent and not terminated; NULL = none */
    size_t sli_length;
    int known; /* its row of the table; -1 = none */
};
/* Looks it up; `key` need not be terminated. False: nobody needs to read its value. */
bool genai_look_up(const struct genai_names *names, const char *key, size_t length, struct genai_key *out);
/* Takes one value of an attribute that was looked up; one that it cannot have is noted as wrong. */
void genai_take(struct genai_facts *facts, const struct genai_key *key, const struct genai_value *value);

enum genai_verdict { GENAI_NOT_SAID, GENAI_GOOD, GENAI_BAD };
struct genai_judged {
    enum genai_verdict of[SLI_COUNT];
};
/* What the span says of each SLI that does not need a threshold. False if it says nothing at all of the
   request, since that was cancelled. */
bool genai_judge(const struct genai_facts *span, struct genai_judged *out);
/* The name that holds: of the span, then of its resource; in the order of the conventions. NULL: none is
   given. One that is no name is "". */
const char *genai_service(const struct genai_facts *span, const struct genai_facts *resource);
const char *genai_release(const struct genai_facts *span, const struct genai_facts *resource);
const char *genai_stratum(const struct genai_facts *span, const struct genai_facts *resource);
/* The attribute that holds and is no name, with the beginning of its value, made safe; lent by `names` and
   the facts. NULL: it is one, or there is none. */
const char *genai_no_service(const struct genai_names *names, const struct genai_facts *span,
                             const struct genai_facts *resource, const char **value);
const char *genai_no_release(const struct genai_names *names, const struct genai_facts *span,
                             const struct genai_facts *resource, const char **value);
/* What of the facts is wrong; NULL: nothing. */
const struct genai_wrong *genai_wrong(const struct genai_facts *facts);
