/* A bare libmicrohttpd that answers a constant, driven from outside as serind drives it: what the library
   costs by itself. With 304 the body is left out, as serind leaves it out.

     bench_peer_microhttpd BODY-FILE 200|304 ETAG      prints its port; ends with its standard input */
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POOL_BYTES = 4096, CONNECTIONS = 4096, BODY_MAX = 1 << 20 };

struct constant {
    unsigned status;
    struct MHD_Response *response;
};

static enum MHD_Result answer(void *argument, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **context)
{
    static char seen;
    const struct constant *constant = argument;
    (void)url, (void)method, (void)version, (void)upload, (void)upload_size;
    if (*context == NULL) { /* it is asked again when the header has been read */
        *context = &seen;
        return MHD_YES;
    }
    return MHD_queue_response(connection, constant->status, constant->response);
}

static struct MHD_Response *make_response(const char *path, const char *etag)
{
    static char body[BODY_MAX];
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return NULL;
    size_t length = fread(body, 1, sizeof body, file);
    fclose(file);
    struct MHD_Response *response = MHD_create_response_from_buffer(length, body, MHD_RESPMEM_PERSISTENT);
    if (response == NULL ||
        MHD_add_response_header(response, "Content-Type", "application/json") != MHD_YES ||
        MHD_add_response_header(response, "ETag", etag) != MHD_YES ||
        MHD_add_response_header(response, "Cache-Control", "no-cache") != MHD_YES ||
        MHD_add_response_header(response, "Serin-Epoch", "1") != MHD_YES)
        return NULL;
    return response;
}

/* Until the standard input ends. */
static void serve(struct MHD_Daemon *daemon, int epoll_fd)
{
    struct pollfd waiting[2] = {{.fd = epoll_fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    do {
        MHD_UNSIGNED_LONG_LONG left_ms;
        bool timed = MHD_get_timeout(daemon, &left_ms) == MHD_YES;
        poll(waiting, 2, timed ? (int)left_ms : -1);
        MHD_run(daemon);
    } while (waiting[1].revents == 0);
}

int main(int argc, char **argv)
{
    struct constant constant;
    if (argc != 4)
        return 64;
    constant.status = (unsigned)strtoul(argv[2], NULL, 10);
    constant.response = make_response(argv[1], argv[3]);
    if (constant.response == NULL)
        return 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, answer, &constant,
                         MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
                         MHD_OPTION_CONNECTION_TIMEOUT, 120u, MHD_OPTION_END);
    if (daemon == NULL)
        return 1;
    const union MHD_DaemonInfo *port = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    printf("%u\n", (unsigned)port->port);
    fflush(stdout);
    const union MHD_DaemonInfo *epoll = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    serve(daemon, epoll->epoll_fd);
    MHD_stop_daemon(daemon);
    MHD_destroy_response(constant.response);
    return 0;
}
