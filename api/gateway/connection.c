/* The connections of a thread, in a list. */
#include "gateway/connection.h"

#include "gateway/auth.h"
#include "gateway/parts.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { POLL_AT_ONCE = 512 };

static void begin(struct gateway_thread *thread, struct MHD_Connection *connection, void **socket_context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *made = calloc(1, sizeof *made);
    *socket_context = made;
    if (made == NULL)
        return;
    made->fd = info != NULL ? (int)info->connect_fd : -1;
    made->next = thread->connections;
    if (made->next != NULL)
        made->next->previous = made;
    thread->connections = made;
}

static void end(struct gateway_thread *thread, struct connection *connection)
{
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        thread->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    auth_forget(connection);
    free(connection);
}

void connection_notify(void *argument, struct MHD_Connection *connection, void **socket_context,
                       enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        begin(argument, connection, socket_context);
    else if (*socket_context != NULL)
        end(argument, *socket_context);
}

struct connection *connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

/* What has come and was not read yet may be the rest of a request. */
static bool all_read(int fd)
{
    int unread = 0;
    return ioctl(fd, FIONREAD, &unread) == 0 && unread == 0;
}

void connections_cut(struct gateway_thread *thread)
{
    struct pollfd asked[POLL_AT_ONCE];
    const struct connection *at = thread->connections;
    while (at != NULL) {
        nfds_t count = 0;
        for (; at != NULL && count < POLL_AT_ONCE; at = at->next) {
            if (at->fd >= 0 && (at->request == NULL || !at->request->whole))
                asked[count++] = (struct pollfd){.fd = at->fd, .events = POLLRDHUP};
        }
        if (count == 0 || poll(asked, count, 0) <= 0)
            continue;
        for (nfds_t i = 0; i < count; i++) {
            if (asked[i].revents != 0 && all_read(asked[i].fd))
                shutdown(asked[i].fd, SHUT_RDWR); /* MHD finds it hung up, and ends it */
        }
    }
}
