/* What an OFREP client asks: the body of an evaluation, read strictly, with the error code that the protocol
   has for each way in which it can be wrong. */
#pragma once

#include "base/fault.h"

#include <stddef.h>

struct json_object;

enum { OFREP_BODY_MAX = 64 << 10 };

struct ofrep_request {
    struct json_object *body; /* owned */
    const char *key;          /* context.targetingKey, not empty; lent by the body, may hold NUL */
    size_t key_length;
};

/* Reads {"context": {"targetingKey": ..., ...}}; everything else in it is for other rules than ours, and
   ignored. On failure nothing is owned, the fault is MALFORMED or TOO_LARGE, and *code is the protocol's word
   for it, a static string; NULL on success. */
enum status ofrep_request_read(const char *text, size_t length, struct ofrep_request *out, const char **code,
                               struct fault *fault) MUST_CHECK;
void ofrep_request_free(struct ofrep_request *request);

/* The protocol's word for a fault that does not come with one. Static. */
const char *ofrep_code(enum status status);
