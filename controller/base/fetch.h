/* One HTTP request out, straight-line: for lane jobs that ask Prometheus or send a webhook. Bounded in time
   and memory whatever the other side does: connect and total timeouts, caps on body and headers, no
   redirects, no other schemes. */
#pragma once

#include "base/fault.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A reusable handle: keeps connections alive from one request to the next. One thread at a time. */
struct fetch;

struct fetch_request {
    const char *url; /* http:// or https://; a user and password in it become basic authentication */
    const char *const *headers; /* "Name: value", closed by NULL; NULL = none */
    const char *body;           /* NULL = GET, else POST of body_length bytes; lent until the call returns */
    size_t body_length;
    int64_t connect_ms; /* until connected, names and TLS included; 1 .. total_ms */
    int64_t total_ms;   /* until the last byte has come */
    size_t body_max;    /* a longer answer is a fault */
};

struct fetch_answer {
    int code;              /* HTTP status; 0 = none came */
    int64_t retry_after_s; /* of the header Retry-After; 0 = none */
    struct text body;      /* owned; any bytes */
};

/* `public_only`: refuses to connect to loopback, private, link-local and other addresses that are not of the
   public internet (checked on the address itself, after the name was resolved), and uses no proxy. Otherwise
   proxies are taken from the environment (http_proxy, https_proxy, no_proxy). NULL on no memory. */
struct fetch *fetch_new(bool public_only);
void fetch_free(struct fetch *fetch); /* NULL is fine */

/* Sends the request and reads the whole answer. OK for any HTTP status but 3xx; then `answer->body` is
   complete. A redirect, a refused or lost connection, a timeout, a body or headers beyond the caps, an
   unusable URL or header are PEER with a next step; NO_MEMORY. Faults name the host only: paths and headers
   may hold secrets. The caller frees the answer (fetch_answer_free) after success and after failure. */
enum status fetch_run(struct fetch *fetch, const struct fetch_request *request, struct fetch_answer *answer,
                      struct fault *fault) MUST_CHECK;
void fetch_answer_free(struct fetch_answer *answer);

/* Is this address (4 or 16 bytes, network order) one of the public internet? IPv4 inside IPv6 is judged as
 * IPv4. */
bool fetch_public_address(const uint8_t *address, size_t length);
