/* A list in order of use. It holds few and large things, so that it is searched from the front. */
#include "gateway/content.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    struct digest digest;
    size_t length;
    struct MHD_Response *response; /* owned; it outlives the entry while it is being sent */
};

struct content_cache {
    pthread_mutex_t lock;
    size_t bytes, maximum;
    struct entry *first; /* used last */
};

struct content_cache *content_cache_new(size_t maximum)
{
    struct content_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return NULL;
    cache->maximum = maximum;
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

static void entry_free(struct entry *entry)
{
    MHD_destroy_response(entry->response);
    free(entry);
}

void content_cache_free(struct content_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->first != NULL) {
        struct entry *entry = cache->first;
        cache->first = entry->next;
        entry_free(entry);
    }
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* Moves the entry to the front. NULL if it is not there. */
static struct entry *find(struct content_cache *cache, const struct digest *digest)
{
    for (struct entry **at = &cache->first; *at != NULL; at = &(*at)->next) {
        struct entry *entry = *at;
        if (memcmp(&entry->digest, digest, sizeof *digest) != 0)
            continue;
        *at = entry->next;
        entry->next = cache->first;
        cache->first = entry;
        return entry;
    }
    return NULL;
}

bool content_cache_use(struct content_cache *cache, const struct digest *digest,
                       void (*use)(void *argument, struct MHD_Response *response), void *argument)
{
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = find(cache, digest);
    if (entry != NULL)
        use(argument, entry->response);
    pthread_mutex_unlock(&cache->lock);
    return entry != NULL;
}

static struct MHD_Response *response_of(const struct digest *digest, bool json, char *bytes, size_t length)
{
    char hex[DIGEST_HEX], etag[DIGEST_HEX + 2];
    struct MHD_Response *response = MHD_create_response_from_buffer(length, bytes, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(bytes);
        return NULL;
    }
    snprintf(etag, sizeof etag, "\"%s\"", digest_hex(digest, hex));
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                json ? "application/json" : "text/plain; charset=utf-8") != MHD_YES ||
        MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, etag) != MHD_YES ||
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                "private, max-age=31536000, immutable") != MHD_YES) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

/* Drops what was used longest ago, but never the newest. */
static void shrink(struct content_cache *cache)
{
    size_t bytes = 0;
    for (struct entry **at = &cache->first; *at != NULL;) {
        struct entry *entry = *at;
        if (entry != cache->first && bytes + entry->length > cache->maximum) {
            *at = entry->next;
            entry_free(entry);
            continue;
        }
        bytes += entry->length;
        at = &entry->next;
    }
    cache->bytes = bytes;
}

enum status content_cache_keep(struct content_cache *cache, const struct digest *digest, bool json,
                               struct text *content)
{
    size_t length = content->length;
    char *bytes = text_take(content);
    struct entry *entry = calloc(1, sizeof *entry);
    if (bytes == NULL || entry == NULL) {
        free(bytes);
        free(entry);
        return STATUS_NO_MEMORY;
    }
    entry->digest = *digest;
    entry->length = length;
    entry->response = response_of(digest, json, bytes, length);
    if (entry->response == NULL) {
        free(entry);
        return STATUS_NO_MEMORY;
    }
    pthread_mutex_lock(&cache->lock);
    if (find(cache, digest) == NULL) {
        entry->next = cache->first;
        cache->first = entry;
        entry = NULL;
        shrink(cache);
    }
    pthread_mutex_unlock(&cache->lock);
    if (entry != NULL)
        entry_free(entry); /* two asked at once */
    return STATUS_OK;
}
