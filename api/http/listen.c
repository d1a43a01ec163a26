/* Listening sockets for the server. */
#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t fill(union address *out, const char *text, uint16_t port)
{
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        return sizeof out->v4;
    }
    if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(port);
        return sizeof out->v6;
    }
    return 0;
}

enum status listen_tcp(const char *address, uint16_t port, int *fd, uint16_t *bound, struct fault *fault)
{
    const int on = 1;
    union address where;
    socklen_t length = fill(&where, address, port);
    enum status status = STATUS_INTERNAL;
    if (length == 0) {
        fault_set(fault, STATUS_INVALID, "\"%.64s\" is not an IP address", address);
        fault_next(fault, "Write it in digits, such as 127.0.0.1, 0.0.0.0 or ::1.");
        return STATUS_INVALID;
    }
    int made = socket(where.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0) {
        goto fail;
    }
    if (setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(made, &where.any, length) != 0 || listen(made, BACKLOG) != 0 ||
        getsockname(made, &where.any, &length) != 0) {
        goto fail;
    }
    *fd = made;
    *bound = ntohs(where.any.sa_family == AF_INET ? where.v4.sin_port : where.v6.sin6_port);
    return STATUS_OK;

fail:
    status = errno == EADDRINUSE ? STATUS_CONFLICT : STATUS_INTERNAL;
    fault_set(fault, status, "cannot listen on %.64s port %u: %s", address, port, strerror(errno));
    fault_next(fault, status == STATUS_CONFLICT ? "Stop the program that uses this port, or choose another."
                                                : "Check the address and the right to bind it.");
    if (made >= 0) {
        close(made);
    }
    return status;
}

static int new_local_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Is somebody listening there? Unsure counts as yes: then the file is left alone. */
static bool answers(const struct sockaddr_un *where)
{
    int probe = new_local_socket();
    if (probe < 0) {
        return true;
    }
    bool refused =
        connect(probe, (const struct sockaddr *)where, sizeof *where) != 0 && errno == ECONNREFUSED;
    close(probe);
    return !refused;
}

static enum status make_way(const struct sockaddr_un *where, struct fault *fault)
{
    struct stat found;
    if (lstat(where->sun_path, &found) != 0) {
        return STATUS_OK; /* nothing there; what else is wrong, bind will say */
    }
    if (!S_ISSOCK(found.st_mode)) {
        fault_set(fault, STATUS_CONFLICT, "%s exists and is not a socket", where->sun_path);
        fault_next(fault, "Choose another path for the local socket.");
        return STATUS_CONFLICT;
    }
    if (answers(where)) {
        fault_set(fault, STATUS_CONFLICT, "another process serves %s", where->sun_path);
        fault_next(fault, "Stop it, or choose another path for the local socket.");
        return STATUS_CONFLICT;
    }
    unlink(where->sun_path);
    return STATUS_OK;
}

enum status listen_local(struct listen_local *local, const char *path, struct fault *fault)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    struct stat made;
    *local = (struct listen_local){.fd = -1, .path = path};
    if (strlen(path) >= sizeof where.sun_path) {
        fault_set(fault, STATUS_INVALID, "the path of the local socket is longer than %zu bytes",
                  sizeof where.sun_path - 1);
        fault_next(fault, "Choose a shorter one, for example under /run.");
        return STATUS_INVALID;
    }
    strcpy(where.sun_path, path);
    enum status status = make_way(&where, fault);
    if (status != STATUS_OK) {
        return status;
    }
    int fd = new_local_socket();
    /* The mode given before bind is the file's from its first moment. */
    if (fd < 0 || fchmod(fd, 0600) != 0 || bind(fd, (const struct sockaddr *)&where, sizeof where) != 0) {
        goto fail;
    }
    if (listen(fd, BACKLOG) != 0 || lstat(path, &made) != 0) {
        goto remove;
    }
    *local = (struct listen_local){.fd = fd, .path = path, .device = made.st_dev, .inode = made.st_ino};
    return STATUS_OK;

remove:
    unlink(path);
fail:
    fault_set(fault, STATUS_INTERNAL, "cannot listen on %s: %s", path, strerror(errno));
    fault_next(fault, "Check that its folder exists and may be written.");
    if (fd >= 0) {
        close(fd);
    }
    return STATUS_INTERNAL;
}

void listen_local_remove(const struct listen_local *local)
{
    struct stat found;
    if (lstat(local->path, &found) == 0 && found.st_dev == local->device && found.st_ino == local->inode) {
        unlink(local->path);
    }
}
