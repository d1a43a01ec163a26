/* A small HTTP server in threads of the test. */
#include "support/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_MAX = 4 << 20, CONNECTIONS_MAX = 256 };

struct peer {
    int listening, port;
    pthread_t thread;
    peer_handler handler;
    void *context;
    atomic_bool stopping;
    atomic_int requests;
    size_t connections;
    pthread_t connection[CONNECTIONS_MAX];
};

struct connection {
    struct peer *peer;
    int fd;
};

static void must(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    abort();
}

static int listen_somewhere(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0, "socket");
    must(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    must(getsockname(fd, (struct sockaddr *)&address, &length) == 0, "getsockname");
    must(listen(fd, 64) == 0, "listen");
    *port = ntohs(address.sin_port);
    return fd;
}

int peer_free_port(void)
{
    int port, fd = listen_somewhere(&port);
    close(fd);
    return port;
}

bool peer_send(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        data += sent;
        length -= (size_t)sent;
    }
    return true;
}

void peer_answer(int fd, int code, const char *headers, const char *body)
{
    char head[1024];
    int length = snprintf(head, sizeof head, "HTTP/1.1 %d Scripted\r\nContent-Length: %zu\r\n%s\r\n", code,
                          strlen(body), headers != NULL ? headers : "");
    if (length > 0 && peer_send(fd, head, (size_t)length))
        peer_send(fd, body, strlen(body));
}

char *peer_header(const struct peer_request *request, const char *name, char *out, size_t size)
{
    size_t length = strlen(name);
    out[0] = '\0';
    for (const char *line = request->headers; *line != '\0';) {
        const char *end = strstr(line, "\r\n");
        if (end == NULL)
            break;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            const char *value = line + length + 1 + strspn(line + length + 1, " ");
            snprintf(out, size, "%.*s", (int)(end - value), value);
            break;
        }
        line = end + 2;
    }
    return out;
}

/* Reads until `want` bytes are there, or the end of the headers if `want` is 0. */
static bool read_until(struct peer *peer, int fd, char *data, size_t *used, size_t want)
{
    while (want > 0 ? *used < want : strstr(data, "\r\n\r\n") == NULL) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        if (*used >= REQUEST_MAX || peer_stopping(peer))
            return false;
        if (poll(&waiting, 1, 50) <= 0)
            continue;
        ssize_t got = recv(fd, data + *used, REQUEST_MAX - *used, 0);
        if (got <= 0)
            return false;
        *used += (size_t)got;
        data[*used] = '\0';
    }
    return true;
}

static bool read_request(struct peer *peer, int fd, char *data, struct peer_request *out)
{
    size_t used = 0;
    char length[32];
    if (!read_until(peer, fd, data, &used, 0) || sscanf(data, "%7s %511s", out->method, out->path) != 2)
        return false;
    char *end = strstr(data, "\r\n\r\n");
    char *first = strstr(data, "\r\n");
    snprintf(out->headers, sizeof out->headers, "%.*s", (int)(end + 2 - (first + 2)), first + 2);
    size_t head = (size_t)(end + 4 - data);
    out->length = (size_t)strtoul(peer_header(out, "Content-Length", length, sizeof length), NULL, 10);
    if (out->length > 0 && !read_until(peer, fd, data, &used, head + out->length))
        return false;
    out->body = data + head;
    return true;
}

static void *serve(void *argument)
{
    struct connection *connection = argument;
    struct peer *peer = connection->peer;
    struct peer_request *request = calloc(1, sizeof *request);
    char *data = calloc(1, REQUEST_MAX + 1);
    must(request != NULL && data != NULL, "calloc");
    if (read_request(peer, connection->fd, data, request)) {
        atomic_fetch_add(&peer->requests, 1);
        peer->handler(peer, connection->fd, request, peer->context);
    }
    shutdown(connection->fd, SHUT_WR);
    close(connection->fd);
    free(data);
    free(request);
    free(connection);
    return NULL;
}

static void *accept_all(void *argument)
{
    struct peer *peer = argument;
    while (!peer_stopping(peer)) {
        struct pollfd waiting = {.fd = peer->listening, .events = POLLIN};
        if (poll(&waiting, 1, 20) <= 0)
            continue;
        struct connection *connection = calloc(1, sizeof *connection);
        must(connection != NULL, "calloc");
        *connection = (struct connection){.peer = peer, .fd = accept(peer->listening, NULL, NULL)};
        if (connection->fd < 0 || peer->connections == CONNECTIONS_MAX) {
            if (connection->fd >= 0)
                close(connection->fd);
            free(connection);
            continue;
        }
        must(pthread_create(&peer->connection[peer->connections++], NULL, serve, connection) == 0,
             "pthread_create");
    }
    return NULL;
}

struct peer *peer_new(peer_handler handler, void *context)
{
    struct peer *peer = calloc(1, sizeof *peer);
    must(peer != NULL, "calloc");
    peer->handler = handler;
    peer->context = context;
    peer->listening = listen_somewhere(&peer->port);
    must(pthread_create(&peer->thread, NULL, accept_all, peer) == 0, "pthread_create");
    return peer;
}

void peer_free(struct peer *peer)
{
    if (peer == NULL)
        return;
    atomic_store(&peer->stopping, true);
    pthread_join(peer->thread, NULL);
    for (size_t i = 0; i < peer->connections; i++)
        pthread_join(peer->connection[i], NULL);
    close(peer->listening);
    free(peer);
}

int peer_port(const struct peer *peer)
{
    return peer->port;
}

bool peer_stopping(const struct peer *peer)
{
    return atomic_load(&peer->stopping);
}

int peer_requests(const struct peer *peer)
{
    return atomic_load(&peer->requests);
}
