/* A message of OTLP, in either encoding, field by field: what reads spans, points or log records sees no
   difference. Pure; nothing is copied but what a JSON string escapes. */
#pragma once

#include "base/fault.h"

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum otlp_kind {
    OTLP_MESSAGE,
    OTLP_TEXT,    /* a string */
    OTLP_ID,      /* bytes, at most OTLP_ID_MAX; hex digits in JSON */
    OTLP_INTEGER, /* varint */
    OTLP_FIXED,   /* 8 bytes without a sign; in JSON a number or text, at most 2^63 - 1 */
    OTLP_SIGNED,  /* 8 bytes with a sign */
    OTLP_DOUBLE,  /* a number; in JSON also "NaN", "Infinity" and "-Infinity" */
    OTLP_BOOL,
    OTLP_ENUM, /* varint; in JSON an integer alone */
    OTLP_OTHER /* known to be there; its value is of no interest */
};

/* A field of a message. Those after the first with `late` are read last, whatever the order in the body. */
struct otlp_field {
    const char *name; /* in JSON; NULL ends the list */
    uint32_t number;  /* 0: this message does not have it */
    enum otlp_kind kind;
    bool repeated; /* each element comes for itself, packed or not */
    bool late;
};

enum { OTLP_ID_MAX = 16 };

/* A message that has not been read yet. Lent by the body. */
struct otlp_node {
    struct json_object *object; /* NULL: protobuf */
    const uint8_t *at, *end;
};

/* One value of a field, lent until the next. It is made for each field of each message: so a small one. */
struct otlp_value {
    uint32_t field; /* its place in the list */
    enum otlp_kind kind;
    union {
        struct otlp_node node; /* of MESSAGE */
        struct {
            const char *text; /* of TEXT, and the bytes of ID: not terminated */
            size_t length;    /* 0 for an ID that is none */
        };
        int64_t integer; /* of INTEGER, SIGNED, BOOL, ENUM; of FIXED too, where it fits */
        uint64_t fixed;
        double number;
    };
};

/* What else than OK it returns ends the reading. */
typedef enum status (*otlp_take_value)(void *context, const struct otlp_value *value);

/* Reads a body, one message of fields `request`, whose type is called `name` in faults; then calls `take`.
   MALFORMED if it cannot be read. Fields that are not listed are skipped. `data` may be NULL where `length`
   is 0.
 */
struct otlp_body {
    bool protobuf;
    const char *name;
    struct fault *fault;
};
enum status otlp_read_body(const struct otlp_body *body, const char *data, size_t length,
                           const struct otlp_field *fields, otlp_take_value take, void *context) MUST_CHECK;
/* The same for a message inside it. */
enum status otlp_read_message(const struct otlp_body *body, const struct otlp_node *node,
                              const struct otlp_field *fields, otlp_take_value take,
                              void *context) MUST_CHECK;
/* The body is not what `body->name` says. Returns MALFORMED. */
enum status otlp_malformed(const struct otlp_body *body);

/* One encoding each: the fields that are late, or those that are not. Sets *left where it passes over one of
   the others, and leaves it alone otherwise. */
enum status otlp_json_pass(const struct otlp_body *body, const struct otlp_node *node,
                           const struct otlp_field *fields, bool late, bool *left, otlp_take_value take,
                           void *context) MUST_CHECK;
enum status otlp_protobuf_pass(const struct otlp_body *body, const struct otlp_node *node,
                               const struct otlp_field *fields, bool late, bool *left, otlp_take_value take,
                               void *context) MUST_CHECK;

/* Short ways of protobuf, for what comes most; false: it is not written so, and is to be read as any other
   message. A message of two parts, the strings or messages 1 and 2, in that order. */
bool otlp_protobuf_two(const struct otlp_node *node, struct otlp_node *first, struct otlp_node *second);
/* A message that has one value alone, of a field of this list that is not repeated. */
bool otlp_protobuf_alone(const struct otlp_node *node, const struct otlp_field *fields,
                         struct otlp_value *out);
