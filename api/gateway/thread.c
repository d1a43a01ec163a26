/* A gateway thread: a libuv loop that drives libmicrohttpd from outside.

   libmicrohttpd 0.9.75 decides the shape. Its own epoll threads stall when just 128 sockets are ready;
   MHD_run() from here does not. MHD_resume_connection() wakes nobody, so that MHD_run() follows it.
   MHD_stop_daemon() aborts the process while a connection is suspended, so that all are resumed and served
   first. */
#include "gateway/chunks.h"
#include "gateway/connection.h"
#include "gateway/parts.h"

#include "base/log.h"
#include "gateway/overview.h"
#include "gateway/publisher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    POOL_BYTES = 4096,    /* of a connection: 3 kB of headers; more costs 30 % of CPU in clearing it */
    IDLE_TIMEOUT_S = 120, /* of a connection that is not parked */
    RUNS_AT_ONCE = 8,     /* then other events of the loop have their turn */
    WAIT_STEP_MS = 50,    /* deadlines of parked connections are kept to within this */
    STOP_WAIT_MS = 5000,  /* for clients that read their answers slowly */
    STOP_STEP_MS = 10,
    ACKS_MAX = 20000,
    ACKS_AT_ONCE = 5000,
    HEARD_AGAIN_MS = 5000,
    EVALUATORS_KEPT_MS = 3600000 /* longer than a lease: after that nobody waits for them */
};

/* --- waking
 * ------------------------------------------------------------------------------------------------------- */

static bool pump(struct gateway_thread *thread);

void thread_wake(struct gateway_thread *thread)
{
    uv_async_send(&thread->wake);
}

void thread_send(struct gateway_thread *thread, struct letter *letter)
{
    pthread_mutex_lock(&thread->lock);
    letter->next = thread->letters;
    thread->letters = letter;
    pthread_mutex_unlock(&thread->lock);
    thread_wake(thread);
}

static void resume(struct request *request)
{
    request->suspended = false;
    MHD_resume_connection(request->connection);
    request->thread->resumed = true;
}

static struct request *request_of_letter(struct letter *letter)
{
    return (struct request *)((char *)letter - offsetof(struct request, letter));
}

static struct request *request_of_waiter(struct waiter *waiter)
{
    return (struct request *)((char *)waiter - offsetof(struct request, waiter));
}

static void job_ended(struct gateway_thread *thread, struct letter *letter)
{
    thread->jobs--;
    resume(request_of_letter(letter));
}

void request_suspend_for_job(struct request *request)
{
    request->letter.open = job_ended;
    request->suspended = true;
    request->thread->jobs++;
    MHD_suspend_connection(request->connection);
}

static void wake_waiter(void *argument, struct waiter *waiter)
{
    (void)argument;
    resume(request_of_waiter(waiter));
}

struct moment {
    struct gateway_thread *thread;
    struct wall_time wall;
    struct mono_time mono;
};

static bool is_over(void *argument, struct waiter *waiter)
{
    const struct moment *now = argument;
    return waiter->deadline.us <= now->mono.us || atomic_load(&now->thread->gateway->draining);
}

static bool is_due(void *argument, struct waiter *waiter)
{
    const struct moment *now = argument;
    return is_over(argument, waiter) || routes_is_due(request_of_waiter(waiter), now->wall, now->mono);
}

static void wake_waiters(struct gateway_thread *thread, bool (*due)(void *argument, struct waiter *waiter))
{
    struct moment now = {thread, clock_wall(), clock_mono()};
    waiters_wake(&thread->waiters, due, wake_waiter, &now);
}

static void on_wait_timer(uv_timer_t *timer);

/* Sees to it that the deadlines are looked at by then. */
static void arm_wait_timer(struct gateway_thread *thread, struct mono_time deadline)
{
    int64_t left_ms = (deadline.us - clock_mono().us) / 1000;
    uv_update_time(&thread->loop);
    uv_timer_start(&thread->wait_timer, on_wait_timer,
                   left_ms < WAIT_STEP_MS ? WAIT_STEP_MS : (uint64_t)left_ms, 0);
    thread->wait_armed = deadline;
}

static void on_wait_timer(uv_timer_t *timer)
{
    struct gateway_thread *thread = timer->data;
    struct mono_time earliest;
    wake_waiters(thread, is_over);
    if (waiters_earliest(&thread->waiters, &earliest))
        arm_wait_timer(thread, earliest);
    pump(thread);
}

bool request_park(struct request *request, struct mono_time deadline)
{
    struct gateway_thread *thread = request->thread;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    request->waiter.deadline = deadline;
    request->waiter.fd = info != NULL ? (int)info->connect_fd : -1;
    if (!waiters_park(&thread->waiters, &request->waiter))
        return false;
    request->waited = request->suspended = true;
    MHD_suspend_connection(request->connection);
    if (!uv_is_active((uv_handle_t *)&thread->wait_timer) || deadline.us < thread->wait_armed.us)
        arm_wait_timer(thread, deadline);
    return true;
}

/* --- driving MHD
 * -------------------------------------------------------------------------------------------------- */

static void on_pump_timer(uv_timer_t *timer)
{
    pump(timer->data);
}

/* Lets MHD do all it can, then sees to it that it is called again in time. Never from inside one of its
   callbacks. False: it has more to do, and is called again soon. */
static bool pump(struct gateway_thread *thread)
{
    MHD_UNSIGNED_LONG_LONG left_ms = 1;
    bool has_timeout;
    int runs = 0;
    if (thread->daemon == NULL)
        return true;
    do {
        bool again = thread->resumed;
        thread->resumed = false;
        thread->mono = clock_mono();
        thread->wall = clock_wall();
        MHD_run(thread->daemon);
        if (again)
            MHD_run(thread->daemon);
        has_timeout = MHD_get_timeout(thread->daemon, &left_ms) == MHD_YES;
    } while (++runs < RUNS_AT_ONCE && (thread->resumed || (has_timeout && left_ms == 0)));
    atomic_store_explicit(&thread->metrics.parked, (long long)thread->waiters.count, memory_order_relaxed);
    if (thread->resumed || (has_timeout && left_ms == 0)) {
        thread_wake(thread);
        return false;
    }
    if (has_timeout)
        uv_timer_start(&thread->pump_timer, on_pump_timer, left_ms, 0);
    else
        uv_timer_stop(&thread->pump_timer);
    return true;
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    pump(handle->data);
}

/* --- what gateways have applied
 * ----------------------------------------------------------------------------------- */

struct ack_job {
    struct letter letter;
    struct gateway_thread *thread;
    struct ack *acks; /* owned */
    size_t count;
    struct follower_word *words; /* owned */
    size_t said;
    struct snapshot *snapshot; /* what the words refer to; owned reference, NULL without words */
    bool written, words_written;
};

static void ack_job_free(struct ack_job *job)
{
    free(job->acks);
    free(job->words);
    snapshot_unref(job->snapshot);
    free(job);
}

static void acks_written(struct gateway_thread *thread, struct letter *letter)
{
    struct ack_job *job = (struct ack_job *)letter;
    if (!job->written)
        acks_return(thread->acks, job->acks, job->count);
    if (!job->words_written)
        followers_return(thread->followers, job->words, job->said);
    thread->jobs--;
    thread->acks_out = false;
    ack_job_free(job);
}

/* Many at once would hold up others that write. */
static bool write_rows(struct publisher *publisher, const struct ack *acks, size_t count)
{
    while (count > 0) {
        size_t some = count < ACKS_AT_ONCE ? count : ACKS_AT_ONCE;
        if (publisher_write_acks(publisher, acks, some) != STATUS_OK)
            return false;
        acks += some;
        count -= some;
    }
    return true;
}

static void write_acks(void *argument)
{
    struct ack_job *job = argument;
    struct publisher *publisher = job->thread->gateway->publisher;
    struct ack *rows = NULL;
    bool failed = false;
    job->written = write_rows(publisher, job->acks, job->count);
    size_t expanded =
        job->said > 0 ? followers_expand(job->words, job->said, job->snapshot, &rows, &failed) : 0;
    job->words_written = !failed && write_rows(publisher, rows, expanded);
    free(rows);
    thread_send(job->thread, &job->letter);
}

/* A parked connection is heard all the time. To write that down each second, of ten thousand, would keep the
   database busy; it counts as live for a minute of the database's clock. */
static void hear_parked(struct gateway_thread *thread)
{
    struct mono_time now = clock_mono();
    int64_t again_us = (int64_t)(HEARD_AGAIN_MS * 1000 / gateway_database_rate(thread->gateway));
    for (struct waiter *at = thread->waiters.first; at != NULL; at = at->next) {
        struct request *request = request_of_waiter(at);
        if (request->instance[0] == '\0' || now.us - request->heard.us < again_us)
            continue;
        request->heard = now;
        if (!request->path->argument)
            routes_heard_all(request, now);
        else
            acks_heard(thread->acks, request->argument, request->instance, request->incarnation,
                       request->applied_epoch, now);
    }
}

static bool note_epoch(void *argument, struct ack *ack)
{
    const struct moment *now = argument;
    const struct service_view *view = snapshot_find(now->thread->snapshot, ack->service);
    if (view == NULL || !view->routed || now->mono.us - ack->heard.us > (int64_t)EVALUATORS_KEPT_MS * 1000)
        return false;
    if (view->incarnation != ack->incarnation || view->epoch != ack->applied_epoch) {
        ack->incarnation = view->incarnation;
        ack->applied_epoch = view->epoch;
        acks_heard(now->thread->acks, ack->service, ack->instance, view->incarnation, view->epoch,
                   ack->heard);
    }
    return true;
}

/* Who has every flag evaluated here keeps nothing: a new epoch is applied for it by being served, whether it
   asks again soon or not. It is not heard by that. */
static void note_evaluators(struct gateway_thread *thread)
{
    const struct snapshot *snapshot = thread->snapshot;
    struct moment now = {thread, clock_wall(), clock_mono()};
    if (snapshot == NULL ||
        (snapshot->rev == thread->evaluated_rev && snapshot->incarnation == thread->evaluated_incarnation))
        return;
    thread->evaluated_rev = snapshot->rev;
    thread->evaluated_incarnation = snapshot->incarnation;
    acks_sweep(thread->evaluators, note_epoch, &now);
}

static void send_acks(struct gateway_thread *thread)
{
    if (thread->acks_out || thread->stopping)
        return;
    hear_parked(thread);
    note_evaluators(thread);
    struct ack_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return;
    job->count = acks_take(thread->acks, &job->acks);
    if (thread->snapshot != NULL)
        job->said = followers_take(thread->followers, clock_mono(), &job->words);
    if (job->said > 0)
        job->snapshot = snapshot_ref(thread->snapshot);
    if (job->count == 0 && job->said == 0) {
        ack_job_free(job);
        return;
    }
    job->letter.open = acks_written;
    job->thread = thread;
    if (lane_submit(thread->gateway->database, write_acks, job) != STATUS_OK) {
        acks_return(thread->acks, job->acks, job->count);
        followers_return(thread->followers, job->words, job->said);
        ack_job_free(job);
        return;
    }
    thread->jobs++;
    thread->acks_out = true;
}

static void on_second(uv_timer_t *timer)
{
    struct gateway_thread *thread = timer->data;
    wake_waiters(thread, is_due); /* a lease may have run out */
    waiters_wake_gone(&thread->waiters, wake_waiter, NULL);
    send_acks(thread);
    chunks_cut(thread);
    if (pump(thread))
        connections_cut(thread);
}

/* --- letters, snapshots, the end
 * ---------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    struct gateway_thread *thread = handle->data;
    thread->handles--;
}

static void close_handles(struct gateway_thread *thread)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&thread->wake, (uv_handle_t *)&thread->readable,
                              (uv_handle_t *)&thread->pump_timer, (uv_handle_t *)&thread->wait_timer,
                              (uv_handle_t *)&thread->second_timer};
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++) {
        if (handles[i]->data != NULL && !uv_is_closing(handles[i]))
            uv_close(handles[i], on_closed);
    }
}

static void finish_if_empty(uv_timer_t *timer)
{
    struct gateway_thread *thread = timer->data;
    if (thread->daemon == NULL)
        return;
    wake_waiters(thread, is_over);
    pump(thread);
    bool late = clock_mono().us > thread->stop_by.us;
    if (thread->jobs > 0 || thread->waiters.count > 0 || thread->resumed || (thread->open > 0 && !late))
        return;
    uv_poll_stop(&thread->readable);
    MHD_stop_daemon(thread->daemon); /* nothing is suspended any more */
    request_free_spare(thread);
    thread->daemon = NULL;
    close_handles(thread);
}

static void begin_stop(struct gateway_thread *thread)
{
    thread->stopping = true;
    thread->stop_by = clock_mono_after_ms(clock_mono(), STOP_WAIT_MS);
    MHD_socket listening = MHD_quiesce_daemon(thread->daemon);
    if (listening != MHD_INVALID_SOCKET)
        close(listening);
    uv_timer_stop(&thread->second_timer);
    uv_timer_start(&thread->second_timer, finish_if_empty, STOP_STEP_MS, STOP_STEP_MS);
}

static void take_snapshot(struct gateway_thread *thread)
{
    struct snapshot *newest = atomic_exchange(&thread->slot, NULL);
    if (newest == NULL)
        return;
    overview_free(thread->overview);
    thread->overview = NULL;
    snapshot_unref(thread->snapshot);
    thread->snapshot = newest;
    wake_waiters(thread, is_due);
}

const struct overview *thread_overview(struct gateway_thread *thread, struct wall_time wall,
                                       struct mono_time mono)
{
    const struct overview *newest = thread->overview != NULL ? thread->overview : thread->snapshot->overview;
    if (newest != NULL && !overview_has_lapsed(newest, wall, mono))
        return newest;
    overview_free(thread->overview);
    thread->overview = overview_new(thread->snapshot, wall, mono);
    return thread->overview;
}

static void on_wake(uv_async_t *handle)
{
    struct gateway_thread *thread = handle->data;
    pthread_mutex_lock(&thread->lock);
    struct letter *letters = thread->letters;
    thread->letters = NULL;
    pthread_mutex_unlock(&thread->lock);
    take_snapshot(thread);
    while (letters != NULL) {
        struct letter *letter = letters;
        letters = letter->next;
        letter->open(thread, letter);
    }
    if (atomic_load(&thread->gateway->draining) && thread->waiters.count > 0)
        wake_waiters(thread, is_over);
    if (atomic_load(&thread->stop) && !thread->stopping)
        begin_stop(thread);
    pump(thread);
}

/* --- start and stop
 * ----------------------------------------------------------------------------------------------- */

static void on_mhd_log(void *argument, const char *format, va_list arguments)
{
    char line[512];
    (void)argument;
    vsnprintf(line, sizeof line, format, arguments);
    line[strcspn(line, "\n")] = '\0';
    log_event(LOG_DEBUG, "gateway", "libmicrohttpd says", "error", line, NULL);
}

static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

static enum status start_daemon(struct gateway_thread *thread, int listen_fd, size_t connections,
                                struct fault *fault)
{
    int own = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        return fault_set(fault, STATUS_INTERNAL, "Cannot share the listening socket: %s", strerror(errno));
    /* names need no escapes, and an escaped NUL must not end a path */
    thread->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, request_handle, thread,
        MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL, MHD_OPTION_LISTEN_SOCKET, own,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)POOL_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
        MHD_OPTION_NOTIFY_COMPLETED, request_completed, thread, MHD_OPTION_NOTIFY_CONNECTION,
        connection_notify, thread, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_END);
    if (thread->daemon == NULL) {
        close(own);
        return fault_set(fault, STATUS_INTERNAL, "The HTTP server of the gateway port could not be started");
    }
    return STATUS_OK;
}

/* `data` marks a handle that was opened. */
static void opened(struct gateway_thread *thread, uv_handle_t *handle)
{
    handle->data = thread;
    thread->handles++;
}

static bool open_handles(struct gateway_thread *thread)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(thread->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || uv_async_init(&thread->loop, &thread->wake, on_wake) != 0)
        return false;
    opened(thread, (uv_handle_t *)&thread->wake);
    if (uv_poll_init(&thread->loop, &thread->readable, info->epoll_fd) != 0)
        return false;
    opened(thread, (uv_handle_t *)&thread->readable);
    uv_timer_t *timers[] = {&thread->pump_timer, &thread->wait_timer, &thread->second_timer};
    for (size_t i = 0; i < 3; i++) {
        uv_timer_init(&thread->loop, timers[i]); /* cannot fail */
        opened(thread, (uv_handle_t *)timers[i]);
    }
    return uv_poll_start(&thread->readable, UV_READABLE, on_readable) == 0 &&
           uv_timer_start(&thread->second_timer, on_second, 1000, 1000) == 0;
}

static void *serve(void *argument)
{
    struct gateway_thread *thread = argument;
    take_snapshot(thread); /* the last known good one, before the first request */
    thread_wake(thread);
    uv_run(&thread->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* Frees what thread_start() made; its thread does not run. */
static void dismantle(struct gateway_thread *thread)
{
    if (thread->daemon != NULL) {
        if (thread->readable.data != NULL)
            uv_poll_stop(&thread->readable);
        MHD_stop_daemon(thread->daemon);
        thread->daemon = NULL;
    }
    if (thread->loop_ready) {
        close_handles(thread);
        uv_run(&thread->loop, UV_RUN_DEFAULT);
        int closed = uv_loop_close(&thread->loop);
        if (closed != 0)
            log_event(LOG_ERROR, "gateway", "the loop was not empty", "error", uv_strerror(closed), NULL);
        thread->loop_ready = false;
    }
    snapshot_unref(atomic_exchange(&thread->slot, NULL));
    overview_free(thread->overview);
    thread->overview = NULL;
    snapshot_unref(thread->snapshot);
    thread->snapshot = NULL;
    acks_free(thread->acks);
    thread->acks = NULL;
    followers_free(thread->followers);
    thread->followers = NULL;
    acks_free(thread->evaluators);
    thread->evaluators = NULL;
    pthread_mutex_destroy(&thread->lock);
}

enum status thread_start(struct gateway_thread *thread, struct gateway *gateway, int listen_fd,
                         size_t connections, struct fault *fault)
{
    sigset_t all, before;
    thread->gateway = gateway;
    pthread_mutex_init(&thread->lock, NULL);
    waiters_init(&thread->waiters, connections / 4 * 3);
    thread->acks = acks_new(ACKS_MAX);
    thread->followers = followers_new(ACKS_MAX);
    thread->evaluators = acks_new(ACKS_MAX);
    thread->loop_ready = uv_loop_init(&thread->loop) == 0;
    enum status status = STATUS_OK;
    if (thread->acks == NULL || thread->followers == NULL || thread->evaluators == NULL ||
        !thread->loop_ready)
        status = fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    if (status == STATUS_OK)
        status = start_daemon(thread, listen_fd, connections, fault);
    if (status == STATUS_OK && !open_handles(thread))
        status = fault_set(fault, STATUS_INTERNAL, "The loop of a gateway thread could not be made");
    if (status == STATUS_OK) {
        /* signals belong to the main loop */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int failed = pthread_create(&thread->thread, NULL, serve, thread);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (failed != 0)
            status = fault_set(fault, STATUS_INTERNAL, "A gateway thread could not be started: %s",
                               strerror(failed));
    }
    if (status != STATUS_OK) {
        dismantle(thread);
        return status;
    }
    pthread_setname_np(thread->thread, "gateway");
    thread->running = true;
    return STATUS_OK;
}

void thread_stop(struct gateway_thread *thread)
{
    if (!thread->running)
        return;
    atomic_store(&thread->stop, true);
    thread_wake(thread);
    pthread_join(thread->thread, NULL);
    thread->running = false;
    dismantle(thread);
}
