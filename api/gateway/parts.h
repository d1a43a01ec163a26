/* What the files of the gateway port share: the port, its threads, and a request on its way through them.

   A request lives on its gateway thread. While a job works for it, or while it is parked, its connection is
   suspended: then nobody but the job touches it, and it cannot go away, since a client that leaves is not
   noticed. The job ends by sending the request's letter to the thread. */
#pragma once

#include "base/clock.h"
#include "base/fault.h"
#include "base/id.h"
#include "base/lane.h"
#include "base/text.h"
#include "gateway/acks.h"
#include "gateway/clocks.h"
#include "gateway/followers.h"
#include "gateway/gateway.h"
#include "gateway/metrics.h"
#include "gateway/snapshot.h"
#include "gateway/waiters.h"
#include "sources/genai.h"
#include "sources/genai_metrics.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

enum { GATEWAY_THREADS_MAX = 16, GATEWAY_ROLE = 1 /* viewer 0, gateway 1, ... */ };

struct gateway_thread;
struct connection;
struct outcome_job;
struct otlp_job;
struct content_job;

/* Something for a gateway thread, from another thread. Embedded in what it is about. */
struct letter {
    struct letter *next;
    void (*open)(struct gateway_thread *thread, struct letter *letter);
};

struct path;

/* What the paths ask of the header and the query, each the first of its name; NULL = not there. Lent by the
   connection while the request lives. */
struct request_fields {
    const char *authorization, *if_none_match, *instance, *transfer_encoding; /* headers */
    const char *wait, *format, *key, *variable;                               /* of the query */
};

struct request {
    struct gateway_thread *thread;
    struct MHD_Connection *connection;
    const struct path *path;
    const char *argument; /* what follows the path's prefix; lent by the connection */
    const char *method;
    struct mono_time began;
    bool suspended, refused_body;
    bool whole;           /* nothing more of it is waited for */
    struct letter letter; /* comes when its job has ended */
    struct request_fields fields;
    struct request *spare; /* the next one, while it is one of the thread's spare ones */
    struct text body;
    size_t body_counted; /* of the thread's body_bytes */
    const char *caller;  /* name of the token, lent by the connection; NULL before auth_check() */
    /* a route */
    struct waiter waiter;
    bool waited;            /* it was parked before: now it is answered */
    const char *instance;   /* Serin-Gateway; "" = unnamed; lent by the connection */
    int64_t applied_epoch;  /* of all routes: the revision */
    int64_t incarnation;    /* in which that counts */
    struct mono_time heard; /* when that was noted last */
    bool ahead;             /* it knows more than we do */
    const char *error_code; /* OFREP's word for what was wrong, static; NULL = by the status */
    /* outcomes, content */
    struct outcome_job *outcome; /* owned; outcomes.c */
    struct content_job *content; /* owned; content.c */
    struct otlp_job *otlp;       /* owned; otlp.c */
    /* a body in chunks that is under way; chunks.c */
    bool chunked;
    struct request *chunk_next, *chunk_before;
    struct mono_time got_on;
};

/* One path of the port. `answer` is called when the body has been read, and again whenever the request was
   suspended and is resumed. */
struct path {
    const char *prefix; /* "/v1/routes/" with an argument, "/livez" without */
    bool argument, body, open_to_all;
    enum metric_path metric;
    enum MHD_Result (*answer)(struct request *request);
    void (*forget)(struct request *request); /* frees what it made; NULL = nothing */
    bool chunks;                             /* the body may come in chunks */
    /* Appends a fault in the form of the path's protocol; returns the media type. NULL: problem+json */
    const char *(*problem)(const struct request *request, const struct fault *fault, struct text *out);
};

struct gateway_thread {
    struct gateway *gateway;
    pthread_t thread;
    uv_loop_t loop;
    uv_async_t wake;
    uv_poll_t readable;
    uv_timer_t pump_timer, wait_timer, second_timer;
    size_t handles; /* open ones of the loop */
    struct MHD_Daemon *daemon;
    bool running, loop_ready;
    /* from other threads */
    _Atomic(struct snapshot *) slot; /* the newest snapshot that was not yet taken */
    pthread_mutex_t lock;
    struct letter *letters; /* lock; newest first */
    atomic_bool stop;
    /* its own */
    struct snapshot *snapshot; /* NULL: none yet */
    struct overview
        *overview; /* of this snapshot, after a lease has run out; NULL: the snapshot's own is good */
    struct waiters waiters;
    struct mono_time wait_armed; /* when the wait timer will look at deadlines */
    struct acks *acks;
    struct followers *followers; /* who asks for all routes */
    struct acks *evaluators;     /* who has flags evaluated here one by one, and the epoch that was noted */
    int64_t evaluated_rev, evaluated_incarnation; /* up to which they were noted */
    bool acks_out;                                /* a job writes them down */
    size_t jobs;                                  /* that owe a letter */
    size_t open;                                  /* requests begun and not ended */
    struct connection *connections;
    struct request *spare; /* requests to be used again; owned */
    size_t spares;
    struct mono_time mono; /* when the round of requests that is under way began, and by the other clock */
    struct wall_time wall;
    size_t body_bytes;
    struct request *chunked; /* requests whose body comes in chunks; lent */
    bool resumed;            /* connections that MHD has yet to take up again */
    bool stopping;
    struct mono_time stop_by;
    struct metric_thread metrics;
};

/* The database's clock, which may be scaled: at `mono` it was `at`. */
struct database_clock {
    bool known;
    struct wall_time at;
    struct mono_time mono;
    double rate;
};

struct gateway {
    struct gateway_options options; /* with defaults filled in */
    char *conninfo, *state_dir;
    struct counts_writer *counts;
    struct publisher *publisher;
    struct content_cache *content;
    struct clocks *clocks;          /* of the gateways that report */
    struct lane *decode, *database; /* decoding of large bodies; calls to the database */
    atomic_bool draining;
    _Atomic(struct snapshot *) agent_slot; /* the newest snapshot, for the listener of agent-checks */
    atomic_llong checked_us; /* when the newest snapshot was last checked against the database; 0 = never */
    pthread_mutex_t clock_lock;
    struct database_clock clock; /* clock_lock */
    struct metric_shared metrics;
    struct genai_names otlp_names;
    struct genai_counters otlp_counters;
    struct wall_time started;
    int listen_fd;
    char address[80];
    size_t threads;
    struct gateway_thread thread[GATEWAY_THREADS_MAX];
};

/* --- gateway.c: any thread
 * ---------------------------------------------------------------------------------------- */
/* Hands a snapshot to every gateway thread; takes over one reference. */
void gateway_publish(struct gateway *gateway, struct snapshot *snapshot);
/* The newest snapshot was checked at `mono`, when the database's clock was this. */
void gateway_checked(struct gateway *gateway, struct mono_time mono, struct wall_time database_now,
                     double rate);
/* How long ago the last check was, in ms; -1 = never. */
int64_t gateway_unchecked_ms(struct gateway *gateway);
/* Whether, at `now`, that was too long ago. */
bool gateway_is_stale(struct gateway *gateway, struct mono_time now);
/* What serin_now() was at `mono`. False while the database has never been there. */
bool gateway_database_time(struct gateway *gateway, struct mono_time mono, struct wall_time *out);
/* How fast the database's clock runs; 1 but for tests. */
double gateway_database_rate(struct gateway *gateway);

/* --- thread.c
 * ----------------------------------------------------------------------------------------------------- */
/* Makes loop and daemon over (a duplicate of) the listening socket, and starts the thread. */
enum status thread_start(struct gateway_thread *thread, struct gateway *gateway, int listen_fd,
                         size_t connections, struct fault *fault) MUST_CHECK;
/* Tells it to stop, and joins it. A thread that was never started is fine. */
void thread_stop(struct gateway_thread *thread);
void thread_wake(struct gateway_thread *thread);                        /* any thread */
void thread_send(struct gateway_thread *thread, struct letter *letter); /* any thread */
/* On its thread, from `answer`: suspends the connection and counts a job. The job then ends with
   thread_send() of request->letter, which is set to come back to `answer`. */
void request_suspend_for_job(struct request *request);

/* On its thread, from `answer`: suspends the connection until it is due, over, or its client has left; then
   `answer` is called again, once. False if too many are parked. */
bool request_park(struct request *request, struct mono_time deadline);

/* On its thread: all routes as they are served at these times. Made anew only after a lease has run out. Lent
   until the next snapshot or call. NULL on no memory. */
const struct overview *thread_overview(struct gateway_thread *thread, struct wall_time wall,
                                       struct mono_time mono);

/* --- request.c: callbacks of MHD
 * ---------------------------------------------------------------------------------- */
enum MHD_Result request_handle(void *argument, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_size, void **context);
void request_completed(void *argument, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode code);
/* Frees the requests that the thread keeps for the next ones. */
void request_free_spare(struct gateway_thread *thread);

/* --- the paths
 * ---------------------------------------------------------------------------------------------------- */
enum MHD_Result routes_answer(struct request *request);
/* Whether the parked request has something to be told, at these times. */
bool routes_is_due(struct request *request, struct wall_time wall, struct mono_time mono);
/* Notes what the gateway that asks for all routes has applied of them. */
void routes_heard_all(const struct request *request, struct mono_time now);
enum MHD_Result ofrep_answer(struct request *request);
enum MHD_Result ofrep_answer_all(struct request *request);
enum MHD_Result outcomes_answer(struct request *request);
void outcomes_forget(struct request *request);
enum MHD_Result content_answer(struct request *request);
void content_forget(struct request *request);
enum MHD_Result traces_answer(struct request *request);
enum MHD_Result points_answer(struct request *request); /* OTLP's metrics */
enum MHD_Result events_answer(struct request *request); /* OTLP's logs */
void otlp_forget(struct request *request);
enum MHD_Result health_live(struct request *request);
enum MHD_Result health_ready(struct request *request);
enum MHD_Result metrics_answer(struct request *request);
