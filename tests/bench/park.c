/* Ten thousand gateways: as many connections, each with a poll that waits, and how long after the NOTIFY of a
   commit each of them had its answer. Each asks again at once, as a gateway does.

     bench_park CONNINFO CHANNEL PORT PATH TOKEN ETAG CONNECTIONS
   prints "ready" when all requests are sent. Then, for each line of input: waits until all of them have been
   answered once after the next notification, and prints "first p50 p99 last", in microseconds after the
   notification. */
#include <arpa/inet.h>
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512, CONNECTIONS_MAX = 19000, ANSWER_MAX = 16384, WAIT_S = 60 };

struct client {
    int fd;
    char etag[80];
};

struct park {
    const char *path, *token;
    int epoll_fd;
    size_t count;
    struct client *client;
    int64_t *answered_us; /* of the answers since the notification */
    size_t answers;
    PGconn *database;
    atomic_llong notified_us; /* 0 = not yet */
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void ask(const struct park *park, struct client *client)
{
    char request[1024];
    int length = snprintf(request, sizeof request,
                          "GET %s?wait=60s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n"
                          "Serin-Gateway: gw-%05zu\r\nIf-None-Match: %s\r\n\r\n",
                          park->path, park->token, (size_t)(client - park->client), client->etag);
    if (send(client->fd, request, (size_t)length, MSG_NOSIGNAL) != length)
        fail("send");
}

static void join(struct park *park, struct client *client, unsigned port, const char *etag)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    snprintf(client->etag, sizeof client->etag, "%s", etag);
    ask(park, client);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(park->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) != 0)
        fail("epoll_ctl");
}

/* An answer of the benchmark comes in one piece. */
static void take_answer(struct park *park, struct client *client)
{
    char answer[ANSWER_MAX];
    ssize_t length = recv(client->fd, answer, sizeof answer - 1, 0);
    if (length <= 0)
        fail("a connection was closed");
    if (park->answers < park->count)
        park->answered_us[park->answers++] = now_us();
    answer[length] = '\0';
    const char *etag = strstr(answer, "ETag: ");
    if (etag != NULL)
        snprintf(client->etag, sizeof client->etag, "%.*s", (int)strcspn(etag + 6, "\r"), etag + 6);
    ask(park, client);
}

/* A thread of its own, so that the time is that of the notification however busy the others are. */
static void *await_notification(void *argument)
{
    struct park *park = argument;
    struct pollfd waiting = {.fd = PQsocket(park->database), .events = POLLIN};
    for (;;) {
        poll(&waiting, 1, -1);
        int64_t at = now_us();
        if (!PQconsumeInput(park->database))
            fail("the database has gone");
        PGnotify *notified = PQnotifies(park->database);
        if (notified == NULL)
            continue;
        atomic_store(&park->notified_us, at);
        for (; notified != NULL; notified = PQnotifies(park->database))
            PQfreemem(notified);
    }
    return NULL;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void measure(struct park *park)
{
    struct epoll_event event[EVENTS];
    int64_t until_us = now_us() + (int64_t)WAIT_S * 1000000;
    while (park->answers < park->count) {
        int count = epoll_wait(park->epoll_fd, event, EVENTS, 1000);
        for (int i = 0; i < count; i++)
            take_answer(park, event[i].data.ptr);
        if (now_us() > until_us) {
            fprintf(stderr, "%zu of %zu were answered\n", park->answers, park->count);
            exit(1);
        }
    }
    int64_t from = atomic_load(&park->notified_us);
    qsort(park->answered_us, park->count, sizeof *park->answered_us, by_time);
    printf("%lld %lld %lld %lld\n", (long long)(park->answered_us[0] - from),
           (long long)(park->answered_us[park->count / 2] - from),
           (long long)(park->answered_us[park->count * 99 / 100] - from),
           (long long)(park->answered_us[park->count - 1] - from));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct park park = {.answers = 0};
    char command[80];
    pthread_t thread;
    if (argc != 8)
        return 64;
    park.path = argv[4];
    park.token = argv[5];
    park.count = strtoul(argv[7], NULL, 10);
    park.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    park.database = PQconnectdb(argv[1]);
    snprintf(command, sizeof command, "LISTEN %s", argv[2]);
    PGresult *listening = PQexec(park.database, command);
    if (park.count == 0 || park.count > CONNECTIONS_MAX || PQresultStatus(listening) != PGRES_COMMAND_OK)
        return 1;
    PQclear(listening);
    park.client = calloc(park.count, sizeof *park.client);
    park.answered_us = calloc(park.count, sizeof *park.answered_us);
    if (park.client == NULL || park.answered_us == NULL)
        return 1;
    for (size_t i = 0; i < park.count; i++)
        join(&park, &park.client[i], (unsigned)strtoul(argv[3], NULL, 10), argv[6]);
    if (pthread_create(&thread, NULL, await_notification, &park) != 0)
        return 1;
    puts("ready");
    fflush(stdout);
    while (fgets(command, sizeof command, stdin) != NULL) {
        park.answers = 0;
        measure(&park);
    }
    return 0; /* the kernel closes what is open */
}
