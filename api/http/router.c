/* The router: compares segments of raw paths with the patterns of a table, row by row. */
#include "http/router.h"

#include "http/percent.h"

#include <stdio.h>
#include <string.h>

struct segment {
    const char *text;
    size_t length;
};

/* Takes the next segment off a path that begins with a slash. False at its end. */
static bool next_segment(const char **path, struct segment *out)
{
    if (**path != '/') {
        return false;
    }
    out->text = *path + 1;
    out->length = strcspn(out->text, "/");
    *path = out->text + out->length;
    return true;
}

static bool is_parameter(const struct segment *segment)
{
    return segment->length > 2 && segment->text[0] == '{' && segment->text[segment->length - 1] == '}';
}

/* Does the path have the shape of the pattern? Escapes in literal segments are not decoded: no literal needs
 * one. */
static bool fits(const char *pattern, const char *path)
{
    struct segment want, have;
    while (next_segment(&pattern, &want)) {
        if (!next_segment(&path, &have)) {
            return false;
        }
        bool same = want.length == have.length && memcmp(want.text, have.text, want.length) == 0;
        if (is_parameter(&want) ? have.length == 0 : !same) {
            return false;
        }
    }
    return *path == '\0';
}

/* Decodes the parameters of a path that fits. */
static enum status take_parameters(const char *pattern, const char *path, struct http_match *match,
                                   struct fault *fault)
{
    struct segment want, have;
    char *at = match->storage;
    match->parameters = 0;
    while (next_segment(&pattern, &want) && next_segment(&path, &have)) {
        size_t left = sizeof match->storage - (size_t)(at - match->storage);
        size_t written = 0;
        if (!is_parameter(&want)) {
            continue;
        }
        int name_length = (int)want.length - 2;
        if (!http_percent_decode(have.text, have.length, false, at, left, &written)) {
            fault_set(fault, STATUS_MALFORMED, "the %.*s in the path cannot be decoded", name_length,
                      want.text + 1);
            fault_next(fault, "Percent-encode it as UTF-8.");
            return STATUS_MALFORMED;
        }
        if (written > HTTP_PARAMETER_MAX) {
            fault_set(fault, STATUS_MALFORMED, "the %.*s in the path is longer than %d bytes", name_length,
                      want.text + 1, HTTP_PARAMETER_MAX);
            fault_next(fault, "Check the path.");
            return STATUS_MALFORMED;
        }
        match->parameter[match->parameters++] = at;
        at += written + 1;
    }
    return STATUS_OK;
}

enum status http_route_find(const struct http_route *routes, size_t count, enum http_method method,
                            const char *path, struct http_match *match, struct fault *fault)
{
    char allow[64];
    match->route = NULL;
    match->allowed = 0;
    match->parameters = 0;
    if (strlen(path) > HTTP_PATH_MAX) {
        fault_set(fault, STATUS_MALFORMED, "the path is longer than %d bytes", HTTP_PATH_MAX);
        fault_next(fault, "Check the path.");
        return STATUS_MALFORMED;
    }
    for (size_t i = 0; i < count; i++) {
        if (!fits(routes[i].pattern, path)) {
            continue;
        }
        match->allowed |= 1u << routes[i].method;
        if (routes[i].method == method && match->route == NULL) {
            match->route = &routes[i];
        }
    }
    if (match->route != NULL) {
        enum status status = take_parameters(match->route->pattern, path, match, fault);
        if (status != STATUS_OK) {
            match->route = NULL;
        }
        return status;
    }
    if (match->allowed == 0) {
        fault_set(fault, STATUS_NOT_FOUND, "there is nothing at %.200s", path);
        fault_next(fault, "Check the path against the API's description.");
        return STATUS_NOT_FOUND;
    }
    fault_set(fault, STATUS_METHOD, "%.200s does not take this method", path);
    fault_next(fault, "It takes %s.", http_route_allow(match->allowed, allow));
    return STATUS_METHOD;
}

char *http_route_allow(unsigned allowed, char out[64])
{
    size_t at = 0;
    out[0] = '\0';
    for (int i = 0; i < HTTP_METHODS; i++) {
        if ((allowed & 1u << i) != 0) {
            int wrote = snprintf(out + at, 64 - at, "%s%s%s", at > 0 ? ", " : "",
                                 http_method_name((enum http_method)i), i == HTTP_GET ? ", HEAD" : "");
            at += (size_t)wrote;
        }
    }
    return out;
}

/* Does every path that fits `later` fit `earlier` too? */
static bool hides(const char *earlier, const char *later)
{
    struct segment wide, narrow;
    for (;;) {
        bool more = next_segment(&earlier, &wide);
        if (more != next_segment(&later, &narrow)) {
            return false;
        }
        if (!more) {
            return true;
        }
        if (!is_parameter(&wide) && (is_parameter(&narrow) || wide.length != narrow.length ||
                                     memcmp(wide.text, narrow.text, wide.length) != 0)) {
            return false;
        }
    }
}

static bool well_formed(const struct http_route *route)
{
    struct segment segment;
    size_t parameters = 0;
    const char *pattern = route->pattern;
    if (route->handler == NULL || (unsigned)route->method >= HTTP_METHODS || pattern == NULL ||
        pattern[0] != '/') {
        return false;
    }
    if (strcmp(pattern, "/") == 0) {
        return true;
    }
    while (next_segment(&pattern, &segment)) {
        bool literal = memchr(segment.text, '{', segment.length) == NULL &&
                       memchr(segment.text, '}', segment.length) == NULL &&
                       memchr(segment.text, '%', segment.length) == NULL;
        parameters += is_parameter(&segment) ? 1 : 0;
        if (segment.length == 0 || (!literal && !is_parameter(&segment))) {
            return false;
        }
    }
    return parameters <= HTTP_PARAMETERS_MAX;
}

enum status http_routes_check(const struct http_route *routes, size_t count, struct fault *fault)
{
    for (size_t i = 0; i < count; i++) {
        if (!well_formed(&routes[i])) {
            return fault_set(fault, STATUS_INTERNAL, "route %zu is not well-formed: %s", i,
                             routes[i].pattern != NULL ? routes[i].pattern : "(none)");
        }
        for (size_t j = 0; j < i; j++) {
            if (routes[i].method == routes[j].method && hides(routes[j].pattern, routes[i].pattern)) {
                return fault_set(fault, STATUS_INTERNAL, "route %zu, %s, is hidden by route %zu, %s", i,
                                 routes[i].pattern, j, routes[j].pattern);
            }
        }
    }
    return STATUS_OK;
}
