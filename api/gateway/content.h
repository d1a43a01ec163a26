/* Content of artifact versions, kept in memory: it never changes, so that what was read once need not be read
 * again. */
#pragma once

#include "base/digest.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

struct MHD_Response;
struct content_cache;

/* Keeps the most recently used ones, up to `maximum` bytes. NULL on no memory. */
struct content_cache *content_cache_new(size_t maximum);
void content_cache_free(struct content_cache *cache); /* NULL is fine */
/* Calls `use` with the prepared response, and returns true, if the content is known. Any thread; `use` is
   called under a lock and must be short. */
bool content_cache_use(struct content_cache *cache, const struct digest *digest,
                       void (*use)(void *argument, struct MHD_Response *response), void *argument);
/* Keeps `content`, which is empty afterwards also on failure. NO_MEMORY. Any thread. */
enum status content_cache_keep(struct content_cache *cache, const struct digest *digest, bool json,
                               struct text *content) MUST_CHECK;
