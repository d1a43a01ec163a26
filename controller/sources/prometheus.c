/* Prometheus as a source of counts: an instant query for each selector, all at the same time, for every
   service and release that shares them. Reading an answer, picking a rollout's series and taking differences
   are next door. */
#include "sources/prometheus.h"

#include "sources/prometheus_cursor.h"
#include "sources/prometheus_delta.h"
#include "sources/prometheus_parse.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASKED_MAX = 32 * 1024 };

struct round {
    const struct spec_source *source;
    double at_s;
    int slot;                                      /* asked now; CURSOR_SLOTS = none yet */
    struct prometheus_vector vector[CURSOR_SLOTS]; /* by SLI, and CURSOR_REQUESTS */
};

static const char *selector_of(const struct spec_source *source, int slot)
{
    return slot == CURSOR_REQUESTS ? source->requests : source->bad[slot];
}

static void *begin(const struct spec_source *source, double at_s)
{
    struct round *round = calloc(1, sizeof *round);
    if (round == NULL)
        return NULL;
    round->source = source;
    round->at_s = at_s - (double)PROMETHEUS_SETTLE_MS / 1000;
    round->slot = CURSOR_SLOTS;
    return round;
}

static void end(void *context)
{
    struct round *round = context;
    for (int slot = 0; round != NULL && slot < CURSOR_SLOTS; slot++)
        prometheus_vector_free(&round->vector[slot]);
    free(round);
}

/* --- asking ---------------------------------------------------------------------------------------- */

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

/* The requests first, so that a source without any is not asked for the rest in vain. */
static bool next(void *context, int64_t left_ms, struct source_request *out)
{
    struct round *round = context;
    char time[32], timeout[32];
    if (round->slot == CURSOR_SLOTS)
        round->slot = CURSOR_REQUESTS;
    else
        round->slot = round->slot == CURSOR_REQUESTS ? 0 : round->slot + 1;
    while (round->slot < SLI_COUNT && selector_of(round->source, round->slot)[0] == '\0')
        round->slot++;
    if (round->slot == CURSOR_REQUESTS && round->vector[CURSOR_REQUESTS].sample != NULL)
        return false; /* SLI_COUNT is CURSOR_REQUESTS: all have been asked */
    snprintf(out->path, sizeof out->path, "/api/v1/query");
    out->header[0] = "Content-Type: application/x-www-form-urlencoded";
    out->header[1] = "Accept: application/json";
    snprintf(time, sizeof time, "%.3f", round->at_s);
    snprintf(timeout, sizeof timeout, "%lldms", (long long)left_ms);
    form_put(&out->body, "query", selector_of(round->source, round->slot));
    form_put(&out->body, "time", time);
    form_put(&out->body, "timeout", timeout);
    return true;
}

/* The HTTP status is not 200: what Prometheus says, or what stands before it. */
static enum status refused(const char *selector, int code, const char *body, size_t length,
                           struct fault *fault)
{
    char words[240];
    if (prometheus_parse_error(body, length, words, sizeof words)) {
        fault_set(fault, STATUS_PEER, "Prometheus could not answer %.150s: %s", selector, words);
        fault_next(fault, "Try the selector in Prometheus itself.");
    } else if (code == 401 || code == 403) {
        fault_set(fault, STATUS_PEER, "Prometheus refused the query (%d)", code);
        fault_next(fault,
                   "Set bearer_token_env of the source to the name of an environment variable of serind that "
                   "holds a valid token.");
    } else {
        fault_set(fault, STATUS_PEER, "Prometheus answered %d", code);
        fault_next(
            fault,
            "Check that the URL of the source is the base of Prometheus: /api/v1/query is added to it.");
    }
    return STATUS_PEER;
}

static enum status answer(void *context, int code, const char *body, size_t length, struct fault *fault)
{
    struct round *round = context;
    struct prometheus_question question = {.selector = selector_of(round->source, round->slot),
                                           .service_label = round->source->service_label,
                                           .release_label = round->source->release_label};
    if (code != 200)
        return refused(question.selector, code, body, length, fault);
    return prometheus_parse(body, length, &question, &round->vector[round->slot], fault);
}

/* --- one rollout ----------------------------------------------------------------------------------- */

/* Everything that makes two cursors incomparable, in one string. */
static enum status describe(const struct round *round, const struct source_want *want, struct text *out)
{
    const struct spec_source *source = round->source;
    const char *parts[] = {
        source->url,           source->service_label, source->service_label[0] != '\0' ? want->service : "",
        source->release_label, source->requests,      want->stable != NULL ? want->stable : "",
        want->canary};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        text_printf(out, "%zu:%s,", strlen(parts[i]), parts[i]);
    for (int sli = 0; sli < SLI_COUNT; sli++)
        text_printf(out, "%zu:%s,", strlen(source->bad[sli]), source->bad[sli]);
    return text_status(out);
}

static enum status take(const void *context, const struct source_want *want, const char *cursor,
                        struct source_tick *out, struct text *new_cursor, struct fault *fault)
{
    const struct round *round = context;
    struct prometheus_answer answers[CURSOR_SLOTS] = {0};
    struct prometheus_reading reading = {.at_s = round->at_s, .requests = &answers[CURSOR_REQUESTS]};
    struct text asked;
    *out = (struct source_tick){0};
    text_clear(new_cursor);
    text_init(&asked, ASKED_MAX);
    enum status status = describe(round, want, &asked);
    if (status != STATUS_OK)
        fault_set(fault, status, "The source could not be described");
    for (int slot = 0; slot < CURSOR_SLOTS && status == STATUS_OK; slot++) {
        if (selector_of(round->source, slot)[0] == '\0')
            continue;
        status = prometheus_select(&round->vector[slot], want, &answers[slot], fault);
        if (slot != CURSOR_REQUESTS)
            reading.bad[slot] = &answers[slot];
    }
    if (status == STATUS_OK) {
        reading.asked = text_get(&asked);
        status = prometheus_delta(cursor, &reading, out, new_cursor, fault);
    }
    for (int slot = 0; slot < CURSOR_SLOTS; slot++)
        prometheus_answer_free(&answers[slot]);
    text_free(&asked);
    return status;
}

static const char *warning(const void *context)
{
    const struct round *round = context;
    for (int slot = 0; slot < CURSOR_SLOTS; slot++)
        if (round->vector[slot].warned)
            return round->vector[slot].warning;
    return "";
}

const struct source_driver prometheus = {
    .name = "Prometheus",
    .quality = QUALITY_COMPLETION,
    .token_header = "Authorization: Bearer ",
    .token_word = "PROMETHEUS",
    .narrow = "Narrow the selectors, or sum the series by release in recording rules.",
    .begin = begin,
    .next = next,
    .answer = answer,
    .take = take,
    .warning = warning,
    .end = end};
