/* POST /v1/outcomes: decode (here, or in a lane when it is long), hand over to the group commit, answer when
   that has ended. */
#include "gateway/answer.h"
#include "gateway/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DECODE_HERE_MAX = 64 << 10 /* about 1 ms */, RESULT_MAX = 64 << 10 };

struct outcome_job {
    struct request *request;
    struct snapshot *snapshot; /* owned reference */
    struct wall_time received; /* serin_now() when the batch began to arrive */
    char gateway[NAME_MAX_LENGTH + 1], key[COUNTS_KEY_MAX];
    struct tally tally;
    enum counts_result result;
    struct fault fault; /* status OK: none */
};

void outcomes_forget(struct request *request)
{
    struct outcome_job *job = request->outcome;
    if (job == NULL)
        return;
    tally_free(&job->tally);
    snapshot_unref(job->snapshot);
    free(job);
    request->outcome = NULL;
}

/* --- the headers
 * -------------------------------------------------------------------------------------------------- */

/* Idempotency-Key, bare or quoted; "" if there is none. */
static enum status read_key(const struct request *request, char key[COUNTS_KEY_MAX], struct fault *fault)
{
    const char *header = request_header(request, "Idempotency-Key");
    key[0] = '\0';
    if (header == NULL)
        return STATUS_OK;
    size_t length = strlen(header);
    if (length >= 2 && header[0] == '"' && header[length - 1] == '"') {
        header++;
        length -= 2;
    }
    bool good = length >= 1 && length < COUNTS_KEY_MAX;
    for (size_t i = 0; i < length && good; i++)
        good = header[i] >= ' ' && header[i] <= '~';
    if (!good) {
        fault_set(fault, STATUS_MALFORMED, "The Idempotency-Key is not 1 to 128 printable characters");
        fault_next(fault, "Send a UUID, the same one whenever this batch is sent again.");
        return STATUS_MALFORMED;
    }
    memcpy(key, header, length);
    key[length] = '\0';
    return STATUS_OK;
}

static enum status read_headers(struct request *request, struct outcome_job *job, struct fault *fault)
{
    if (request_is_json(request, fault) != STATUS_OK || request_instance(request, fault) != STATUS_OK)
        return fault->status;
    /* one that does not name itself goes by its token */
    snprintf(job->gateway, sizeof job->gateway, "%s",
             request->instance[0] != '\0' ? request->instance : request->caller);
    return read_key(request, job->key, fault);
}

/* --- the job
 * ------------------------------------------------------------------------------------------------------ */

static void finish(struct outcome_job *job)
{
    thread_send(job->request->thread, &job->request->letter);
}

static void unavailable(struct outcome_job *job, const char *detail)
{
    fault_set(&job->fault, STATUS_UNAVAILABLE, "%s", detail);
    fault_next(&job->fault, "Send the batch again in a second, with the same Idempotency-Key.");
}

static void on_done(void *argument, enum counts_result result)
{
    struct outcome_job *job = argument;
    struct metric_shared *metrics = &job->request->thread->gateway->metrics;
    job->result = result;
    if (result == COUNTS_UNKNOWN)
        unavailable(job, "The batch could not be committed in time; whether it was kept is not known");
    if (result == COUNTS_COMMITTED) {
        atomic_fetch_add_explicit(&metrics->outcomes_accepted, job->tally.accepted, memory_order_relaxed);
        atomic_fetch_add_explicit(&metrics->outcomes_rejected, job->tally.rejected, memory_order_relaxed);
    }
    finish(job);
}

static void decode(struct outcome_job *job)
{
    struct request *request = job->request;
    if (tally_read(text_get(&request->body), request->body.length, job->snapshot, job->received,
                   request->thread->gateway->clocks, job->gateway, job->key, &job->tally,
                   &job->fault) == STATUS_OK)
        job->fault.status = STATUS_OK;
    text_free(&request->body); /* the parsed one is all that is needed while it waits */
}

/* The connection is suspended: ends with a letter, sooner or later. */
static void submit(struct outcome_job *job)
{
    struct counts_delta *delta = job->tally.delta;
    job->tally.delta = NULL;
    if (counts_submit(job->request->thread->gateway->counts, delta, on_done, job) == STATUS_OK)
        return;
    counts_delta_free(delta);
    unavailable(job, "More batches are waiting to be committed than there is room for");
    finish(job);
}

static void decode_in_lane(void *argument)
{
    struct outcome_job *job = argument;
    decode(job);
    if (job->fault.status == STATUS_OK)
        submit(job);
    else
        finish(job);
}

static enum MHD_Result answer(struct request *request, const struct outcome_job *job)
{
    struct text body;
    if (job->fault.status != STATUS_OK)
        return answer_problem(request, &job->fault);
    text_init(&body, RESULT_MAX);
    tally_put_result(&job->tally, job->result == COUNTS_DUPLICATE, &body);
    return answer_body(request, MHD_HTTP_OK, "application/json", &body);
}

enum MHD_Result outcomes_answer(struct request *request)
{
    struct gateway *gateway = request->thread->gateway;
    struct fault fault = {.status = STATUS_OK};
    if (request->outcome != NULL)
        return answer(request, request->outcome);
    struct outcome_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return MHD_NO;
    request->outcome = job;
    job->request = request;
    if (read_headers(request, job, &fault) != STATUS_OK)
        return answer_problem(request, &fault);
    /* restored routes know neither releases nor thresholds */
    if (request->thread->snapshot->restored ||
        !gateway_database_time(gateway, request->began, &job->received)) {
        unavailable(job, "The database has not been reached since the start");
        return answer(request, job);
    }
    job->snapshot = snapshot_ref(request->thread->snapshot);
    if (request->body.length <= DECODE_HERE_MAX) {
        decode(job);
        if (job->fault.status != STATUS_OK)
            return answer(request, job);
        request_suspend_for_job(request);
        submit(job);
        return MHD_YES;
    }
    request_suspend_for_job(request);
    if (lane_submit(gateway->decode, decode_in_lane, job) != STATUS_OK) {
        unavailable(job, "More batches are waiting to be read than there is room for");
        finish(job);
    }
    return MHD_YES;
}
