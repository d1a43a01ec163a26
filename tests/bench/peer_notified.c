/* A bare epoll server that parks every request and, woken by the NOTIFY that wakes serind, sends the same
   bytes to all of them: what a fan-out costs without routes, tokens or HTTP.

     bench_peer_notified CONNINFO CHANNEL ANSWER-FILE      prints its port; ends with its standard input.
     After that it prints the number of parked requests for each line of input. */
#include <arpa/inet.h>
#include <errno.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512, FILES_MAX = 20000, ANSWER_MAX = 1 << 20, REQUEST_MAX = 4096 };

struct server {
    int epoll_fd, listen_fd;
    PGconn *database;
    char answer[ANSWER_MAX];
    size_t length, parked;
    bool waits[FILES_MAX]; /* by descriptor: its request has come */
};

static void watch(const struct server *server, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        exit(1);
}

static void take_connections(struct server *server)
{
    int fd;
    while ((fd = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= FILES_MAX)
            exit(1);
        watch(server, fd);
    }
}

static void hang_up(struct server *server, int fd)
{
    server->parked -= server->waits[fd];
    server->waits[fd] = false;
    close(fd);
}

/* A request of the benchmark comes in one piece. */
static void take_request(struct server *server, int fd)
{
    char request[REQUEST_MAX];
    ssize_t length = recv(fd, request, sizeof request, 0);
    if (length <= 0) {
        if (length == 0 || errno != EAGAIN)
            hang_up(server, fd);
        return;
    }
    server->parked += !server->waits[fd];
    server->waits[fd] = true;
}

static void send_all(struct server *server)
{
    for (int fd = 0; fd < FILES_MAX; fd++) {
        if (!server->waits[fd])
            continue;
        server->waits[fd] = false;
        server->parked--;
        if (send(fd, server->answer, server->length, MSG_NOSIGNAL) != (ssize_t)server->length)
            hang_up(server, fd);
    }
}

static void take_notifications(struct server *server)
{
    PGnotify *notified;
    bool any = false;
    if (!PQconsumeInput(server->database))
        exit(1);
    while ((notified = PQnotifies(server->database)) != NULL) {
        any = true;
        PQfreemem(notified);
    }
    if (any)
        send_all(server);
}

/* False at the end of the input. */
static bool tell(const struct server *server)
{
    char line[64];
    if (read(0, line, sizeof line) <= 0)
        return false;
    printf("%zu\n", server->parked);
    fflush(stdout);
    return true;
}

static void serve(struct server *server)
{
    struct epoll_event event[EVENTS];
    for (;;) {
        int count = epoll_wait(server->epoll_fd, event, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = event[i].data.fd;
            if (fd == server->listen_fd)
                take_connections(server);
            else if (fd == PQsocket(server->database))
                take_notifications(server);
            else if (fd != 0)
                take_request(server, fd);
            else if (!tell(server))
                return;
        }
    }
}

static void listen_here(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(server->listen_fd, (struct sockaddr *)&address, length) != 0 ||
        listen(server->listen_fd, 4096) != 0 ||
        getsockname(server->listen_fd, (struct sockaddr *)&address, &length) != 0)
        exit(1);
    printf("%u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct server server;
    char command[80];
    if (argc != 4)
        return 64;
    FILE *file = fopen(argv[3], "rbe");
    if (file == NULL)
        return 1;
    server.length = fread(server.answer, 1, sizeof server.answer, file);
    fclose(file);
    server.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    server.database = PQconnectdb(argv[1]);
    snprintf(command, sizeof command, "LISTEN %s", argv[2]);
    PGresult *listening = PQexec(server.database, command);
    if (PQresultStatus(listening) != PGRES_COMMAND_OK)
        return 1;
    PQclear(listening);
    listen_here(&server);
    watch(&server, server.listen_fd);
    watch(&server, PQsocket(server.database));
    watch(&server, 0);
    serve(&server);
    PQfinish(server.database);
    return 0;
}
