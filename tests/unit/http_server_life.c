/* Tests of the server's life: doors, limits, start and stop. */
#include "http_rig.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

TestSuite(http_server_life, .timeout = 30, .fini = stop);

Test(http_server_life, silent_connections_are_closed)
{
    struct mono_time began = clock_mono();
    options.idle_s = 1;
    start();
    int fd = dial();
    say(fd, "GET /open HTTP/1.1\r\nX-");
    hear(fd, 8000);
    cr_assert(clock_mono_since_ms(began) < 7000);
    close(fd);
}

static char folder[64];

static const char *local_path(void)
{
    static char path[96];
    strcpy(folder, "/tmp/serin-http.XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s", folder);
    return path;
}

Test(http_server_life, the_local_socket_has_connections_of_its_own)
{
    int idle[2];
    struct stat found;
    options.connections_max = 2;
    options.local = local_path();
    start();
    cr_assert_eq(stat(options.local, &found), 0);
    cr_assert_eq(found.st_mode & 0777, 0600);
    for (int i = 0; i < 2; i++) {
        idle[i] = dial();
        say(idle[i], "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
        hear(idle[i], 300);
        has("200 OK");
    }
    cr_assert_str_eq(ask("GET /open HTTP/1.1\r\n" LAST "\r\n"), "",
                     "all connections are taken: closed at once");
    int fd = dial_local(options.local);
    say(fd, "GET /open HTTP/1.1\r\n" LAST "\r\n");
    hear(fd, 5000);
    has("200 OK");
    has("\"peer\":\"unix\"");
    close(fd);
    close(idle[0]);
    for (int i = 0; i < 500 && *ask("GET /open HTTP/1.1\r\n" LAST "\r\n") == '\0'; i++) {
        usleep(2000); /* until the server has noticed */
    }
    has("200 OK");
    close(idle[1]);
    stop();
    cr_assert_neq(stat(options.local, &found), 0, "the socket file is gone");
    rmdir(folder);
}

Test(http_server_life, a_stale_socket_is_replaced_and_nothing_else)
{
    options.local = local_path();
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    strcpy(where.sun_path, options.local);
    int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(dead, (struct sockaddr *)&where, sizeof where), 0);
    close(dead);
    start();
    int fd = dial_local(options.local);
    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_null(http_server_start(&options, &fault), "a socket that answers is left alone");
    cr_assert_eq(fault.status, STATUS_CONFLICT);
    fd = dial_local(options.local);
    cr_assert_geq(fd, 0);
    close(fd);
    stop();
    fd = open(options.local, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(fd);
    cr_assert_null(http_server_start(&options, &fault));
    cr_assert_str_eq(fault.detail + strlen(options.local), " exists and is not a socket");
    cr_assert_eq(unlink(options.local), 0, "the file is left alone");
    options.local = "/nonexistent-folder/s";
    cr_assert_null(http_server_start(&options, &fault));
    cr_assert_eq(fault.status, STATUS_INTERNAL);
    rmdir(folder);
}

Test(http_server_life, start_says_what_is_wrong)
{
    struct http_server_options other = options;
    start();
    other.port = http_server_port(server);
    cr_assert_null(http_server_start(&other, &fault));
    cr_assert_eq(fault.status, STATUS_CONFLICT);
    other.address = "localhost";
    cr_assert_null(http_server_start(&other, &fault));
    cr_assert_eq(fault.status, STATUS_INVALID);
    const struct http_route twice[] = {options.routes[0], options.routes[0]};
    other = (struct http_server_options){.routes = twice, .route_count = 2};
    cr_assert_null(http_server_start(&other, &fault));
    cr_assert_eq(fault.status, STATUS_INTERNAL);
    other = options;
    other.address = "::1";
    struct http_server *six = http_server_start(&other, &fault);
    cr_assert(six != NULL || fault.status == STATUS_INTERNAL, "this machine may have no IPv6");
    cr_assert_eq(http_server_stop(six, 100), STATUS_OK);
}

static void *stop_in_thread(void *argument)
{
    *(enum status *)argument = http_server_stop(server, 10000);
    return NULL;
}

static void wait_until(atomic_int *number, int value)
{
    while (atomic_load(number) < value) {
        usleep(1000);
    }
}

Test(http_server_life, stop_lets_running_handlers_end)
{
    pthread_t thread;
    enum status status = STATUS_INTERNAL;
    start();
    atomic_store(&hold, true);
    int running = dial();
    int open = dial();
    say(running, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    say(open, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(open, 300);
    has("200 OK");
    wait_until(&inside, 1);
    pthread_create(&thread, NULL, stop_in_thread, &status);
    usleep(100000);
    say(open, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(open, 2000);
    has("HTTP/1.1 503 ");
    has("this server is stopping");
    has("Connection: close\r\n");
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_server_port(server))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_neq(connect(late, (struct sockaddr *)&to, sizeof to), 0, "no new connections");
    close(late);
    atomic_store(&hold, false);
    hear(running, 5000);
    has("\"slept\"");
    pthread_join(thread, NULL);
    server = NULL;
    cr_assert_eq(status, STATUS_OK);
    close(running);
    close(open);
}

Test(http_server_life, stop_has_a_bound)
{
    struct mono_time began = clock_mono();
    start();
    atomic_store(&hold, true);
    int running = dial();
    say(running, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_until(&inside, 1);
    cr_assert_eq(http_server_stop(server, 100), STATUS_TIMEOUT);
    cr_assert(clock_mono_since_ms(began) < 5000);
    close(running);
}

Test(http_server_life, a_client_that_dawdles_does_not_hold_the_stop_up)
{
    struct mono_time began = clock_mono();
    start();
    int fd = dial();
    say(fd, "POST /bytes HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf");
    usleep(50000);
    cr_assert_eq(http_server_stop(server, 200), STATUS_OK);
    server = NULL;
    cr_assert(clock_mono_since_ms(began) < 5000);
    close(fd);
}
