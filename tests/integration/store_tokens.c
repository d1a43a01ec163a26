/* Tokens, webhooks and kept answers in the store. */
#include "store/idempotency.h"
#include "store/tokens.h"
#include "store/webhooks.h"
#include "support/database.h"

#include <criterion/criterion.h>
#include <string.h>

static struct database database;

static void make(void)
{
    database_make_migrated(&database);
}

static void drop(void)
{
    database_drop(&database);
}

TestSuite(store_tokens, .init = make, .fini = drop, .timeout = 60);

Test(store_tokens, a_secret_is_random_and_only_its_digest_is_stored)
{
    struct fault fault = {.detail = ""};
    char id[ID_MAX], secret[TOKEN_SECRET_MAX], other[TOKEN_SECRET_MAX];
    struct token token;
    bool found = false;
    cr_assert_eq(tokens_create(database.db, "ci", ROLE_ENGINEER, "anna", id, secret, &fault), STATUS_OK);
    cr_assert_eq(strlen(secret), 46);
    cr_assert_eq(strncmp(secret, "serin_", 6), 0);
    cr_assert_eq(strspn(secret + 6, "abcdefghijklmnopqrstuvwxyz234567"), 40);
    cr_assert_eq(tokens_create(database.db, "cd", ROLE_ADMIN, "anna", id, other, &fault), STATUS_OK);
    cr_assert_str_neq(secret, other);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM tokens t WHERE t::text LIKE '%serin_%'"),
                 0);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM events WHERE body LIKE '%serin_%'"), 0);
    struct digest digest = digest_sha256(secret, strlen(secret));
    cr_assert_eq(tokens_find(database.db, &digest, &token, &found, &fault), STATUS_OK);
    cr_assert(found);
    cr_assert_str_eq(token.name, "ci");
    cr_assert_eq(token.role, ROLE_ENGINEER);
    digest.bytes[0] ^= 1;
    cr_assert_eq(tokens_find(database.db, &digest, &token, &found, &fault), STATUS_OK);
    cr_assert(!found);
}

Test(store_tokens, revoked_is_gone_for_good)
{
    struct fault fault = {.detail = ""};
    char id[ID_MAX], second[ID_MAX], secret[TOKEN_SECRET_MAX];
    struct token token;
    bool found = true, any = true;
    cr_assert_eq(tokens_any_admin(database.db, &any, &fault), STATUS_OK);
    cr_assert(!any);
    cr_assert_eq(
        tokens_create_with(database.db, "root", ROLE_ADMIN, "serin", "a-secret-of-my-own", id, &fault),
        STATUS_OK);
    cr_assert_eq(tokens_any_admin(database.db, &any, &fault), STATUS_OK);
    cr_assert(any);
    cr_assert_eq(tokens_create(database.db, "root", ROLE_ADMIN, "anna", second, secret, &fault),
                 STATUS_CONFLICT);
    cr_assert_neq(fault.next_step[0], '\0');
    cr_assert_eq(tokens_revoke(database.db, id, "anna", &fault), STATUS_OK);
    cr_assert_eq(tokens_revoke(database.db, id, "anna", &fault), STATUS_OK);
    cr_assert_eq(tokens_revoke(database.db, "tk_none", "anna", &fault), STATUS_NOT_FOUND);
    struct digest digest = digest_sha256("a-secret-of-my-own", 18);
    cr_assert_eq(tokens_find(database.db, &digest, &token, &found, &fault), STATUS_OK);
    cr_assert(!found);
    cr_assert_eq(tokens_create(database.db, "root", ROLE_ADMIN, "anna", second, secret, &fault), STATUS_OK);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM events WHERE type = 'token.revoked'"), 1);
}

Test(store_tokens, lists_never_show_a_secret)
{
    struct fault fault = {.detail = ""};
    struct page page;
    char id[ID_MAX], secret[WEBHOOK_SECRET_MAX];
    cr_assert_eq(tokens_create(database.db, "a", ROLE_VIEWER, "anna", id, secret, &fault), STATUS_OK);
    page_init(&page, "", 10);
    cr_assert_eq(tokens_list(database.db, &page, &fault), STATUS_OK);
    cr_assert_eq(page.count, 1);
    cr_assert_null(strstr(text_get(&page.items), "secret"));
    page_free(&page);
    cr_assert_eq(webhooks_create(database.db, "https://example.org/", NULL, "anna", id, secret, &fault),
                 STATUS_OK);
    page_init(&page, "", 10);
    cr_assert_eq(webhooks_list(database.db, &page, &fault), STATUS_OK);
    cr_assert_eq(page.count, 1);
    cr_assert_null(strstr(text_get(&page.items), "whsec_"));
    page_free(&page);
}

Test(store_tokens, webhooks_are_owed_events_until_they_are_deleted)
{
    struct fault fault = {.detail = ""};
    struct text out;
    char id[ID_MAX], one[ID_MAX], secret[WEBHOOK_SECRET_MAX], token[TOKEN_SECRET_MAX];
    text_init(&out, 1 << 16);
    cr_assert_eq(webhooks_create(database.db, "https://example.org/", "none", "anna", id, secret, &fault),
                 STATUS_NOT_FOUND);
    database_do(database.db, "INSERT INTO services (name) VALUES ('chat')");
    cr_assert_eq(
        webhooks_create(database.db, "https://example.org/chat", "chat", "anna", one, secret, &fault),
        STATUS_OK);
    cr_assert_eq(webhooks_create(database.db, "https://example.org/", NULL, "anna", id, secret, &fault),
                 STATUS_OK);
    cr_assert_eq(strncmp(secret, "whsec_", 6), 0);
    cr_assert_eq(strlen(secret), 6 + 44);
    cr_assert_eq(tokens_create(database.db, "t", ROLE_VIEWER, "anna", one, token, &fault), STATUS_OK);
    cr_assert_eq(webhooks_get(database.db, id, &out, &fault), STATUS_OK);
    cr_assert_not_null(strstr(text_get(&out), "\"pending\" : 2"), "its own making, and the token: %s",
                       text_get(&out));
    cr_assert_eq(webhooks_delete(database.db, id, "anna", &fault), STATUS_OK);
    cr_assert_eq(webhooks_delete(database.db, id, "anna", &fault), STATUS_OK);
    cr_assert_eq(webhooks_delete(database.db, "wh_none", "anna", &fault), STATUS_NOT_FOUND);
    text_clear(&out);
    cr_assert_eq(webhooks_get(database.db, id, &out, &fault), STATUS_OK);
    cr_assert_not_null(strstr(text_get(&out), "\"pending\" : 0"));
    cr_assert_null(strstr(text_get(&out), "\"disabled_at\" : null"));
    cr_assert_eq(tokens_create(database.db, "u", ROLE_VIEWER, "anna", one, token, &fault), STATUS_OK);
    text_clear(&out);
    cr_assert_eq(webhooks_get(database.db, id, &out, &fault), STATUS_OK);
    cr_assert_not_null(strstr(text_get(&out), "\"pending\" : 0"), "nothing new is owed");
    text_free(&out);
}

/* --- kept answers
 * ------------------------------------------------------------------------------------------------- */

static enum status begin(struct db *db, const char *key, const char *request,
                         struct idempotent_answer *answer)
{
    struct fault fault = {.detail = ""};
    struct digest digest = digest_sha256(request, strlen(request));
    idempotency_answer_init(answer);
    enum status status = idempotency_begin(db, "tk_1", key, &digest, answer, &fault);
    cr_assert(status == STATUS_OK || fault.next_step[0] != '\0');
    return status;
}

static void keep(struct db *db, const char *key, const char *request, const char *body)
{
    struct fault fault = {.detail = ""};
    struct idempotent_answer answer;
    struct digest digest = digest_sha256(request, strlen(request));
    idempotency_answer_init(&answer);
    answer.http_status = 201;
    text_puts(&answer.body, body);
    memcpy(answer.etag, "\"v1\"", 5);
    cr_assert_eq(idempotency_store(db, "tk_1", key, &digest, &answer, &fault), STATUS_OK, "%s", fault.detail);
    idempotency_answer_free(&answer);
}

Test(store_tokens, the_same_key_gives_the_same_answer)
{
    struct fault fault;
    struct idempotent_answer answer;
    cr_assert_eq(db_begin(database.db, &fault), STATUS_OK);
    cr_assert_eq(begin(database.db, "k", "request", &answer), STATUS_OK);
    cr_assert_eq(answer.http_status, 0);
    keep(database.db, "k", "request", "{\"a\":1}");
    cr_assert_eq(db_commit(database.db, &fault), STATUS_OK);
    cr_assert_eq(begin(database.db, "k", "request", &answer), STATUS_OK);
    cr_assert_eq(answer.http_status, 201);
    cr_assert_str_eq(text_get(&answer.body), "{\"a\":1}");
    cr_assert_str_eq(answer.etag, "\"v1\"");
    idempotency_answer_free(&answer);
    cr_assert_eq(begin(database.db, "k", "another", &answer), STATUS_KEY_REUSED);
    cr_assert_eq(begin(database.db, "other", "another", &answer), STATUS_OK);
    cr_assert_eq(answer.http_status, 0);
}

Test(store_tokens, a_rolled_back_answer_was_never_given)
{
    struct fault fault;
    struct idempotent_answer answer;
    cr_assert_eq(db_begin(database.db, &fault), STATUS_OK);
    cr_assert_eq(begin(database.db, "k", "request", &answer), STATUS_OK);
    keep(database.db, "k", "request", "{}");
    db_rollback(database.db);
    cr_assert_eq(begin(database.db, "k", "another", &answer), STATUS_OK);
    cr_assert_eq(answer.http_status, 0);
}

Test(store_tokens, two_at_once_are_told_apart)
{
    struct fault fault;
    struct idempotent_answer answer;
    struct db *other = database_connect(&database);
    cr_assert_eq(db_begin(database.db, &fault), STATUS_OK);
    cr_assert_eq(begin(database.db, "k", "request", &answer), STATUS_OK);
    cr_assert_eq(db_begin(other, &fault), STATUS_OK);
    cr_assert_eq(begin(other, "k", "request", &answer), STATUS_IN_PROGRESS);
    cr_assert_eq(begin(other, "k2", "request", &answer), STATUS_OK, "another key is free");
    db_rollback(other);
    keep(database.db, "k", "request", "{}");
    cr_assert_eq(db_commit(database.db, &fault), STATUS_OK);
    cr_assert_eq(begin(other, "k", "request", &answer), STATUS_OK);
    cr_assert_eq(answer.http_status, 201);
    idempotency_answer_free(&answer);
    db_close(other);
}

Test(store_tokens, after_a_day_a_key_is_free)
{
    struct idempotent_answer answer;
    keep(database.db, "k", "request", "{\"old\":1}");
    database_do(database.db, "UPDATE idempotency_keys SET at = at - interval '25 hours'");
    cr_assert_eq(begin(database.db, "k", "another", &answer), STATUS_OK);
    cr_assert_eq(answer.http_status, 0);
    keep(database.db, "k", "another", "{\"new\":1}");
    cr_assert_eq(begin(database.db, "k", "another", &answer), STATUS_OK);
    cr_assert_str_eq(text_get(&answer.body), "{\"new\":1}");
    idempotency_answer_free(&answer);
}
