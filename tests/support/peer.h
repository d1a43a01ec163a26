/* A small HTTP server on a free loopback port, in threads of the test: the other side that a test scripts,
   well-behaved or hostile. One request a connection. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct peer;

struct peer_request {
    char method[8], path[512];
    char headers[8192]; /* raw lines */
    char *body;         /* NUL-terminated, lent */
    size_t length;
};

/* Called for each request, in a thread of its own; writes what it likes to `fd`, which is closed afterwards.
 */
typedef void (*peer_handler)(struct peer *peer, int fd, const struct peer_request *request, void *context);

/* Starts; aborts the test process if it cannot. */
struct peer *peer_new(peer_handler handler, void *context);
/* Stops and waits for its threads; a handler that goes on for ever must look at peer_stopping() or at
 * peer_send. */
void peer_free(struct peer *peer);
int peer_port(const struct peer *peer);
bool peer_stopping(const struct peer *peer);
/* How many requests were read. */
int peer_requests(const struct peer *peer);

/* Writes all; false once the other side is gone. */
bool peer_send(int fd, const char *data, size_t length);
/* A whole answer with Content-Length. `headers`: further lines, each closed by CRLF, or NULL. */
void peer_answer(int fd, int code, const char *headers, const char *body);
/* Value of a header of the request, cut at `size`; "" if there is none. Returns `out`. */
char *peer_header(const struct peer_request *request, const char *name, char *out, size_t size);
/* A loopback port that nobody listens on at the moment. */
int peer_free_port(void);
