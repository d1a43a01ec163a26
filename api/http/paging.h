/* Paging: ?limit= and ?cursor=. A cursor is opaque to clients: base64url of a short text that only the list
   which made it reads. Pure. */
#pragma once

#include "http/message.h"

enum { HTTP_LIMIT_DEFAULT = 50, HTTP_LIMIT_MAX = 200, HTTP_CURSOR_MAX = 192 /* bytes of the plain text */ };
enum { HTTP_CURSOR_ENCODED = (HTTP_CURSOR_MAX + 2) / 3 * 4 + 1 };

struct http_page {
    int limit;
    char after[HTTP_CURSOR_MAX + 1]; /* plain text of the cursor; "": from the beginning */
};

/* Reads both from the query. A limit above HTTP_LIMIT_MAX is cut to it; INVALID if it is not a whole number
   from 1, or if the cursor is none of ours. */
enum status http_page_read(const struct http_request *request, struct http_page *page,
                           struct fault *fault) MUST_CHECK;
/* Writes the cursor of a text of 1 to HTTP_CURSOR_MAX bytes; "" for others. Returns `out`. */
char *http_cursor_encode(const char *plain, char out[HTTP_CURSOR_ENCODED]);
/* The other way. False if it is not a cursor: not base64url in its shortest form, empty, too long, or with a
 * NUL. */
bool http_cursor_decode(const char *cursor, char out[HTTP_CURSOR_MAX + 1]);
