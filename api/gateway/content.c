/* GET /v1/content/{digest}: from memory, or by a job that asks the database. */
#include "gateway/content.h"

#include "gateway/answer.h"
#include "gateway/publisher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTENT_MAX = 32 << 20 };

struct content_job {
    struct request *request;
    struct digest digest;
    struct fault fault; /* status OK: it is in the cache now */
};

void content_forget(struct request *request)
{
    free(request->content);
    request->content = NULL;
}

static void read_content(void *argument)
{
    struct content_job *job = argument;
    struct gateway *gateway = job->request->thread->gateway;
    struct text content;
    bool json = false;
    text_init(&content, CONTENT_MAX);
    enum status status =
        publisher_read_content(gateway->publisher, &job->digest, &content, &json, &job->fault);
    if (status == STATUS_OK)
        status = content_cache_keep(gateway->content, &job->digest, json, &content);
    text_free(&content);
    job->fault.status = status;
    thread_send(job->request->thread, &job->request->letter);
}

struct use {
    struct request *request;
    enum MHD_Result result;
};

static void send_whole(void *argument, struct MHD_Response *response)
{
    struct use *use = argument;
    use->result = answer_with(use->request, MHD_HTTP_OK, response);
}

static void send_unchanged(void *argument, struct MHD_Response *response)
{
    struct use *use = argument;
    use->result = answer_with(use->request, MHD_HTTP_NOT_MODIFIED, response);
}

enum MHD_Result content_answer(struct request *request)
{
    struct gateway *gateway = request->thread->gateway;
    struct content_job *job = request->content;
    struct use use = {request, MHD_NO};
    struct digest digest;
    if (!digest_parse_hex(request->argument, &digest))
        return answer_refusal(request, STATUS_MALFORMED, "The digest is not 64 hexadecimal digits",
                              "Take a digest from `artifacts` of a route or a release.");
    const char *have = request->fields.if_none_match;
    bool unchanged = have != NULL && strstr(have, request->argument) != NULL;
    if (content_cache_use(gateway->content, &digest, unchanged ? send_unchanged : send_whole, &use))
        return use.result;
    if (job != NULL && job->fault.status != STATUS_OK)
        return answer_problem(request, &job->fault);
    if (job == NULL) {
        job = request->content = calloc(1, sizeof *job);
        if (job == NULL)
            return MHD_NO;
        job->request = request;
    }
    /* the first time, or when it has already fallen out of the cache again */
    job->digest = digest;
    job->fault.status = STATUS_OK;
    request_suspend_for_job(request);
    if (lane_submit(gateway->database, read_content, job) != STATUS_OK) {
        fault_set(&job->fault, STATUS_UNAVAILABLE, "Too many requests wait for the database");
        fault_next(&job->fault, "Try again in a second.");
        thread_send(request->thread, &request->letter);
    }
    return MHD_YES;
}
