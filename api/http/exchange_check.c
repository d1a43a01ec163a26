/* What the header of a request decides: its route, who asks, and whether the body will be read at all. */
#include "http/exchange.h"

#include "base/id.h"
#include "http/percent.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* One header line. A repeated one is joined to the first (RFC 9110, 5.3). */
static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct exchange *exchange = context;
    (void)kind;
    value = value != NULL ? value : "";
    for (size_t i = 0; i < exchange->request.headers; i++) {
        struct http_pair *pair = &exchange->header[i];
        if (strcasecmp(pair->name, name) != 0) {
            continue;
        }
        char *both = NULL;
        if (exchange->joined == EXCHANGE_JOINED_MAX || asprintf(&both, "%s, %s", pair->value, value) < 0) {
            exchange->refused =
                fault_set(&exchange->fault, STATUS_MALFORMED, "too many repeated header lines");
            return MHD_NO;
        }
        exchange->join[exchange->joined++] = both;
        pair->value = both;
        return MHD_YES;
    }
    if (exchange->request.headers == EXCHANGE_HEADERS_MAX) {
        exchange->refused =
            fault_set(&exchange->fault, STATUS_MALFORMED, "more than %d header lines", EXCHANGE_HEADERS_MAX);
        return MHD_NO;
    }
    exchange->header[exchange->request.headers++] = (struct http_pair){name, value};
    return MHD_YES;
}

static void take_peer(struct exchange *exchange, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    strcpy(exchange->peer, exchange->request.local ? "unix" : "?");
    if (info != NULL && info->client_addr != NULL && info->client_addr->sa_family == AF_INET) {
        struct sockaddr_in from;
        memcpy(&from, info->client_addr, sizeof from);
        inet_ntop(AF_INET, &from.sin_addr, exchange->peer, sizeof exchange->peer);
    } else if (info != NULL && info->client_addr != NULL && info->client_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 from;
        memcpy(&from, info->client_addr, sizeof from);
        inet_ntop(AF_INET6, &from.sin6_addr, exchange->peer, sizeof exchange->peer);
    }
    exchange->request.peer = exchange->peer;
}

void exchange_take_request_id(struct exchange *exchange)
{
    const char *sent = http_header(&exchange->request, "X-Request-Id");
    if (sent != NULL && http_request_id_valid(sent)) {
        strcpy(exchange->request_id, sent);
    } else {
        id_new("req", exchange->request_id);
    }
    exchange->request.request_id = exchange->request_id;
}

static enum status route(struct exchange *exchange, const char *method)
{
    const struct http_server_options *options = &exchange->shared->options;
    struct http_request *request = &exchange->request;
    size_t size = strlen(exchange->uri) + 1;
    size_t written;
    request->method = http_method_parse(method);
    request->head = strcmp(method, "HEAD") == 0;
    exchange->path = malloc(size);
    if (exchange->path == NULL) {
        return fault_set(&exchange->fault, STATUS_NO_MEMORY, "no memory for the path");
    }
    request->path = exchange->path;
    if (!http_percent_decode(exchange->uri, size - 1, false, exchange->path, size, &written)) {
        exchange->path[0] = '\0';
        fault_set(&exchange->fault, STATUS_MALFORMED, "the path cannot be decoded");
        fault_next(&exchange->fault, "Percent-encode it as UTF-8.");
        return STATUS_MALFORMED;
    }
    enum status status = http_route_find(options->routes, options->route_count, request->method,
                                         exchange->uri, &exchange->match, &exchange->fault);
    if (status != STATUS_OK) {
        return status;
    }
    request->parameters = exchange->match.parameters;
    memcpy(request->parameter, exchange->match.parameter, sizeof request->parameter);
    request->query = &exchange->query;
    return http_query_parse(&exchange->query, exchange->raw_query, &exchange->fault);
}

static enum status check_role(const struct exchange *exchange, struct fault *fault)
{
    const struct http_server_options *options = &exchange->shared->options;
    int needed = exchange->match.route->min_role;
    int has = exchange->request.role;
    if (has >= needed) {
        return STATUS_OK;
    }
    if (options->role_name != NULL) {
        fault_set(fault, STATUS_FORBIDDEN, "this needs the role %s, the token has %s",
                  options->role_name(needed), options->role_name(has));
        fault_next(fault, "Use a token with the role %s; an administrator can give you one.",
                   options->role_name(needed));
    } else {
        fault_set(fault, STATUS_FORBIDDEN, "the token's role does not allow this");
        fault_next(fault, "Use a token with a higher role; an administrator can give you one.");
    }
    return STATUS_FORBIDDEN;
}

static enum status authorise(struct exchange *exchange)
{
    const struct http_server_options *options = &exchange->shared->options;
    if ((exchange->match.route->flags & HTTP_PUBLIC) != 0) {
        return STATUS_OK;
    }
    if (options->authenticate != NULL) {
        enum status status = options->authenticate(options->context, &exchange->request, &exchange->fault);
        if (status != STATUS_OK) {
            return status;
        }
        exchange->authenticated = true;
    }
    return check_role(exchange, &exchange->fault);
}

/* "application/json", with or without parameters; a charset, if named, is UTF-8. */
static bool is_json(const char *type)
{
    static const char wanted[] = "application/json";
    if (strncasecmp(type, wanted, sizeof wanted - 1) != 0) {
        return false;
    }
    const char *rest = type + sizeof wanted - 1;
    rest += strspn(rest, " \t");
    const char *charset = strcasestr(rest, "charset=");
    if (charset != NULL) {
        charset += strlen("charset=");
        charset += *charset == '"' ? 1 : 0;
    }
    return (*rest == '\0' || *rest == ';') && (charset == NULL || strncasecmp(charset, "utf-8", 5) == 0);
}

enum status exchange_too_large(const struct exchange *exchange, struct fault *fault)
{
    fault_set(fault, STATUS_TOO_LARGE, "the body is larger than %zu bytes",
              exchange->shared->options.body_max);
    fault_next(fault, "Send less at once.");
    return STATUS_TOO_LARGE;
}

/* What the header says of the body. */
static enum status check_body(struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    const char *length = http_header(request, "Content-Length");
    const char *encoding = http_header(request, "Content-Encoding");
    const char *type = http_header(request, "Content-Type");
    exchange->announced_body = (length != NULL && strtoull(length, NULL, 10) > 0) ||
                               http_header(request, "Transfer-Encoding") != NULL;
    if (!exchange->announced_body) {
        return STATUS_OK;
    }
    if (length != NULL &&
        (http_header(request, "Transfer-Encoding") != NULL || strchr(length, ',') != NULL)) {
        /* Who stands between may see the end of this request elsewhere (RFC 9112, 6.3). */
        exchange->ambiguous = true;
        fault_set(&exchange->fault, STATUS_MALFORMED, "the length of the body is given more than once");
        fault_next(&exchange->fault, "Send one Content-Length, or Transfer-Encoding, not both.");
        return STATUS_MALFORMED;
    }
    if (encoding != NULL && strcasecmp(encoding, "identity") != 0) {
        fault_set(&exchange->fault, STATUS_MEDIA_TYPE, "bodies encoded as \"%.64s\" are not read here",
                  encoding);
        fault_next(&exchange->fault, "Send the body as it is, without Content-Encoding.");
        return STATUS_MEDIA_TYPE;
    }
    if ((exchange->match.route->flags & HTTP_ANY_BODY) == 0 && (type == NULL || !is_json(type))) {
        fault_set(&exchange->fault, STATUS_MEDIA_TYPE, "the body's Content-Type is %s%.64s%s",
                  type != NULL ? "\"" : "", type != NULL ? type : "not given", type != NULL ? "\"" : "");
        fault_next(&exchange->fault, "Send JSON in UTF-8 with Content-Type: application/json.");
        return STATUS_MEDIA_TYPE;
    }
    if (length != NULL && strtoull(length, NULL, 10) > exchange->shared->options.body_max) {
        return exchange_too_large(exchange, &exchange->fault);
    }
    return STATUS_OK;
}

enum status exchange_check(struct exchange *exchange, struct MHD_Connection *connection, const char *method)
{
    exchange->request.header = exchange->header;
    exchange->request.body = "";
    MHD_get_connection_values(connection, MHD_HEADER_KIND, take_header, exchange);
    take_peer(exchange, connection);
    exchange_take_request_id(exchange);
    enum status status = exchange->refused;
    status = status != STATUS_OK ? status : route(exchange, method);
    status = status != STATUS_OK ? status : authorise(exchange);
    return status != STATUS_OK ? status : check_body(exchange);
}
