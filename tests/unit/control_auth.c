/* What is remembered of tokens. */
#include "control/auth.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(control_auth, .timeout = 10);

static struct auth_cache cache;

static struct token token_of(const char *id)
{
    struct token token = {.role = ROLE_ONCALL};
    strncpy(token.id, id, sizeof token.id - 1);
    return token;
}

Test(control_auth, found_while_fresh)
{
    struct token token = token_of("tk_1"), out;
    struct digest secret = digest_sha256("a", 1), other = digest_sha256("b", 1);
    auth_cache_init(&cache);
    cr_assert(!auth_cache_find(&cache, &secret, &out));
    auth_cache_put(&cache, &secret, &token);
    cr_assert(auth_cache_find(&cache, &secret, &out));
    cr_assert_str_eq(out.id, "tk_1");
    cr_assert_eq(out.role, ROLE_ONCALL);
    cr_assert(!auth_cache_find(&cache, &other, &out));
    cache.entry[secret.bytes[0]].found = clock_mono_after_ms(clock_mono(), -AUTH_REMEMBER_MS);
    cr_assert(!auth_cache_find(&cache, &secret, &out));
    auth_cache_free(&cache);
}

Test(control_auth, a_revoked_one_is_forgotten)
{
    struct token token = token_of("tk_1"), out;
    struct digest secret = digest_sha256("a", 1);
    auth_cache_init(&cache);
    auth_cache_put(&cache, &secret, &token);
    auth_cache_forget(&cache, "tk_2");
    cr_assert(auth_cache_find(&cache, &secret, &out));
    auth_cache_forget(&cache, "tk_1");
    cr_assert(!auth_cache_find(&cache, &secret, &out));
    auth_cache_free(&cache);
}

/* Two secrets that share a place: the newer takes it, neither is taken for the other. */
Test(control_auth, a_shared_place_confuses_nobody)
{
    struct token first = token_of("tk_1"), second = token_of("tk_2"), out;
    struct digest a = digest_sha256("a", 1), b = a;
    b.bytes[31] ^= 1;
    auth_cache_init(&cache);
    auth_cache_put(&cache, &a, &first);
    auth_cache_put(&cache, &b, &second);
    cr_assert(!auth_cache_find(&cache, &a, &out));
    cr_assert(auth_cache_find(&cache, &b, &out));
    cr_assert_str_eq(out.id, "tk_2");
    auth_cache_free(&cache);
}
