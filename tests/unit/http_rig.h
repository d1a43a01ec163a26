/* The server under test, its handlers, and a client of raw bytes. Criterion gives every test a process of its
   own, so the state is global. */
#pragma once

#include "http/server.h"

#include <stdatomic.h>

enum { ANSWER_MAX = 1 << 20, ENGINEER = 3, ADMIN = 5 };

/* The header lines of a request that is the last on its connection. */
#define LAST "Host: x\r\nConnection: close\r\n"

extern struct http_server *server;
extern struct http_server_options options; /* for start() */
extern struct fault fault;
extern atomic_int handled, authenticated, released, observed, inside; /* calls of handlers and hooks */
extern atomic_bool hold;                                              /* keeps GET /slow from answering */
extern char answer[ANSWER_MAX];                                       /* what came last */

void start(void);
void stop(void);
/* Connections; -1 if there is no local one. */
int dial(void);
int dial_local(const char *path);
void say(int fd, const char *bytes);
/* Reads until the server closes, or nothing comes for wait_ms. Returns `answer`, as ask does. */
const char *hear(int fd, int wait_ms);
/* One request on a connection of its own. */
const char *ask(const char *request);
/* Assert that `answer` holds a part, or not. */
void has(const char *part);
void lacks(const char *part);
