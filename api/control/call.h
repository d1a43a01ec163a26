/* How a request reaches Postgres: every read through call_read(), every change through call_change(), which
   alone holds the rules of transactions and of the Idempotency-Key. For the files of this room. */
#pragma once

#include "base/id.h"
#include "base/json.h"
#include "control/auth.h"
#include "http/message.h"
#include "http/paging.h"
#include "store/page.h"
#include "store/services.h"

#include <stdatomic.h>

enum {
    CALL_TIMEOUT_MS = 5000,
    CALL_AFTER_MS = 2000, /* for what is told beside an answer */
    CALL_ATTEMPTS = 3,    /* of a transaction that another one is in the way of */
    ALERT_SAID = 256,
    CALL_DEAD_MAX = 64 /* connections that died while they were idle; each is closed when it is found dead */
};

struct control {
    struct db_pool *pool; /* lent */
    size_t content_max;
    int64_t alert_expires_s; /* how long an alert fires without being heard of again */
    bool webhook_private;
    struct auth_cache tokens;
    atomic_ullong alert_said[ALERT_SAID]; /* hashes of labels that were logged as misspelt */
};

struct call;

/* Does the work. For a change it may run again from the start when the transaction has to be repeated; what
   it wrote to the response is dropped then. It must not swallow a failed statement: the transaction is void
   after it. */
typedef enum status (*call_operation)(struct call *call);

struct call {
    struct control *control;
    struct db *db; /* in a transaction if it is a change */
    const struct http_request *request;
    struct http_response *response;
    struct json_object *body; /* what was sent, an object; empty if nothing was */
    const char *actor;        /* name of the caller's token */
    struct fault *fault;
    /* Set by the work of a change: what it tells beside its answer, about `subject`. Runs when the work is
       committed, in no transaction; where it fails the answer must be as the work has left it. */
    call_operation after;
    char subject[ID_MAX];
};

/* `queries`: the query parameters that are known, NULL-terminated. */
enum status call_read(void *context, const struct http_request *request, struct http_response *response,
                      const char *const *queries, call_operation operation, struct fault *fault) MUST_CHECK;

enum call_flags {
    CALL_SECRET = 1 /* the answer holds a secret: it is not stored under an Idempotency-Key */
};
enum status call_change(void *context, const struct http_request *request, struct http_response *response,
                        unsigned flags, call_operation operation, struct fault *fault) MUST_CHECK;

/* The handler `name`: a read with the query parameters listed, or a change. */
#define CALL_READ(name, operation, ...)                                                                      \
    enum status name(void *context, const struct http_request *request, struct http_response *response,      \
                     struct fault *fault)                                                                    \
    {                                                                                                        \
        static const char *const queries[] = {__VA_ARGS__ NULL};                                             \
        return call_read(context, request, response, queries, operation, fault);                             \
    }
#define CALL_CHANGE(name, operation, flags)                                                                  \
    enum status name(void *context, const struct http_request *request, struct http_response *response,      \
                     struct fault *fault)                                                                    \
    {                                                                                                        \
        return call_change(context, request, response, flags, operation, fault);                             \
    }

/* Whether this connection of the pool had died while it was idle: then another one is worth a try. */
bool call_died(enum status status, const struct db *db);

/* --- for operations
 * ---------------------------------------------------------------------------------------------- */

/* Path parameter `index`, which must be a name; INVALID says what it names. Lent. */
enum status call_name(const struct call *call, size_t index, const char *what, const char **out) MUST_CHECK;
/* Query parameter `query`, which must be a name if it is there; *out is NULL if not. */
enum status call_query_name(const struct call *call, const char *query, const char **out) MUST_CHECK;
/* Path parameter `index`: a version number, or "latest" (*out 0). */
enum status call_version(const struct call *call, size_t index, int64_t *out) MUST_CHECK;

/* Opens the page that the query asks for. The caller frees it (page_free), also on failure. */
enum status call_page(const struct call *call, struct page *page) MUST_CHECK;
/* Answers with the page, if `status` (of reading it) is OK; frees it. */
enum status call_answer_page(struct call *call, struct page *page, enum status status) MUST_CHECK;

/* Sets the ETag to that of a row version. */
void call_etag(struct call *call, int64_t row_version);
/* Holds If-Match against the present version (STORE_ANY_VERSION = it does not exist). *expected is the
   version that the change must meet: `current`, or STORE_ANY_VERSION if the caller does not mind.
   STALE_VERSION, MALFORMED. */
enum status call_if_match(const struct call *call, int64_t current, int64_t *expected) MUST_CHECK;

/* An optional text of at most `max` characters (code points, as the contract counts them); *out stays as it
 * was without. */
void call_characters(struct json_fields *fields, const char *name, size_t max, const char **out);
/* Reads `reason` of at most 1,000 bytes; NULL if it is absent. */
void call_reason(struct json_fields *fields, enum json_need need, const char **out);
/* Closes the fields of the body: INVALID with a next step if anything was wrong. */
enum status call_close(struct call *call, struct json_fields *fields) MUST_CHECK;
