/* POST /v1/traces, /v1/metrics and /v1/logs: unpack and decode (here, or in a lane when it is long), hand
   over to the group commit, a part for each service, answer when all have ended. */
#include "base/gunzip.h"
#include "base/log.h"
#include "base/meter.h"
#include "gateway/answer.h"
#include "gateway/otlp_answer.h"
#include "gateway/otlp_counts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What is different between the three. */
struct otlp_signal {
    const char *plural;   /* in texts */
    const char *rejected; /* name of the field of the partial success */
    otlp_count read;
};
static const struct otlp_signal signal_spans = {"spans", "rejectedSpans", spans_read};
static const struct otlp_signal signal_points = {"data points", "rejectedDataPoints", points_read};
static const struct otlp_signal signal_records = {"log records", "rejectedLogRecords", events_read};

enum {
    DECODE_HERE_MAX = 64 << 10, /* about 1 ms */
    UNPACKED_MAX = 8 << 20,
    RESULT_MAX = 4096,
    SAID_AGAIN_S = 60 /* a reason is logged once in this time */
};

struct otlp_job;

struct otlp_commit {
    struct otlp_job *job;
    int64_t accepted;
};

struct otlp_job {
    struct request *request;
    struct snapshot *snapshot; /* owned reference */
    char gateway[NAME_MAX_LENGTH + 1];
    bool protobuf, gzip;
    const struct otlp_signal *signal;
    struct otlp_setting setting;
    struct otlp_counts counted;
    struct otlp_commit commit[OTLP_SERVICES_MAX];
    atomic_int waiting; /* parts that are not committed yet, and one for whoever hands them over */
    atomic_bool unknown, full;
    struct fault fault; /* status OK: none */
};

void otlp_forget(struct request *request)
{
    struct otlp_job *job = request->otlp;
    if (job == NULL)
        return;
    otlp_counts_free(&job->counted);
    snapshot_unref(job->snapshot);
    free(job);
    request->otlp = NULL;
}

/* --- the headers
 * -------------------------------------------------------------------------------------------------- */

static enum status refuse(struct fault *fault, enum status status, const char *detail, const char *next)
{
    fault_set(fault, status, "%s", detail);
    fault_next(fault, "%s", next);
    return status;
}

static bool is_json(const struct request *request)
{
    static const char json[] = "application/json";
    const char *type = request_header(request, MHD_HTTP_HEADER_CONTENT_TYPE);
    return type != NULL && strncasecmp(type, json, sizeof json - 1) == 0 &&
           strchr("; \t", type[sizeof json - 1]) != NULL;
}

static enum status read_headers(struct request *request, struct otlp_job *job, struct fault *fault)
{
    const char *encoding = request_header(request, MHD_HTTP_HEADER_CONTENT_ENCODING);
    job->protobuf = otlp_is_protobuf(request);
    job->gzip = encoding != NULL && strcasecmp(encoding, "gzip") == 0;
    if (!job->protobuf && !is_json(request))
        return refuse(
            fault, STATUS_MEDIA_TYPE, "The body is neither protobuf nor JSON",
            "Send application/x-protobuf or application/json, as OTLP/HTTP has it; OTLP/gRPC is not "
            "served.");
    if (encoding != NULL && !job->gzip && strcasecmp(encoding, "identity") != 0)
        return refuse(fault, STATUS_MEDIA_TYPE, "The body is compressed in a way that is not known here",
                      "Compress it with gzip, or not at all.");
    if (request_instance(request, fault) != STATUS_OK)
        return fault->status;
    /* one that does not name itself goes by its token */
    snprintf(job->gateway, sizeof job->gateway, "%s",
             request->instance[0] != '\0' ? request->instance : request->caller);
    return STATUS_OK;
}

/* --- the job
 * ------------------------------------------------------------------------------------------------------ */

static void finish(struct otlp_job *job)
{
    thread_send(job->request->thread, &job->request->letter);
}

static void part_ended(struct otlp_job *job)
{
    if (atomic_fetch_sub(&job->waiting, 1) == 1)
        finish(job);
}

static void on_done(void *argument, enum counts_result result)
{
    struct otlp_commit *commit = argument;
    struct otlp_job *job = commit->job;
    struct metric_shared *metrics = &job->request->thread->gateway->metrics;
    if (result == COUNTS_UNKNOWN)
        atomic_store(&job->unknown, true);
    if (result == COUNTS_COMMITTED) {
        atomic_fetch_add_explicit(&metrics->outcomes_accepted, commit->accepted, memory_order_relaxed);
        meter_add(METRIC_OTLP_ITEMS_TOTAL, (double)commit->accepted, job->signal->plural, "accepted", NULL);
    }
    part_ended(job);
}

/* The connection is suspended: ends with a letter, sooner or later. */
static void submit(struct otlp_job *job)
{
    struct otlp_counts *counted = &job->counted;
    atomic_store(&job->waiting, (int)counted->parts + 1);
    for (size_t i = 0; i < counted->parts; i++) {
        struct counts_delta *delta = counted->part[i].delta;
        job->commit[i] = (struct otlp_commit){.job = job, .accepted = counted->part[i].accepted};
        counted->part[i].delta = NULL;
        if (counts_submit(job->request->thread->gateway->counts, delta, on_done, &job->commit[i]) ==
            STATUS_OK)
            continue;
        counts_delta_free(delta);
        atomic_store(&job->full, true);
        atomic_fetch_sub(&job->waiting, 1); /* not the last: the one of this function is still there */
    }
    part_ended(job);
}

static void decode(struct otlp_job *job)
{
    struct text unpacked, *body = &job->request->body;
    enum status status = STATUS_OK;
    text_init(&unpacked, UNPACKED_MAX);
    if (job->gzip) {
        status = gunzip(text_get(body), body->length, &unpacked, &job->fault);
        body = &unpacked;
    }
    if (status == STATUS_OK)
        status = job->signal->read(&job->setting, job->protobuf, text_get(body), body->length, &job->counted,
                                   &job->fault);
    if (status == STATUS_OK)
        job->fault.status = STATUS_OK;
    text_free(&unpacked);
    text_free(&job->request->body); /* what was counted is all that is needed while it waits */
}

static void decode_in_lane(void *argument)
{
    struct otlp_job *job = argument;
    decode(job);
    if (job->fault.status == STATUS_OK)
        submit(job);
    else
        finish(job);
}

/* Whether a reason is due: each now and then, not each time, and no more of them than there are places. */
static bool is_due(struct metric_shared *metrics, const char *reason)
{
    uint64_t hash = 5381, now_s = (uint64_t)clock_mono().us / 1000000, old = 0;
    _Atomic uint64_t *vacant = NULL;
    for (const char *c = reason; *c != '\0'; c++)
        hash = hash * 33 + (unsigned char)*c;
    hash &= UINT32_MAX;
    for (size_t i = 0; i < METRIC_REASONS; i++) {
        uint64_t place = atomic_load(&metrics->otlp_said[i]);
        bool over = place == 0 || now_s - (place & UINT32_MAX) >= SAID_AGAIN_S;
        if (!over && place >> 32 == hash)
            return false;
        if (over && vacant == NULL) {
            vacant = &metrics->otlp_said[i];
            old = place;
        }
    }
    return vacant != NULL && atomic_compare_exchange_strong(vacant, &old, hash << 32 | (now_s & UINT32_MAX));
}

/* For whoever runs this server, as the sender reads only his own log. */
static void log_reason(const struct request *request, const struct otlp_job *job)
{
    if (!is_due(&request->thread->gateway->metrics, job->counted.reason))
        return;
    log_event(LOG_WARN, "gateway", "some of what OTLP sends is not counted", "path", request->path->prefix,
              "gateway", job->gateway, "reason", job->counted.reason, NULL);
}

static enum status not_kept(struct otlp_job *job, const char *format, const char *next)
{
    fault_set(&job->fault, STATUS_UNAVAILABLE, format, job->signal->plural);
    fault_next(&job->fault, next, job->signal->plural);
    return STATUS_UNAVAILABLE;
}

static enum MHD_Result answer(struct request *request, struct otlp_job *job)
{
    struct text body;
    if (job->fault.status == STATUS_OK && atomic_load(&job->unknown))
        not_kept(job, "The %s could not be committed in time; whether they were kept is not known",
                 "Send the same %s again in a second: what was kept does not count twice.");
    if (job->fault.status == STATUS_OK && atomic_load(&job->full))
        not_kept(job, "More batches of %s are waiting to be committed than there is room for",
                 "Send the same %s again in a second.");
    if (job->fault.status != STATUS_OK)
        return answer_problem(request, &job->fault);
    text_init(&body, RESULT_MAX);
    const struct otlp_result result = {.rejected = job->counted.rejected,
                                       .reason = job->counted.reason,
                                       .field = job->signal->rejected,
                                       .plural = job->signal->plural};
    const char *type = otlp_put_result(job->protobuf, &result, &body);
    atomic_fetch_add_explicit(&request->thread->gateway->metrics.outcomes_rejected, job->counted.rejected,
                              memory_order_relaxed);
    meter_add(METRIC_OTLP_ITEMS_TOTAL, (double)job->counted.rejected, job->signal->plural, "rejected", NULL);
    if (job->counted.reason[0] != '\0')
        log_reason(request, job);
    return answer_body(request, MHD_HTTP_OK, type, &body);
}

/* False if the database's clock is not known yet. */
static bool set_times(struct gateway *gateway, struct request *request, struct otlp_job *job)
{
    struct wall_time before;
    struct mono_time now = clock_mono(), second = {request->began.us - 1000000};
    job->setting.wall.us = clock_wall().us - (now.us - request->began.us);
    if (!gateway_database_time(gateway, request->began, &job->setting.received) ||
        !gateway_database_time(gateway, second, &before))
        return false;
    job->setting.rate = (double)(job->setting.received.us - before.us) / 1e6;
    return true;
}

static enum MHD_Result begin(struct request *request, struct otlp_job *job)
{
    struct gateway *gateway = request->thread->gateway;
    /* restored routes know neither releases nor thresholds */
    if (request->thread->snapshot->restored || !set_times(gateway, request, job))
        return answer_refusal(request, STATUS_UNAVAILABLE,
                              "The database has not been reached since the start",
                              "Send the same again in a second.");
    job->snapshot = snapshot_ref(request->thread->snapshot);
    job->setting.snapshot = job->snapshot;
    job->setting.names = &gateway->otlp_names;
    job->setting.counters = &gateway->otlp_counters;
    job->setting.gateway = job->gateway;
    if (request->body.length <= DECODE_HERE_MAX && !job->gzip) {
        decode(job);
        if (job->fault.status != STATUS_OK || job->counted.parts == 0)
            return answer(request, job);
        request_suspend_for_job(request);
        submit(job);
        return MHD_YES;
    }
    request_suspend_for_job(request);
    if (lane_submit(gateway->decode, decode_in_lane, job) != STATUS_OK) {
        refuse(&job->fault, STATUS_UNAVAILABLE, "More batches are waiting to be read than there is room for",
               "Send the same again in a second.");
        finish(job);
    }
    return MHD_YES;
}

static enum MHD_Result take(struct request *request, const struct otlp_signal *signal)
{
    struct fault fault = {.status = STATUS_OK};
    if (request->otlp != NULL)
        return answer(request, request->otlp);
    struct otlp_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return MHD_NO;
    request->otlp = job;
    job->request = request;
    job->signal = signal;
    if (read_headers(request, job, &fault) != STATUS_OK)
        return answer_problem(request, &fault);
    return begin(request, job);
}

enum MHD_Result traces_answer(struct request *request)
{
    return take(request, &signal_spans);
}

enum MHD_Result points_answer(struct request *request)
{
    return take(request, &signal_points);
}

enum MHD_Result events_answer(struct request *request)
{
    return take(request, &signal_records);
}
