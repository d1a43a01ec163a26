/* What every call to Serin's gateway port needs, and one such call as a libcurl handle that is used again and
 * again. */
#pragma once

#include "base/text.h"

#include <curl/curl.h>
#include <stdbool.h>

struct connection {
    char url[256];         /* of the gateway port, without a slash at the end */
    char control_url[256]; /* "" = not given */
    char token[256];
    char instance[64];
};

struct call {
    CURL *handle;
    struct curl_slist *headers;
    struct text body; /* of the answer */
    char error[CURL_ERROR_SIZE];
};

/* `answer_max` bounds the body of an answer. NO_MEMORY on failure; call_free() is fine then too. */
enum status call_init(struct call *call, size_t answer_max) MUST_CHECK;
void call_free(struct call *call);
/* Makes the call ready for `path` under `base`: clears the answer, sets the token and the gateway's name.
   Other headers follow with call_header(), then call_ready(). */
void call_prepare(struct call *call, const struct connection *connection, const char *base, const char *path,
                  long timeout_ms);
void call_header(struct call *call, const char *name, const char *value);
void call_ready(struct call *call);
/* HTTP status of the finished call, 0 if there was no answer. */
long call_status(const struct call *call, CURLcode result);
/* A header of the answer into `out` (cut at the size), "" if it is absent. */
void call_answer_header(const struct call *call, const char *name, char *out, size_t size);
/* The reason of a failure in words: libcurl's, or the problem's detail. */
void call_reason(const struct call *call, CURLcode result, char *out, size_t size);
/* Milliseconds to wait before attempt `attempt` (1 = the first repetition): doubling from `first_ms`, at most
   2 s, a random part of half, so that many gateways do not come back at once. */
long call_pause_ms(unsigned attempt, long first_ms);
