/* Fuzz target: a header value. Its tags are well-formed, match themselves, and bearer tokens and cursors read
   from the same bytes keep their bounds. SEES: base http */
#include "http/bearer.h"
#include "http/etag.h"
#include "http/paging.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good) {
        abort();
    }
}

static void try_etags(const char *header)
{
    struct http_etags tags;
    struct fault fault = {0};
    if (http_etags_parse(header, &tags, &fault) != STATUS_OK) {
        check(fault.status == STATUS_MALFORMED);
        return;
    }
    check(tags.any ? tags.count == 0 : tags.count > 0 && tags.count <= HTTP_ETAGS_MAX);
    for (size_t i = 0; i < tags.count; i++) {
        char *one = strndup(tags.tag[i].opaque, tags.tag[i].length);
        check(one != NULL && http_etag_valid(one));
        check(http_etags_match_weak(&tags, one));
        check(tags.tag[i].weak || http_etags_match_strong(&tags, one));
        free(one);
    }
}

static void try_cursor(const char *text)
{
    char plain[HTTP_CURSOR_MAX + 1], again[HTTP_CURSOR_ENCODED];
    if (http_cursor_decode(text, plain)) {
        check(strcmp(http_cursor_encode(plain, again), text) == 0);
    }
}

static void try_bearer(const char *header)
{
    const char *token = NULL;
    size_t length = 0;
    if (http_bearer(header, &token, &length, NULL) == STATUS_OK) {
        check(length > 0 && length <= HTTP_TOKEN_MAX && token + length == header + strlen(header));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    check(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    try_etags(text);
    try_cursor(text);
    try_bearer(text);
    free(text);
    return 0;
}
