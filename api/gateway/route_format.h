/* A route for gateways that do not read JSON: `split_clients` of nginx, and plain lines for scripts and Lua.
   Made from the body that was prepared for the snapshot, when a changed route is fetched. Pure. */
#pragma once

#include "base/fault.h"
#include "base/text.h"

#include <stddef.h>

enum route_format {
    ROUTE_JSON, /* as it was prepared */
    ROUTE_NGINX,
    ROUTE_PLAIN
};

/* Reads ?format=; NULL is JSON. INVALID for one there is not. */
enum status route_format_parse(const char *word, enum route_format *out, struct fault *fault) MUST_CHECK;
const char *route_format_type(enum route_format format); /* Content-Type; static */

/* Names of variables of nginx, without the dollar: 1 to 63 of a-z A-Z 0-9 and _, not beginning with a digit.
   NULL: key, by what the service is sticky by, http_x_user_id, http_x_conversation_id or request_id;
   variable, "serin_" and the service, with _ for what a variable cannot have. */
struct route_nginx {
    const char *key, *variable;
};
/* INVALID for what is no such name. */
enum status route_nginx_check(const struct route_nginx *options, struct fault *fault) MUST_CHECK;

/* Appends `body` (schema Route) in that form; `nginx` may be NULL for others. MALFORMED if it is not such a
   body. A weight of 1/10,000 is just the 0.01 % that split_clients can express, so every route can be. */
enum status route_format_write(struct text *out, const char *body, size_t length, enum route_format format,
                               const struct route_nginx *nginx, struct fault *fault) MUST_CHECK;
