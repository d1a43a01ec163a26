/* Entity tags and the conditions on them. */
#include "http/etag.h"

#include <string.h>

static const char *skip_blank(const char *at)
{
    while (*at == ' ' || *at == '\t') {
        at++;
    }
    return at;
}

/* Length of the quoted tag at `at`, quotes included; 0 if there is none. */
static size_t opaque_length(const char *at)
{
    size_t length = 1;
    if (at[0] != '"') {
        return 0;
    }
    for (; at[length] != '"'; length++) {
        unsigned char c = (unsigned char)at[length];
        if (c < 0x21 || c == 0x7F) { /* the terminating NUL comes here too */
            return 0;
        }
    }
    return length + 1;
}

static enum status malformed(struct fault *fault, const char *what)
{
    fault_set(fault, STATUS_MALFORMED, "If-Match or If-None-Match %s", what);
    fault_next(fault,
               "Send the ETag as it came, quotes included, several separated by commas, or a single *.");
    return STATUS_MALFORMED;
}

enum status http_etags_parse(const char *header, struct http_etags *out, struct fault *fault)
{
    *out = (struct http_etags){.present = header != NULL};
    if (header == NULL) {
        return STATUS_OK;
    }
    const char *at = skip_blank(header);
    if (*at == '*') {
        out->any = true;
        return *skip_blank(at + 1) == '\0' ? STATUS_OK : malformed(fault, "has something beside the *");
    }
    for (;;) {
        at = skip_blank(at);
        if (*at == ',') { /* empty elements are to be ignored (RFC 9110, 5.6.1.2) */
            at++;
            continue;
        }
        if (*at == '\0') {
            return out->count > 0 ? STATUS_OK : malformed(fault, "holds no tag");
        }
        if (out->count == HTTP_ETAGS_MAX) {
            return malformed(fault, "holds more than 32 tags");
        }
        bool weak = at[0] == 'W' && at[1] == '/';
        at += weak ? 2 : 0;
        size_t length = opaque_length(at);
        if (length == 0) {
            return malformed(fault, "holds a tag without its quotes");
        }
        out->tag[out->count].weak = weak;
        out->tag[out->count].opaque = at;
        out->tag[out->count].length = length;
        out->count++;
        at = skip_blank(at + length);
        if (*at != ',' && *at != '\0') {
            return malformed(fault, "holds something between its tags");
        }
    }
}

static bool match(const struct http_etags *tags, const char *etag, bool strong)
{
    if (!tags->present || etag == NULL || *etag == '\0') {
        return false;
    }
    if (tags->any) {
        return true;
    }
    bool weak = strncmp(etag, "W/", 2) == 0;
    const char *opaque = weak ? etag + 2 : etag;
    size_t length = strlen(opaque);
    if (strong && weak) {
        return false;
    }
    for (size_t i = 0; i < tags->count; i++) {
        if (!(strong && tags->tag[i].weak) && tags->tag[i].length == length &&
            memcmp(tags->tag[i].opaque, opaque, length) == 0) {
            return true;
        }
    }
    return false;
}

bool http_etags_match_weak(const struct http_etags *tags, const char *etag)
{
    return match(tags, etag, false);
}

bool http_etags_match_strong(const struct http_etags *tags, const char *etag)
{
    return match(tags, etag, true);
}

bool http_etag_valid(const char *etag)
{
    const char *opaque = strncmp(etag, "W/", 2) == 0 ? etag + 2 : etag;
    size_t length = opaque_length(opaque);
    return length > 0 && opaque[length] == '\0';
}

enum status http_if_match(const struct http_request *request, const char *current, struct fault *fault)
{
    struct http_etags tags;
    enum status status = http_etags_parse(http_header(request, "If-Match"), &tags, fault);
    if (status != STATUS_OK || !tags.present || http_etags_match_strong(&tags, current)) {
        return status;
    }
    fault_set(fault, STATUS_STALE_VERSION, "If-Match does not name the present version");
    fault_next(fault, "Read it again, look at what has changed, and repeat the change with the new ETag.");
    return STATUS_STALE_VERSION;
}
