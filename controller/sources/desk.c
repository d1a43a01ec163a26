/* Asking the sources: who is due, one round, and who shares it. */
#include "sources/desk.h"

#include "base/clock.h"
#include "base/fetch.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/meter.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_MS = 3000, LEAST_MS = 50, URL_MAX = 640, TOKEN_MAX = 4200, FORGET_MS = 60000 };

struct desk_round {
    atomic_int holders;
    const struct source_driver *driver;
    struct spec_source source; /* lent to the driver's round */
    void *said;                /* the driver's */
    struct mono_time ended;
};

/* One source: all rollouts whose policies have the same settings. */
struct entry {
    bool used, asking;
    struct spec_source source;
    struct fetch *fetch;       /* keeps the connection; of the round under way only */
    struct desk_round *newest; /* NULL = none yet */
    bool failed;               /* the last round failed */
    struct fault fault;
    struct mono_time due, wanted;
};

struct desk {
    struct lane *lane;
    atomic_bool stopping;
    pthread_mutex_t mutex;                 /* entries */
    pthread_mutex_t reading;               /* one answer at a time becomes objects in memory */
    struct entry *entry[DESK_SOURCES_MAX]; /* owned; NULL = free */
};

struct errand {
    struct desk *desk;
    struct entry *entry; /* stays where it is while it is asking */
};

/* --- rounds ---------------------------------------------------------------------------------------- */

void desk_give_back(struct desk_round *round)
{
    if (round == NULL || atomic_fetch_sub(&round->holders, 1) != 1)
        return;
    round->driver->end(round->said);
    free(round);
}

static struct desk_round *round_new(const struct spec_source *source)
{
    struct desk_round *round = calloc(1, sizeof *round);
    if (round == NULL)
        return NULL;
    atomic_init(&round->holders, 1);
    round->driver = source_driver(source->kind);
    round->source = *source;
    round->said = round->driver->begin(&round->source, (double)(clock_wall().us / 1000) / 1000);
    if (round->said != NULL)
        return round;
    free(round);
    return NULL;
}

enum status desk_take(const struct desk_round *round, const struct source_want *want, const char *cursor,
                      struct source_tick *out, struct text *new_cursor, struct fault *fault)
{
    return round->driver->take(round->said, want, cursor, out, new_cursor, fault);
}

const char *desk_warning(const struct desk_round *round)
{
    return round->driver->warning(round->said);
}

/* --- one round ------------------------------------------------------------------------------------- */

/* The header with the token, "" without one. Whoever writes a policy chooses both the URL and the variable:
   only variables that are meant for such a source are sent. */
static enum status write_token(const struct desk_round *round, char out[TOKEN_MAX], struct fault *fault)
{
    const struct source_driver *driver = round->driver;
    const char *variable = round->source.bearer_token_env;
    out[0] = '\0';
    if (variable[0] == '\0')
        return STATUS_OK;
    if (strstr(variable, driver->token_word) == NULL) {
        fault_set(fault, STATUS_PEER, "The environment variable %s must not be sent to %s", variable,
                  driver->name);
        fault_next(fault, "Put the token into a variable with %s in its name, such as %s_TOKEN.",
                   driver->token_word, driver->token_word);
        return STATUS_PEER;
    }
    const char *token = getenv(variable);
    if (token == NULL || token[0] == '\0') {
        fault_set(fault, STATUS_PEER,
                  "The environment variable %s, which is to hold the token for %s, is not set", variable,
                  driver->name);
        fault_next(fault, "Set %s where serind is started, and start it again.", variable);
        return STATUS_PEER;
    }
    int written = snprintf(out, TOKEN_MAX, "%s%s", driver->token_header, token);
    if (written < 0 || written >= TOKEN_MAX) {
        fault_set(fault, STATUS_PEER, "The token in %s is too long", variable);
        fault_next(fault, "A token may have 4,096 bytes.");
        return STATUS_PEER;
    }
    return STATUS_OK;
}

/* Sends one request and hands its answer to the driver. */
static enum status run_request(struct desk *desk, struct fetch *fetch, const struct desk_round *round,
                               const struct source_request *wanted, const char *token, int64_t left_ms,
                               struct fault *fault)
{
    const char *headers[SOURCE_HEADERS_MAX + 2] = {NULL};
    char url[URL_MAX];
    struct fetch_answer answer;
    size_t length = strlen(round->source.url), count = 0;
    while (length > 0 && round->source.url[length - 1] == '/')
        length--;
    snprintf(url, sizeof url, "%.*s%s", (int)length, round->source.url, wanted->path);
    for (; count < SOURCE_HEADERS_MAX && wanted->header[count] != NULL; count++)
        headers[count] = wanted->header[count];
    if (token[0] != '\0')
        headers[count] = token;
    struct fetch_request request = {.url = url,
                                    .headers = headers,
                                    .body = wanted->body.length > 0 ? text_get(&wanted->body) : NULL,
                                    .body_length = wanted->body.length,
                                    .connect_ms = left_ms < CONNECT_MS ? left_ms : CONNECT_MS,
                                    .total_ms = left_ms,
                                    .body_max = SOURCE_BODY_MAX};
    enum status status = fetch_run(fetch, &request, &answer, fault);
    if (status == STATUS_OK) {
        pthread_mutex_lock(&desk->reading);
        status = round->driver->answer(round->said, answer.code, text_get(&answer.body), answer.body.length,
                                       fault);
        pthread_mutex_unlock(&desk->reading);
    }
    fetch_answer_free(&answer);
    return status;
}

static enum status too_much(const struct source_driver *driver, struct fault *fault)
{
    fault_set(fault, STATUS_PEER, "%s needed more than %d s or %d requests for one reading", driver->name,
              DESK_BUDGET_MS / 1000, SOURCE_REQUESTS_MAX);
    fault_next(fault, "%s", driver->narrow);
    return STATUS_PEER;
}

static enum status run_round(struct desk *desk, struct fetch *fetch, const struct desk_round *round,
                             struct fault *fault)
{
    struct mono_time deadline = clock_mono_after_ms(clock_mono(), DESK_BUDGET_MS);
    struct source_request request;
    char token[TOKEN_MAX];
    text_init(&request.body, SOURCE_REQUEST_MAX);
    enum status status = write_token(round, token, fault);
    for (int count = 0; status == STATUS_OK; count++) {
        int64_t left_ms = (deadline.us - clock_mono().us) / 1000;
        memset(request.header, 0, sizeof request.header);
        text_clear(&request.body);
        if (!round->driver->next(round->said, left_ms, &request))
            break;
        if (atomic_load(&desk->stopping)) {
            status = fault_set(fault, STATUS_UNAVAILABLE, "Stopping");
        } else if (left_ms < LEAST_MS || count == SOURCE_REQUESTS_MAX) {
            status = too_much(round->driver, fault);
        } else if (text_status(&request.body) != STATUS_OK) {
            status =
                fault_set(fault, STATUS_PEER, "The query for %s could not be written", round->driver->name);
            fault_next(fault, "%s", round->driver->narrow);
        } else {
            status = run_request(desk, fetch, round, &request, token, left_ms, fault);
        }
    }
    text_free(&request.body);
    return status;
}

/* --- who is asked ---------------------------------------------------------------------------------- */

static void entry_free(struct entry *entry)
{
    if (entry == NULL)
        return;
    desk_give_back(entry->newest);
    fetch_free(entry->fetch);
    free(entry);
}

/* What a round brought. A source that fails is not asked again before it has been left alone for as long as
   it took: a slow one gets half of a thread at most. */
static void settle(struct desk *desk, struct entry *entry, struct desk_round *round, struct mono_time begun,
                   enum status status, const struct fault *fault)
{
    struct desk_round *old = NULL;
    struct mono_time now = clock_mono();
    int64_t interval_us = entry->source.interval_ms * 1000;
    pthread_mutex_lock(&desk->mutex);
    entry->failed = status != STATUS_OK;
    entry->due.us = begun.us + interval_us - interval_us / 20; /* turns of the loop are not that exact */
    if (entry->failed) {
        entry->fault = *fault;
        if (entry->due.us < now.us + (now.us - begun.us))
            entry->due.us = now.us + (now.us - begun.us);
    } else {
        round->ended = now;
        old = entry->newest;
        entry->newest = round;
        round = NULL;
    }
    entry->asking = false;
    pthread_mutex_unlock(&desk->mutex);
    desk_give_back(old);
    desk_give_back(round);
}

static void count_round(const struct entry *entry, const struct desk_round *round, struct mono_time begun,
                        enum status status)
{
    const char *source = spec_source_kind(entry->source.kind)->field;
    bool warned = status == STATUS_OK && desk_warning(round)[0] != '\0';
    if (status == STATUS_UNAVAILABLE)
        return; /* the daemon ends */
    meter_observe(METRIC_SOURCE_READ_SECONDS, (double)(clock_mono().us - begun.us) / 1e6, source, NULL);
    meter_add(METRIC_SOURCE_READS_TOTAL, 1, source,
              status != STATUS_OK ? "failed"
              : warned            ? "warned"
                                  : "ok",
              NULL);
}

static void run_errand(void *argument)
{
    struct errand *errand = argument;
    struct desk *desk = errand->desk;
    struct entry *entry = errand->entry;
    struct mono_time begun = clock_mono();
    struct fault fault = {.detail = ""};
    struct desk_round *round = round_new(&entry->source);
    enum status status = round != NULL && entry->fetch != NULL
                             ? STATUS_OK
                             : fault_set(&fault, STATUS_NO_MEMORY, "Out of memory");
    free(errand);
    if (status == STATUS_OK)
        status = run_round(desk, entry->fetch, round, &fault);
    if (status != STATUS_OK && status != STATUS_UNAVAILABLE)
        log_event(LOG_WARN, "sources", "metrics source failed", "source", entry->source.url, "error",
                  fault.detail, "next_step", fault.next_step, NULL);
    count_round(entry, round, begun, status);
    settle(desk, entry, round, begun, status, &fault);
}

/* Sources that nobody has asked about for a while are forgotten. Under the mutex. */
static void forget(struct desk *desk, struct mono_time now)
{
    for (int i = 0; i < DESK_SOURCES_MAX; i++) {
        struct entry *entry = desk->entry[i];
        if (entry == NULL || entry->asking ||
            now.us - entry->wanted.us < (FORGET_MS + 4 * entry->source.interval_ms) * 1000)
            continue;
        entry_free(entry);
        desk->entry[i] = NULL;
    }
}

/* The entry of `source`, a new one if there is none yet; NULL if there is no room or memory. Under the mutex.
 */
static struct entry *find(struct desk *desk, const struct spec_source *source)
{
    int place = -1;
    for (int i = 0; i < DESK_SOURCES_MAX; i++) {
        if (desk->entry[i] == NULL)
            place = place < 0 ? i : place;
        else if (spec_source_same(&desk->entry[i]->source, source))
            return desk->entry[i];
    }
    struct entry *entry = place >= 0 ? calloc(1, sizeof *entry) : NULL;
    if (entry == NULL)
        return NULL;
    entry->source = *source;
    entry->fetch = fetch_new(false);
    if (entry->fetch == NULL) {
        free(entry);
        return NULL;
    }
    desk->entry[place] = entry;
    return entry;
}

static void send_out(struct desk *desk, struct entry *entry)
{
    struct errand *errand = calloc(1, sizeof *errand);
    if (errand != NULL) {
        *errand = (struct errand){.desk = desk, .entry = entry};
        entry->asking = true;
        if (lane_submit(desk->lane, run_errand, errand) == STATUS_OK)
            return;
        entry->asking = false;
    }
    free(errand);
}

static enum status no_room(struct fault *fault)
{
    fault_set(fault, STATUS_UNAVAILABLE, "Rollouts have more than %d different metrics sources",
              DESK_SOURCES_MAX);
    fault_next(fault,
               "Give services the same source with service_label, so that one answer serves them all.");
    return STATUS_UNAVAILABLE;
}

enum status desk_ask(struct desk *desk, const struct spec_source *source, struct desk_news *out,
                     struct fault *fault)
{
    struct mono_time now = clock_mono();
    *out = (struct desk_news){.failed = false};
    pthread_mutex_lock(&desk->mutex);
    forget(desk, now);
    struct entry *entry = find(desk, source);
    if (entry == NULL) {
        pthread_mutex_unlock(&desk->mutex);
        return no_room(fault);
    }
    entry->wanted = now;
    if (!entry->asking && now.us >= entry->due.us)
        send_out(desk, entry);
    out->failed = entry->failed;
    if (entry->failed)
        out->fault = entry->fault;
    /* an answer from before a pause in the asking says nothing about now */
    struct desk_round *newest = entry->newest;
    int64_t fresh_us = (2 * source->interval_ms + DESK_BUDGET_MS) * 1000;
    if (newest != NULL && !entry->failed && now.us - newest->ended.us <= fresh_us) {
        atomic_fetch_add(&newest->holders, 1);
        out->round = newest;
    }
    pthread_mutex_unlock(&desk->mutex);
    return STATUS_OK;
}

/* --- the desk -------------------------------------------------------------------------------------- */

struct desk *desk_new(size_t threads)
{
    struct desk *desk = calloc(1, sizeof *desk);
    if (desk == NULL)
        return NULL;
    pthread_mutex_init(&desk->mutex, NULL);
    pthread_mutex_init(&desk->reading, NULL);
    desk->lane = lane_new("source", threads, DESK_SOURCES_MAX);
    if (desk->lane != NULL)
        return desk;
    desk_free(desk);
    return NULL;
}

void desk_free(struct desk *desk)
{
    if (desk == NULL)
        return;
    atomic_store(&desk->stopping, true);
    lane_stop(desk->lane);
    for (int i = 0; i < DESK_SOURCES_MAX; i++)
        entry_free(desk->entry[i]);
    pthread_mutex_destroy(&desk->reading);
    pthread_mutex_destroy(&desk->mutex);
    free(desk);
}
