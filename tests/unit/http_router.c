/* Tests of the router. */
#include "http/router.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(http_router, .timeout = 10);

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
    {HTTP_PUT, "/v1/rollouts/live", 0, nothing, 0},
    {HTTP_PUT, "/v1/rollouts/{id}", 0, nothing, 0},
    {HTTP_GET, "/v1/rollouts/{id}/verdicts", 0, nothing, 0},
    {HTTP_POST, "/v1/rollouts/{id}/{verb}", 0, nothing, 0},
    {HTTP_DELETE, "/v1/{a}/{b}/{c}/{d}/{e}/{f}", 0, nothing, 0},
};
enum { ROUTES = sizeof routes / sizeof routes[0] };

static struct http_match match;
static struct fault fault;

static enum status find(enum http_method method, const char *path)
{
    return http_route_find(routes, ROUTES, method, path, &match, &fault);
}

Test(http_router, finds)
{
    cr_assert_eq(http_routes_check(routes, ROUTES, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(find(HTTP_GET, "/"), STATUS_OK);
    cr_assert_eq(match.route, &routes[0]);
    cr_assert_eq(find(HTTP_POST, "/v1/services"), STATUS_OK);
    cr_assert_eq(match.route, &routes[2]);
    cr_assert_eq(match.parameters, 0);
    cr_assert_eq(find(HTTP_GET, "/v1/rollouts/ro_1"), STATUS_OK);
    cr_assert_eq(match.route, &routes[3]);
    cr_assert_str_eq(match.parameter[0], "ro_1");
    cr_assert_eq(find(HTTP_GET, "/v1/rollouts/ro_1/verdicts"), STATUS_OK);
    cr_assert_eq(match.route, &routes[6]);
    cr_assert_eq(find(HTTP_POST, "/v1/rollouts/ro_1/abort"), STATUS_OK);
    cr_assert_eq(match.parameters, 2);
    cr_assert_str_eq(match.parameter[1], "abort");
    cr_assert_eq(find(HTTP_DELETE, "/v1/1/2/3/4/5/6"), STATUS_OK);
    cr_assert_eq(match.parameters, 6);
    cr_assert_str_eq(match.parameter[5], "6");
}

Test(http_router, the_first_row_that_fits_wins)
{
    cr_assert_eq(find(HTTP_PUT, "/v1/rollouts/live"), STATUS_OK);
    cr_assert_eq(match.route, &routes[4]);
    cr_assert_eq(match.parameters, 0);
    cr_assert_eq(find(HTTP_PUT, "/v1/rollouts/live2"), STATUS_OK);
    cr_assert_eq(match.route, &routes[5]);
}

Test(http_router, decodes_parameters)
{
    cr_assert_eq(find(HTTP_GET, "/v1/rollouts/a%2Fb%20c+%C3%A9"), STATUS_OK);
    cr_assert_str_eq(match.parameter[0], "a/b c+\xC3\xA9");
    cr_assert_eq(find(HTTP_GET, "/v1/rollouts/%g0"), STATUS_MALFORMED);
    cr_assert_str_eq(fault.detail, "the id in the path cannot be decoded");
    cr_assert_null(match.route);
    cr_assert_eq(find(HTTP_GET, "/v1/rollouts/a%00b"), STATUS_MALFORMED);
    cr_assert_eq(find(HTTP_GET, "/v1/rollouts/a%0Ab"), STATUS_MALFORMED);
}

Test(http_router, bounds_parameters)
{
    char path[HTTP_PATH_MAX + 2] = "/v1/rollouts/";
    size_t at = strlen(path);
    memset(path + at, 'x', HTTP_PARAMETER_MAX);
    path[at + HTTP_PARAMETER_MAX] = '\0';
    cr_assert_eq(find(HTTP_GET, path), STATUS_OK);
    cr_assert_eq(strlen(match.parameter[0]), HTTP_PARAMETER_MAX);
    path[at + HTTP_PARAMETER_MAX] = 'x';
    path[at + HTTP_PARAMETER_MAX + 1] = '\0';
    cr_assert_eq(find(HTTP_GET, path), STATUS_MALFORMED);
    memset(path + at, 'x', sizeof path - at - 1);
    path[sizeof path - 1] = '\0';
    cr_assert_eq(strlen(path), HTTP_PATH_MAX + 1);
    cr_assert_eq(find(HTTP_GET, path), STATUS_MALFORMED);
}

Test(http_router, nothing_there)
{
    static const char *const paths[] = {"",
                                        "v1",
                                        "/v1",
                                        "/v1/",
                                        "/v1/services/",
                                        "//v1/services",
                                        "/v1//services",
                                        "/v1/rollouts/",
                                        "/v1/rollouts//verdicts",
                                        "/V1/services",
                                        "/v1/service",
                                        "/v1/servicesx",
                                        "/v1/rollouts/1/2/3",
                                        "/v1/%73ervices"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        cr_assert_eq(find(HTTP_GET, paths[i]), STATUS_NOT_FOUND, "%s", paths[i]);
        cr_assert_null(match.route);
    }
    cr_assert_eq(find(HTTP_GET, "/nope"), STATUS_NOT_FOUND);
    cr_assert_str_eq(fault.detail, "there is nothing at /nope");
}

Test(http_router, wrong_method)
{
    char allow[64];
    cr_assert_eq(find(HTTP_DELETE, "/v1/services"), STATUS_METHOD);
    cr_assert_str_eq(http_route_allow(match.allowed, allow), "GET, HEAD, POST");
    cr_assert_str_eq(fault.next_step, "It takes GET, HEAD, POST.");
    cr_assert_eq(find(HTTP_METHODS, "/v1/rollouts/1/verdicts"), STATUS_METHOD);
    cr_assert_str_eq(http_route_allow(match.allowed, allow), "GET, HEAD, POST");
    cr_assert_eq(find(HTTP_GET, "/v1/rollouts/1/abort"), STATUS_METHOD);
    cr_assert_str_eq(http_route_allow(match.allowed, allow), "POST");
    cr_assert_lt(strlen(http_route_allow(~0u, allow)), 64);
}

static enum status checked(enum http_method method, const char *pattern, http_handler handler)
{
    const struct http_route two[] = {{HTTP_GET, "/a/{x}", 0, nothing, 0}, {method, pattern, 0, handler, 0}};
    return http_routes_check(two, 2, &fault);
}

Test(http_router, tables_are_checked)
{
    cr_assert_eq(checked(HTTP_GET, "/a/b/c", nothing), STATUS_OK);
    cr_assert_eq(checked(HTTP_POST, "/a/{x}", nothing), STATUS_OK);
    cr_assert_eq(checked(HTTP_GET, "/{y}/b", nothing), STATUS_OK);
    cr_assert_eq(checked(HTTP_GET, "/a/b", nothing), STATUS_INTERNAL);
    cr_assert_str_eq(fault.detail, "route 1, /a/b, is hidden by route 0, /a/{x}");
    cr_assert_eq(checked(HTTP_GET, "/a/{y}", nothing), STATUS_INTERNAL);
    cr_assert_eq(checked(HTTP_GET, "b", nothing), STATUS_INTERNAL);
    cr_assert_eq(checked(HTTP_GET, "/b/", nothing), STATUS_INTERNAL);
    cr_assert_eq(checked(HTTP_GET, "/b//c", nothing), STATUS_INTERNAL);
    cr_assert_eq(checked(HTTP_GET, "/b{x}", nothing), STATUS_INTERNAL);
    cr_assert_eq(checked(HTTP_GET, "/{}", nothing), STATUS_INTERNAL);
    cr_assert_eq(checked(HTTP_GET, "/b", NULL), STATUS_INTERNAL);
    cr_assert_eq(checked(HTTP_METHODS, "/b", nothing), STATUS_INTERNAL);
    cr_assert_eq(checked(HTTP_GET, NULL, nothing), STATUS_INTERNAL);
    cr_assert_eq(checked(HTTP_GET, "/{1}/{2}/{3}/{4}/{5}/{6}/{7}", nothing), STATUS_INTERNAL);
}
