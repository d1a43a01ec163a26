/* The query of a request. */
#include "http/query.h"

#include "http/percent.h"

#include <stdlib.h>
#include <string.h>

static enum status malformed(struct fault *fault, const char *what, const char *next)
{
    fault_set(fault, STATUS_MALFORMED, "%s", what);
    fault_next(fault, "%s", next);
    return STATUS_MALFORMED;
}

/* Decodes one half of a pair in place, behind *at, and moves *at behind it. */
static const char *decode(const char *raw, size_t length, char **at, size_t left)
{
    size_t written;
    char *start = *at;
    if (!http_percent_decode(raw, length, true, start, left, &written)) {
        return NULL;
    }
    *at += written + 1;
    return start;
}

static enum status add(struct http_query *query, const char *part, size_t length, char **at, char *end,
                       struct fault *fault)
{
    const char *equals = memchr(part, '=', length);
    size_t name_length = equals != NULL ? (size_t)(equals - part) : length;
    const char *value = equals != NULL ? equals + 1 : part + length;
    struct http_pair pair;
    if (query->count == HTTP_QUERY_MAX) {
        return malformed(fault, "the query has more than 32 parameters", "Send fewer.");
    }
    pair.name = decode(part, name_length, at, (size_t)(end - *at));
    if (pair.name == NULL) {
        return malformed(fault, "the query cannot be decoded", "Percent-encode names and values as UTF-8.");
    }
    pair.value = decode(value, (size_t)(part + length - value), at, (size_t)(end - *at));
    if (pair.value == NULL) {
        fault_set(fault, STATUS_MALFORMED, "the query parameter \"%s\" cannot be decoded", pair.name);
        fault_next(fault, "Percent-encode its value as UTF-8.");
        return STATUS_MALFORMED;
    }
    for (size_t i = 0; i < query->count; i++) {
        if (strcmp(query->pair[i].name, pair.name) == 0) {
            fault_set(fault, STATUS_MALFORMED, "the query parameter \"%s\" comes twice", pair.name);
            fault_next(fault, "Keep one of the two.");
            return STATUS_MALFORMED;
        }
    }
    query->pair[query->count++] = pair;
    return STATUS_OK;
}

enum status http_query_parse(struct http_query *query, const char *raw, struct fault *fault)
{
    enum status status = STATUS_OK;
    *query = (struct http_query){0};
    if (raw == NULL || *raw == '\0') {
        return STATUS_OK;
    }
    /* A decoded half is no longer than its raw form; each of the pairs needs two NULs, of which one takes the
       place of its "=" or "&". */
    size_t size = strlen(raw) + HTTP_QUERY_MAX + 2;
    query->storage = malloc(size);
    if (query->storage == NULL) {
        return fault_set(fault, STATUS_NO_MEMORY, "no memory for the query");
    }
    char *at = query->storage;
    while (*raw != '\0' && status == STATUS_OK) {
        size_t length = strcspn(raw, "&");
        if (length > 0) {
            status = add(query, raw, length, &at, query->storage + size, fault);
        }
        raw += length;
        raw += *raw == '&' ? 1 : 0;
    }
    if (status != STATUS_OK) {
        http_query_free(query);
    }
    return status;
}

void http_query_free(struct http_query *query)
{
    free(query->storage);
    *query = (struct http_query){0};
}
