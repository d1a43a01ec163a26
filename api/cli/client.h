/* The HTTP client of the command line: one server, straight-line requests, JSON both ways. */
#pragma once

#include "base/fault.h"
#include "cli/settings.h"

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stddef.h>

struct client;
struct text;

struct client_call {
    const char *method;       /* GET, POST, PUT, DELETE; lent */
    const char *path;         /* "/v1/..." with its query, escaped; lent */
    struct json_object *body; /* lent; NULL = none */
    const char *if_match;     /* ETag; NULL = none */
    const char *key;          /* Idempotency-Key of a POST; NULL = a new one */
    bool no_key;              /* send none */
};

struct client_answer {
    long http;  /* status */
    char *body; /* owned, NUL-terminated; the bytes as they came */
    size_t length;
    struct json_object *json; /* owned; NULL if the body is not JSON */
    char etag[256];
    char key[64]; /* the Idempotency-Key that was sent; "" = none */
};

/* Makes a client for `settings` (copied). NO_MEMORY or INTERNAL. */
enum status client_new(const struct settings *settings, struct client **out, struct fault *fault) MUST_CHECK;
void client_free(struct client *client); /* NULL is fine */

/* Sends `call`. OK: the server answered, whatever it said; *answer is then the caller's to free with
   client_answer_free(). A GET that finds the server away or is answered with 429, 502, 503 or 504 is tried
   three times in all, a little later each time; nothing else is repeated. PEER: no answer (detail says why,
   next step what to look at); NO_MEMORY, TOO_LARGE (over 32 MiB). *answer is then empty but for `key`. */
enum status client_send(struct client *client, const struct client_call *call, struct client_answer *answer,
                        struct fault *fault) MUST_CHECK;
void client_answer_free(struct client_answer *answer);

/* Appends "/segment" with everything escaped that is not a letter, digit, '.', '_', '-' or '~'. */
void client_path(struct text *path, const char *segment);
/* Appends "?name=value" or "&name=value", escaped. */
void client_query(struct text *path, const char *name, const char *value);
