/* Reports to Serin what came of requests. */
#include "demo/reporter.h"

#include "base/json.h"
#include "base/log.h"
#include "demo/batch.h"

#include <json-c/json_object.h>
#include <stdlib.h>

enum {
    MERGE_US = 5000, /* admissions closer than this are one entry */
    TIMEOUT_MS = 10000,
    ANSWER_MAX = 1 << 18,
    CONNECTIONS = 8,
    TELL_MS = 10000,
    FIRST_PAUSE_MS = 100,
};

static void note_longest(struct reporter *reporter, int64_t ms)
{
    if (ms > (int64_t)reporter->counts.longest_ms) {
        reporter->counts.longest_ms = (uint64_t)ms;
    }
}

/* --- the thread
 * ---------------------------------------------------------------------------------------------------- */

static void send_batch(struct reporter *reporter, struct report_lane *lane)
{
    const char *names[SERVICE_RELEASES_MAX];
    pthread_mutex_lock(&lane->service->lock);
    for (size_t i = 0; i < lane->service->releases; i++) {
        names[i] = lane->service->release[i]->name;
    }
    pthread_mutex_unlock(&lane->service->lock);
    /* Written anew for each attempt: ages count from when the batch is sent. */
    text_clear(&lane->body);
    size_t old = batch_write(&lane->body, lane->service->name, lane->batch, lane->batch_count, names,
                             vclock_now_us(reporter->clock));
    reporter->counts.dropped += lane->attempt == 0 ? old : 0;
    call_prepare(&lane->call, reporter->connection, reporter->connection->url, "/v1/outcomes", TIMEOUT_MS);
    call_header(&lane->call, "Content-Type", "application/json");
    call_header(&lane->call, "Idempotency-Key", lane->key);
    call_header(&lane->call, "Expect", "");
    call_ready(&lane->call);
    curl_easy_setopt(lane->call.handle, CURLOPT_POSTFIELDSIZE, (long)lane->body.length);
    curl_easy_setopt(lane->call.handle, CURLOPT_POSTFIELDS, text_get(&lane->body));
    lane->in_flight = curl_multi_add_handle(reporter->multi, lane->call.handle) == CURLM_OK;
    reporter->counts.batches += lane->attempt == 0;
    reporter->counts.repeated += lane->attempt > 0;
}

/* Fills the batch if it is empty, and sends it if it is due. */
static void tend(struct reporter *reporter, struct report_lane *lane)
{
    if (lane->in_flight ||
        (clock_mono_since_ms(lane->due) < 0 && !(reporter->draining && lane->attempt == 0))) {
        return;
    }
    if (lane->batch_count == 0) {
        pthread_mutex_lock(&lane->lock);
        lane->batch_count = ring_take(&lane->ring, lane->batch, BATCH_MAX);
        pthread_mutex_unlock(&lane->lock);
        lane->due = clock_mono_after_ms(clock_mono(), reporter->every_ms);
        if (lane->batch_count == 0) {
            return;
        }
        lane->attempt = 0;
        lane->started = clock_mono();
        id_new("batch", lane->key);
    }
    send_batch(reporter, lane);
}

static void read_answer(struct reporter *reporter, const struct report_lane *lane)
{
    struct json_object *answer = NULL, *field;
    if (json_parse(text_get(&lane->call.body), lane->call.body.length, &answer, NULL) != STATUS_OK) {
        return;
    }
    if (json_object_object_get_ex(answer, "accepted", &field)) {
        reporter->counts.accepted += (uint64_t)json_object_get_int64(field);
    }
    if (json_object_object_get_ex(answer, "duplicate", &field)) {
        reporter->counts.duplicates += json_object_get_boolean(field) ? 1 : 0;
    }
    if (json_object_object_get_ex(answer, "rejected", &field) &&
        json_object_is_type(field, json_type_array)) {
        size_t rejected = json_object_array_length(field);
        reporter->counts.rejected += rejected;
        if (rejected > 0) {
            log_event(LOG_WARN, "reporter", "Serin rejected reports", "service", lane->service->name, "first",
                      json_object_to_json_string(json_object_array_get_idx(field, 0)), NULL);
        }
    }
    json_object_put(answer);
}

/* May the same batch be taken when it is sent again? 401 and 403 may: a token can be made good. */
static bool worth_repeating(long status, CURLcode result)
{
    return result != CURLE_OK || status >= 500 || status == 401 || status == 403 || status == 404 ||
           status == 408 || status == 409 || status == 429;
}

static void finished(struct reporter *reporter, struct report_lane *lane, CURLcode result)
{
    char reason[400];
    long status = call_status(&lane->call, result);
    lane->in_flight = false;
    if (status == 200) {
        read_answer(reporter, lane);
        note_longest(reporter, clock_mono_since_ms(lane->started));
        lane->batch_count = 0;
        lane->attempt = 0;
        return;
    }
    call_reason(&lane->call, result, reason, sizeof reason);
    if (worth_repeating(status, result)) {
        reporter->counts.failures++;
        lane->attempt++;
        if (lane->attempt == 3) {
            log_event(LOG_WARN, "reporter", "reports are not acknowledged; repeating", "service",
                      lane->service->name, "reason", reason, NULL);
        }
        lane->due = clock_mono_after_ms(clock_mono(), call_pause_ms(lane->attempt, FIRST_PAUSE_MS));
        return;
    }
    log_event(LOG_ERROR, "reporter", "a batch was refused and is lost", "service", lane->service->name,
              "reason", reason, NULL);
    reporter->counts.refused++;
    lane->batch_count = 0;
    lane->attempt = 0;
}

static void collect(struct reporter *reporter)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(reporter->multi, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        CURL *handle = message->easy_handle;
        CURLcode result = message->data.result; /* the message goes with the handle */
        curl_multi_remove_handle(reporter->multi, handle);
        for (size_t i = 0; i < reporter->lanes; i++) {
            if (reporter->lane[i].call.handle == handle) {
                finished(reporter, &reporter->lane[i], result);
            }
        }
    }
}

/* Counts what waits and what was dropped, and says so; the number of reports that still wait. */
static size_t survey(struct reporter *reporter)
{
    static const char message[] = "reports were dropped: Serin has not acknowledged enough of them in time";
    uint64_t dropped = 0;
    size_t waiting = 0;
    for (size_t i = 0; i < reporter->lanes; i++) {
        struct report_lane *lane = &reporter->lane[i];
        pthread_mutex_lock(&lane->lock);
        dropped += lane->ring.dropped;
        lane->ring.dropped = 0;
        waiting += lane->ring.count + lane->batch_count;
        pthread_mutex_unlock(&lane->lock);
    }
    reporter->counts.waiting = waiting;
    reporter->counts.dropped += dropped;
    if (dropped > 0 && (reporter->told.us == 0 || clock_mono_since_ms(reporter->told) > TELL_MS)) {
        log_line(LOG_WARN, "reporter", "%s (%llu)", message, (unsigned long long)dropped);
        reporter->told = clock_mono();
    }
    return waiting;
}

static void *run(void *argument)
{
    struct reporter *reporter = argument;
    for (;;) {
        int active = 0;
        for (size_t i = 0; i < reporter->lanes; i++) {
            tend(reporter, &reporter->lane[i]);
        }
        curl_multi_perform(reporter->multi, &active);
        collect(reporter);
        size_t waiting = survey(reporter);
        if (reporter->draining && (waiting == 0 || clock_mono_since_ms(reporter->give_up) >= 0)) {
            break;
        }
        curl_multi_poll(reporter->multi, NULL, 0, 20, NULL);
    }
    return NULL;
}

/* --- from other threads
 * -------------------------------------------------------------------------------------------- */

enum status reporter_start(struct reporter *reporter, const struct connection *connection,
                           const struct vclock *clock, struct service *const *services, size_t count,
                           long every_ms, size_t buffer)
{
    reporter->connection = connection;
    reporter->clock = clock;
    reporter->every_ms = every_ms;
    reporter->multi = curl_multi_init();
    reporter->lane = calloc(count, sizeof *reporter->lane);
    if (reporter->multi == NULL || reporter->lane == NULL) {
        return STATUS_NO_MEMORY;
    }
    curl_multi_setopt(reporter->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS);
    for (; reporter->lanes < count; reporter->lanes++) {
        struct report_lane *lane = &reporter->lane[reporter->lanes];
        lane->service = services[reporter->lanes];
        pthread_mutex_init(&lane->lock, NULL);
        ring_init(&lane->ring, buffer);
        text_init(&lane->body, BATCH_BYTES_MAX);
        /* services take turns within the interval */
        long after = every_ms * (long)reporter->lanes / (long)count;
        lane->due = clock_mono_after_ms(clock_mono(), after);
        lane->batch = calloc(BATCH_MAX, sizeof *lane->batch);
        if (call_init(&lane->call, ANSWER_MAX) != STATUS_OK || lane->batch == NULL) {
            reporter->lanes++;
            return STATUS_NO_MEMORY;
        }
    }
    reporter->running = pthread_create(&reporter->thread, NULL, run, reporter) == 0;
    return reporter->running ? STATUS_OK : STATUS_NO_MEMORY;
}

static void add(struct reporter *reporter, size_t service, const struct report *report)
{
    struct report_lane *lane = &reporter->lane[service];
    pthread_mutex_lock(&lane->lock);
    ring_add(&lane->ring, report, MERGE_US);
    pthread_mutex_unlock(&lane->lock);
}

void reporter_admitted(struct reporter *reporter, size_t service, uint16_t release, int64_t admitted_us)
{
    struct report report = {.admitted_us = admitted_us, .release = release, .admission = true, .count = 1};
    add(reporter, service, &report);
}

void reporter_ended(struct reporter *reporter, size_t service, uint16_t release, int64_t admitted_us,
                    const struct outcome *outcome)
{
    struct report report = {.admitted_us = admitted_us, .release = release, .count = 1, .outcome = *outcome};
    add(reporter, service, &report);
}

void reporter_stop(struct reporter *reporter, long within_ms)
{
    if (reporter->running) {
        reporter->give_up = clock_mono_after_ms(clock_mono(), within_ms);
        reporter->draining = true;
        curl_multi_wakeup(reporter->multi);
        pthread_join(reporter->thread, NULL);
        reporter->running = false;
    }
    for (size_t i = 0; i < reporter->lanes; i++) {
        struct report_lane *lane = &reporter->lane[i];
        if (lane->in_flight) {
            curl_multi_remove_handle(reporter->multi, lane->call.handle);
        }
        call_free(&lane->call);
        text_free(&lane->body);
        ring_free(&lane->ring);
        free(lane->batch);
        pthread_mutex_destroy(&lane->lock);
    }
    free(reporter->lane);
    reporter->lane = NULL;
    reporter->lanes = 0;
    if (reporter->multi != NULL) {
        curl_multi_cleanup(reporter->multi);
        reporter->multi = NULL;
    }
}
