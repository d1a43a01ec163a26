/* The query of a request: pairs of name and value, decoded once, each name at most once. */
#pragma once

#include "base/fault.h"

#include <stddef.h>

enum { HTTP_QUERY_MAX = 32 };

struct http_pair {
    const char *name, *value;
};

struct http_query {
    char *storage; /* owned */
    size_t count;
    struct http_pair pair[HTTP_QUERY_MAX];
};

/* Reads what follows the question mark (NULL or "": an empty query). MALFORMED if an escape is broken, a name
   comes twice or there are more than HTTP_QUERY_MAX; NO_MEMORY. On failure there is nothing to free. */
enum status http_query_parse(struct http_query *query, const char *raw, struct fault *fault) MUST_CHECK;
void http_query_free(struct http_query *query);
