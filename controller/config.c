/* Settings from the environment. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void read_text(const char *environment, const char *standard, char *out, size_t size,
                      struct fault *fault)
{
    const char *value = getenv(environment);
    if (value == NULL || value[0] == '\0')
        value = standard;
    if (strlen(value) >= size)
        fault_at(fault, environment, "is longer than %zu bytes", size - 1);
    snprintf(out, size, "%s", value);
}

static void read_integer(const char *environment, int64_t standard, int64_t min, int64_t max, int64_t *out,
                         struct fault *fault)
{
    const char *value = getenv(environment);
    char *end;
    *out = standard;
    if (value == NULL || value[0] == '\0')
        return;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (errno != 0 || *end != '\0' || number < min || number > max)
        fault_at(fault, environment, "must be a whole number from %" PRId64 " to %" PRId64, min, max);
    else
        *out = number;
}

enum status config_read(struct config *out, struct fault *fault)
{
    fault_set(fault, STATUS_OK, "%s", "");
#define X(field, environment, standard, meaning)                                                             \
    read_text(environment, standard, out->field, sizeof out->field, fault);
    CONFIG_TEXT_TABLE(X)
#undef X
#define X(field, environment, standard, min, max, meaning)                                                   \
    read_integer(environment, standard, min, max, &out->field, fault);
    CONFIG_INTEGER_TABLE(X)
#undef X
    if (out->database_url[0] == '\0')
        fault_at(fault, "SERIN_DATABASE_URL", "must name the Postgres database");
    if (fault->status != STATUS_OK)
        fault_next(fault,
                   "'serind help' lists the settings. deploy/quickstart brings a Postgres of its own.");
    return fault->status;
}

void config_print(FILE *out)
{
#define X(field, environment, standard, meaning)                                                             \
    fprintf(out, "  %-28s %s\n  %-28s default: %s\n", environment, meaning, "",                              \
            standard[0] != '\0' ? standard : "none");
    CONFIG_TEXT_TABLE(X)
#undef X
#define X(field, environment, standard, min, max, meaning)                                                   \
    fprintf(out, "  %-28s %s\n  %-28s default: %lld\n", environment, meaning, "", (long long)(standard));
    CONFIG_INTEGER_TABLE(X)
#undef X
}

enum status config_split_addr(const char *addr, char host[256], uint16_t *port, struct fault *fault)
{
    const char *colon = strrchr(addr, ':');
    const char *begin = addr, *end = colon;
    char *rest;
    if (colon == NULL || colon == addr)
        return fault_set(fault, STATUS_INVALID, "\"%s\" is not host:port", addr);
    if (addr[0] == '[' && colon[-1] == ']') {
        begin++;
        end--;
    }
    errno = 0;
    long number = strtol(colon + 1, &rest, 10);
    if (errno != 0 || colon[1] == '\0' || *rest != '\0' || number < 0 || number > 65535 || end - begin > 255)
        return fault_set(fault, STATUS_INVALID, "\"%s\" is not host:port", addr);
    snprintf(host, 256, "%.*s", (int)(end - begin), begin);
    *port = (uint16_t)number;
    return STATUS_OK;
}
