/* A poll that finds nothing new allocates nothing on the gateway thread: the requests of this executable go
   through the malloc below, which counts those of the threads named "gateway" while it is asked to. */
#include "gateway_world.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

enum { POLLS = 200, WINDOWS = 8 };

static struct gateway_world world;
static atomic_bool counting;
static atomic_int counted;

static void open_world(void)
{
    gateway_world_open(&world);
    gateway_world_start(&world);
    gateway_world_ready(&world);
}

static void close_world(void)
{
    gateway_world_close(&world);
}

TestSuite(gateway_allocation, .init = open_world, .fini = close_world, .timeout = 60);

#ifndef SANITIZED
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *before, size_t size);

static void note(void)
{
    char name[16] = "";
    if (atomic_load(&counting) && prctl(PR_GET_NAME, name) == 0 && strcmp(name, "gateway") == 0)
        atomic_fetch_add(&counted, 1);
}

void *malloc(size_t size)
{
    note();
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    note();
    return __libc_calloc(count, size);
}

void *realloc(void *before, size_t size)
{
    note();
    return __libc_realloc(before, size);
}
#endif

static int ask(int fd, const char *request)
{
    char answer[4096];
    size_t length = strlen(request);
    cr_assert_eq(send(fd, request, length, MSG_NOSIGNAL), (ssize_t)length);
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    cr_assert_eq(poll(&waiting, 1, 10000), 1);
    ssize_t got = recv(fd, answer, sizeof answer - 1, 0);
    cr_assert_gt(got, 12);
    answer[got] = '\0';
    return atoi(answer + 9);
}

/* Allocations of the gateway thread while so many polls are answered; the fewest of several windows, since
   once a second the thread does other things too. */
static int fewest(const char *request, int code)
{
    int fd = gateway_dial(&world), least = 1 << 30;
    for (int i = 0; i < WINDOWS && least > 0; i++) {
        cr_assert_eq(ask(fd, request), code); /* what a connection needs, it has now */
        atomic_store(&counted, 0);
        atomic_store(&counting, true);
        for (int j = 0; j < POLLS; j++)
            cr_assert_eq(ask(fd, request), code);
        atomic_store(&counting, false);
        least = atomic_load(&counted) < least ? atomic_load(&counted) : least;
    }
    close(fd);
    return least;
}

Test(gateway_allocation, a_poll_that_finds_nothing_new_allocates_nothing)
{
#ifdef SANITIZED
    cr_skip_test("AddressSanitizer has the allocator");
#endif
    char request[512];
    struct reply route = gateway_get(&world, "/v1/routes/chat");
    const char *names[] = {"", "Serin-Gateway: gw-a\r\n"};
    for (int i = 0; i < 2; i++) {
        snprintf(request, sizeof request,
                 "GET /v1/routes/chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " GATEWAY_TOKEN
                 "\r\n%sIf-None-Match: %s\r\n\r\n",
                 names[i], route.etag);
        cr_assert_eq(fewest(request, 304), 0, "named: %s", names[i]);
    }
    /* and that is no accident of the counting */
    cr_assert_geq(fewest("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", 200), POLLS);
}
