/* Answers kept under an Idempotency-Key for 24 hours. The key is looked at and the answer stored in the
   transaction of the operation itself, so that there is never an answer without its effect, or the other way
   round. */
#pragma once

#include "base/text.h"
#include "store/db.h"

struct idempotent_answer {
    int http_status;  /* 0 = none is stored */
    struct text body; /* owned */
    char etag[128];   /* "" = none */
};
void idempotency_answer_init(struct idempotent_answer *answer);
void idempotency_answer_free(struct idempotent_answer *answer);

/* To be called first in a transaction. `token`: id of the caller's token; `request`: digest of method, path
   and body. If an answer is stored it goes to *answer (initialised); else answer->http_status is 0 and the
   operation is to be done. KEY_REUSED if the key belongs to another request, IN_PROGRESS while another
   transaction holds it. */
enum status idempotency_begin(struct db *db, const char *token, const char *key, const struct digest *request,
                              struct idempotent_answer *answer, struct fault *fault) MUST_CHECK;
/* Stores the answer in the same transaction; replaces one that is older than 24 hours. */
enum status idempotency_store(struct db *db, const char *token, const char *key, const struct digest *request,
                              const struct idempotent_answer *answer, struct fault *fault) MUST_CHECK;
