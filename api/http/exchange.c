/* One request on its way through the server. libmicrohttpd calls exchange_continue first with the header
   alone, then with each piece of the body, then once more at its end. All checks that need no body are made
   at the header, so that a stranger's body is never kept; the answer is sent at the end, when the client
   listens. */
#include "http/exchange.h"

#include "base/clock.h"
#include "base/log.h"
#include "http/etag.h"

#include <stdlib.h>
#include <string.h>

enum {
    RESPONSE_MAX = 64 << 20,
    DISCARD_MAX = 16 << 20, /* what is read and thrown away so that a refused client gets to see why */
    BODY_MAX_MS = 60000     /* a body must be there after that, however slowly its pieces come */
};

#define MAGIC UINT32_C(0x73657278)

/* A connection holds a place for the request that has begun on it: libmicrohttpd does not tell the end of one
   whose query or cookies do not fit into its memory, but of the connection it always does. */
static struct exchange **place_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

void *exchange_begin(void *context, const char *uri, struct MHD_Connection *connection)
{
    const struct exchange_door *door = context;
    struct exchange **place = place_of(connection);
    struct exchange *exchange = place != NULL ? calloc(1, sizeof *exchange) : NULL;
    if (exchange == NULL) {
        return NULL;
    }
    exchange->uri = strdup(uri);
    if (exchange->uri == NULL) {
        free(exchange);
        return NULL;
    }
    char *question = strchr(exchange->uri, '?');
    if (question != NULL) {
        *question = '\0';
        exchange->raw_query = question + 1;
    }
    exchange->magic = MAGIC;
    exchange->shared = door->shared;
    exchange->began = clock_mono();
    exchange->request.local = door->local;
    exchange->place = place;
    *place = exchange;
    text_init(&exchange->body, door->shared->options.body_max);
    pthread_mutex_lock(&door->shared->lock);
    door->shared->open++;
    pthread_mutex_unlock(&door->shared->lock);
    return exchange;
}

static void end(struct exchange *exchange)
{
    struct exchange_shared *shared = exchange->shared;
    if (exchange->authenticated && shared->options.release != NULL) {
        shared->options.release(shared->options.context, exchange->request.principal);
    }
    for (size_t i = 0; i < exchange->joined; i++) {
        free(exchange->join[i]);
    }
    http_query_free(&exchange->query);
    text_free(&exchange->body);
    free(exchange->path);
    free(exchange->uri);
    *exchange->place = NULL;
    exchange->magic = 0;
    free(exchange);
    pthread_mutex_lock(&shared->lock);
    shared->open--;
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
}

void exchange_end(void *context, struct MHD_Connection *connection, void **held,
                  enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *held;
    (void)context, (void)connection, (void)code;
    *held = NULL;
    if (exchange != NULL && exchange->magic == MAGIC) {
        end(exchange);
    }
}

void exchange_connection(void *context, struct MHD_Connection *connection, void **held,
                         enum MHD_ConnectionNotificationCode code)
{
    struct exchange **place = *held;
    (void)context, (void)connection;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *held = calloc(1, sizeof *place);
        return;
    }
    if (place != NULL && *place != NULL) {
        end(*place);
    }
    free(place);
    *held = NULL;
}

/* Marks that code of ours or of a handler runs; false if the server is about to stop. */
static bool enter(struct exchange_shared *shared)
{
    pthread_mutex_lock(&shared->lock);
    bool go = !shared->stopping;
    shared->handling += go ? 1 : 0;
    pthread_mutex_unlock(&shared->lock);
    return go;
}

static void leave(struct exchange_shared *shared)
{
    pthread_mutex_lock(&shared->lock);
    shared->handling--;
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
}

static enum status stopping(struct fault *fault)
{
    fault_set(fault, STATUS_UNAVAILABLE, "this server is stopping");
    fault_next(fault, "Repeat the request; another replica, or the next start, will answer it.");
    return STATUS_UNAVAILABLE;
}

static void set_header(struct MHD_Response *answer, const char *name, const char *value)
{
    if (MHD_get_response_header(answer, name) == NULL) {
        MHD_add_response_header(answer, name, value);
    }
}

/* A GET whose client already has this version is answered by 304. The body stays: libmicrohttpd does not send
   it, but tells its true length. */
static void apply_condition(const struct http_request *request, struct http_response *response)
{
    struct http_etags tags;
    if (request->method != HTTP_GET || response->status != 200 || response->etag[0] == '\0') {
        return;
    }
    if (http_etags_parse(http_header(request, "If-None-Match"), &tags, NULL) == STATUS_OK &&
        http_etags_match_weak(&tags, response->etag)) {
        response->status = 304;
    }
}

/* Hands the response to libmicrohttpd. MHD_NO ends the connection. */
static enum MHD_Result queue(struct exchange *exchange, struct MHD_Connection *connection,
                             struct http_response *response, bool last)
{
    const char *type = response->content_type;
    size_t length = response->body.length;
    char *body = text_take(&response->body);
    struct MHD_Response *answer =
        body != NULL ? MHD_create_response_from_buffer(length, body, MHD_RESPMEM_MUST_FREE) : NULL;
    if (answer == NULL) {
        free(body);
        return MHD_NO;
    }
    for (size_t i = 0; i < response->extras; i++) {
        MHD_add_response_header(answer, response->extra[i].name, response->extra[i].value);
    }
    if (type == NULL && length > 0) {
        type = "application/json";
    }
    if (type != NULL) {
        set_header(answer, "Content-Type", type);
    }
    if (response->etag[0] != '\0') {
        set_header(answer, "ETag", response->etag);
    }
    set_header(answer, "Cache-Control", "no-store");
    set_header(answer, "X-Content-Type-Options", "nosniff");
    set_header(answer, "X-Request-Id", exchange->request_id);
    if (last) {
        set_header(answer, "Connection", "close");
    }
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)response->status, answer);
    MHD_destroy_response(answer);
    return result;
}

static void make_problem(struct exchange *exchange, struct http_response *response, enum status status)
{
    struct fault *fault = &exchange->fault;
    char allow[64];
    fault->status = status;
    http_response_free(response);
    http_response_init(response, RESPONSE_MAX);
    http_respond_fault(response, fault, exchange->request_id);
    if (status == STATUS_METHOD) {
        http_response_header(response, "Allow", "%s", http_route_allow(exchange->match.allowed, allow));
    }
    if (status_http(status) == 500) {
        log_event(LOG_ERROR, "http", "a request failed", "request_id", exchange->request_id, "path",
                  exchange->request.path, "status", status_slug(status), "error", fault->detail, NULL);
    }
}

static enum MHD_Result answer(struct exchange *exchange, struct MHD_Connection *connection, bool stop)
{
    const struct http_server_options *options = &exchange->shared->options;
    const struct http_route *found = exchange->match.route;
    struct http_response response;
    enum status status = exchange->refused;
    http_response_init(&response, RESPONSE_MAX);
    if (status == STATUS_OK && stop) {
        status = stopping(&exchange->fault);
    }
    if (status == STATUS_OK) {
        if (exchange->body.length > 0) {
            exchange->request.body = text_get(&exchange->body);
            exchange->request.body_length = exchange->body.length;
        }
        status = found->handler(options->context, &exchange->request, &response, &exchange->fault);
        if (status == STATUS_OK && text_status(&response.body) != STATUS_OK) {
            status = fault_set(&exchange->fault, STATUS_INTERNAL, "the answer is too large");
        }
    }
    if (status != STATUS_OK) {
        make_problem(exchange, &response, status);
    }
    apply_condition(&exchange->request, &response);
    if (options->observe != NULL) {
        options->observe(options->context, &exchange->request, found != NULL ? found->pattern : NULL,
                         response.status, clock_mono().us - exchange->began.us);
    }
    enum MHD_Result result = queue(exchange, connection, &response, stop || exchange->ambiguous);
    http_response_free(&response);
    return result;
}

/* A piece of the body. MHD_NO ends the connection: no answer can be sent amid a body. */
static enum MHD_Result take_body(struct exchange *exchange, const char *data, size_t length)
{
    exchange->received += length;
    if (clock_mono_since_ms(exchange->began) > BODY_MAX_MS) {
        return MHD_NO;
    }
    if (exchange->refused == STATUS_OK) {
        text_add(&exchange->body, data, length);
        enum status status = text_status(&exchange->body);
        if (status == STATUS_TOO_LARGE) {
            exchange->refused = exchange_too_large(exchange, &exchange->fault);
        } else if (status != STATUS_OK) {
            exchange->refused = fault_set(&exchange->fault, status, "no memory for the body");
        }
    }
    return exchange->refused != STATUS_OK && exchange->received > DISCARD_MAX ? MHD_NO : MHD_YES;
}

/* Refused at the header: is there no point in reading the body first? A client that waits for "100 Continue"
   has not sent it; one that announced more than will be thrown away sees the refusal, if it looks. */
static bool refuse_now(const struct exchange *exchange)
{
    const char *length = http_header(&exchange->request, "Content-Length");
    return exchange->refused != STATUS_OK && (http_header(&exchange->request, "Expect") != NULL ||
                                              (length != NULL && strtoull(length, NULL, 10) > DISCARD_MAX));
}

enum MHD_Result exchange_continue(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_length, void **held)
{
    struct exchange *exchange = *held;
    (void)context, (void)url, (void)version;
    if (exchange == NULL || exchange->magic != MAGIC) {
        return MHD_NO; /* there was no memory for it */
    }
    if (exchange->checked && *data_length > 0) {
        enum MHD_Result result = take_body(exchange, data, *data_length);
        *data_length = 0;
        return result;
    }
    bool go = enter(exchange->shared);
    enum MHD_Result result = MHD_YES;
    if (!exchange->checked) {
        exchange->checked = true;
        if (go) {
            exchange->refused = exchange_check(exchange, connection, method);
        } else {
            exchange_take_request_id(exchange);
            exchange->refused = stopping(&exchange->fault);
        }
        if (refuse_now(exchange)) {
            result = answer(exchange, connection, !go);
        }
    } else {
        result = answer(exchange, connection, !go);
    }
    if (go) {
        leave(exchange->shared);
    }
    return result;
}
