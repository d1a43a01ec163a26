/* HTTP over libcurl, one request at a time. */
#include "cli/client.h"

#include "base/id.h"
#include "base/json.h"
#include "base/text.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { ANSWER_MAX = 32 << 20, CONNECT_MS = 5000, TOTAL_MS = 60000, TRIES = 3 };

struct client {
    CURL *curl;
    struct settings settings;
    char curl_error[CURL_ERROR_SIZE];
};

/* What a transfer has gathered. */
struct gathered {
    struct text body;
    char etag[256];
};

enum status client_new(const struct settings *settings, struct client **out, struct fault *fault)
{
    *out = NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return fault_set(fault, STATUS_INTERNAL, "libcurl does not start");
    }
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL || (client->curl = curl_easy_init()) == NULL) {
        free(client);
        return fault_set(fault, STATUS_NO_MEMORY, "no memory for the client");
    }
    client->settings = *settings;
    *out = client;
    return STATUS_OK;
}

void client_free(struct client *client)
{
    if (client != NULL) {
        curl_easy_cleanup(client->curl);
        free(client);
        curl_global_cleanup();
    }
}

void client_answer_free(struct client_answer *answer)
{
    free(answer->body);
    json_object_put(answer->json);
    answer->body = NULL;
    answer->json = NULL;
}

static size_t on_body(char *data, size_t size, size_t count, void *argument)
{
    struct gathered *gathered = argument;
    text_add(&gathered->body, data, size * count);
    return gathered->body.broken ? 0 : size * count;
}

static size_t on_header(char *line, size_t size, size_t count, void *argument)
{
    static const char name[] = "etag:";
    struct gathered *gathered = argument;
    size_t length = size * count;
    if (length >= sizeof name && strncasecmp(line, name, sizeof name - 1) == 0) {
        const char *value = line + sizeof name - 1;
        const char *end = line + length;
        while (value < end && (*value == ' ' || *value == '\t')) {
            value++;
        }
        while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ')) {
            end--;
        }
        if ((size_t)(end - value) < sizeof gathered->etag) {
            memcpy(gathered->etag, value, (size_t)(end - value));
            gathered->etag[end - value] = '\0';
        }
    }
    return length;
}

/* Appends a header; on no memory the list is freed and *list NULL, and `*ok` false. */
static void add_header(struct curl_slist **list, bool *ok, const char *name, const char *value)
{
    char line[SETTINGS_TOKEN_MAX + 64];
    if (!*ok) {
        return;
    }
    snprintf(line, sizeof line, "%s: %s", name, value);
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer == NULL) {
        curl_slist_free_all(*list);
        *list = NULL;
        *ok = false;
        return;
    }
    *list = longer;
}

static struct curl_slist *headers(const struct client *client, const struct client_call *call,
                                  const char *key, bool *ok)
{
    struct curl_slist *list = NULL;
    char bearer[SETTINGS_TOKEN_MAX + 16];
    *ok = true;
    add_header(&list, ok, "Accept", "application/json, application/problem+json");
    add_header(&list, ok, "Expect", ""); /* no 100-continue: it costs a second with servers that ignore it */
    if (client->settings.token[0] != '\0') {
        snprintf(bearer, sizeof bearer, "Bearer %s", client->settings.token);
        add_header(&list, ok, "Authorization", bearer);
    }
    if (call->body != NULL) {
        add_header(&list, ok, "Content-Type", "application/json");
    }
    if (call->if_match != NULL) {
        add_header(&list, ok, "If-Match", call->if_match);
    }
    if (key[0] != '\0') {
        add_header(&list, ok, "Idempotency-Key", key);
    }
    return list;
}

static bool set_options(struct client *client, const struct client_call *call, const char *url,
                        const struct text *body, struct curl_slist *list, struct gathered *gathered)
{
    CURL *curl = client->curl;
    const struct settings *settings = &client->settings;
    curl_easy_reset(curl);
    bool ok = curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TOTAL_MS) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_USERAGENT, "serin/" SERIN_VERSION) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->curl_error) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_WRITEDATA, gathered) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_HEADERDATA, gathered) == CURLE_OK;
    if (ok && (call->body != NULL || strcmp(call->method, "POST") == 0)) {
        ok = curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text_get(body)) == CURLE_OK &&
             curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->length) == CURLE_OK;
    }
    if (ok && settings->socket[0] != '\0') {
        ok = curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, settings->socket) == CURLE_OK;
    }
    if (ok && settings->ca_file[0] != '\0') {
        ok = curl_easy_setopt(curl, CURLOPT_CAINFO, settings->ca_file) == CURLE_OK;
    }
    return ok;
}

/* No answer: why, and what to look at. */
static enum status lost(const struct client *client, const struct client_call *call, const char *key,
                        CURLcode code, struct fault *fault)
{
    const struct settings *settings = &client->settings;
    const char *where = settings->socket[0] != '\0' ? settings->socket : settings->url;
    const char *why = client->curl_error[0] != '\0' ? client->curl_error : curl_easy_strerror(code);
    bool unsent = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
                  code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_PEER_FAILED_VERIFICATION;
    fault_set(fault, STATUS_PEER, "no answer from %.200s: %.200s", where, why);
    if (!unsent && key[0] != '\0') {
        fault_next(fault, "It is not known whether this was done. Repeat it safely with --key %s", key);
    } else if (!unsent && strcmp(call->method, "GET") != 0) {
        fault_next(fault, "It is not known whether this was done: look before you repeat it");
    } else if (code == CURLE_PEER_FAILED_VERIFICATION) {
        fault_next(fault, "Name the authority that signed its certificate in SERIN_CA_FILE");
    } else {
        fault_next(fault, "Is serind running there? Set SERIN_URL or give --url if it is elsewhere");
    }
    return STATUS_PEER;
}

/* Takes what was gathered into *answer. */
static enum status take(struct client *client, struct gathered *gathered, struct client_answer *answer,
                        struct fault *fault)
{
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &answer->http);
    memcpy(answer->etag, gathered->etag, sizeof answer->etag);
    answer->length = gathered->body.length;
    answer->body = text_take(&gathered->body);
    if (answer->body == NULL) {
        return fault_set(fault, STATUS_NO_MEMORY, "no memory for the answer");
    }
    /* What is not JSON (a proxy's page) is told by json == NULL. */
    if (json_parse(answer->body, answer->length, &answer->json, NULL) != STATUS_OK) {
        answer->json = NULL;
    }
    return STATUS_OK;
}

static enum status once(struct client *client, const struct client_call *call, const char *url,
                        const struct text *body, struct client_answer *answer, struct fault *fault)
{
    struct gathered gathered = {0};
    enum status status;
    bool ok;
    struct curl_slist *list = headers(client, call, answer->key, &ok);
    text_init(&gathered.body, ANSWER_MAX);
    client->curl_error[0] = '\0';
    if (!ok || !set_options(client, call, url, body, list, &gathered)) {
        status = fault_set(fault, STATUS_NO_MEMORY, "no memory for the request");
    } else {
        CURLcode code = curl_easy_perform(client->curl);
        if (code == CURLE_OK) {
            status = take(client, &gathered, answer, fault);
        } else if (gathered.body.broken && !gathered.body.no_memory) {
            status = fault_set(fault, STATUS_TOO_LARGE, "the answer is larger than %d MiB", ANSWER_MAX >> 20);
        } else {
            status = lost(client, call, answer->key, code, fault);
        }
    }
    text_free(&gathered.body);
    curl_slist_free_all(list);
    return status;
}

/* May a GET be asked again? */
static bool again(enum status status, const struct client_answer *answer)
{
    return status == STATUS_PEER || (status == STATUS_OK && (answer->http == 429 || answer->http == 502 ||
                                                             answer->http == 503 || answer->http == 504));
}

enum status client_send(struct client *client, const struct client_call *call, struct client_answer *answer,
                        struct fault *fault)
{
    static const long waits_ms[TRIES - 1] = {200, 800};
    struct text url, body;
    char id[ID_MAX];
    bool get = strcmp(call->method, "GET") == 0;
    *answer = (struct client_answer){0};
    if (strcmp(call->method, "POST") == 0 && !call->no_key) {
        snprintf(answer->key, sizeof answer->key, "%s", call->key != NULL ? call->key : id_new("cli", id));
    }
    text_init(&url, 8192);
    text_init(&body, ANSWER_MAX);
    text_puts(&url, client->settings.url);
    text_puts(&url, call->path);
    enum status status = call->body != NULL ? json_canonical(call->body, &body) : STATUS_OK;
    if (status == STATUS_OK) {
        status = text_status(&url);
    }
    if (status != STATUS_OK) {
        fault_set(fault, status, "the request cannot be written");
    }
    for (int i = 0; status == STATUS_OK; i++) {
        status = once(client, call, text_get(&url), &body, answer, fault);
        if (!get || i == TRIES - 1 || !again(status, answer)) {
            break;
        }
        client_answer_free(answer);
        nanosleep(&(struct timespec){.tv_nsec = waits_ms[i] * 1000000}, NULL);
        status = STATUS_OK;
    }
    text_free(&url);
    text_free(&body);
    return status;
}

static void escape(struct text *out, const char *string)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-~";
    for (; *string != '\0'; string++) {
        if (strchr(plain, *string) != NULL) {
            text_putc(out, *string);
        } else {
            text_printf(out, "%%%02X", (unsigned char)*string);
        }
    }
}

void client_path(struct text *path, const char *segment)
{
    text_putc(path, '/');
    escape(path, segment);
}

void client_query(struct text *path, const char *name, const char *value)
{
    text_putc(path, strchr(text_get(path), '?') == NULL ? '?' : '&');
    escape(path, name);
    text_putc(path, '=');
    escape(path, value);
}
