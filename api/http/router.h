/* The router: from a method and a raw path to a row of a static table. Pure. */
#pragma once

#include "http/message.h"

enum { HTTP_PARAMETER_MAX = 128 /* bytes of one parameter, decoded */, HTTP_PATH_MAX = 2048 };

enum http_route_flags {
    HTTP_PUBLIC = 1,  /* the authenticate hook is not asked; min_role does not apply */
    HTTP_ANY_BODY = 2 /* the body need not be JSON */
};

/* Answers a request. Straight-line code on a thread of the connection; it may block. OK: the response is sent
   as it is filled. Anything else: the response is dropped and `fault` is sent as a problem with the status
   that was returned. */
typedef enum status (*http_handler)(void *context, const struct http_request *request,
                                    struct http_response *response, struct fault *fault);

struct http_route {
    enum http_method method;
    const char *pattern; /* "/v1/rollouts/{id}/{verb}": segments are literal or one parameter */
    int min_role;        /* compared with request.role */
    http_handler handler;
    unsigned flags;
};

struct http_match {
    const struct http_route *route; /* NULL unless found */
    unsigned allowed;               /* bit 1 << method for each method that the path takes */
    size_t parameters;
    const char *parameter[HTTP_PARAMETERS_MAX]; /* in `storage` */
    char storage[HTTP_PATH_MAX + 1];
};

/* Looks a path (raw, without the query) up; the first row that fits wins, so literal rows stand before rows
   with a parameter in the same place. OK, or NOT_FOUND, METHOD (see `allowed`), MALFORMED (a broken escape or
   a parameter that is empty or too long). */
enum status http_route_find(const struct http_route *routes, size_t count, enum http_method method,
                            const char *path, struct http_match *match, struct fault *fault) MUST_CHECK;
/* Writes the methods of `allowed` as the Allow header lists them; GET brings HEAD with it. Returns `out`. */
char *http_route_allow(unsigned allowed, char out[64]);
/* Checks a table: well-formed patterns, handlers, and no row that an earlier one hides. INTERNAL names the
 * row. */
enum status http_routes_check(const struct http_route *routes, size_t count, struct fault *fault) MUST_CHECK;
