/* Connections of agent-checks. Each brings one line, gets one, and is closed by the other side; what takes
   longer than its time is cut off, so that a slow or vanished HAProxy costs a descriptor for seconds at most.
 */
#include "gateway/agent.h"

#include "base/log.h"
#include "base/meter.h"
#include "gateway/agent_book.h"
#include "gateway/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECTIONS_MAX = 1024,
    SERVERS_MAX = 16384,
    BACKLOG = 1024,
    LIFE_MS = 3000, /* of a connection */
    SWEEP_MS = 1000,
    COMPLAIN_MS = 60000 /* about what cannot be read or said, at most this often */
};

struct connection {
    uv_tcp_t tcp;
    uv_shutdown_t shutdown;
    struct agent *agent;
    struct connection *previous, *next;
    struct mono_time deadline;
    bool answered;
    size_t length;
    char line[AGENT_LINE_MAX + 1];
};

struct agent {
    struct gateway *gateway;
    struct snapshot *snapshot; /* NULL: none yet */
    struct agent_book *book;
    uv_tcp_t listener;
    uv_timer_t sweep;
    size_t handles; /* open ones, without the connections */
    size_t open;    /* connections */
    struct connection *first;
    bool owed; /* a connection was not accepted for want of memory, and the listener waits for that */
    struct mono_time complained, complained_of_weight;
    char address[80];
};

/* --- the end of things
 * ------------------------------------------------------------------------------------------ */

static void free_if_done(struct agent *agent)
{
    if (agent->handles > 0 || agent->open > 0)
        return;
    snapshot_unref(agent->snapshot);
    agent_book_free(agent->book);
    free(agent);
}

static void on_connection_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    struct agent *agent = connection->agent;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        agent->first = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    free(connection);
    agent->open--;
    free_if_done(agent);
}

static void end(struct connection *connection)
{
    if (!uv_is_closing((uv_handle_t *)&connection->tcp))
        uv_close((uv_handle_t *)&connection->tcp, on_connection_closed);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct agent *agent = handle->data;
    agent->handles--;
    free_if_done(agent);
}

void agent_stop(struct agent *agent)
{
    if (agent == NULL)
        return;
    for (struct connection *at = agent->first; at != NULL; at = at->next)
        end(at);
    uv_close((uv_handle_t *)&agent->listener, on_handle_closed);
    uv_close((uv_handle_t *)&agent->sweep, on_handle_closed);
}

/* --- answering
 * -------------------------------------------------------------------------------------------------- */

/* An acknowledgement on its way to a gateway thread, which gathers them. */
struct ack_letter {
    struct letter letter;
    struct ack ack;
};

static void note_ack(struct gateway_thread *thread, struct letter *letter)
{
    struct ack_letter *heard = (struct ack_letter *)letter;
    acks_heard_coarse(thread->acks, heard->ack.service, heard->ack.instance, heard->ack.incarnation,
                      heard->ack.applied_epoch, heard->ack.weight_step, heard->ack.heard);
    free(heard);
}

static void pass_on(struct agent *agent, const struct ack *ack)
{
    struct ack_letter *heard = calloc(1, sizeof *heard);
    if (heard == NULL)
        return; /* it asks again */
    heard->letter.open = note_ack;
    heard->ack = *ack;
    thread_send(&agent->gateway->thread[0], &heard->letter);
}

static void name_peer(struct connection *connection, struct agent_ask *ask)
{
    struct sockaddr_storage peer;
    int length = sizeof peer;
    char address[64] = "unknown";
    if (uv_tcp_getpeername(&connection->tcp, (struct sockaddr *)&peer, &length) == 0) {
        if (peer.ss_family == AF_INET6)
            uv_ip6_name((struct sockaddr_in6 *)&peer, address, sizeof address);
        else
            uv_ip4_name((struct sockaddr_in *)&peer, address, sizeof address);
    }
    agent_line_instance(address, ask->instance);
}

/* True: it got through. An answer is shorter than any socket's buffer. */
static bool write_line(struct connection *connection, const char *line)
{
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)line, (unsigned)strlen(line));
    return uv_try_write((uv_stream_t *)&connection->tcp, &buffer, 1) == (int)buffer.len;
}

/* Is it time to complain again? */
static bool may_complain(struct mono_time *last)
{
    struct mono_time now = clock_mono();
    if (last->us != 0 && now.us - last->us < (int64_t)COMPLAIN_MS * 1000)
        return false;
    *last = now;
    return true;
}

static void complain(struct agent *agent, const struct fault *fault)
{
    if (!may_complain(&agent->complained))
        return;
    log_event(LOG_WARN, "haproxy", "an agent-check was refused", "error", fault->detail, "next_step",
              fault->next_step, NULL);
}

static void complain_of_weight(struct agent *agent, const struct agent_ask *ask, const char *line)
{
    char answer[AGENT_ANSWER_MAX];
    if (!may_complain(&agent->complained_of_weight))
        return;
    snprintf(answer, sizeof answer, "%.*s", (int)strcspn(line, "\n"), line);
    log_event(LOG_WARN, "haproxy", "the canary is told less weight than its route says", "service",
              ask->service, "gateway", ask->instance, "answer", answer, "next_step",
              "Use weights that are multiples of 0.5 %: see 'serin gateways'.", NULL);
}

static void take_snapshot(struct agent *agent)
{
    struct snapshot *newest = atomic_exchange(&agent->gateway->agent_slot, NULL);
    if (newest == NULL)
        return;
    snapshot_unref(agent->snapshot);
    agent->snapshot = newest;
}

static void answer(struct connection *connection)
{
    struct agent *agent = connection->agent;
    struct agent_ask ask;
    struct agent_answer told;
    struct fault fault = {.status = STATUS_OK};
    struct mono_time now = clock_mono();
    take_snapshot(agent);
    if (agent_line_parse(connection->line, connection->length, &ask, &fault) != STATUS_OK) {
        complain(agent, &fault);
        (void)write_line(connection, "# agent-send is to be SERVICE/RELEASE [INSTANCE [SERVER]]\n");
        return;
    }
    if (ask.instance[0] == '\0')
        name_peer(connection, &ask);
    if (agent->snapshot == NULL) { /* just started, and no database: HAProxy keeps what it has */
        (void)write_line(connection, "# no routes are known yet\n");
        return;
    }
    const struct service_view *view = snapshot_find(agent->snapshot, ask.service);
    bool lapsed = view != NULL && service_view_has_lapsed(view, clock_wall(), now);
    agent_book_answer(agent->book, &ask, view, lapsed, now, &told);
    if (!write_line(connection, told.line))
        agent_book_lost(agent->book, &ask);
    if (told.heard)
        pass_on(agent, &told.ack);
    if (told.less)
        complain_of_weight(agent, &ask, told.line);
    meter_add(METRIC_AGENT_ANSWERS_TOTAL, 1, NULL);
}

/* --- connections
 * ------------------------------------------------------------------------------------------------ */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    static char rest[256]; /* what comes after the line is not looked at */
    struct connection *connection = handle->data;
    (void)suggested;
    if (connection->answered)
        *out = uv_buf_init(rest, sizeof rest);
    else
        *out = uv_buf_init(connection->line + connection->length,
                           (unsigned)(sizeof connection->line - connection->length));
}

static void on_shutdown(uv_shutdown_t *shutdown, int status)
{
    (void)shutdown, (void)status; /* the other side's end, or the sweep, closes it */
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct connection *connection = stream->data;
    if (count < 0) {
        end(connection);
        return;
    }
    if (connection->answered || count == 0)
        return;
    const char *feed = memchr(buffer->base, '\n', (size_t)count);
    if (feed != NULL) {
        connection->length = (size_t)(feed - connection->line);
    } else {
        connection->length += (size_t)count;
        if (connection->length < sizeof connection->line)
            return;
    }
    connection->answered = true;
    answer(connection); /* a line that does not end is refused by its length */
    if (uv_shutdown(&connection->shutdown, stream, on_shutdown) != 0)
        end(connection);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct agent *agent = listener->data;
    struct connection *connection = status == 0 ? calloc(1, sizeof *connection) : NULL;
    agent->owed = status == 0 && connection == NULL;
    if (connection == NULL)
        return;
    uv_tcp_init(listener->loop, &connection->tcp);
    connection->tcp.data = connection;
    connection->agent = agent;
    connection->deadline = clock_mono_after_ms(clock_mono(), LIFE_MS);
    connection->next = agent->first;
    if (agent->first != NULL)
        agent->first->previous = connection;
    agent->first = connection;
    agent->open++;
    if (uv_accept(listener, (uv_stream_t *)&connection->tcp) != 0 || agent->open > CONNECTIONS_MAX ||
        uv_read_start((uv_stream_t *)&connection->tcp, on_alloc, on_read) != 0)
        end(connection);
}

static void on_sweep(uv_timer_t *timer)
{
    struct agent *agent = timer->data;
    struct mono_time now = clock_mono();
    for (struct connection *at = agent->first; at != NULL; at = at->next) {
        if (at->deadline.us <= now.us)
            end(at);
    }
    agent_book_sweep(agent->book, now);
    meter_set(METRIC_AGENT_CONNECTIONS, (double)agent->open, NULL);
    meter_set(METRIC_AGENT_SERVERS, (double)agent_book_count(agent->book), NULL);
    if (agent->owed)
        on_connection((uv_stream_t *)&agent->listener, 0);
    take_snapshot(agent); /* an old one is not held for nobody */
}

/* --- start
 * ------------------------------------------------------------------------------------------------------ */

static bool read_address(const char *host, uint16_t port, struct sockaddr_storage *out)
{
    return uv_ip4_addr(host, port, (struct sockaddr_in *)out) == 0 ||
           uv_ip6_addr(host, port, (struct sockaddr_in6 *)out) == 0;
}

static void note_address(struct agent *agent, const char *host)
{
    struct sockaddr_storage bound = {0};
    int length = sizeof bound;
    uint16_t port = 0;
    if (uv_tcp_getsockname(&agent->listener, (struct sockaddr *)&bound, &length) == 0)
        port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                 : ((struct sockaddr_in *)&bound)->sin_port);
    snprintf(agent->address, sizeof agent->address, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
             (unsigned)port);
}

enum status agent_start(struct uv_loop_s *loop, const char *host, uint16_t port, struct gateway *gateway,
                        struct agent **out, struct fault *fault)
{
    struct sockaddr_storage address;
    struct agent *agent = calloc(1, sizeof *agent);
    *out = NULL;
    if (!read_address(host, port, &address)) {
        free(agent);
        fault_set(fault, STATUS_INVALID, "'%s' is no address that HAProxy's agent-checks can be taken on",
                  host);
        fault_next(fault,
                   "Write SERIN_HAPROXY_ADDR with a numeric address, as 127.0.0.1:8082 or [::1]:8082.");
        return STATUS_INVALID;
    }
    if (agent != NULL)
        agent->book = agent_book_new(SERVERS_MAX);
    if (agent == NULL || agent->book == NULL) {
        free(agent);
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    }
    agent->gateway = gateway;
    uv_tcp_init(loop, &agent->listener); /* neither can fail */
    uv_timer_init(loop, &agent->sweep);
    agent->listener.data = agent->sweep.data = agent;
    agent->handles = 2;
    int error = uv_tcp_bind(&agent->listener, (struct sockaddr *)&address, 0);
    if (error == 0)
        error = uv_listen((uv_stream_t *)&agent->listener, BACKLOG, on_connection);
    if (error == 0)
        error = uv_timer_start(&agent->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    if (error != 0) {
        fault_set(fault, STATUS_UNAVAILABLE, "HAProxy's agent-checks cannot be taken on %s port %u: %s", host,
                  (unsigned)port, uv_strerror(error));
        fault_next(fault, "Choose another SERIN_HAPROXY_ADDR, or stop what holds this one.");
        agent_stop(agent);
        return STATUS_UNAVAILABLE;
    }
    note_address(agent, host);
    log_event(LOG_INFO, "haproxy", "listening", "address", agent->address, NULL);
    *out = agent;
    return STATUS_OK;
}

const char *agent_addr(const struct agent *agent)
{
    return agent->address;
}
