/* One HTTP request out, over libcurl's easy interface. */
#include "base/fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libcurl 7.88 bounds one header line, but not how many come. */
enum { HEADERS_MAX = 64 * 1024, HOST_MAX = 300 };

struct fetch {
    CURL *easy;
    bool public_only;
    /* of the request that runs */
    struct fetch_answer *answer;
    size_t header_bytes;
    bool refused, body_too_large, headers_too_large;
    char error[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode started;

static void start(void)
{
    started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct fetch *fetch_new(bool public_only)
{
    pthread_once(&once, start);
    struct fetch *fetch = started == CURLE_OK ? calloc(1, sizeof *fetch) : NULL;
    if (fetch == NULL)
        return NULL;
    fetch->public_only = public_only;
    fetch->easy = curl_easy_init();
    if (fetch->easy == NULL) {
        free(fetch);
        return NULL;
    }
    return fetch;
}

void fetch_free(struct fetch *fetch)
{
    if (fetch == NULL)
        return;
    curl_easy_cleanup(fetch->easy);
    free(fetch);
}

void fetch_answer_free(struct fetch_answer *answer)
{
    text_free(&answer->body);
}

/* --- addresses
 * --------------------------------------------------------------------------------------------------- */

struct block {
    uint8_t prefix[16];
    unsigned bits;
};

/* IANA's special-purpose registries: what is not globally reachable, and multicast. */
static const struct block special_v4[] = {
    {{0}, 8},
    {{10}, 8},
    {{100, 64}, 10},
    {{127}, 8},
    {{169, 254}, 16},
    {{172, 16}, 12},
    {{192, 0, 0}, 24},
    {{192, 0, 2}, 24},
    {{192, 88, 99}, 24},
    {{192, 168}, 16},
    {{198, 18}, 15},
    {{198, 51, 100}, 24},
    {{203, 0, 113}, 24},
    {{224}, 4},
    {{240}, 4},
};
static const struct block special_v6[] = {
    {{0}, 96},                                  /* ::, ::1, and IPv4-compatible */
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48}, /* local NAT64 */
    {{0x01}, 64},                               /* discard */
    {{0x20, 0x01, 0x00}, 23},                   /* protocol assignments, Teredo */
    {{0x20, 0x01, 0x0d, 0xb8}, 32},             /* documentation */
    {{0xfc}, 7},                                /* unique local */
    {{0xfe, 0x80}, 10},                         /* link-local */
    {{0xfe, 0xc0}, 10},                         /* site-local */
    {{0xff}, 8},                                /* multicast */
};
/* IPv6 that carries an IPv4 address, at byte `at`. */
static const struct {
    struct block block;
    unsigned at;
} carriers[] = {
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, 12}, /* mapped */
    {{{0x00, 0x64, 0xff, 0x9b}, 96}, 12},                   /* NAT64 */
    {{{0x20, 0x02}, 16}, 2},                                /* 6to4 */
};

static bool inside(const uint8_t *address, const struct block *block)
{
    unsigned whole = block->bits / 8, rest = block->bits % 8;
    if (memcmp(address, block->prefix, whole) != 0)
        return false;
    return rest == 0 || (address[whole] ^ block->prefix[whole]) >> (8 - rest) == 0;
}

bool fetch_public_address(const uint8_t *address, size_t length)
{
    if (length == 4) {
        for (size_t i = 0; i < sizeof special_v4 / sizeof *special_v4; i++)
            if (inside(address, &special_v4[i]))
                return false;
        return true;
    }
    if (length != 16)
        return false;
    for (size_t i = 0; i < sizeof carriers / sizeof *carriers; i++)
        if (inside(address, &carriers[i].block))
            return fetch_public_address(address + carriers[i].at, 4);
    for (size_t i = 0; i < sizeof special_v6 / sizeof *special_v6; i++)
        if (inside(address, &special_v6[i]))
            return false;
    return true;
}

static bool public_socket(const struct curl_sockaddr *to)
{
    if (to->family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)&to->addr;
        return fetch_public_address((const uint8_t *)&v4->sin_addr, 4);
    }
    if (to->family == AF_INET6) {
        /* addrlen bytes lie behind addr, which is declared shorter */
        struct sockaddr_in6 v6 = {0};
        if (to->addrlen < sizeof v6)
            return false;
        memcpy(&v6, (const char *)to + offsetof(struct curl_sockaddr, addr), sizeof v6);
        return fetch_public_address((const uint8_t *)&v6.sin6_addr, 16);
    }
    return false;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct fetch *fetch = context;
    (void)purpose;
    if (fetch->public_only && !public_socket(to)) {
        fetch->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* --- what comes in
 * ----------------------------------------------------------------------------------------------- */

static size_t take_body(char *data, size_t one, size_t length, void *context)
{
    struct fetch *fetch = context;
    text_add(&fetch->answer->body, data, one * length);
    if (text_status(&fetch->answer->body) != STATUS_OK) {
        fetch->body_too_large = true;
        return 0;
    }
    return one * length;
}

static size_t take_header(char *data, size_t one, size_t length, void *context)
{
    struct fetch *fetch = context;
    (void)data;
    fetch->header_bytes += one * length;
    if (fetch->header_bytes > HEADERS_MAX) {
        fetch->headers_too_large = true;
        return 0;
    }
    return one * length;
}

/* --- the request
 * ------------------------------------------------------------------------------------------------- */

/* "https://host:port" of a URL, for messages; false if the URL cannot be used. */
static bool origin_of(const char *url, char out[HOST_MAX])
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLU *parts = curl_url();
    bool good = parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    if (good && curl_url_get(parts, CURLUPART_PORT, &port, 0) == CURLUE_OK)
        snprintf(out, HOST_MAX, "%s://%s:%s", scheme, host, port);
    else if (good)
        snprintf(out, HOST_MAX, "%s://%s", scheme, host);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parts);
    return good;
}

/* A line break in a value would be another header. */
static bool clean_header(const char *header)
{
    if (strchr(header, ':') == NULL)
        return false;
    for (; *header != '\0'; header++)
        if (((unsigned char)*header < 0x20 && *header != '\t') || *header == 0x7f)
            return false;
    return true;
}

static enum status list_headers(const struct fetch_request *request, struct curl_slist **out,
                                struct fault *fault)
{
    /* no "Expect: 100-continue": it waits a second for nothing */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    if (list == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    for (const char *const *header = request->headers; header != NULL && *header != NULL; header++) {
        struct curl_slist *longer;
        if (!clean_header(*header)) {
            curl_slist_free_all(list);
            fault_set(fault, STATUS_PEER, "The header %.*s cannot be sent: it holds a control character",
                      (int)strcspn(*header, ":"), *header);
            fault_next(fault, "Remove line breaks from the secret or token that is sent in this header.");
            return STATUS_PEER;
        }
        longer = curl_slist_append(list, *header);
        if (longer == NULL) {
            curl_slist_free_all(list);
            return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
        }
        list = longer;
    }
    *out = list;
    return STATUS_OK;
}

static CURLcode set_up(struct fetch *fetch, const struct fetch_request *request, struct curl_slist *headers)
{
    CURL *easy = fetch->easy;
    CURLcode code = CURLE_OK;
#define SET(option, value) code = code != CURLE_OK ? code : curl_easy_setopt(easy, option, value)
    curl_easy_reset(easy);
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* else a name server that is silent holds us beyond the timeout */
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)request->total_ms);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_USERAGENT, "serin/" SERIN_VERSION);
    SET(CURLOPT_ERRORBUFFER, fetch->error);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, fetch);
    SET(CURLOPT_HEADERFUNCTION, take_header);
    SET(CURLOPT_HEADERDATA, fetch);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, fetch);
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->body_max);
    if (fetch->public_only)
        SET(CURLOPT_PROXY, "");
    if (request->body != NULL) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
        SET(CURLOPT_POSTFIELDS, request->body);
    }
#undef SET
    return code;
}

/* What went wrong on the way, in words, with what to do. */
static enum status explain(const struct fetch *fetch, const struct fetch_request *request, CURLcode code,
                           const char *origin, struct fault *fault)
{
    if (code == CURLE_OUT_OF_MEMORY || (fetch->body_too_large && fetch->answer->body.no_memory))
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    if (fetch->refused) {
        fault_set(fault, STATUS_PEER, "%s is not an address of the public internet", origin);
        fault_next(fault, "Use a public URL, or allow private addresses in the configuration of serind.");
    } else if (fetch->body_too_large || code == CURLE_FILESIZE_EXCEEDED) {
        fault_set(fault, STATUS_PEER, "%s answered with more than %zu bytes", origin, request->body_max);
        fault_next(fault, "Ask for less, or check that the URL is the right one.");
    } else if (fetch->headers_too_large) {
        fault_set(fault, STATUS_PEER, "%s answered with more than %d bytes of headers", origin, HEADERS_MAX);
        fault_next(fault, "Check that the URL is the right one.");
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        fault_set(fault, STATUS_PEER, "%s did not answer within %lld ms", origin,
                  (long long)request->total_ms);
        fault_next(fault, "Check that it is running and reachable from serind, and its load.");
    } else if (code == CURLE_COULDNT_RESOLVE_HOST) {
        fault_set(fault, STATUS_PEER, "The name of %s cannot be resolved", origin);
        fault_next(fault, "Check the host name in the URL and the DNS of the machine serind runs on.");
    } else {
        const char *why = fetch->error[0] != '\0' ? fetch->error : curl_easy_strerror(code);
        fault_set(fault, STATUS_PEER, "%s could not be asked: %s", origin, why);
        fault_next(fault, "Check that it is running and reachable from serind, and the URL.");
    }
    return STATUS_PEER;
}

enum status fetch_run(struct fetch *fetch, const struct fetch_request *request, struct fetch_answer *answer,
                      struct fault *fault)
{
    char origin[HOST_MAX];
    struct curl_slist *headers = NULL;
    long code = 0;
    curl_off_t retry_after = 0;

    *answer = (struct fetch_answer){0};
    text_init(&answer->body, request->body_max);
    if (!origin_of(request->url, origin)) {
        fault_set(fault, STATUS_PEER, "The URL cannot be used");
        fault_next(fault, "Give a full URL that begins with http:// or https://.");
        return STATUS_PEER;
    }
    enum status status = list_headers(request, &headers, fault);
    if (status != STATUS_OK)
        return status;
    fetch->answer = answer;
    fetch->header_bytes = 0;
    fetch->refused = fetch->body_too_large = fetch->headers_too_large = false;
    fetch->error[0] = '\0';
    CURLcode result = set_up(fetch, request, headers);
    if (result == CURLE_OK)
        result = curl_easy_perform(fetch->easy);
    if (result != CURLE_OK)
        status = explain(fetch, request, result, origin, fault);
    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &code);
    answer->code = (int)code;
    if (curl_easy_getinfo(fetch->easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK && retry_after > 0)
        answer->retry_after_s = retry_after;
    if (status == STATUS_OK && code >= 300 && code < 400) {
        status = fault_set(fault, STATUS_PEER, "%s answered with a redirect (%ld)", origin, code);
        fault_next(fault, "Redirects are not followed: configure the final URL.");
    }
    curl_slist_free_all(headers);
    fetch->answer = NULL;
    return status;
}
