/* The bearer token of a request. */
#include "http/bearer.h"

#include <string.h>
#include <strings.h>

static enum status refuse(struct fault *fault, const char *why)
{
    fault_set(fault, STATUS_UNAUTHENTICATED, "%s", why);
    fault_next(fault, "Send the header \"Authorization: Bearer TOKEN\".");
    return STATUS_UNAUTHENTICATED;
}

enum status http_bearer(const char *authorization, const char **token, size_t *length, struct fault *fault)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
    if (authorization == NULL) {
        return refuse(fault, "there is no Authorization header");
    }
    if (strncasecmp(authorization, "Bearer", 6) != 0 || authorization[6] != ' ') {
        return refuse(fault, "the Authorization header is not of the kind Bearer");
    }
    const char *start = authorization + 6 + strspn(authorization + 6, " ");
    size_t count = strspn(start, allowed);
    size_t padding = strspn(start + count, "=");
    if (count == 0 || start[count + padding] != '\0') {
        return refuse(fault, "the bearer token is empty or holds a character that no token has");
    }
    if (count + padding > HTTP_TOKEN_MAX) {
        return refuse(fault, "the bearer token is too long");
    }
    *token = start;
    *length = count + padding;
    return STATUS_OK;
}
