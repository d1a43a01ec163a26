// SEES: gateway sources http store spec decision base
/* The input is the parameters of a route's query and the header Serin-Gateway, each up to a NUL: format, key,
   variable, wait, instance; and after them the body of a route as a damaged file may hold it. What is
   accepted gives a form of which every line is one that nginx, or a script, knows: nothing of a parameter can
   end a string or a block. */
#include "base/clock.h"
#include "base/id.h"
#include "gateway/route_format.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FORMAT, KEY, VARIABLE, WAIT, INSTANCE, PARAMETERS };

static const char route[] =
    "{\"epoch\":8,\"incarnation\":1,\"releases\":[{\"release\":\"v1\",\"role\":\"stable\",\"weight\":9000},"
    "{\"release\":\"v2\",\"role\":\"canary\",\"weight\":1000}],\"rollout\":\"ro_1\",\"service\":\"chat\","
    "\"sticky\":{\"key\":\"user\",\"salt\":\"s\"},\"valid_until\":\"2026-11-25T04:00:00.000Z\"}";

static void check(bool good)
{
    if (!good) {
        abort();
    }
}

static void check_word(const char *word)
{
    for (; word != NULL && *word != '\0'; word++) {
        check(isalnum((unsigned char)*word) || *word == '_');
    }
}

static void check_lines(const char *text)
{
    static const char *const begins[] = {"# ", "split_clients \"", "    ", "}", "map \"\" $"};
    for (const char *line = text; *line != '\0';) {
        const char *end = strchr(line, '\n');
        bool known = false;
        check(end != NULL);
        for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
            known = known || strncmp(line, begins[i], strlen(begins[i])) == 0;
        }
        check(known);
        line = end + 1;
    }
}

static bool write_form(const char *body, size_t length, enum route_format format,
                       const struct route_nginx *nginx)
{
    struct text out;
    text_init(&out, 1 << 20);
    bool good = route_format_write(&out, body, length, format, nginx, NULL) == STATUS_OK;
    if (good && format == ROUTE_NGINX) {
        check_lines(text_get(&out));
    }
    text_free(&out);
    return good;
}

static void try_query(char *const parameter[PARAMETERS], const char *body, size_t length)
{
    enum route_format format = ROUTE_JSON;
    struct route_nginx nginx = {parameter[KEY], parameter[VARIABLE]};
    int64_t wait_ms = 0;
    if (parameter[WAIT] != NULL && clock_parse_duration(parameter[WAIT], &wait_ms)) {
        check(wait_ms >= 0);
    }
    if (parameter[INSTANCE] != NULL && name_valid(parameter[INSTANCE])) {
        check(strlen(parameter[INSTANCE]) <= NAME_MAX_LENGTH &&
              strpbrk(parameter[INSTANCE], "\r\n\" ") == NULL);
    }
    if (route_format_parse(parameter[FORMAT], &format, NULL) != STATUS_OK) {
        format = ROUTE_NGINX;
    }
    if (route_nginx_check(&nginx, NULL) != STATUS_OK) {
        return;
    }
    check_word(nginx.key);
    check_word(nginx.variable);
    check(write_form(route, sizeof route - 1, format, &nginx));
    write_form(body, length, format, &nginx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *parameter[PARAMETERS] = {NULL};
    size_t at = 0;
    for (int i = 0; i < PARAMETERS && at < size; i++) {
        const uint8_t *end = memchr(data + at, '\0', size - at);
        size_t length = end != NULL ? (size_t)(end - data) - at : size - at;
        if (length > 0) {
            parameter[i] = strndup((const char *)data + at, length);
        }
        at += length + (end != NULL ? 1 : 0);
    }
    try_query(parameter, (const char *)data + at, size - at);
    for (int i = 0; i < PARAMETERS; i++) {
        free(parameter[i]);
    }
    return 0;
}
