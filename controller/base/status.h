/* Status codes: the one table of everything that can go wrong, in C, in HTTP and in problem+json. */
#pragma once

/* X(name, HTTP status, problem type slug, title, may the same call succeed if it is repeated?) */
#define STATUS_TABLE(X)                                                                                      \
    X(OK, 200, "ok", "Done", 0)                                                                              \
    X(MALFORMED, 400, "malformed", "The request could not be read", 0)                                       \
    X(UNAUTHENTICATED, 401, "unauthenticated", "No valid token", 0)                                          \
    X(FORBIDDEN, 403, "forbidden", "The token's role does not allow this", 0)                                \
    X(NOT_FOUND, 404, "not-found", "There is no such thing", 0)                                              \
    X(METHOD, 405, "method-not-allowed", "This path does not take this method", 0)                           \
    X(CONFLICT, 409, "conflict", "The present state does not allow this", 0)                                 \
    X(IN_PROGRESS, 409, "in-progress", "The same request is being worked on", 1)                             \
    X(NO_GATEWAY, 409, "no-gateway", "No gateway is heard that would apply it", 1)                           \
    X(STALE_VERSION, 412, "stale-version", "It has changed since you read it", 0)                            \
    X(TOO_LARGE, 413, "too-large", "The content is too large", 0)                                            \
    X(MEDIA_TYPE, 415, "unsupported-media-type", "The content type is not supported", 0)                     \
    X(INVALID, 422, "invalid", "The content breaks a rule", 0)                                               \
    X(KEY_REUSED, 422, "idempotency-key-reused", "This Idempotency-Key was used for another request", 0)     \
    X(TOO_MANY, 429, "too-many-requests", "Too much at once", 1)                                             \
    X(INTERNAL, 500, "internal", "Serin has a fault", 0)                                                     \
    X(NO_MEMORY, 500, "no-memory", "Out of memory", 1)                                                       \
    X(PEER, 502, "peer", "A service that Serin asked did not answer as it should", 1)                        \
    X(DATABASE, 503, "database", "The database did not answer", 1)                                           \
    X(UNAVAILABLE, 503, "unavailable", "Not ready", 1)                                                       \
    X(TIMEOUT, 504, "timeout", "It took too long", 1)                                                        \
    X(SUPERSEDED, 503, "superseded", "Another replica has taken over this work", 1)

enum status {
#define X(name, http, slug, title, retry) STATUS_##name,
    STATUS_TABLE(X)
#undef X
        STATUS_COUNT
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* HTTP status code of `status`. Any thread. */
int status_http(enum status status);
/* Slug of the problem type, as in `type: https://serin.dev/problems/<slug>`. Static string. */
const char *status_slug(enum status status);
/* Short title for people. Static string. */
const char *status_title(enum status status);
/* 1 if the same call may succeed when it is repeated, else 0. */
int status_retryable(enum status status);
