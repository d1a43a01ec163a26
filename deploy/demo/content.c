/* The content of artifact versions, by digest. */
#include "demo/content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTENT_MAX = 4 << 20, TIMEOUT_MS = 3000 };

enum status content_init(struct content *content)
{
    *content = (struct content){0};
    return call_init(&content->call, CONTENT_MAX);
}

void content_free(struct content *content)
{
    for (size_t i = 0; i < content->count; i++) {
        free(content->entry[i].data);
    }
    free(content->entry);
    call_free(&content->call);
    *content = (struct content){0};
}

const struct content_entry *content_find(const struct content *content, const char *digest)
{
    for (size_t i = 0; i < content->count; i++) {
        if (strcmp(content->entry[i].digest, digest) == 0) {
            return &content->entry[i];
        }
    }
    return NULL;
}

static bool keep(struct content *content, const char *digest)
{
    if (content->count == content->capacity) {
        size_t capacity = content->capacity > 0 ? content->capacity * 2 : 32;
        struct content_entry *more = realloc(content->entry, capacity * sizeof *more);
        if (more == NULL) {
            return false;
        }
        content->entry = more;
        content->capacity = capacity;
    }
    struct content_entry *entry = &content->entry[content->count];
    entry->length = content->call.body.length;
    entry->data = text_take(&content->call.body);
    snprintf(entry->digest, sizeof entry->digest, "%s", digest);
    content->count += entry->data != NULL;
    return entry->data != NULL;
}

static bool fetch(struct content *content, const struct connection *connection, const char *digest,
                  char why[512])
{
    char path[96], reason[400], hex[DIGEST_HEX];
    struct call *call = &content->call;
    snprintf(path, sizeof path, "/v1/content/%s", digest);
    call_prepare(call, connection, connection->url, path, TIMEOUT_MS);
    call_ready(call);
    CURLcode result = curl_easy_perform(call->handle);
    if (call_status(call, result) != 200) {
        call_reason(call, result, reason, sizeof reason);
        snprintf(why, 512, "content %.12s: %s", digest, reason);
        return false;
    }
    struct digest found = digest_sha256(text_get(&call->body), call->body.length);
    if (strcmp(digest_hex(&found, hex), digest) != 0) {
        snprintf(why, 512, "content %.12s: its SHA-256 is another, %.12s", digest, hex);
        return false;
    }
    if (!keep(content, digest)) {
        snprintf(why, 512, "out of memory");
        return false;
    }
    return true;
}

bool content_have(struct content *content, const struct connection *connection,
                  const struct route_release *release, char why[512])
{
    for (size_t i = 0; i < release->artifacts; i++) {
        if (content_find(content, release->digest[i]) == NULL &&
            !fetch(content, connection, release->digest[i], why)) {
            return false;
        }
    }
    return true;
}
