/* Requests as handlers see them, and the responses they fill. */
#include "http/message.h"

#include "base/json.h"
#include "base/spelling.h"
#include "http/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const methods[HTTP_METHODS] = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

const char *http_method_name(enum http_method method)
{
    return (unsigned)method < HTTP_METHODS ? methods[method] : NULL;
}

enum http_method http_method_parse(const char *name)
{
    if (strcmp(name, "HEAD") == 0) {
        return HTTP_GET;
    }
    for (int i = 0; i < HTTP_METHODS; i++) {
        if (strcmp(name, methods[i]) == 0) {
            return (enum http_method)i;
        }
    }
    return HTTP_METHODS;
}

const char *http_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->headers; i++) {
        if (strcasecmp(request->header[i].name, name) == 0) {
            return request->header[i].value;
        }
    }
    return NULL;
}

const char *http_query(const struct http_request *request, const char *name)
{
    for (size_t i = 0; request->query != NULL && i < request->query->count; i++) {
        if (strcmp(request->query->pair[i].name, name) == 0) {
            return request->query->pair[i].value;
        }
    }
    return NULL;
}

enum status http_query_only(const struct http_request *request, const char *const *names, struct fault *fault)
{
    char list[192];
    size_t count = 0;
    while (names[count] != NULL) {
        count++;
    }
    for (size_t i = 0; request->query != NULL && i < request->query->count; i++) {
        const char *name = request->query->pair[i].name;
        size_t known = 0;
        while (known < count && strcmp(names[known], name) != 0) {
            known++;
        }
        if (known < count) {
            continue;
        }
        const char *near = spelling_nearest(name, names, count);
        fault_set(fault, STATUS_INVALID, "unknown query parameter \"%.64s\"", name);
        if (near != NULL) {
            fault_next(fault, "Did you mean \"%s\"?", near);
        } else if (count > 0) {
            spelling_list(list, sizeof list, names, count);
            fault_next(fault, "Known here: %s.", list);
        } else {
            fault_next(fault, "This path takes no query parameters.");
        }
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

bool http_request_id_valid(const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strspn(text, allowed);
    return length > 0 && length < HTTP_REQUEST_ID_MAX && text[length] == '\0';
}

void http_response_init(struct http_response *response, size_t body_max)
{
    response->status = 200;
    response->content_type = NULL;
    response->etag[0] = '\0';
    response->extras = 0;
    text_init(&response->body, body_max);
}

void http_response_free(struct http_response *response)
{
    text_free(&response->body);
}

static struct http_extra *find_extra(struct http_response *response, const char *name)
{
    for (size_t i = 0; i < response->extras; i++) {
        if (strcasecmp(response->extra[i].name, name) == 0) {
            return &response->extra[i];
        }
    }
    return NULL;
}

enum status http_response_header(struct http_response *response, const char *name, const char *format, ...)
{
    struct http_extra made;
    va_list arguments;
    int length = snprintf(made.name, sizeof made.name, "%s", name);
    if (length < 1 || (size_t)length >= sizeof made.name) {
        return STATUS_INTERNAL;
    }
    va_start(arguments, format);
    length = vsnprintf(made.value, sizeof made.value, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof made.value) {
        return STATUS_INTERNAL;
    }
    for (const char *at = made.value; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7F) {
            return STATUS_INTERNAL;
        }
    }
    struct http_extra *place = find_extra(response, name);
    if (place == NULL) {
        if (response->extras == HTTP_EXTRA_MAX) {
            return STATUS_INTERNAL;
        }
        place = &response->extra[response->extras++];
    }
    *place = made;
    return STATUS_OK;
}

const char *http_response_extra(const struct http_response *response, const char *name)
{
    for (size_t i = 0; i < response->extras; i++) {
        if (strcasecmp(response->extra[i].name, name) == 0) {
            return response->extra[i].value;
        }
    }
    return NULL;
}

enum status http_respond_json(struct http_response *response, int http_status, struct json_object *value,
                              struct fault *fault)
{
    text_clear(&response->body);
    enum status status = json_put(value, &response->body);
    json_object_put(value);
    if (status != STATUS_OK) {
        return fault_set(fault, STATUS_INTERNAL, "the answer cannot be written: %s", status_title(status));
    }
    response->status = http_status;
    response->content_type = "application/json";
    return STATUS_OK;
}

void http_respond_fault(struct http_response *response, const struct fault *fault, const char *request_id)
{
    int http = status_http(fault->status);
    text_clear(&response->body);
    http_problem_put(&response->body, fault, request_id);
    response->status = http;
    response->content_type = HTTP_PROBLEM_TYPE;
    response->etag[0] = '\0';
    if (http == 401) {
        http_response_header(response, "WWW-Authenticate", "Bearer");
    }
    if ((http == 429 || http == 503) && status_retryable(fault->status)) {
        http_response_header(response, "Retry-After", "1");
    }
}
