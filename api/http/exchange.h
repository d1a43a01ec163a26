/* One request on its way through the server: from the first byte of its header to the last of its answer.
   Only the server's own files see this. */
#pragma once

#include "base/clock.h"
#include "http/server.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>

/* What all exchanges of a server share. */
struct exchange_shared {
    struct http_server_options options; /* defaults filled in */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;     /* lock */
    unsigned open;     /* lock; requests between their first line and the end of their answer */
    unsigned handling; /* lock; of these, the ones in a hook or handler */
};

/* The callbacks of libmicrohttpd; `context` is a struct exchange_door. */
struct exchange_door {
    struct exchange_shared *shared;
    bool local;
};

enum { EXCHANGE_HEADERS_MAX = 64, EXCHANGE_JOINED_MAX = 8 };

struct exchange {
    uint32_t magic;
    struct exchange_shared *shared;
    struct exchange **place; /* where its connection holds it */
    struct mono_time began;
    char *uri; /* owned; cut at the question mark */
    char *raw_query;
    char *path; /* owned, decoded */
    bool checked, authenticated;
    bool announced_body;
    bool ambiguous; /* where the body ends is not sure: nothing more is read from this connection */
    struct text body;
    size_t received;
    enum status refused; /* OK, or why the handler will not be called */
    struct http_request request;
    struct http_query query;
    struct http_match match;
    struct http_pair header[EXCHANGE_HEADERS_MAX];
    size_t joined;
    char *join[EXCHANGE_JOINED_MAX]; /* owned */
    char request_id[HTTP_REQUEST_ID_MAX];
    char peer[INET6_ADDRSTRLEN];
    struct fault fault;
};

void *exchange_begin(void *context, const char *uri, struct MHD_Connection *connection);
enum MHD_Result exchange_continue(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_length, void **exchange);
void exchange_end(void *context, struct MHD_Connection *connection, void **exchange,
                  enum MHD_RequestTerminationCode code);
void exchange_connection(void *context, struct MHD_Connection *connection, void **place,
                         enum MHD_ConnectionNotificationCode code);

/* Reads the header and decides. OK: read the body and call the handler; else the fault is what to answer. */
enum status exchange_check(struct exchange *exchange, struct MHD_Connection *connection,
                           const char *method) MUST_CHECK;
/* Takes the client's request id over or makes one. */
void exchange_take_request_id(struct exchange *exchange);
/* The fault of a body beyond the limit. */
enum status exchange_too_large(const struct exchange *exchange, struct fault *fault);
