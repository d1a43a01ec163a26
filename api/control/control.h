/* The control port's REST API: its route table, and the hooks that api/http asks for. */
#pragma once

#include "http/router.h"
#include "store/db.h"
#include "store/tokens.h"

struct control;

struct control_options {
    struct db_pool *pool;    /* lent; must outlive the control */
    size_t content_max;      /* bytes of an artifact's content, canonical; 0: 1 MiB */
    int64_t alert_expires_s; /* how long an alert fires without being heard of again; 0: 5 h */
    bool webhook_private;    /* webhooks may go to addresses that are not of the public internet */
};

/* NULL on no memory. */
struct control *control_new(const struct control_options *options);
/* After the server has stopped. NULL is fine. */
void control_free(struct control *control);

/* The routes, for http_server_options with a struct control as context. */
extern const struct http_route control_routes[];
extern const size_t control_route_count;
/* Largest request body: the content with its JSON escapes, and the rest. */
size_t control_body_max(const struct control_options *options);

/* The authenticate hook: Bearer token -> struct token (principal) and its role. What was found is remembered
   for 5 s, so a revoked token may live that long on another replica. Any thread. */
enum status control_authenticate(void *context, struct http_request *request, struct fault *fault);
/* Frees the principal. */
void control_release(void *context, void *principal);
/* The observe hook: counts each answer and its time, by the path's template. */
void control_observe(void *context, const struct http_request *request, const char *pattern, int http_status,
                     int64_t duration_us);
/* "engineer" for ROLE_ENGINEER ... Static string. */
const char *control_role_name(int role);
