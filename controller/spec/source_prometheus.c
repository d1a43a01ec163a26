/* Prometheus as a source: its settings in a policy. How it is asked is in controller/sources/prometheus.c. */
#include "spec/source.h"

#include "spec/fields.h"

#include <stdio.h>
#include <string.h>

enum { INTERVAL_MIN_MS = 1000, INTERVAL_DEFAULT_MS = 15000, INTERVAL_MAX_MS = 300000 };

static bool name_letter(char c, bool first, bool colon)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':') ||
           (!first && c >= '0' && c <= '9');
}

/* Length of the identifier at `text`; 0 if there is none. */
static size_t identifier(const char *text, bool colon)
{
    size_t length = 0;
    while (name_letter(text[length], length == 0, colon)) {
        length++;
    }
    return length;
}

/* A string of max - 1 bytes at most into a field of `max` bytes. */
static bool copy(struct json_fields *fields, const char *name, enum json_need need, char *out, size_t max)
{
    const char *text;
    if (!json_fields_text(fields, name, need, 1, max - 1, &text)) {
        return false;
    }
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static void read_url(struct json_fields *fields, struct spec_source *out)
{
    if (!copy(fields, "url", JSON_REQUIRED, out->url, sizeof out->url)) {
        return;
    }
    const char *host = strncmp(out->url, "http://", 7) == 0    ? out->url + 7
                       : strncmp(out->url, "https://", 8) == 0 ? out->url + 8
                                                               : NULL;
    if (host == NULL) {
        spec_wrong(fields, "url", "must begin with http:// or https://");
        return;
    }
    size_t authority = strcspn(host, "/?#");
    if (authority == 0 || host[0] == ':') {
        spec_wrong(fields, "url", "has no host");
        return;
    }
    if (memchr(host, '@', authority) != NULL) {
        spec_wrong(fields, "url", "must not hold a user or password; name a token in bearer_token_env");
        return;
    }
    if (strpbrk(host, "?#") != NULL) {
        spec_wrong(fields, "url", "must be the base of the HTTP API, without a query or fragment");
        return;
    }
    for (const char *at = host; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f) {
            spec_wrong(fields, "url", "holds a space, a control character or a letter outside ASCII");
            return;
        }
    }
}

/* End of the label matchers that begin at `at` ('{'); NULL if they do not end. Braces inside quotes do not
 * count. */
static const char *after_braces(const char *at)
{
    char quote = '\0';
    for (at++; *at != '\0'; at++) {
        if (quote != '\0') {
            if (*at == '\\' && quote != '`' && at[1] != '\0') {
                at++;
            } else if (*at == quote) {
                quote = '\0';
            }
        } else if (*at == '"' || *at == '\'' || *at == '`') {
            quote = *at;
        } else if (*at == '{') {
            return NULL;
        } else if (*at == '}') {
            return at + 1;
        }
    }
    return NULL;
}

/* name, name{...} or {...}: what rate() could be taken of. */
static bool plain_selector(const char *text)
{
    size_t name = identifier(text, true);
    const char *at = text + name;
    if (*at == '{') {
        at = after_braces(at);
        return at != NULL && *at == '\0';
    }
    return name > 0 && *at == '\0';
}

static void read_selector(struct json_fields *fields, const char *name, enum json_need need,
                          char out[sizeof((struct spec_source *)0)->requests])
{
    if (copy(fields, name, need, out, sizeof((struct spec_source *)0)->requests) && !plain_selector(out)) {
        spec_wrong(fields, name,
                   "must be a plain selector of a raw counter, such as llm_requests_total{service=\"chat\"}, "
                   "without rate() or sum()");
    }
}

static void read_identifier(struct json_fields *fields, const char *name, char *out, size_t max)
{
    if (copy(fields, name, JSON_OPTIONAL, out, max) && identifier(out, false) != strlen(out)) {
        spec_wrong(fields, name, "must be letters, digits and _, not first a digit");
    }
}

static enum status read_bad(struct json_object *value, const char *pointer, struct spec_source *out,
                            struct fault *fault)
{
    struct json_fields fields;
    int used = 0;
    json_fields_open(&fields, value, pointer, fault);
    for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
        read_selector(&fields, sli_name(sli), JSON_OPTIONAL, out->bad[sli]);
        used += out->bad[sli][0] != '\0' ? 1 : 0;
    }
    enum status status = json_fields_close(&fields);
    if (status == STATUS_OK && used == 0) {
        status = fault_at(fault, pointer, "must have at least one SLI");
    }
    return status;
}

static enum status read_settings(struct json_object *value, const char *pointer, struct spec_source *out,
                                 struct fault *fault)
{
    struct json_fields fields;
    struct json_object *bad;
    char at[128];
    json_fields_open(&fields, value, pointer, fault);
    out->interval_ms = INTERVAL_DEFAULT_MS;
    snprintf(out->release_label, sizeof out->release_label, "release");
    read_url(&fields, out);
    json_fields_duration(&fields, "interval", JSON_OPTIONAL, INTERVAL_MIN_MS, INTERVAL_MAX_MS,
                         &out->interval_ms);
    read_identifier(&fields, "service_label", out->service_label, sizeof out->service_label);
    read_identifier(&fields, "release_label", out->release_label, sizeof out->release_label);
    if (out->service_label[0] != '\0' && strcmp(out->service_label, out->release_label) == 0) {
        spec_wrong(&fields, "service_label", "must be another label than release_label");
    }
    read_selector(&fields, "requests", JSON_REQUIRED, out->requests);
    if (json_fields_object(&fields, "bad", JSON_REQUIRED, &bad) &&
        read_bad(bad, json_fields_pointer(&fields, "bad", at), out, fault) != STATUS_OK) {
        fields.failed = true;
    }
    read_identifier(&fields, "bearer_token_env", out->bearer_token_env, sizeof out->bearer_token_env);
    if (out->bearer_token_env[0] != '\0' && strstr(out->bearer_token_env, "PROMETHEUS") == NULL) {
        spec_wrong(&fields, "bearer_token_env",
                   "must contain PROMETHEUS, so that a policy cannot send other secrets of serind away");
    }
    return json_fields_close(&fields);
}

static struct json_object *write_settings(const struct spec_source *source)
{
    struct spec_writer writer, bad;
    spec_writer_begin(&writer);
    spec_put_text(&writer, "url", source->url);
    spec_put_ms(&writer, "interval", source->interval_ms);
    if (source->service_label[0] != '\0') {
        spec_put_text(&writer, "service_label", source->service_label);
    }
    spec_put_text(&writer, "release_label", source->release_label);
    spec_put_text(&writer, "requests", source->requests);
    spec_writer_begin(&bad);
    for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
        if (source->bad[sli][0] != '\0') {
            spec_put_text(&bad, sli_name(sli), source->bad[sli]);
        }
    }
    spec_put(&writer, "bad", spec_writer_end(&bad));
    if (source->bearer_token_env[0] != '\0') {
        spec_put_text(&writer, "bearer_token_env", source->bearer_token_env);
    }
    return spec_writer_end(&writer);
}

const struct spec_source_kind spec_prometheus = {.kind = SOURCE_PROMETHEUS,
                                                 .field = "prometheus",
                                                 .name = "Prometheus",
                                                 .polled = true,
                                                 .read = read_settings,
                                                 .write = write_settings};
