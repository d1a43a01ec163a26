/* A request from its first line to its end: which path it is for, its body, who sends it. */
#include "gateway/answer.h"
#include "gateway/auth.h"
#include "gateway/chunks.h"
#include "gateway/connection.h"
#include "gateway/otlp_answer.h"
#include "gateway/parts.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    BODY_MAX = 4 << 20, /* of a request */
    BODY_BELIEVED_MAX = 256 << 10,
    BODY_DRAINED_MAX = 16 << 20, /* more than this of a body that is refused is not read */
    BODIES_MAX = 64 << 20,       /* of all requests of a thread */
    SPARES_MAX = 256,            /* requests kept for the next ones */
    ARGUMENT_MAX = 79            /* longer than any name or digest */
};

static const struct path paths[] = {
    {"/v1/routes", false, false, false, METRIC_ROUTES, routes_answer, NULL, false, NULL},
    {"/v1/routes/", true, false, false, METRIC_ROUTES, routes_answer, NULL, false, NULL},
    {"/ofrep/v1/evaluate/flags", false, true, false, METRIC_OFREP, ofrep_answer_all, NULL, false, NULL},
    {"/ofrep/v1/evaluate/flags/", true, true, false, METRIC_OFREP, ofrep_answer, NULL, false, NULL},
    {"/v1/outcomes", false, true, false, METRIC_OUTCOMES, outcomes_answer, outcomes_forget, false, NULL},
    {"/v1/traces", false, true, false, METRIC_TRACES, traces_answer, otlp_forget, true, otlp_put_fault},
    {"/v1/metrics", false, true, false, METRIC_POINTS, points_answer, otlp_forget, true, otlp_put_fault},
    {"/v1/logs", false, true, false, METRIC_LOGS, events_answer, otlp_forget, true, otlp_put_fault},
    {"/v1/content/", true, false, false, METRIC_CONTENT, content_answer, content_forget, false, NULL},
    {"/livez", false, false, true, METRIC_LIVEZ, health_live, NULL, false, NULL},
    {"/readyz", false, false, true, METRIC_READYZ, health_ready, NULL, false, NULL},
    {"/metrics", false, false, true, METRIC_METRICS, metrics_answer, NULL, false, NULL},
};
static const struct path no_path = {"", false, false, true, METRIC_OTHER, NULL, NULL, false, NULL};

static const struct path *path_of(const char *url, const char **argument)
{
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const struct path *path = &paths[i];
        size_t length = strlen(path->prefix);
        *argument = url + length;
        /* an older OFREP client does not escape its keys; one with a slash is no service, and is told so */
        if (path->argument ? strncmp(url, path->prefix, length) == 0 && url[length] != '\0' &&
                                 (path->metric == METRIC_OFREP || strchr(url + length, '/') == NULL)
                           : strcmp(url, path->prefix) == 0)
            return path;
    }
    *argument = "";
    return &no_path;
}

struct known_field {
    enum MHD_ValueKind kind;
    const char *name;
    size_t length, place;
};

#define HEADER(name, member)                                                                                 \
    {                                                                                                        \
        MHD_HEADER_KIND, name, sizeof name - 1, offsetof(struct request_fields, member)                      \
    }
#define QUERY(member)                                                                                        \
    {                                                                                                        \
        MHD_GET_ARGUMENT_KIND, #member, sizeof #member - 1, offsetof(struct request_fields, member)          \
    }
static const struct known_field known_fields[] = {
    HEADER("Authorization", authorization),
    HEADER("If-None-Match", if_none_match),
    HEADER("Serin-Gateway", instance),
    HEADER("Transfer-Encoding", transfer_encoding),
    QUERY(wait),
    QUERY(format),
    QUERY(key),
    QUERY(variable),
};

/* Headers by whatever case; names in the query as they are written here. */
static enum MHD_Result take_field(void *argument, enum MHD_ValueKind kind, const char *name, size_t length,
                                  const char *value, size_t value_length)
{
    struct request_fields *fields = argument;
    (void)value_length;
    for (size_t i = 0; i < sizeof known_fields / sizeof known_fields[0]; i++) {
        const struct known_field *known = &known_fields[i];
        if (known->length != length || known->kind != kind ||
            (kind == MHD_HEADER_KIND ? strcasecmp(known->name, name) : strcmp(known->name, name)) != 0)
            continue;
        const char **place = (const char **)((char *)fields + known->place);
        if (*place == NULL)
            *place = value;
        break;
    }
    return MHD_YES;
}

/* Requests are used again, so that a poll allocates nothing. */
static struct request *take_spare(struct gateway_thread *thread)
{
    struct request *request = thread->spare;
    if (request == NULL)
        return calloc(1, sizeof *request);
    thread->spare = request->spare;
    thread->spares--;
    memset(request, 0, sizeof *request);
    return request;
}

static void give_back(struct gateway_thread *thread, struct request *request)
{
    if (thread->spares == SPARES_MAX) {
        free(request);
        return;
    }
    request->spare = thread->spare;
    thread->spare = request;
    thread->spares++;
}

void request_free_spare(struct gateway_thread *thread)
{
    for (struct request *request = thread->spare, *next; request != NULL; request = next) {
        next = request->spare;
        free(request);
    }
    thread->spare = NULL;
    thread->spares = 0;
}

static struct request *request_new(struct gateway_thread *thread, struct MHD_Connection *connection,
                                   const char *url, const char *method)
{
    const char *argument;
    struct request *request = take_spare(thread);
    if (request == NULL)
        return NULL;
    request->thread = thread;
    request->connection = connection;
    request->path = path_of(url, &argument);
    request->argument = strlen(argument) <= ARGUMENT_MAX ? argument : "";
    request->instance = "";
    request->method = method;
    request->began = request->path->body ? clock_mono() : thread->mono;
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND | MHD_GET_ARGUMENT_KIND, take_field,
                                &request->fields);
    text_init(&request->body, BODY_MAX);
    struct connection *kept = connection_of(connection);
    if (kept != NULL)
        kept->request = request;
    thread->open++;
    return request;
}

void request_completed(void *argument, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode code)
{
    struct gateway_thread *thread = argument;
    struct request *request = *context;
    (void)code;
    if (request == NULL)
        return;
    struct connection *kept = connection_of(connection);
    if (kept != NULL)
        kept->request = NULL;
    chunks_end(request);
    waiters_leave(&thread->waiters, &request->waiter);
    if (request->path->forget != NULL)
        request->path->forget(request);
    thread->body_bytes -= request->body_counted;
    text_free(&request->body);
    give_back(thread, request);
    *context = NULL;
    thread->open--;
}

/* Room for all of the body, as far as its length is told and believed: what is not sent costs addresses
 * alone. */
static void make_room(struct request *request)
{
    const char *told = request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    unsigned long long length = told != NULL ? strtoull(told, NULL, 10) : 0;
    text_reserve(&request->body, length < BODY_BELIEVED_MAX ? (size_t)length : BODY_BELIEVED_MAX);
}

/* Keeps a part of the body. One that is too large is read on and refused at its end, so that the client gets
   to read why; but not for ever. */
static enum MHD_Result take_body(struct request *request, const char *data, size_t length)
{
    struct gateway_thread *thread = request->thread;
    chunks_progress(request);
    if (request->refused_body) {
        request->body_counted += length;
        thread->body_bytes += length;
        return request->body_counted <= BODY_DRAINED_MAX ? MHD_YES : MHD_NO;
    }
    request->body_counted += length;
    thread->body_bytes += length;
    if (!request->path->body || request->body_counted > BODY_MAX || thread->body_bytes > BODIES_MAX)
        request->refused_body = true;
    else if (request->body.length == 0)
        make_room(request);
    if (!request->refused_body)
        text_add(&request->body, data, length);
    if (request->refused_body || request->body.broken) {
        request->refused_body = true;
        text_free(&request->body);
    }
    return MHD_YES;
}

static enum MHD_Result begin_answer(struct request *request)
{
    struct fault fault = {.status = STATUS_OK};
    const struct path *path = request->path;
    if (path == &no_path)
        return answer_refusal(
            request, STATUS_NOT_FOUND, "The gateway port has no such path",
            "It serves /v1/routes, /v1/routes/{service}, /ofrep/v1/evaluate/flags, /v1/outcomes, /v1/traces, "
            "/v1/metrics, /v1/logs, /v1/content/{digest}, /livez, /readyz and /metrics; everything else is "
            "on the control port.");
    bool read = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    if (path->body ? strcmp(request->method, "POST") != 0 : !read)
        return answer_refusal(request, STATUS_METHOD, "This path does not take this method",
                              path->body ? "Use POST." : "Use GET.");
    if (!path->open_to_all && auth_check(request, &fault) != STATUS_OK)
        return answer_problem(request, &fault);
    if (request->refused_body && request->body_counted > BODY_MAX)
        return answer_refusal(request, STATUS_TOO_LARGE, "The body is larger than 4 MiB",
                              "Send smaller batches.");
    if (request->refused_body && path->body)
        return answer_refusal(request, STATUS_UNAVAILABLE, "Too many bodies are being read at once",
                              "Send it again in a second, with the same Idempotency-Key.");
    return path->answer(request);
}

enum MHD_Result request_handle(void *argument, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_size, void **context)
{
    struct request *request = *context;
    (void)version;
    if (request == NULL) {
        request = *context = request_new(argument, connection, url, method);
        if (request == NULL)
            return MHD_NO;
        enum MHD_Result refused;
        if (request->fields.transfer_encoding != NULL && !chunks_begin(request, &refused))
            return refused;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        size_t length = *upload_size;
        *upload_size = 0;
        return take_body(request, upload, length);
    }
    if (request->suspended)
        return MHD_YES; /* called once more before MHD noted it */
    request->whole = true;
    chunks_end(request);
    return begin_answer(request);
}
