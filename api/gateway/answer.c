/* Answers that are made for one request. */
#include "gateway/answer.h"

#include "base/json.h"
#include "base/log.h"
#include "gateway/ofrep_request.h"
#include "http/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PROBLEM_MAX = 16384, RETRY_AFTER_S = 1 };

const char *request_header(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

enum status request_instance(struct request *request, struct fault *fault)
{
    const char *instance = request->fields.instance;
    if (instance == NULL)
        return STATUS_OK;
    if (!name_valid(instance)) {
        fault_set(fault, STATUS_MALFORMED, "The header Serin-Gateway is not a name");
        fault_next(fault, "Use 1 to 63 letters, digits, '.', '_' and '-', beginning with a letter or digit.");
        return STATUS_MALFORMED;
    }
    request->instance = instance;
    return STATUS_OK;
}

enum status request_is_json(const struct request *request, struct fault *fault)
{
    const char *type = request_header(request, MHD_HTTP_HEADER_CONTENT_TYPE);
    const char *json = "application/json";
    if (type == NULL ||
        (strncasecmp(type, json, strlen(json)) == 0 && strchr("; \t", type[strlen(json)]) != NULL))
        return STATUS_OK;
    fault_set(fault, STATUS_MEDIA_TYPE, "The body is not application/json");
    fault_next(fault, "Send JSON, with Content-Type: application/json.");
    return STATUS_MEDIA_TYPE;
}

enum MHD_Result answer_with(struct request *request, unsigned code, struct MHD_Response *response)
{
    request->whole = true; /* a refusal may come before its body */
    metric_request(&request->thread->metrics, request->path->metric, code);
    return MHD_queue_response(request->connection, code, response);
}

struct MHD_Response *answer_response(char *bytes, size_t length, const char *type)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(length, bytes, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(bytes);
        return NULL;
    }
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) != MHD_YES) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

enum MHD_Result answer_body(struct request *request, unsigned code, const char *type, struct text *body)
{
    size_t length = body->length;
    char *bytes = text_take(body);
    if (bytes == NULL)
        return MHD_NO; /* without memory the connection can only be closed */
    struct MHD_Response *response = answer_response(bytes, length, type);
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result result = answer_with(request, code, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result answer_text(struct request *request, unsigned code, const char *type, const char *text)
{
    struct text body;
    text_init(&body, strlen(text));
    text_puts(&body, text);
    return answer_body(request, code, type, &body);
}

/* Clients of OFREP look for these beside the members of a problem; which of them, depends on their age. */
static void put_ofrep(struct text *out, const struct request *request, const struct fault *fault)
{
    const char *code = request->error_code != NULL ? request->error_code : ofrep_code(fault->status);
    if (request->path->argument) {
        text_puts(out, ",\"key\":");
        json_put_string(out, request->argument, strlen(request->argument));
    }
    text_printf(out, ",\"errorCode\":\"%s\",\"errorDetails\":", code);
    json_put_string(out, fault->detail, strlen(fault->detail));
}

enum MHD_Result answer_problem(struct request *request, const struct fault *fault)
{
    struct text body;
    char id[ID_MAX], seconds[16];
    unsigned code = (unsigned)status_http(fault->status);
    id_new("rq", id);
    text_init(&body, PROBLEM_MAX);
    const char *type = HTTP_PROBLEM_TYPE;
    if (request->path->problem != NULL) {
        type = request->path->problem(request, fault, &body);
    } else {
        http_problem_open(&body, fault, id);
        if (request->path->metric == METRIC_OFREP)
            put_ofrep(&body, request, fault);
        text_putc(&body, '}');
    }
    if (text_status(&body) != STATUS_OK) {
        text_free(&body);
        return MHD_NO;
    }
    size_t length = body.length;
    char *bytes = text_take(&body);
    struct MHD_Response *response = bytes != NULL ? answer_response(bytes, length, type) : NULL;
    if (response == NULL)
        return MHD_NO;
    snprintf(seconds, sizeof seconds, "%d", RETRY_AFTER_S);
    bool good = MHD_add_response_header(response, "X-Request-Id", id) == MHD_YES;
    if (status_retryable(fault->status))
        good = MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds) == MHD_YES && good;
    if (fault->status == STATUS_UNAUTHENTICATED)
        good =
            MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer") == MHD_YES && good;
    if (fault->status == STATUS_METHOD)
        good = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
                                       request->path->body ? "POST" : "GET, HEAD") == MHD_YES &&
               good;
    if (code == MHD_HTTP_INTERNAL_SERVER_ERROR) /* an outage is logged once, where it is found */
        log_event(LOG_WARN, "gateway", "a request failed", "request_id", id, "path", request->path->prefix,
                  "error", fault->detail, NULL);
    enum MHD_Result result = good ? answer_with(request, code, response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result answer_refusal(struct request *request, enum status status, const char *detail,
                               const char *next)
{
    struct fault fault = {.status = status};
    fault_set(&fault, status, "%s", detail);
    fault_next(&fault, "%s", next);
    return answer_problem(request, &fault);
}
