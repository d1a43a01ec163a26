/* The server under test, its handlers, and a client of raw bytes. */
#include "http_rig.h"

#include "base/json.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct http_server *server;
struct fault fault;
atomic_int handled, authenticated, released, observed, inside;
atomic_bool hold;
char answer[ANSWER_MAX];
static int principal;

/* --- handlers --- */

static void put(struct json_object *object, const char *name, const char *value)
{
    json_object_object_add(object, name, value != NULL ? json_object_new_string(value) : NULL);
}

static enum status echo(void *context, const struct http_request *request, struct http_response *response,
                        struct fault *problem)
{
    struct json_object *object = json_object_new_object();
    atomic_fetch_add(&handled, 1);
    put(object, "context", context);
    put(object, "method", http_method_name(request->method));
    put(object, "path", request->path);
    put(object, "id", request->parameters > 0 ? request->parameter[0] : NULL);
    put(object, "q", http_query(request, "q"));
    put(object, "header", http_header(request, "x-test"));
    put(object, "peer", request->peer);
    json_object_object_add(object, "body",
                           json_object_new_string_len(request->body, (int)request->body_length));
    json_object_object_add(object, "role", json_object_new_int(request->role));
    return http_respond_json(response, request->method == HTTP_POST ? 201 : 200, object, problem);
}

static enum status fail(void *context, const struct http_request *request, struct http_response *response,
                        struct fault *problem)
{
    (void)context, (void)request;
    text_puts(&response->body, "never seen");
    return fault_at(problem, "/a", "bad");
}

static enum status bare(void *context, const struct http_request *request, struct http_response *response,
                        struct fault *problem)
{
    (void)context, (void)request, (void)response, (void)problem;
    return STATUS_DATABASE; /* without a word */
}

static enum status versioned(void *context, const struct http_request *request,
                             struct http_response *response, struct fault *problem)
{
    (void)context, (void)request, (void)problem;
    strcpy(response->etag, "\"v7\"");
    text_puts(&response->body, "{\"v\":7}");
    return http_response_header(response, "Cache-Control", "no-cache");
}

static enum status empty(void *context, const struct http_request *request, struct http_response *response,
                         struct fault *problem)
{
    (void)context, (void)request, (void)problem;
    response->status = 204;
    return STATUS_OK;
}

static enum status slow(void *context, const struct http_request *request, struct http_response *response,
                        struct fault *problem)
{
    (void)context, (void)request, (void)problem;
    atomic_fetch_add(&inside, 1);
    while (atomic_load(&hold)) {
        usleep(2000);
    }
    text_puts(&response->body, "\"slept\"");
    return STATUS_OK;
}

static enum status count_bytes(void *context, const struct http_request *request,
                               struct http_response *response, struct fault *problem)
{
    (void)context, (void)problem;
    text_printf(&response->body, "%zu", request->body_length);
    response->content_type = "text/plain";
    return STATUS_OK;
}

static const struct http_route routes[] = {
    {HTTP_GET, "/open", 0, echo, HTTP_PUBLIC},
    {HTTP_POST, "/open", 0, echo, HTTP_PUBLIC},
    {HTTP_GET, "/items/{id}", 0, echo, HTTP_PUBLIC},
    {HTTP_GET, "/closed", ENGINEER, echo, 0},
    {HTTP_POST, "/closed", ADMIN, echo, 0},
    {HTTP_GET, "/fail", 0, fail, HTTP_PUBLIC},
    {HTTP_GET, "/bare", 0, bare, HTTP_PUBLIC},
    {HTTP_GET, "/versioned", 0, versioned, HTTP_PUBLIC},
    {HTTP_DELETE, "/empty", 0, empty, HTTP_PUBLIC},
    {HTTP_GET, "/slow", 0, slow, HTTP_PUBLIC},
    {HTTP_POST, "/bytes", 0, count_bytes, HTTP_PUBLIC | HTTP_ANY_BODY},
};

static enum status authenticate(void *context, struct http_request *request, struct fault *problem)
{
    const char *token = http_header(request, "Authorization");
    (void)context;
    if (token == NULL) {
        return fault_set(problem, STATUS_UNAUTHENTICATED, "no token");
    }
    atomic_fetch_add(&authenticated, 1);
    request->principal = &principal;
    request->role = atoi(token);
    return STATUS_OK;
}

static void release(void *context, void *who)
{
    (void)context;
    cr_assert_eq(who, &principal);
    atomic_fetch_add(&released, 1);
}

static const char *role_name(int role)
{
    return role == ADMIN ? "admin" : role == ENGINEER ? "engineer" : "viewer";
}

static void observe(void *context, const struct http_request *request, const char *pattern, int http_status,
                    int64_t duration_us)
{
    (void)context, (void)request;
    cr_assert(duration_us >= 0 && http_status >= 200);
    atomic_fetch_add(&observed, pattern != NULL ? 1 : 100);
}

struct http_server_options options = {
    .routes = routes,
    .route_count = sizeof routes / sizeof routes[0],
    .context = "told",
    .authenticate = authenticate,
    .release = release,
    .role_name = role_name,
    .observe = observe,
    .body_max = 1000,
};

void start(void)
{
    log_set_level(LOG_WARN);
    server = http_server_start(&options, &fault);
    cr_assert_not_null(server, "%s", fault.detail);
}

void stop(void)
{
    atomic_store(&hold, false);
    cr_expect_eq(http_server_stop(server, 5000), STATUS_OK);
    server = NULL;
}

/* --- a client of raw bytes --- */

int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_server_port(server))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

int dial_local(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    strcpy(to.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void say(int fd, const char *bytes)
{
    size_t length = strlen(bytes);
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0) {
            return; /* the server may close early; what it said is what counts */
        }
        bytes += sent;
        length -= (size_t)sent;
    }
}

/* All that comes until the server closes, or nothing comes for wait_ms. */
const char *hear(int fd, int wait_ms)
{
    size_t length = 0;
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    while (length < sizeof answer - 1 && poll(&poller, 1, wait_ms) == 1) {
        ssize_t got = recv(fd, answer + length, sizeof answer - 1 - length, 0);
        if (got <= 0) {
            break;
        }
        length += (size_t)got;
    }
    answer[length] = '\0';
    return answer;
}

const char *ask(const char *request)
{
    int fd = dial();
    say(fd, request);
    hear(fd, 10000);
    close(fd);
    return answer;
}

void has(const char *part)
{
    cr_assert_not_null(strstr(answer, part), "no %s in: %s", part, answer);
}

void lacks(const char *part)
{
    cr_assert_null(strstr(answer, part), "%s in: %s", part, answer);
}
