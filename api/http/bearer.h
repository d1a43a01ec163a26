/* The bearer token of a request (RFC 6750). Pure. */
#pragma once

#include "base/fault.h"

#include <stddef.h>

enum { HTTP_TOKEN_MAX = 512 };

/* Finds the token in an Authorization header (NULL: absent). OK, with *token lent from the header and *length
   1 to HTTP_TOKEN_MAX; else UNAUTHENTICATED. The fault never repeats what was sent. */
enum status http_bearer(const char *authorization, const char **token, size_t *length,
                        struct fault *fault) MUST_CHECK;
