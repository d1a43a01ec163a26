/* Listening sockets for the server: TCP and local. */
#pragma once

#include "base/fault.h"

#include <stdint.h>
#include <sys/types.h>

/* Binds and listens on `address` (IPv4 or IPv6 in digits). *fd is the caller's to close; *bound is the port.
   INVALID if it is no address, CONFLICT if it is in use, INTERNAL for what else the system says. */
enum status listen_tcp(const char *address, uint16_t port, int *fd, uint16_t *bound,
                       struct fault *fault) MUST_CHECK;

struct listen_local {
    int fd; /* -1: none */
    const char *path;
    dev_t device;
    ino_t inode;
};

/* Binds and listens on a socket file (mode 0600). A socket that a dead process left is removed first; one
   that answers, or anything else at that path, is CONFLICT. */
enum status listen_local(struct listen_local *local, const char *path, struct fault *fault) MUST_CHECK;
/* Removes the file if it is still the one that was made. Does not close the descriptor. */
void listen_local_remove(const struct listen_local *local);
