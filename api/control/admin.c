/* Tokens and webhooks. Their secrets are shown once, in the answer that makes them, and never stored with it.
 */
#include "base/fetch.h"
#include "control/call.h"
#include "control/handlers.h"
#include "store/webhooks.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Adds a last field to the object that `body` holds. */
static void add_secret(struct text *body, const char *name, const char *secret)
{
    if (body->broken || body->length == 0)
        return;
    body->length--; /* the closing brace */
    text_printf(body, ", \"%s\" : \"%s\"}", name, secret);
}

/* --- tokens
 * ------------------------------------------------------------------------------------------------------- */

static enum status list_tokens(struct call *call)
{
    struct page page;
    enum status status = call_page(call, &page);
    if (status == STATUS_OK)
        status = tokens_list(call->db, &page, call->fault);
    return call_answer_page(call, &page, status);
}
CALL_READ(control_list_tokens, list_tokens, "limit", "cursor", )

static enum status create_token(struct call *call)
{
    static const char *const roles[] = {"viewer", "gateway", "engineer", "oncall", "admin", NULL};
    struct json_fields fields;
    const char *name = NULL;
    int role = 0;
    char id[ID_MAX], secret[TOKEN_SECRET_MAX];
    json_fields_open(&fields, call->body, "", call->fault);
    json_fields_name(&fields, "name", JSON_REQUIRED, &name);
    json_fields_word(&fields, "role", JSON_REQUIRED, roles, &role);
    enum status status = call_close(call, &fields);
    if (status == STATUS_OK)
        status = tokens_create(call->db, name, (enum token_role)role, call->actor, id, secret, call->fault);
    if (status == STATUS_OK)
        status = tokens_get(call->db, id, &call->response->body, call->fault);
    if (status == STATUS_OK)
        add_secret(&call->response->body, "token", secret);
    call->response->status = 201;
    return status;
}
CALL_CHANGE(control_create_token, create_token, CALL_SECRET)

static enum status revoke_token(struct call *call)
{
    const char *id = call->request->parameter[0];
    enum status status = tokens_revoke(call->db, id, call->actor, call->fault);
    if (status == STATUS_OK)
        status = tokens_get(call->db, id, &call->response->body, call->fault);
    if (status == STATUS_OK)
        auth_cache_forget(&call->control->tokens, id);
    return status;
}
CALL_CHANGE(control_revoke_token, revoke_token, 0)

/* --- webhooks
 * ----------------------------------------------------------------------------------------------------- */

static enum status list_webhooks(struct call *call)
{
    struct page page;
    enum status status = call_page(call, &page);
    if (status == STATUS_OK)
        status = webhooks_list(call->db, &page, call->fault);
    return call_answer_page(call, &page, status);
}
CALL_READ(control_list_webhooks, list_webhooks, "limit", "cursor", )

/* http(s)://host..., without a user and without anything that could not stand in a request line. */
static bool url_usable(const char *url)
{
    const char *host = strncmp(url, "https://", 8) == 0  ? url + 8
                       : strncmp(url, "http://", 7) == 0 ? url + 7
                                                         : NULL;
    if (host == NULL)
        return false;
    size_t length = strcspn(host, "/?#");
    if (length == 0 || host[0] == ':' || memchr(host, '@', length) != NULL)
        return false;
    for (const char *at = url; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~' || strchr("\"<>\\^`{|}", *at) != NULL)
            return false;
    return strchr(url, '#') == NULL;
}

/* The host is an address, in any way of writing one, and none of the public internet. What a name stands for
   is looked at with each delivery, since it may change. */
static bool address_private(const char *url)
{
    char host[256];
    const char *at = strstr(url, "://") + 3;
    bool bracketed = *at == '[';
    size_t length = strcspn(at += bracketed, bracketed ? "]" : ":/?#");
    struct addrinfo *found = NULL, hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    if (length >= sizeof host)
        return false;
    snprintf(host, sizeof host, "%.*s", (int)length, at);
    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return false;
    const void *address =
        found->ai_family == AF_INET
            ? (const void *)&((const struct sockaddr_in *)(void *)found->ai_addr)->sin_addr
            : (const void *)&((const struct sockaddr_in6 *)(void *)found->ai_addr)->sin6_addr;
    bool reachable = fetch_public_address(address, found->ai_family == AF_INET ? 4 : 16);
    freeaddrinfo(found);
    return !reachable;
}

static enum status check_url(struct call *call, const char *url)
{
    enum status status = STATUS_OK;
    if (!url_usable(url)) {
        status = fault_at(call->fault, "/url",
                          "must be http:// or https:// with a host, without a user or fragment");
        fault_next(call->fault, "Give a URL such as https://example.org/hooks/serin.");
    } else if (!call->control->webhook_private && address_private(url)) {
        status = fault_at(call->fault, "/url", "is not an address of the public internet");
        fault_next(call->fault, "Use a public URL, or start serind with SERIN_WEBHOOK_PRIVATE=1.");
    }
    return status;
}

static enum status create_webhook(struct call *call)
{
    struct json_fields fields;
    const char *url = NULL, *service = NULL;
    char id[ID_MAX], secret[WEBHOOK_SECRET_MAX];
    json_fields_open(&fields, call->body, "", call->fault);
    bool has_url = json_fields_text(&fields, "url", JSON_REQUIRED, 1, 2000, &url);
    json_fields_name(&fields, "service", JSON_OPTIONAL, &service);
    enum status status = call_close(call, &fields);
    enum status usable = has_url ? check_url(call, url) : STATUS_OK;
    status = usable != STATUS_OK ? usable : status;
    if (status == STATUS_OK)
        status = webhooks_create(call->db, url, service, call->actor, id, secret, call->fault);
    if (status == STATUS_OK)
        status = webhooks_get(call->db, id, &call->response->body, call->fault);
    if (status == STATUS_OK)
        add_secret(&call->response->body, "secret", secret);
    call->response->status = 201;
    return status;
}
CALL_CHANGE(control_create_webhook, create_webhook, CALL_SECRET)

static enum status delete_webhook(struct call *call)
{
    const char *id = call->request->parameter[0];
    enum status status = webhooks_delete(call->db, id, call->actor, call->fault);
    if (status == STATUS_OK)
        status = webhooks_get(call->db, id, &call->response->body, call->fault);
    return status;
}
CALL_CHANGE(control_delete_webhook, delete_webhook, 0)
