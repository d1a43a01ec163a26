/* Entity tags and the conditions on them (RFC 9110, 8.8.3 and 13.1). Pure. */
#pragma once

#include "http/message.h"

enum { HTTP_ETAGS_MAX = 32 };

struct http_etags {
    bool present; /* there is such a header */
    bool any;     /* it is "*" */
    size_t count;
    struct {
        bool weak;
        const char *opaque; /* with its quotes; lent from the header */
        size_t length;
    } tag[HTTP_ETAGS_MAX];
};

/* Reads If-Match or If-None-Match (NULL: absent). MALFORMED if it is neither "*" nor a list of 1 to
   HTTP_ETAGS_MAX quoted tags, each with or without W/. */
enum status http_etags_parse(const char *header, struct http_etags *out, struct fault *fault) MUST_CHECK;
/* Is one of the tags `etag` (quotes included), weak or not? For If-None-Match. `etag` NULL or "": nothing
 * exists. */
bool http_etags_match_weak(const struct http_etags *tags, const char *etag);
/* The same where neither may be weak. For If-Match. */
bool http_etags_match_strong(const struct http_etags *tags, const char *etag);
/* One tag, quoted, with or without W/. */
bool http_etag_valid(const char *etag);

/* For a change: OK if there is no If-Match or it names `current`; else STALE_VERSION, or MALFORMED. */
enum status http_if_match(const struct http_request *request, const char *current,
                          struct fault *fault) MUST_CHECK;
