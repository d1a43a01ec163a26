/* Who calls: bearer tokens, and what is remembered of them. */
#pragma once

#include "base/clock.h"
#include "base/digest.h"
#include "store/tokens.h"

#include <pthread.h>

enum { AUTH_SLOTS = 256, AUTH_REMEMBER_MS = 5000 };

/* Tokens that were found lately, by the digest of their secret. A digest has one place; a newer one takes it.
 */
struct auth_cache {
    pthread_mutex_t mutex;
    struct auth_entry {
        bool used;
        struct digest secret;
        struct token token;
        struct mono_time found;
    } entry[AUTH_SLOTS];
};

void auth_cache_init(struct auth_cache *cache);
void auth_cache_free(struct auth_cache *cache);
/* False if the token is not known, or was found too long ago. Any thread, like the others. */
bool auth_cache_find(struct auth_cache *cache, const struct digest *secret, struct token *out);
void auth_cache_put(struct auth_cache *cache, const struct digest *secret, const struct token *token);
/* Forgets the token with this id: it was revoked. */
void auth_cache_forget(struct auth_cache *cache, const char *id);
