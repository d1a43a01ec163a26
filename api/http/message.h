/* A request as a handler sees it, and the response that it fills. Nothing here depends on the server, so that
   handlers can be tested without one. */
#pragma once

#include "base/fault.h"
#include "base/text.h"
#include "http/query.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

enum http_method {
    HTTP_GET,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_METHODS /* one more than the last; as a value: a method that this API does not use */
};

enum { HTTP_PARAMETERS_MAX = 6, HTTP_ETAG_MAX = 128, HTTP_EXTRA_MAX = 8, HTTP_REQUEST_ID_MAX = 65 };

/* Everything is lent for the length of the call. */
struct http_request {
    enum http_method method; /* HEAD arrives as GET */
    bool head;
    const char *path;                           /* decoded, for messages; the router reads the raw one */
    const char *parameter[HTTP_PARAMETERS_MAX]; /* of the route's {names}, in order, decoded */
    size_t parameters;
    const struct http_query *query; /* NULL: none */
    const struct http_pair *header; /* each name once; repeated lines are joined by ", " */
    size_t headers;
    const char *body; /* not NULL; followed by a NUL that does not count */
    size_t body_length;
    const char *request_id;
    const char *peer; /* address of the client, "unix" for the local socket */
    bool local;       /* came over the local socket */
    void *principal;  /* set by the authenticate hook, as is the role */
    int role;
};

/* Name of a method ("GET"); NULL for HTTP_METHODS. Static string. */
const char *http_method_name(enum http_method method);
/* HTTP_METHODS if the API does not use it. HEAD is GET. */
enum http_method http_method_parse(const char *name);

/* Value of a header, whatever the case of its name; NULL if absent. Lent. */
const char *http_header(const struct http_request *request, const char *name);
/* Decoded value of a query parameter; NULL if absent. Lent. */
const char *http_query(const struct http_request *request, const char *name);
/* INVALID if the query holds a name that is not in `names` (NULL-terminated), with the one that was probably
   meant. Call it in every handler: a misspelt filter must not silently list everything. */
enum status http_query_only(const struct http_request *request, const char *const *names,
                            struct fault *fault) MUST_CHECK;
/* True for an X-Request-Id that is taken over: 1 to 64 of A-Z a-z 0-9 . _ - */
bool http_request_id_valid(const char *text);

struct http_extra {
    char name[40], value[512];
};

struct http_response {
    int status;               /* HTTP status code */
    const char *content_type; /* static string; NULL: application/json if there is a body */
    struct text body;
    char etag[HTTP_ETAG_MAX]; /* with its quotes; "": none */
    size_t extras;
    struct http_extra extra[HTTP_EXTRA_MAX];
};

/* An empty 200 with room for at most `body_max` bytes. */
void http_response_init(struct http_response *response, size_t body_max);
void http_response_free(struct http_response *response);
/* Sets a header (printf), in place of one of the same name. INTERNAL, and nothing set, if there is no room or
   the value holds a control character: a value from outside can never begin a new header line. */
enum status http_response_header(struct http_response *response, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The header's value; NULL if it was not set. Lent. */
const char *http_response_extra(const struct http_response *response, const char *name);
/* Replaces the body by `value`, which is taken: released in any case. INTERNAL if it cannot be written. */
enum status http_respond_json(struct http_response *response, int http_status, struct json_object *value,
                              struct fault *fault) MUST_CHECK;
/* Makes the response the problem that `fault` describes, with the headers that its status asks for
   (WWW-Authenticate, Retry-After). Headers set before are kept, the ETag is not. */
void http_respond_fault(struct http_response *response, const struct fault *fault, const char *request_id);
