/* GET /v1/routes/{service}: the prepared answer, 304 while nothing changed, and parking until something does.
 */
#include "gateway/answer.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { WAIT_MAX_MS = 60000 };

enum decision {
    DECIDE_UNKNOWN, /* there is no such service */
    DECIDE_NO_ROUTE,
    DECIDE_SEND,
    DECIDE_UNCHANGED,
    DECIDE_BEHIND /* the client knows more than we do */
};

static enum decision decide(struct request *request, struct wall_time wall, struct mono_time mono,
                            const struct service_view **view, const struct route_form **form)
{
    *view = snapshot_find(request->thread->snapshot, request->argument);
    if (*view == NULL)
        return DECIDE_UNKNOWN;
    if (!(*view)->routed)
        return DECIDE_NO_ROUTE;
    *form = service_view_form(*view, wall, mono);
    switch (etag_stand(request->if_none_match, (*form)->etag, (*view)->incarnation, (*view)->epoch,
                       &request->applied_epoch)) {
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
    const struct service_view *view;
    const struct route_form *form;
    enum decision decision = decide(request, wall, mono, &view, &form);
    return decision != DECIDE_UNCHANGED && decision != DECIDE_BEHIND;
}

static enum MHD_Result refuse(struct request *request, enum decision decision)
{
    char detail[160];
    if (decision == DECIDE_UNKNOWN) {
        snprintf(detail, sizeof detail, "There is no service %s", request->argument);
        return answer_refusal(request, STATUS_NOT_FOUND, detail,
                              "Look at the names with GET /v1/services on the control port.");
    }
    snprintf(detail, sizeof detail, "Service %s has no route yet: no release of it has been rolled out",
             request->argument);
    return answer_refusal(
        request, STATUS_NOT_FOUND, detail,
        "Cut a release and start its rollout; the first release takes all traffic when its gates hold.");
}

/* A 304 that says more than the prepared ones. */
static enum MHD_Result answer_unchanged(struct request *request, const struct service_view *view,
                                        const struct route_form *form, const char *header, const char *value)
{
    char epoch[32];
    struct MHD_Response *response =
        MHD_create_response_from_buffer(form->length, (void *)(uintptr_t)form->body, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    snprintf(epoch, sizeof epoch, "%lld", (long long)view->epoch);
    bool good = MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, form->etag) == MHD_YES &&
                MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache") == MHD_YES &&
                MHD_add_response_header(response, "Serin-Epoch", epoch) == MHD_YES &&
                MHD_add_response_header(response, header, value) == MHD_YES;
    if (good && gateway_is_stale(request->thread->gateway))
        good = MHD_add_response_header(response, "Serin-Stale", "true") == MHD_YES;
    enum MHD_Result result = good ? answer_with(request, MHD_HTTP_NOT_MODIFIED, response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

/* Reads ?wait= and the headers. */
static enum status read_request(struct request *request, int64_t *wait_ms, struct fault *fault)
{
    const char *wait = MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, "wait");
    const char *instance = request_header(request, "Serin-Gateway");
    request->if_none_match = request_header(request, MHD_HTTP_HEADER_IF_NONE_MATCH);
    *wait_ms = 0;
    if (wait != NULL && (!clock_parse_duration(wait, wait_ms) || *wait_ms > WAIT_MAX_MS)) {
        fault_set(fault, STATUS_INVALID, "The parameter wait is not a duration of at most 60s");
        fault_next(fault, "Write it as ?wait=30s.");
        return STATUS_INVALID;
    }
    if (instance != NULL && !name_valid(instance)) {
        fault_set(fault, STATUS_MALFORMED, "The header Serin-Gateway is not a name");
        fault_next(fault, "Use 1 to 63 letters, digits, '.', '_' and '-', beginning with a letter or digit.");
        return STATUS_MALFORMED;
    }
    if (instance != NULL)
        snprintf(request->instance, sizeof request->instance, "%s", instance);
    return STATUS_OK;
}

enum MHD_Result routes_answer(struct request *request)
{
    struct gateway_thread *thread = request->thread;
    struct fault fault = {.status = STATUS_OK};
    const struct service_view *view;
    const struct route_form *form = NULL;
    struct mono_time mono = clock_mono();
    int64_t wait_ms = 0;
    if (!request->waited && read_request(request, &wait_ms, &fault) != STATUS_OK)
        return answer_problem(request, &fault);
    enum decision decision = decide(request, clock_wall(), mono, &view, &form);
    /* a gateway that asks before the first release is heard too: that release may start */
    if (decision != DECIDE_UNKNOWN && request->instance[0] != '\0' && !request->waited)
        acks_heard(thread->acks, request->argument, request->instance, request->applied_epoch, mono);
    if (decision == DECIDE_UNKNOWN || decision == DECIDE_NO_ROUTE)
        return refuse(request, decision);
    if (decision == DECIDE_SEND)
        return answer_with(request, MHD_HTTP_OK,
                           gateway_is_stale(thread->gateway) ? form->stale : form->fresh);
    bool full = false;
    if (wait_ms > 0 && !request->waited && !atomic_load(&thread->gateway->draining)) {
        if (request_park(request, clock_mono_after_ms(mono, wait_ms)))
            return MHD_YES;
        full = true;
    }
    if (decision == DECIDE_BEHIND)
        return answer_unchanged(request, view, form, "Serin-Behind", "true");
    if (full)
        return answer_unchanged(request, view, form, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    return answer_with(request, MHD_HTTP_NOT_MODIFIED,
                       gateway_is_stale(thread->gateway) ? form->stale : form->fresh);
}
