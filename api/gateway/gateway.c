/* Start and stop of the gateway port, and what its threads share. */
#include "gateway/gateway.h"

#include "base/log.h"
#include "gateway/content.h"
#include "gateway/parts.h"
#include "gateway/publisher.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 19000,
    CONNECTIONS_MIN = 64,
    FILES_KEPT = 512, /* descriptors for everything that is not a gateway's connection */
    BACKLOG = 4096,
    DECODE_QUEUE = 256,
    DATABASE_THREADS = 2,
    DATABASE_QUEUE = 256,
    CONTENT_BYTES = 32 << 20
};

/* --- what is shared
 * ----------------------------------------------------------------------------------------------- */

void gateway_publish(struct gateway *gateway, struct snapshot *snapshot)
{
    for (size_t i = 0; i < gateway->threads; i++) {
        struct gateway_thread *thread = &gateway->thread[i];
        snapshot_unref(atomic_exchange(&thread->slot, snapshot_ref(snapshot)));
        if (thread->running)
            thread_wake(thread);
    }
    snapshot_unref(atomic_exchange(&gateway->agent_slot, snapshot)); /* ours goes there */
}

void gateway_checked(struct gateway *gateway, struct mono_time mono, struct wall_time database_now,
                     double rate)
{
    pthread_mutex_lock(&gateway->clock_lock);
    gateway->clock = (struct database_clock){true, database_now, mono, rate};
    pthread_mutex_unlock(&gateway->clock_lock);
    atomic_store(&gateway->checked_us, mono.us);
}

int64_t gateway_unchecked_ms(struct gateway *gateway)
{
    int64_t checked_us = atomic_load(&gateway->checked_us);
    return checked_us == 0 ? -1 : (clock_mono().us - checked_us) / 1000;
}

bool gateway_is_stale(struct gateway *gateway, struct mono_time now)
{
    int64_t checked_us = atomic_load(&gateway->checked_us);
    return checked_us == 0 || (now.us - checked_us) / 1000 > gateway->options.stale_after_ms;
}

bool gateway_database_time(struct gateway *gateway, struct mono_time mono, struct wall_time *out)
{
    pthread_mutex_lock(&gateway->clock_lock);
    struct database_clock clock = gateway->clock;
    pthread_mutex_unlock(&gateway->clock_lock);
    out->us = clock.at.us + (int64_t)((double)(mono.us - clock.mono.us) * clock.rate);
    return clock.known;
}

double gateway_database_rate(struct gateway *gateway)
{
    pthread_mutex_lock(&gateway->clock_lock);
    double rate = gateway->clock.known ? gateway->clock.rate : 1;
    pthread_mutex_unlock(&gateway->clock_lock);
    return rate;
}

/* --- the listening socket
 * ----------------------------------------------------------------------------------------- */

/* Splits "host:port" or "[v6]:port". */
static bool split(const char *listen, char *host, size_t host_size, char *port, size_t port_size)
{
    const char *colon = strrchr(listen, ':');
    if (colon == NULL || colon == listen)
        return false;
    const char *begin = listen, *end = colon;
    if (*begin == '[') {
        if (end[-1] != ']')
            return false;
        begin++;
        end--;
    }
    size_t length = (size_t)(end - begin), digits = strlen(colon + 1);
    if (length == 0 || length >= host_size || digits == 0 || digits > 5 || digits >= port_size ||
        strspn(colon + 1, "0123456789") != digits || atoi(colon + 1) > 65535)
        return false;
    memcpy(host, begin, length);
    host[length] = '\0';
    memcpy(port, colon + 1, digits + 1);
    return true;
}

static int open_listening(const struct addrinfo *address)
{
    int fd =
        socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    int on = 1;
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static void note_address(struct gateway *gateway)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char host[64] = "?", port[8] = "?";
    if (getsockname(gateway->listen_fd, (struct sockaddr *)&bound, &length) == 0)
        getnameinfo((struct sockaddr *)&bound, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(gateway->address, sizeof gateway->address, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host,
             port);
}

static enum status listen_on(struct gateway *gateway, const char *where, struct fault *fault)
{
    char host[256], port[8];
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                    *found = NULL;
    int failed = EAI_NONAME;
    if (!split(where, host, sizeof host, port, sizeof port) ||
        (failed = getaddrinfo(host, port, &wanted, &found)) != 0) {
        fault_set(fault, STATUS_INVALID, "'%s' is no address to listen on", where);
        fault_next(fault, "Write it as 127.0.0.1:8081, 0.0.0.0:8081 or [::]:8081.");
        return STATUS_INVALID;
    }
    gateway->listen_fd = open_listening(found);
    int error = errno;
    freeaddrinfo(found);
    if (gateway->listen_fd < 0) {
        fault_set(fault, STATUS_UNAVAILABLE, "The gateway port cannot listen on %s: %s", where,
                  strerror(error));
        fault_next(fault, "Choose another port, or stop what holds this one.");
        return STATUS_UNAVAILABLE;
    }
    note_address(gateway);
    return STATUS_OK;
}

/* --- start and stop
 * ----------------------------------------------------------------------------------------------- */

static size_t connections_of(const struct gateway_options *options)
{
    struct rlimit files;
    size_t most = CONNECTIONS_MAX;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY) {
        size_t left = files.rlim_cur > FILES_KEPT + CONNECTIONS_MIN ? (size_t)files.rlim_cur - FILES_KEPT
                                                                    : CONNECTIONS_MIN;
        most = left < most ? left : most;
    }
    return options->connections > 0 && options->connections < most ? options->connections : most;
}

static int64_t or_default(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

static bool copy_name(char *out, size_t size, const char *name, const char *otherwise)
{
    int length = snprintf(out, size, "%s", name != NULL ? name : otherwise);
    return length > 0 && (size_t)length < size;
}

static enum status name_attributes(struct gateway *gateway, const struct gateway_options *options,
                                   struct fault *fault)
{
    struct genai_names *names = &gateway->otlp_names;
    if (copy_name(names->service, sizeof names->service, options->otlp_service, "serin.service") &&
        copy_name(names->release, sizeof names->release, options->otlp_release, "serin.release") &&
        copy_name(names->stratum, sizeof names->stratum, options->otlp_stratum, "serin.stratum"))
        return genai_counters_read(options->otlp_counters != NULL ? options->otlp_counters : "",
                                   &gateway->otlp_counters, fault);
    fault_set(fault, STATUS_INVALID, "The name of an attribute of spans is empty or longer than 127 bytes");
    fault_next(fault, "Look at SERIN_OTLP_SERVICE, SERIN_OTLP_RELEASE and SERIN_OTLP_STRATUM.");
    return STATUS_INVALID;
}

static enum status set_up(struct gateway *gateway, const struct gateway_options *options, struct fault *fault)
{
    gateway->options = *options;
    gateway->options.poll_ms = or_default(options->poll_ms, 1000);
    gateway->options.stale_after_ms = or_default(options->stale_after_ms, 10000);
    gateway->options.database_wait_ms = or_default(options->database_wait_ms, 2000);
    gateway->options.connections = connections_of(options);
    gateway->threads = options->threads > 0 ? options->threads : 1;
    if (gateway->threads > GATEWAY_THREADS_MAX) {
        gateway->threads = 0;
        return fault_set(fault, STATUS_INVALID, "At most %d gateway threads are possible",
                         GATEWAY_THREADS_MAX);
    }
    gateway->counts = options->counts;
    gateway->started = clock_wall();
    gateway->conninfo = strdup(options->conninfo);
    if (options->state_dir != NULL)
        gateway->state_dir = strdup(options->state_dir);
    gateway->content = content_cache_new(CONTENT_BYTES);
    gateway->clocks = clocks_new();
    gateway->decode = lane_new("gw-decode", 1, DECODE_QUEUE);
    gateway->database = lane_new("gw-db", DATABASE_THREADS, DATABASE_QUEUE);
    if (gateway->conninfo == NULL || (options->state_dir != NULL && gateway->state_dir == NULL) ||
        gateway->content == NULL || gateway->clocks == NULL || gateway->decode == NULL ||
        gateway->database == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    return name_attributes(gateway, options, fault);
}

static void gateway_free(struct gateway *gateway)
{
    for (size_t i = 0; i < gateway->threads; i++)
        snapshot_unref(atomic_exchange(&gateway->thread[i].slot, NULL)); /* of threads that never ran */
    snapshot_unref(atomic_exchange(&gateway->agent_slot, NULL));
    publisher_free(gateway->publisher);
    content_cache_free(gateway->content);
    clocks_free(gateway->clocks);
    if (gateway->listen_fd >= 0)
        close(gateway->listen_fd);
    pthread_mutex_destroy(&gateway->clock_lock);
    free(gateway->conninfo);
    free(gateway->state_dir);
    free(gateway);
}

enum status gateway_start(const struct gateway_options *options, struct gateway **out, struct fault *fault)
{
    struct gateway *gateway = calloc(1, sizeof *gateway);
    *out = NULL;
    if (gateway == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    gateway->listen_fd = -1;
    pthread_mutex_init(&gateway->clock_lock, NULL);
    enum status status = set_up(gateway, options, fault);
    if (status == STATUS_OK)
        status = listen_on(gateway, options->listen, fault);
    if (status == STATUS_OK) {
        gateway->publisher = publisher_new(gateway);
        if (gateway->publisher == NULL)
            status = fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    }
    for (size_t i = 0; i < gateway->threads && status == STATUS_OK; i++)
        status = thread_start(&gateway->thread[i], gateway, gateway->listen_fd,
                              gateway->options.connections / gateway->threads, fault);
    if (status == STATUS_OK)
        status = publisher_run(gateway->publisher, fault);
    if (status != STATUS_OK) {
        gateway_stop(gateway);
        return status;
    }
    log_event(LOG_INFO, "gateway", "listening", "address", gateway->address, NULL);
    *out = gateway;
    return STATUS_OK;
}

const char *gateway_addr(const struct gateway *gateway)
{
    return gateway->address;
}

void gateway_quiesce(struct gateway *gateway)
{
    atomic_store(&gateway->draining, true);
    for (size_t i = 0; i < gateway->threads; i++) {
        if (gateway->thread[i].running)
            thread_wake(&gateway->thread[i]);
    }
}

/* The publisher first: it wakes threads. Then the threads, which wait for the jobs they have given away; then
   nobody gives any more. */
void gateway_stop(struct gateway *gateway)
{
    if (gateway == NULL)
        return;
    gateway_quiesce(gateway);
    publisher_stop(gateway->publisher);
    for (size_t i = 0; i < gateway->threads; i++)
        thread_stop(&gateway->thread[i]);
    lane_stop(gateway->decode);
    lane_stop(gateway->database);
    gateway_free(gateway);
}
