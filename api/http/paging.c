/* Paging: limits and opaque cursors. */
#include "http/paging.h"

#include "base/digest.h"
#include "base/utf8.h"

#include <string.h>

char *http_cursor_encode(const char *plain, char out[HTTP_CURSOR_ENCODED])
{
    size_t length = strlen(plain);
    out[0] = '\0';
    if (length == 0 || length > HTTP_CURSOR_MAX) {
        return out;
    }
    digest_base64(plain, length, out, HTTP_CURSOR_ENCODED);
    out[strcspn(out, "=")] = '\0';
    for (char *at = out; *at != '\0'; at++) {
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    }
    return out;
}

bool http_cursor_decode(const char *cursor, char out[HTTP_CURSOR_MAX + 1])
{
    char standard[HTTP_CURSOR_ENCODED + 3];
    char plain[HTTP_CURSOR_MAX + 1];
    size_t length = strlen(cursor);
    size_t plain_length;
    if (length == 0 || length >= HTTP_CURSOR_ENCODED || strpbrk(cursor, "+/=") != NULL) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        standard[i] = (char)(cursor[i] == '-' ? '+' : cursor[i] == '_' ? '/' : cursor[i]);
    }
    while (length % 4 != 0) {
        standard[length++] = '=';
    }
    if (!digest_parse_base64(standard, length, (uint8_t *)plain, HTTP_CURSOR_MAX, &plain_length) ||
        memchr(plain, '\0', plain_length) != NULL || !utf8_valid(plain, plain_length)) {
        return false;
    }
    memcpy(out, plain, plain_length);
    out[plain_length] = '\0';
    return true;
}

/* A whole number from 1; what is above the maximum counts as the maximum. */
static bool read_limit(const char *text, int *out)
{
    int value = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        value = value * 10 + (*text - '0');
        value = value > HTTP_LIMIT_MAX ? HTTP_LIMIT_MAX : value;
    }
    *out = value;
    return value >= 1;
}

enum status http_page_read(const struct http_request *request, struct http_page *page, struct fault *fault)
{
    const char *limit = http_query(request, "limit");
    const char *cursor = http_query(request, "cursor");
    page->limit = HTTP_LIMIT_DEFAULT;
    page->after[0] = '\0';
    if (limit != NULL && !read_limit(limit, &page->limit)) {
        fault_set(fault, STATUS_INVALID, "limit must be a whole number from 1 to %d, is \"%.32s\"",
                  HTTP_LIMIT_MAX, limit);
        fault_next(fault, "Leave it out for %d entries a page.", HTTP_LIMIT_DEFAULT);
        return STATUS_INVALID;
    }
    if (cursor != NULL && !http_cursor_decode(cursor, page->after)) {
        fault_set(fault, STATUS_INVALID, "this cursor was not given out here");
        fault_next(fault, "Take the cursor from the page before, as it is, or leave it out to begin again.");
        return STATUS_INVALID;
    }
    return STATUS_OK;
}
