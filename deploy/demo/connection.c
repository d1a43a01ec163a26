/* Calls to Serin's gateway port. */
#include "demo/connection.h"

#include "base/digest.h"
#include "base/json.h"

#include <json-c/json_object.h>
#include <stdio.h>
#include <string.h>

enum { CONNECT_MS = 2000, PAUSE_MAX_MS = 2000 };

static size_t take(char *data, size_t one, size_t count, void *argument)
{
    struct text *body = argument;
    text_add(body, data, one * count);
    return body->broken ? 0 : one * count;
}

enum status call_init(struct call *call, size_t answer_max)
{
    *call = (struct call){.handle = curl_easy_init()};
    text_init(&call->body, answer_max);
    if (call->handle == NULL) {
        return STATUS_NO_MEMORY;
    }
    curl_easy_setopt(call->handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(call->handle, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(call->handle, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(call->handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(call->handle, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(call->handle, CURLOPT_WRITEDATA, &call->body);
    curl_easy_setopt(call->handle, CURLOPT_ERRORBUFFER, call->error);
    return STATUS_OK;
}

void call_free(struct call *call)
{
    if (call->handle != NULL) {
        curl_easy_cleanup(call->handle);
    }
    curl_slist_free_all(call->headers);
    text_free(&call->body);
    *call = (struct call){0};
}

void call_prepare(struct call *call, const struct connection *connection, const char *base, const char *path,
                  long timeout_ms)
{
    char url[512], bearer[300];
    snprintf(url, sizeof url, "%s%s", base, path);
    curl_easy_setopt(call->handle, CURLOPT_URL, url);
    curl_easy_setopt(call->handle, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_slist_free_all(call->headers);
    call->headers = NULL;
    if (connection->token[0] != '\0') {
        snprintf(bearer, sizeof bearer, "Bearer %s", connection->token);
        call_header(call, "Authorization", bearer);
    }
    call_header(call, "Serin-Gateway", connection->instance);
    text_clear(&call->body);
    call->error[0] = '\0';
}

void call_header(struct call *call, const char *name, const char *value)
{
    char line[512];
    snprintf(line, sizeof line, "%s: %s", name, value);
    struct curl_slist *more = curl_slist_append(call->headers, line);
    if (more != NULL) {
        call->headers = more;
    }
}

void call_ready(struct call *call)
{
    curl_easy_setopt(call->handle, CURLOPT_HTTPHEADER, call->headers);
}

long call_status(const struct call *call, CURLcode result)
{
    long status = 0;
    if (result == CURLE_OK) {
        curl_easy_getinfo(call->handle, CURLINFO_RESPONSE_CODE, &status);
    }
    return status;
}

void call_answer_header(const struct call *call, const char *name, char *out, size_t size)
{
    struct curl_header *header;
    bool there = curl_easy_header(call->handle, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK;
    snprintf(out, size, "%s", there ? header->value : "");
}

void call_reason(const struct call *call, CURLcode result, char *out, size_t size)
{
    if (result != CURLE_OK) {
        snprintf(out, size, "%s", call->error[0] != '\0' ? call->error : curl_easy_strerror(result));
        return;
    }
    struct json_object *problem = NULL, *detail;
    snprintf(out, size, "HTTP %ld", call_status(call, result));
    if (json_parse(text_get(&call->body), call->body.length, &problem, NULL) == STATUS_OK &&
        json_object_object_get_ex(problem, "detail", &detail) &&
        json_object_is_type(detail, json_type_string)) {
        snprintf(out, size, "HTTP %ld: %s", call_status(call, result), json_object_get_string(detail));
    }
    json_object_put(problem);
}

long call_pause_ms(unsigned attempt, long first_ms)
{
    uint16_t random;
    long pause = attempt < 16 ? first_ms << attempt >> 1 : PAUSE_MAX_MS;
    pause = pause > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause;
    digest_random(&random, sizeof random);
    return pause / 2 + pause * random / 65535 / 2;
}
