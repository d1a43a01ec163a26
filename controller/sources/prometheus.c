/* Prometheus as a source of counts: the queries. Reading the answers and taking differences is next door,
 * pure. */
#include "sources/prometheus.h"

#include "base/clock.h"
#include "base/fetch.h"
#include "sources/prometheus_delta.h"
#include "sources/prometheus_parse.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORM_MAX = 8192, ASKED_MAX = 32 * 1024, CONNECT_MS = 3000, LEAST_MS = 50 };

struct prometheus {
    struct fetch *fetch;
};

/* What is the same for all queries of one read. */
struct asking {
    struct prometheus *reader;
    const struct spec_source *source;
    const char *stable, *canary;
    char url[600], authorization[4200];
    double at_s;
    struct mono_time deadline;
    struct fault *fault;
};

struct prometheus *prometheus_new(void)
{
    struct prometheus *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return NULL;
    reader->fetch = fetch_new(false);
    if (reader->fetch == NULL) {
        free(reader);
        return NULL;
    }
    return reader;
}

void prometheus_free(struct prometheus *reader)
{
    if (reader == NULL)
        return;
    fetch_free(reader->fetch);
    free(reader);
}

static void form_put(struct text *form, const char *name, const char *value)
{
    text_printf(form, "%s%s=", form->length > 0 ? "&" : "", name);
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;
        if ((c < 0x80 && isalnum(c)) || strchr("-._~", c) != NULL)
            text_putc(form, (char)c);
        else
            text_printf(form, "%%%02X", c);
    }
}

/* The HTTP status is not 200: what Prometheus says, or what stands before it. */
static enum status refused(const struct asking *asking, const char *selector,
                           const struct fetch_answer *answer)
{
    char words[240];
    struct fault *fault = asking->fault;
    if (prometheus_parse_error(text_get(&answer->body), answer->body.length, words, sizeof words)) {
        fault_set(fault, STATUS_PEER, "Prometheus could not answer %.150s: %s", selector, words);
        fault_next(fault, "Try the selector in Prometheus itself.");
    } else if (answer->code == 401 || answer->code == 403) {
        fault_set(fault, STATUS_PEER, "Prometheus refused the query (%d)", answer->code);
        fault_next(fault,
                   "Set bearer_token_env of the source to the name of an environment variable of serind that "
                   "holds a valid token.");
    } else {
        fault_set(fault, STATUS_PEER, "Prometheus answered %d", answer->code);
        fault_next(
            fault,
            "Check that the URL of the source is the base of Prometheus: /api/v1/query is added to it.");
    }
    return STATUS_PEER;
}

static enum status ask(const struct asking *asking, const char *selector, struct prometheus_answer *out)
{
    char time[32], timeout[32];
    const char *headers[] = {"Content-Type: application/x-www-form-urlencoded", "Accept: application/json",
                             asking->authorization[0] != '\0' ? asking->authorization : NULL, NULL};
    int64_t left_ms = (asking->deadline.us - clock_mono().us) / 1000;
    struct fetch_answer answer;
    struct text form;
    if (left_ms < LEAST_MS) {
        fault_set(asking->fault, STATUS_PEER, "Prometheus needed more than %d s for the queries of one read",
                  PROMETHEUS_BUDGET_MS / 1000);
        fault_next(asking->fault, "Narrow the selectors, or sum the series by release in recording rules.");
        return STATUS_PEER;
    }
    text_init(&form, FORM_MAX);
    snprintf(time, sizeof time, "%.3f", asking->at_s);
    snprintf(timeout, sizeof timeout, "%lldms", (long long)left_ms);
    form_put(&form, "query", selector);
    form_put(&form, "time", time);
    form_put(&form, "timeout", timeout);
    enum status status = text_status(&form);
    if (status != STATUS_OK) {
        text_free(&form);
        fault_set(asking->fault, status, "The query could not be written");
        fault_next(asking->fault, "Shorten the selector.");
        return status;
    }
    struct fetch_request request = {.url = asking->url,
                                    .headers = headers,
                                    .body = text_get(&form),
                                    .body_length = form.length,
                                    .connect_ms = left_ms < CONNECT_MS ? left_ms : CONNECT_MS,
                                    .total_ms = left_ms,
                                    .body_max = PROMETHEUS_BODY_MAX};
    status = fetch_run(asking->reader->fetch, &request, &answer, asking->fault);
    if (status == STATUS_OK && answer.code != 200)
        status = refused(asking, selector, &answer);
    if (status == STATUS_OK)
        status = prometheus_parse(text_get(&answer.body), answer.body.length, selector,
                                  asking->source->release_label, asking->stable, asking->canary, out,
                                  asking->fault);
    fetch_answer_free(&answer);
    text_free(&form);
    return status;
}

/* Whoever writes a policy chooses both the URL and the variable: only variables that are meant for Prometheus
   are sent, not the other secrets of serind. */
static enum status prepare(struct asking *asking)
{
    const struct spec_source *source = asking->source;
    size_t length = strlen(source->url);
    while (length > 0 && source->url[length - 1] == '/')
        length--;
    snprintf(asking->url, sizeof asking->url, "%.*s/api/v1/query", (int)length, source->url);
    asking->authorization[0] = '\0';
    if (source->bearer_token_env[0] == '\0')
        return STATUS_OK;
    if (strstr(source->bearer_token_env, "PROMETHEUS") == NULL) {
        fault_set(asking->fault, STATUS_PEER, "The environment variable %s must not be sent to Prometheus",
                  source->bearer_token_env);
        fault_next(asking->fault,
                   "Put the token into a variable with PROMETHEUS in its name, such as PROMETHEUS_TOKEN.");
        return STATUS_PEER;
    }
    const char *token = getenv(source->bearer_token_env);
    if (token == NULL || token[0] == '\0') {
        fault_set(asking->fault, STATUS_PEER,
                  "The environment variable %s, which is to hold the token for Prometheus, "
                  "is not set",
                  source->bearer_token_env);
        fault_next(asking->fault, "Set %s where serind is started, and start it again.",
                   source->bearer_token_env);
        return STATUS_PEER;
    }
    int written =
        snprintf(asking->authorization, sizeof asking->authorization, "Authorization: Bearer %s", token);
    if (written < 0 || (size_t)written >= sizeof asking->authorization) {
        fault_set(asking->fault, STATUS_PEER, "The token in %s is too long", source->bearer_token_env);
        fault_next(asking->fault, "A token may have 4,096 bytes.");
        return STATUS_PEER;
    }
    return STATUS_OK;
}

/* Everything that makes two cursors incomparable, in one string. */
static void describe(const struct asking *asking, struct text *out)
{
    const struct spec_source *source = asking->source;
    const char *parts[] = {source->url, source->release_label, source->requests,
                           asking->stable != NULL ? asking->stable : "", asking->canary};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        text_printf(out, "%zu:%s,", strlen(parts[i]), parts[i]);
    for (int sli = 0; sli < SLI_COUNT; sli++)
        text_printf(out, "%zu:%s,", strlen(source->bad[sli]), source->bad[sli]);
}

enum status prometheus_read(struct prometheus *reader, const struct spec_source *source, const char *stable,
                            const char *canary, const char *cursor_json, struct prometheus_tick *out,
                            struct text *new_cursor, struct fault *fault)
{
    struct asking asking = {
        .reader = reader, .source = source, .stable = stable, .canary = canary, .fault = fault};
    struct prometheus_answer requests = {0}, bad[SLI_COUNT] = {0};
    struct prometheus_reading reading = {.requests = &requests};
    struct text asked;
    *out = (struct prometheus_tick){0};
    text_clear(new_cursor);
    text_init(&asked, ASKED_MAX);
    asking.at_s = (double)(clock_wall().us / 1000 - PROMETHEUS_SETTLE_MS) / 1000;
    asking.deadline = clock_mono_after_ms(clock_mono(), PROMETHEUS_BUDGET_MS);
    reading.at_s = asking.at_s;
    enum status status = prepare(&asking);
    if (status == STATUS_OK)
        status = ask(&asking, source->requests, &requests);
    for (int sli = 0; sli < SLI_COUNT && status == STATUS_OK; sli++) {
        if (source->bad[sli][0] == '\0')
            continue;
        status = ask(&asking, source->bad[sli], &bad[sli]);
        reading.bad[sli] = &bad[sli];
    }
    if (status == STATUS_OK) {
        describe(&asking, &asked);
        status = text_status(&asked);
        if (status != STATUS_OK)
            fault_set(fault, status, "The source could not be described");
    }
    if (status == STATUS_OK) {
        reading.asked = text_get(&asked);
        status = prometheus_delta(cursor_json, &reading, out, new_cursor, fault);
    }
    for (int sli = 0; sli < SLI_COUNT; sli++)
        prometheus_answer_free(&bad[sli]);
    prometheus_answer_free(&requests);
    text_free(&asked);
    return status;
}
