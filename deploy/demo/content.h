/* The content of artifact versions (prompts, tools, models), fetched once by digest and held. It is
   immutable, so that a route may be applied as soon as all it needs is here, and a rollback needs nothing
   new. One thread. */
#pragma once

#include "demo/connection.h"
#include "demo/route.h"

struct content_entry {
    char digest[DIGEST_HEX];
    char *data; /* owned; not NULL */
    size_t length;
};

struct content {
    struct content_entry *entry; /* owned */
    size_t count, capacity;
    struct call call;
};

enum status content_init(struct content *content) MUST_CHECK;
void content_free(struct content *content);
/* Fetches what `release` names and is not here yet; blocks for at most some seconds. The answer's SHA-256
   must be the digest. On failure `why` says what is missing and why. */
bool content_have(struct content *content, const struct connection *connection,
                  const struct route_release *release, char why[512]);
/* The content, lent; NULL if it has not been fetched. */
const struct content_entry *content_find(const struct content *content, const char *digest);
