/* Tokens: hashed once a connection, then compared with what was verified on it, as long as the tokens are the
 * same. */
#include "gateway/auth.h"

#include "gateway/answer.h"
#include "http/bearer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = 256 };

struct verified {
    uint64_t tokens_version; /* 0 = nothing is remembered */
    int role;
    char name[NAME_MAX_LENGTH + 1];
    char header[HEADER_MAX];
};

void auth_notify_connection(void *argument, struct MHD_Connection *connection, void **socket_context,
                            enum MHD_ConnectionNotificationCode code)
{
    (void)argument;
    (void)connection;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = calloc(1, sizeof(struct verified)); /* NULL: nothing will be remembered */
    } else {
        free(*socket_context);
        *socket_context = NULL;
    }
}

static struct verified *remembered(const struct request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static enum status unauthenticated(struct fault *fault)
{
    fault_set(fault, STATUS_UNAUTHENTICATED, "This token is not known, or was revoked");
    fault_next(fault, "Ask for a token of role gateway: POST /v1/tokens on the control port.");
    return STATUS_UNAUTHENTICATED;
}

static enum status allow(struct request *request, int role, const char *name, struct fault *fault)
{
    if (role < GATEWAY_ROLE) {
        fault_set(fault, STATUS_FORBIDDEN, "The role of token %s does not allow this", name);
        fault_next(fault, "Use a token of role gateway.");
        return STATUS_FORBIDDEN;
    }
    snprintf(request->caller, sizeof request->caller, "%s", name);
    return STATUS_OK;
}

enum status auth_check(struct request *request, struct fault *fault)
{
    const struct snapshot *snapshot = request->thread->snapshot;
    const char *header = request_header(request, MHD_HTTP_HEADER_AUTHORIZATION);
    struct verified *verified = remembered(request);
    const char *token;
    size_t length;
    if (snapshot == NULL) {
        fault_set(fault, STATUS_UNAVAILABLE,
                  "Nothing is known yet: the database has not been reached since the start");
        fault_next(fault, "Try again in a second; keep to the weights you have.");
        return STATUS_UNAVAILABLE;
    }
    if (verified != NULL && verified->tokens_version == snapshot->tokens_version && header != NULL &&
        strcmp(verified->header, header) == 0)
        return allow(request, verified->role, verified->name, fault);
    enum status status = http_bearer(header, &token, &length, fault);
    if (status != STATUS_OK)
        return status;
    struct digest secret = digest_sha256(token, length);
    const struct snapshot_token_entry *entry = snapshot_find_token(snapshot, &secret);
    if (entry == NULL)
        return unauthenticated(fault);
    if (verified != NULL && strlen(header) < sizeof verified->header) {
        verified->tokens_version = snapshot->tokens_version;
        verified->role = entry->role;
        memcpy(verified->name, entry->name, sizeof verified->name);
        snprintf(verified->header, sizeof verified->header, "%s", header);
    }
    return allow(request, entry->role, entry->name, fault);
}
