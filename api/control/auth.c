/* Who calls: bearer tokens, and what is remembered of them. */
#include "control/auth.h"

#include "control/call.h"
#include "control/control.h"
#include "http/bearer.h"

#include <stdlib.h>
#include <string.h>

void auth_cache_init(struct auth_cache *cache)
{
    memset(cache, 0, sizeof *cache);
    pthread_mutex_init(&cache->mutex, NULL);
}

void auth_cache_free(struct auth_cache *cache)
{
    pthread_mutex_destroy(&cache->mutex);
}

static struct auth_entry *place_of(struct auth_cache *cache, const struct digest *secret)
{
    return &cache->entry[secret->bytes[0] % AUTH_SLOTS];
}

bool auth_cache_find(struct auth_cache *cache, const struct digest *secret, struct token *out)
{
    pthread_mutex_lock(&cache->mutex);
    const struct auth_entry *entry = place_of(cache, secret);
    bool found = entry->used && digest_equal(&entry->secret, secret) &&
                 clock_mono_since_ms(entry->found) < AUTH_REMEMBER_MS;
    if (found)
        *out = entry->token;
    pthread_mutex_unlock(&cache->mutex);
    return found;
}

void auth_cache_put(struct auth_cache *cache, const struct digest *secret, const struct token *token)
{
    pthread_mutex_lock(&cache->mutex);
    *place_of(cache, secret) =
        (struct auth_entry){.used = true, .secret = *secret, .token = *token, .found = clock_mono()};
    pthread_mutex_unlock(&cache->mutex);
}

void auth_cache_forget(struct auth_cache *cache, const char *id)
{
    pthread_mutex_lock(&cache->mutex);
    for (size_t i = 0; i < AUTH_SLOTS; i++)
        if (cache->entry[i].used && strcmp(cache->entry[i].token.id, id) == 0)
            cache->entry[i].used = false;
    pthread_mutex_unlock(&cache->mutex);
}

static enum status look_up(struct control *control, const struct digest *secret, struct token *token,
                           struct fault *fault)
{
    struct db *db = NULL;
    bool found = false, again = true;
    enum status status = STATUS_OK;
    for (int i = 0; again && i < CALL_DEAD_MAX; i++) {
        status = db_pool_take(control->pool, CALL_TIMEOUT_MS, &db, fault);
        if (status == STATUS_OK)
            status = tokens_find(db, secret, token, &found, fault);
        again = call_died(status, db);
        db_pool_give(control->pool, db);
    }
    if (status == STATUS_OK && !found) {
        status = fault_set(fault, STATUS_UNAUTHENTICATED, "This token is not known, or was revoked");
        fault_next(fault,
                   "Ask an admin for a token ('serin token create'), and give it in SERIN_TOKEN, or as "
                   "Authorization: "
                   "Bearer.");
    }
    return status;
}

enum status control_authenticate(void *context, struct http_request *request, struct fault *fault)
{
    struct control *control = context;
    const char *text = NULL;
    size_t length = 0;
    enum status status = http_bearer(http_header(request, "Authorization"), &text, &length, fault);
    if (status != STATUS_OK)
        return status;
    struct digest secret = digest_sha256(text, length);
    struct token *token = calloc(1, sizeof *token);
    if (token == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    if (!auth_cache_find(&control->tokens, &secret, token)) {
        status = look_up(control, &secret, token, fault);
        if (status != STATUS_OK) {
            free(token);
            return status;
        }
        auth_cache_put(&control->tokens, &secret, token);
    }
    request->principal = token;
    request->role = (int)token->role;
    return STATUS_OK;
}

void control_release(void *context, void *principal)
{
    (void)context;
    free(principal);
}
