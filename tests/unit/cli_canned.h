/* A server of canned answers on a loopback port, and `serin` run against it with its output caught. */
#pragma once

#include <stddef.h>

struct canned {
    const char *request; /* "GET /v1/services/chat": method and path with query */
    int status;
    const char *body;
    const char *etag; /* NULL = none */
    int times;        /* answers this often, then the next row of the same request counts; 0 = always */
};

/* Starts the server in a thread; rows are lent and closed by a NULL request. What is asked for and not there
   is 404 without a problem body. Sets SERIN_URL and a HOME without settings. */
void canned_start(struct canned *rows);
/* Everything that was asked so far: "METHOD PATH\n" with the body, if any, on the next line after a tab. */
const char *canned_log(void);

struct canned_run {
    int code;
    char *out, *err; /* owned by the rig until the next run */
};
/* Runs serin with the words (closed by NULL). */
struct canned_run canned_serin(const char *word, ...) __attribute__((sentinel));
