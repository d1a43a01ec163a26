/* Tokens: hashed once a connection, then compared with what was verified on it, as long as the tokens are the
 * same. */
#include "gateway/auth.h"

#include "gateway/answer.h"
#include "gateway/connection.h"
#include "http/bearer.h"

#include <stdlib.h>
#include <string.h>

/* What was verified last. No larger than it must be: ten thousand connections may be parked. */
struct verified {
    uint64_t tokens_version;
    int role;
    uint32_t name_size;
    char text[]; /* name of the token, then the header, each with its NUL */
};

void auth_forget(struct connection *connection)
{
    free(connection->verified);
    connection->verified = NULL;
}

static enum status remember(struct connection *connection, uint64_t tokens_version,
                            const struct snapshot_token_entry *entry, const char *header, struct fault *fault)
{
    size_t name_size = strlen(entry->name) + 1, header_size = strlen(header) + 1;
    struct verified *verified =
        connection != NULL ? malloc(sizeof *verified + name_size + header_size) : NULL;
    if (verified == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    *verified = (struct verified){tokens_version, entry->role, (uint32_t)name_size};
    memcpy(verified->text, entry->name, name_size);
    memcpy(verified->text + name_size, header, header_size);
    auth_forget(connection);
    connection->verified = verified;
    return STATUS_OK;
}

static enum status unauthenticated(struct fault *fault)
{
    fault_set(fault, STATUS_UNAUTHENTICATED, "This token is not known, or was revoked");
    fault_next(fault, "Ask for a token of role gateway: POST /v1/tokens on the control port.");
    return STATUS_UNAUTHENTICATED;
}

static enum status allow(struct request *request, const struct verified *verified, struct fault *fault)
{
    if (verified->role < GATEWAY_ROLE) {
        fault_set(fault, STATUS_FORBIDDEN, "The role of token %s does not allow this", verified->text);
        fault_next(fault, "Use a token of role gateway.");
        return STATUS_FORBIDDEN;
    }
    request->caller = verified->text;
    return STATUS_OK;
}

enum status auth_check(struct request *request, struct fault *fault)
{
    const struct snapshot *snapshot = request->thread->snapshot;
    const char *header = request->fields.authorization, *token;
    struct connection *connection = connection_of(request->connection);
    size_t length;
    if (snapshot == NULL) {
        fault_set(fault, STATUS_UNAVAILABLE,
                  "Nothing is known yet: the database has not been reached since the start");
        fault_next(fault, "Try again in a second; keep to the weights you have.");
        return STATUS_UNAVAILABLE;
    }
    const struct verified *verified = connection != NULL ? connection->verified : NULL;
    if (verified != NULL && verified->tokens_version == snapshot->tokens_version && header != NULL &&
        strcmp(verified->text + verified->name_size, header) == 0)
        return allow(request, verified, fault);
    enum status status = http_bearer(header, &token, &length, fault);
    if (status != STATUS_OK)
        return status;
    struct digest secret = digest_sha256(token, length);
    const struct snapshot_token_entry *entry = snapshot_find_token(snapshot, &secret);
    if (entry == NULL)
        return unauthenticated(fault);
    status = remember(connection, snapshot->tokens_version, entry, header, fault);
    return status == STATUS_OK ? allow(request, connection->verified, fault) : status;
}
