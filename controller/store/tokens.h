/* Bearer tokens. Only the SHA-256 of a secret is stored; with 200 random bits it needs no salt. */
#pragma once

#include "base/id.h"
#include "store/page.h"

/* In order of what they may do. */
enum token_role { ROLE_VIEWER, ROLE_GATEWAY, ROLE_ENGINEER, ROLE_ONCALL, ROLE_ADMIN, ROLE_COUNT };
const char *token_role_name(enum token_role role); /* "viewer"; static */
bool token_role_parse(const char *text, enum token_role *out);

enum { TOKEN_SECRET_MAX = 48 /* "serin_", 40 digits of base32, NUL */ };

struct token {
    char id[ID_MAX], name[NAME_MAX_LENGTH + 1];
    enum token_role role;
};

/* Makes a token, with its event. `name` is valid and unique among the tokens that are not revoked (else
   CONFLICT). `secret` is known to the caller alone afterwards. The caller's transaction. */
enum status tokens_create(struct db *db, const char *name, enum token_role role, const char *actor,
                          char id[ID_MAX], char secret[TOKEN_SECRET_MAX], struct fault *fault) MUST_CHECK;
/* Stores a secret that the caller chose (at start-up), 16 to 200 bytes. Else as tokens_create(). */
enum status tokens_create_with(struct db *db, const char *name, enum token_role role, const char *actor,
                               const char *secret, char id[ID_MAX], struct fault *fault) MUST_CHECK;
/* Revokes it for good, with an event; twice is OK. NOT_FOUND. The caller's transaction. */
enum status tokens_revoke(struct db *db, const char *id, const char *actor, struct fault *fault) MUST_CHECK;
/* The token whose secret has this digest. *found is false if there is none, or it was revoked. */
enum status tokens_find(struct db *db, const struct digest *secret, struct token *out, bool *found,
                        struct fault *fault) MUST_CHECK;
/* Whether there is an admin token that is not revoked. */
enum status tokens_any_admin(struct db *db, bool *out, struct fault *fault) MUST_CHECK;

/* Appends one token (schema Token) to `out`. NOT_FOUND. */
enum status tokens_get(struct db *db, const char *id, struct text *out, struct fault *fault) MUST_CHECK;
/* All tokens, newest first. */
enum status tokens_list(struct db *db, struct page *page, struct fault *fault) MUST_CHECK;
