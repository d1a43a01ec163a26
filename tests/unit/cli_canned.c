/* The canned server: one thread, one connection at a time, nothing kept alive. */
#include "cli_canned.h"

#include "cli/cli.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOG_MAX = 1 << 20, REQUEST_MAX = 1 << 18, WORDS_MAX = 24 };

static struct canned *rows;
static int listener;
static char asked[LOG_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Reads one request: head and as much body as Content-Length says. */
static size_t read_request(int fd, char *data)
{
    size_t have = 0, wanted = 0;
    while (have < REQUEST_MAX - 1) {
        ssize_t got = read(fd, data + have, REQUEST_MAX - 1 - have);
        if (got <= 0) {
            break;
        }
        have += (size_t)got;
        data[have] = '\0';
        char *end = strstr(data, "\r\n\r\n");
        if (end != NULL && wanted == 0) {
            char *length = strcasestr(data, "content-length:");
            wanted =
                (size_t)(end - data) + 4 + (length != NULL && length < end ? (size_t)atoi(length + 15) : 0);
        }
        if (wanted > 0 && have >= wanted) {
            break;
        }
    }
    data[have] = '\0';
    return have;
}

static const struct canned *row_of(const char *request)
{
    for (struct canned *row = rows; row->request != NULL; row++) {
        if (strcmp(row->request, request) != 0 || row->times < 0) {
            continue;
        }
        if (row->times > 0 && --row->times == 0) {
            row->times = -1;
        }
        return row;
    }
    return NULL;
}

static void answer(int fd, char *data)
{
    char request[2048], head[1024];
    const char *body = strstr(data, "\r\n\r\n");
    char *end = strstr(data, " HTTP/1.1");
    if (end == NULL || body == NULL) {
        return;
    }
    *end = '\0';
    snprintf(request, sizeof request, "%.2000s", data);
    pthread_mutex_lock(&lock);
    const struct canned *row = row_of(request);
    size_t at = strlen(asked);
    snprintf(asked + at, sizeof asked - at, body[4] != '\0' ? "%s\n\t%s\n" : "%s\n", request, body + 4);
    char etag[128] = "";
    if (row != NULL && row->etag != NULL) {
        snprintf(etag, sizeof etag, "ETag: %s\r\n", row->etag);
    }
    pthread_mutex_unlock(&lock);
    const char *text = row != NULL ? row->body : "nothing here";
    snprintf(head, sizeof head,
             "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\nConnection: "
             "close\r\n\r\n",
             row != NULL ? row->status : 404, etag, strlen(text));
    if (write(fd, head, strlen(head)) < 0 || write(fd, text, strlen(text)) < 0) {
        return;
    }
}

static void *serve(void *argument)
{
    static char data[REQUEST_MAX];
    (void)argument;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) {
            return NULL;
        }
        if (read_request(fd, data) > 0) {
            answer(fd, data);
        }
        close(fd);
    }
}

void canned_start(struct canned *answers)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    pthread_t thread;
    char url[64];
    rows = answers;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
              listen(listener, 16) == 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    setenv("SERIN_URL", url, 1);
    setenv("SERIN_TOKEN", "secret", 1);
    setenv("HOME", "/nonexistent", 1);
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("SERIN_TOKEN_FILE");
    unsetenv("SERIN_CA_FILE");
    cr_assert_eq(pthread_create(&thread, NULL, serve, NULL), 0);
    pthread_detach(thread);
}

const char *canned_log(void)
{
    return asked;
}

struct canned_run canned_serin(const char *word, ...)
{
    static char *out, *err;
    size_t out_size, err_size;
    const char *words[WORDS_MAX];
    int count = 0;
    va_list more;
    free(out);
    free(err);
    out = NULL;
    err = NULL;
    va_start(more, word);
    for (; word != NULL && count < WORDS_MAX; word = va_arg(more, const char *)) {
        words[count++] = word;
    }
    va_end(more);
    FILE *out_file = open_memstream(&out, &out_size), *err_file = open_memstream(&err, &err_size);
    cr_assert(out_file != NULL && err_file != NULL);
    int code = cli_run(count, words, out_file, err_file);
    fclose(out_file);
    fclose(err_file);
    return (struct canned_run){.code = code, .out = out, .err = err};
}
