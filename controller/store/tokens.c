/* Bearer tokens. */
#include "store/tokens.h"

#include "store/note.h"

#include "tokens.sql.h"

#include <stdio.h>
#include <string.h>

static const char *const roles[ROLE_COUNT] = {"viewer", "gateway", "engineer", "oncall", "admin"};

const char *token_role_name(enum token_role role)
{
    return roles[role];
}

bool token_role_parse(const char *text, enum token_role *out)
{
    for (int i = 0; i < ROLE_COUNT; i++) {
        if (strcmp(text, roles[i]) == 0) {
            *out = (enum token_role)i;
            return true;
        }
    }
    return false;
}

/* 40 digits of base32 from 25 random bytes: every digit has 5 bits of its own. */
static void make_secret(char out[TOKEN_SECRET_MAX])
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char random[25];
    digest_random(random, sizeof random);
    memcpy(out, "serin_", 6);
    for (size_t i = 0; i < 40; i++) {
        size_t bit = i * 5;
        unsigned value =
            (unsigned)random[bit / 8] << 8 | (bit / 8 + 1 < sizeof random ? random[bit / 8 + 1] : 0u);
        out[6 + i] = digits[value >> (11 - bit % 8) & 31];
    }
    out[46] = '\0';
}

static enum status no_token(const char *id, struct fault *fault)
{
    fault_set(fault, STATUS_NOT_FOUND, "There is no token %.64s", id);
    fault_next(fault, "List them with 'serin token list' (GET /v1/tokens); a token is named by its id.");
    return STATUS_NOT_FOUND;
}

enum status tokens_create_with(struct db *db, const char *name, enum token_role role, const char *actor,
                               const char *secret, char id[ID_MAX], struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct digest digest = digest_sha256(secret, strlen(secret));
    id_new("tk", id);
    db_text(&params, id);
    db_text(&params, name);
    db_text(&params, roles[role]);
    db_bytes(&params, digest.bytes, sizeof digest.bytes);
    enum status status = db_run(db, &sql_token_insert, &params, NULL, fault);
    if (status == STATUS_CONFLICT) {
        fault_set(fault, status, "There is a token %s already", name);
        fault_next(fault,
                   "Take another name, or revoke the old token first: 'serin token revoke ID' (DELETE "
                   "/v1/tokens/{id}).");
    }
    if (status != STATUS_OK)
        return status;
    return note_append(db, &(struct event){.type = "token.created", .actor = actor, .reason = ""},
                       (const struct note_field[]){{"id", NOTE_TEXT, id, 0},
                                                   {"name", NOTE_TEXT, name, 0},
                                                   {"role", NOTE_TEXT, roles[role], 0},
                                                   {NULL, NOTE_TEXT, NULL, 0}},
                       fault);
}

enum status tokens_create(struct db *db, const char *name, enum token_role role, const char *actor,
                          char id[ID_MAX], char secret[TOKEN_SECRET_MAX], struct fault *fault)
{
    make_secret(secret);
    return tokens_create_with(db, name, role, actor, secret, id, fault);
}

enum status tokens_revoke(struct db *db, const char *id, const char *actor, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    struct text ignored;
    db_text(&params, id);
    enum status status = db_run(db, &sql_token_revoke, &params, &rows, fault);
    if (status != STATUS_OK)
        return status;
    if (db_rows_count(rows) > 0) {
        status = note_append(db, &(struct event){.type = "token.revoked", .actor = actor, .reason = ""},
                             (const struct note_field[]){{"id", NOTE_TEXT, id, 0},
                                                         {"name", NOTE_TEXT, db_get_text(rows, 0, 0), 0},
                                                         {"role", NOTE_TEXT, db_get_text(rows, 0, 1), 0},
                                                         {NULL, NOTE_TEXT, NULL, 0}},
                             fault);
    } else {
        text_init(&ignored, 4096);
        status = tokens_get(db, id, &ignored, fault); /* NOT_FOUND, unless it was revoked before */
        text_free(&ignored);
    }
    db_rows_free(rows);
    return status;
}

enum status tokens_find(struct db *db, const struct digest *secret, struct token *out, bool *found,
                        struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    *found = false;
    db_bytes(&params, secret->bytes, sizeof secret->bytes);
    enum status status = db_run(db, &sql_token_find, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) > 0) {
        snprintf(out->id, sizeof out->id, "%s", db_get_text(rows, 0, 0));
        snprintf(out->name, sizeof out->name, "%s", db_get_text(rows, 0, 1));
        *found = token_role_parse(db_get_text(rows, 0, 2), &out->role);
    }
    db_rows_free(rows);
    return status;
}

enum status tokens_any_admin(struct db *db, bool *out, struct fault *fault)
{
    struct db_rows *rows = NULL;
    *out = false;
    enum status status = db_run(db, &sql_token_any, DB_NO_PARAMS, &rows, fault);
    if (status == STATUS_OK)
        *out = db_get_bool(rows, 0, 0);
    db_rows_free(rows);
    return status;
}

enum status tokens_get(struct db *db, const char *id, struct text *out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, id);
    db_null(&params);
    db_integer(&params, 1);
    enum status status = db_run(db, &sql_token_list, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 0)
        status = no_token(id, fault);
    else if (status == STATUS_OK)
        text_puts(out, db_get_text(rows, 0, 0));
    db_rows_free(rows);
    return status;
}

enum status tokens_list(struct db *db, struct page *page, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_null(&params);
    return page_read(db, &sql_token_list, &params, PAGE_KEY_TEXT, page, fault);
}
