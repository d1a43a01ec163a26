/* Fuzz target: a method byte, then a path and its query. What is found fits the route and is well-formed.
   SEES: base http */
#include "base/utf8.h"
#include "http/percent.h"
#include "http/router.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum status nothing(void *context, const struct http_request *request, struct http_response *response,
                           struct fault *fault)
{
    (void)context, (void)request, (void)response, (void)fault;
    return STATUS_OK;
}

static const struct http_route routes[] = {
    {HTTP_GET, "/", 0, nothing, 0},
    {HTTP_GET, "/v1/services", 0, nothing, 0},
    {HTTP_POST, "/v1/services", 0, nothing, 0},
    {HTTP_GET, "/v1/rollouts/{id}", 0, nothing, 0},
    {HTTP_GET, "/v1/rollouts/{id}/verdicts", 0, nothing, 0},
    {HTTP_POST, "/v1/rollouts/{id}/{verb}", 0, nothing, 0},
    {HTTP_PUT, "/{a}/{b}/{c}/{d}/{e}/{f}", 0, nothing, 0},
};
enum { ROUTES = sizeof routes / sizeof routes[0] };

static void check(bool good)
{
    if (!good) {
        abort();
    }
}

static void try_route(enum http_method method, const char *path)
{
    struct http_match match;
    struct fault fault = {0};
    char allow[64];
    enum status status = http_route_find(routes, ROUTES, method, path, &match, &fault);
    check((status == STATUS_OK) == (match.route != NULL));
    check(status == STATUS_OK || fault.status == status);
    if (status != STATUS_OK) {
        check(status == STATUS_NOT_FOUND || status == STATUS_METHOD || status == STATUS_MALFORMED);
        check(status != STATUS_METHOD || (match.allowed & 1u << method) == 0);
        check(strlen(http_route_allow(match.allowed, allow)) < sizeof allow);
        return;
    }
    check(match.route->method == method && match.parameters <= HTTP_PARAMETERS_MAX);
    for (size_t i = 0; i < match.parameters; i++) {
        size_t length = strlen(match.parameter[i]);
        check(length > 0 && length <= HTTP_PARAMETER_MAX && utf8_valid(match.parameter[i], length));
    }
}

static void try_query(const char *raw)
{
    struct http_query query;
    struct fault fault = {0};
    enum status status = http_query_parse(&query, raw, &fault);
    check(status == STATUS_OK || (status == STATUS_MALFORMED && query.storage == NULL));
    for (size_t i = 0; i < query.count; i++) {
        check(utf8_valid(query.pair[i].name, strlen(query.pair[i].name)));
        check(utf8_valid(query.pair[i].value, strlen(query.pair[i].value)));
    }
    http_query_free(&query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    char *path = malloc(size);
    check(path != NULL);
    memcpy(path, data + 1, size - 1);
    path[size - 1] = '\0';
    char *question = strchr(path, '?');
    if (question != NULL) {
        *question = '\0';
        try_query(question + 1);
    }
    try_route((enum http_method)(data[0] % (HTTP_METHODS + 1)), path);
    free(path);
    return 0;
}
