/* GET /v1/routes/{service}, and /v1/routes for all of them: the prepared answer, 304 while nothing changed,
   and parking until something does. */
#include "gateway/answer.h"
#include "gateway/overview.h"

#include "base/clock.h"
#include "gateway/route_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MAX_MS = 60000, FORMATTED_MAX = 4096 };

enum decision {
    DECIDE_UNKNOWN, /* there is no such service */
    DECIDE_NO_ROUTE,
    DECIDE_NO_MEMORY,
    DECIDE_SEND,
    DECIDE_UNCHANGED,
    DECIDE_BEHIND /* the client knows more than we do */
};

/* What is to be sent, and how it is numbered. */
struct target {
    const struct route_form *form;
    int64_t incarnation, number;
    const char *header;
};

static bool of_all(const struct request *request)
{
    return !request->path->argument;
}

static enum decision find(struct request *request, struct wall_time wall, struct mono_time mono,
                          struct target *target)
{
    const struct snapshot *snapshot = request->thread->snapshot;
    if (of_all(request)) {
        const struct overview *overview = thread_overview(request->thread, wall, mono);
        if (overview == NULL)
            return DECIDE_NO_MEMORY;
        *target = (struct target){&overview->form, snapshot->incarnation, snapshot->rev, "Serin-Revision"};
        return DECIDE_SEND;
    }
    const struct service_view *view = snapshot_find(snapshot, request->argument);
    if (view == NULL)
        return DECIDE_UNKNOWN;
    if (!view->routed)
        return DECIDE_NO_ROUTE;
    *target =
        (struct target){service_view_form(view, wall, mono), view->incarnation, view->epoch, "Serin-Epoch"};
    return DECIDE_SEND;
}

static enum decision decide(struct request *request, struct wall_time wall, struct mono_time mono,
                            struct target *target)
{
    enum decision decision = find(request, wall, mono, target);
    if (decision != DECIDE_SEND)
        return decision;
    enum etag_standing standing = etag_stand(request->fields.if_none_match, target->form->etag,
                                             target->incarnation, target->number, &request->applied_epoch);
    request->incarnation = target->incarnation;
    request->ahead = standing == ETAG_NEWER;
    switch (standing) {
    case ETAG_CURRENT:
        return DECIDE_UNCHANGED;
    case ETAG_NEWER:
        return DECIDE_BEHIND;
    case ETAG_NONE:
    case ETAG_OLDER:
        break;
    }
    return DECIDE_SEND;
}

bool routes_is_due(struct request *request, struct wall_time wall, struct mono_time mono)
{
    struct target target;
    enum decision decision = decide(request, wall, mono, &target);
    return decision != DECIDE_UNCHANGED && decision != DECIDE_BEHIND;
}

/* One that has a newer revision is known by whom it has that from: what it has applied of ours is less. */
void routes_heard_all(const struct request *request, struct mono_time now)
{
    struct gateway_thread *thread = request->thread;
    if (!request->ahead)
        followers_heard(thread->followers, request->instance, request->incarnation, request->applied_epoch,
                        now);
}

static enum MHD_Result refuse(struct request *request, enum decision decision)
{
    char detail[160];
    if (decision == DECIDE_NO_MEMORY)
        return answer_refusal(request, STATUS_NO_MEMORY, "Out of memory", "Try again in a second.");
    if (decision == DECIDE_UNKNOWN) {
        snprintf(detail, sizeof detail, "There is no service %s", request->argument);
        return answer_refusal(request, STATUS_NOT_FOUND, detail,
                              "If it was made just now, ask again: this port may learn of it a second later. "
                              "Else look at the names with GET /v1/services on the control port.");
    }
    snprintf(detail, sizeof detail, "Service %s has no route: no release of it serves", request->argument);
    return answer_refusal(
        request, STATUS_NOT_FOUND, detail,
        "Start a rollout of a release; the first one takes all traffic when its gates hold.");
}

/* Reads ?format=, ?key= and ?variable=. They are read again when a parked request is answered. */
static enum status read_format(struct request *request, enum route_format *format, struct route_nginx *nginx,
                               struct fault *fault)
{
    *nginx = (struct route_nginx){request->fields.key, request->fields.variable};
    enum status status = route_format_parse(request->fields.format, format, fault);
    if (status == STATUS_OK && *format != ROUTE_JSON && of_all(request)) {
        fault_set(fault, STATUS_INVALID, "All routes at once are there as JSON only");
        fault_next(fault, "Ask for one service, as /v1/routes/chat?format=nginx.");
        return STATUS_INVALID;
    }
    if (status == STATUS_OK && *format == ROUTE_NGINX)
        status = route_nginx_check(nginx, fault);
    return status;
}

static bool name_state(struct request *request, struct MHD_Response *response, const struct target *target)
{
    char number[32];
    snprintf(number, sizeof number, "%lld", (long long)target->number);
    return MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, target->form->etag) == MHD_YES &&
           MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache") == MHD_YES &&
           MHD_add_response_header(response, target->header, number) == MHD_YES &&
           (!gateway_is_stale(request->thread->gateway, request->thread->mono) ||
            MHD_add_response_header(response, "Serin-Stale", "true") == MHD_YES);
}

/* The route in another form than JSON, under the same ETag. */
static enum MHD_Result answer_formatted(struct request *request, const struct target *target)
{
    struct fault fault = {.status = STATUS_OK};
    enum route_format format;
    struct route_nginx nginx;
    struct text out;
    text_init(&out, FORMATTED_MAX);
    enum status status = read_format(request, &format, &nginx, &fault);
    if (status == STATUS_OK)
        status = route_format_write(&out, target->form->body, target->form->length, format, &nginx, &fault);
    size_t length = out.length;
    char *bytes = status == STATUS_OK ? text_take(&out) : NULL;
    text_free(&out);
    if (bytes == NULL)
        return answer_refusal(request, STATUS_INTERNAL, "The route could not be written in this form",
                              "Fetch it as JSON, without the parameter format.");
    struct MHD_Response *response = MHD_create_response_from_buffer(length, bytes, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(bytes);
        return MHD_NO;
    }
    bool good = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, route_format_type(format)) ==
                    MHD_YES &&
                name_state(request, response, target);
    enum MHD_Result result = good ? answer_with(request, MHD_HTTP_OK, response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

/* A 304 that says more than the prepared ones. */
static enum MHD_Result answer_unchanged(struct request *request, const struct target *target,
                                        const char *header, const char *value)
{
    const struct route_form *form = target->form;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(form->length, (void *)(uintptr_t)form->body, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    bool good =
        name_state(request, response, target) && MHD_add_response_header(response, header, value) == MHD_YES;
    enum MHD_Result result = good ? answer_with(request, MHD_HTTP_NOT_MODIFIED, response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

/* Reads ?wait= and the headers. */
static enum status read_request(struct request *request, int64_t *wait_ms, struct fault *fault)
{
    const char *wait = request->fields.wait;
    *wait_ms = 0;
    if (wait != NULL && (!clock_parse_duration(wait, wait_ms) || *wait_ms > WAIT_MAX_MS)) {
        fault_set(fault, STATUS_INVALID, "The parameter wait is not a duration of at most 60s");
        fault_next(fault, "Write it as ?wait=30s.");
        return STATUS_INVALID;
    }
    enum route_format format;
    struct route_nginx nginx;
    enum status status = read_format(request, &format, &nginx, fault);
    return status == STATUS_OK ? request_instance(request, fault) : status;
}

enum MHD_Result routes_answer(struct request *request)
{
    struct gateway_thread *thread = request->thread;
    struct fault fault = {.status = STATUS_OK};
    struct target target = {.form = NULL};
    struct mono_time mono = thread->mono;
    int64_t wait_ms = 0;
    if (!request->waited && read_request(request, &wait_ms, &fault) != STATUS_OK)
        return answer_problem(request, &fault);
    enum decision decision = decide(request, thread->wall, mono, &target);
    /* a gateway that asks before the first release is heard too: that release may start */
    if (decision != DECIDE_UNKNOWN && request->instance[0] != '\0' && !request->waited) {
        request->heard = mono;
        if (of_all(request))
            routes_heard_all(request, mono);
        else
            acks_heard(thread->acks, request->argument, request->instance, request->incarnation,
                       request->applied_epoch, mono);
    }
    if (target.form == NULL)
        return refuse(request, decision);
    if (decision == DECIDE_SEND && request->fields.format != NULL)
        return answer_formatted(request, &target);
    struct MHD_Response *response =
        gateway_is_stale(thread->gateway, mono) ? target.form->stale : target.form->fresh;
    if (decision == DECIDE_SEND)
        return answer_with(request, MHD_HTTP_OK, response);
    bool full = false;
    if (wait_ms > 0 && !request->waited && !atomic_load(&thread->gateway->draining)) {
        if (request_park(request, clock_mono_after_ms(mono, wait_ms)))
            return MHD_YES;
        full = true;
    }
    if (decision == DECIDE_BEHIND)
        return answer_unchanged(request, &target, "Serin-Behind", "true");
    if (full)
        return answer_unchanged(request, &target, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    return answer_with(request, MHD_HTTP_NOT_MODIFIED, response);
}
