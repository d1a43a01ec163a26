/* POST /ofrep/v1/evaluate/flags[/{service}]: the OpenFeature Remote Evaluation Protocol. Evaluated here, from
   memory, for the targeting key of the request; applied by the very answer, so that a single evaluation
   acknowledges the epoch that it was made from, and one of all flags the revision that the client has cached
   (If-None-Match). */
#include "gateway/answer.h"
#include "gateway/ofrep_request.h"
#include "gateway/overview.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FLAG_MAX = 16 << 20, FLAGS_MAX = 256 << 20 };

/* Reads headers and body. The gateway that acknowledges goes by its token if it does not name itself. */
static enum status read_request(struct request *request, struct ofrep_request *out, struct fault *fault)
{
    if (request_is_json(request, fault) != STATUS_OK || request_instance(request, fault) != STATUS_OK)
        return fault->status;
    if (request->instance[0] == '\0')
        request->instance = request->caller;
    return ofrep_request_read(text_get(&request->body), request->body.length, out, &request->error_code,
                              fault);
}

static enum MHD_Result no_flag(struct request *request, bool known)
{
    char detail[160];
    snprintf(detail, sizeof detail,
             known ? "Service %s has no route: no release of it serves" : "There is no service %s",
             request->argument);
    return answer_refusal(
        request, STATUS_NOT_FOUND, detail,
        known ? "Start a rollout of a release; the first one takes all traffic when its gates hold."
              : "A flag is the name of a service: see GET /v1/services on the control port. If it was made "
                "just "
                "now, ask again: this port may learn of it a second later.");
}

enum MHD_Result ofrep_answer(struct request *request)
{
    struct gateway_thread *thread = request->thread;
    struct fault fault = {.status = STATUS_OK};
    struct ofrep_request asked = {.body = NULL};
    struct text body;
    struct mono_time mono = thread->mono;
    if (read_request(request, &asked, &fault) != STATUS_OK)
        return answer_problem(request, &fault);
    const struct service_view *view = snapshot_find(thread->snapshot, request->argument);
    if (view == NULL || view->flag.arms == 0) {
        ofrep_request_free(&asked);
        return no_flag(request, view != NULL);
    }
    struct flag_answer answer = {view->name, view->incarnation, view->epoch,
                                 service_view_has_lapsed(view, thread->wall, mono),
                                 gateway_is_stale(thread->gateway, mono)};
    text_init(&body, FLAG_MAX);
    flag_put(&body, &view->flag, flag_choose(&view->flag, answer.lapsed, asked.key, asked.key_length),
             &answer);
    ofrep_request_free(&asked);
    acks_heard(thread->acks, view->name, request->instance, view->incarnation, view->epoch, mono);
    acks_heard(thread->evaluators, view->name, request->instance, view->incarnation, view->epoch, mono);
    return answer_body(request, MHD_HTTP_OK, "application/json", &body);
}

/* --- all flags
 * ---------------------------------------------------------------------------------------------------- */

/* What every flag is for this key: its place among the services and which arm. */
struct choices {
    const struct snapshot *snapshot;
    struct wall_time wall;
    struct mono_time mono;
    const char *key;
    size_t key_length;
    bool stale;
};

static const struct flag_arm *choose(const struct choices *choices, const struct service_view *view,
                                     bool *lapsed)
{
    *lapsed = service_view_has_lapsed(view, choices->wall, choices->mono);
    return flag_choose(&view->flag, *lapsed, choices->key, choices->key_length);
}

/* The tag: all routes as they are now, and for each service that has two releases which one it is. */
static enum status make_etag(const struct choices *choices, const struct overview *overview,
                             char etag[ETAG_MAX])
{
    const struct snapshot *snapshot = choices->snapshot;
    char hex[DIGEST_HEX];
    struct text seen;
    bool lapsed;
    text_init(&seen, FLAGS_MAX);
    text_puts(&seen, overview->form.etag);
    text_putc(&seen, choices->stale ? '!' : '.');
    for (size_t i = 0; i < snapshot->services; i++) {
        const struct service_view *view = snapshot->service[i];
        if (view->flag.arms == 2) {
            const struct flag_arm *arm = choose(choices, view, &lapsed);
            text_printf(&seen, "%s%s", arm->canary ? "c" : "s", lapsed ? "l" : "");
        }
    }
    enum status status = text_status(&seen);
    struct digest digest = digest_sha256(text_get(&seen), seen.length);
    text_free(&seen);
    etag_write(etag, snapshot->incarnation, snapshot->rev, digest_hex(&digest, hex));
    return status;
}

static void put_flags(const struct choices *choices, struct text *out)
{
    const struct snapshot *snapshot = choices->snapshot;
    bool first = true;
    text_puts(out, "{\"flags\":[");
    for (size_t i = 0; i < snapshot->services; i++) {
        const struct service_view *view = snapshot->service[i];
        struct flag_answer answer = {view->name, view->incarnation, view->epoch, false, choices->stale};
        if (view->flag.arms == 0)
            continue;
        const struct flag_arm *arm = choose(choices, view, &answer.lapsed);
        text_puts(out, first ? "" : ",");
        first = false;
        flag_put(out, &view->flag, arm, &answer);
    }
    text_printf(out, "],\"metadata\":{\"incarnation\":%" PRId64 ",\"revision\":%" PRId64 ",\"stale\":%s}}",
                snapshot->incarnation, snapshot->rev, choices->stale ? "true" : "false");
}

static enum MHD_Result send_all(struct request *request, struct text *body, const char *etag, bool unchanged,
                                bool behind)
{
    size_t length = body->length;
    char *bytes = text_take(body);
    if (bytes == NULL)
        return MHD_NO;
    struct MHD_Response *response = answer_response(bytes, length, "application/json");
    if (response == NULL)
        return MHD_NO;
    bool good = MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, etag) == MHD_YES &&
                MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache") == MHD_YES;
    if (behind)
        good = good && MHD_add_response_header(response, "Serin-Behind", "true") == MHD_YES;
    enum MHD_Result result =
        good ? answer_with(request, unchanged ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result evaluate_all(struct request *request, const struct choices *choices)
{
    struct gateway_thread *thread = request->thread;
    const struct snapshot *snapshot = choices->snapshot;
    const struct overview *overview = thread_overview(thread, choices->wall, choices->mono);
    char etag[ETAG_MAX];
    struct text body;
    if (overview == NULL || make_etag(choices, overview, etag) != STATUS_OK)
        return answer_refusal(request, STATUS_NO_MEMORY, "Out of memory", "Try again in a second.");
    enum etag_standing standing = etag_stand(request->fields.if_none_match, etag, snapshot->incarnation,
                                             snapshot->rev, &request->applied_epoch);
    if (standing != ETAG_NEWER)
        followers_heard(thread->followers, request->instance, snapshot->incarnation, request->applied_epoch,
                        choices->mono);
    text_init(&body, FLAGS_MAX);
    if (standing == ETAG_CURRENT || standing == ETAG_NEWER)
        return send_all(request, &body, etag, true, standing == ETAG_NEWER);
    put_flags(choices, &body);
    return send_all(request, &body, etag, false, false);
}

enum MHD_Result ofrep_answer_all(struct request *request)
{
    struct gateway_thread *thread = request->thread;
    struct fault fault = {.status = STATUS_OK};
    struct ofrep_request asked = {.body = NULL};
    if (read_request(request, &asked, &fault) != STATUS_OK)
        return answer_problem(request, &fault);
    struct choices choices = {thread->snapshot, thread->wall,
                              thread->mono,     asked.key,
                              asked.key_length, gateway_is_stale(thread->gateway, thread->mono)};
    enum MHD_Result result = evaluate_all(request, &choices);
    ofrep_request_free(&asked);
    return result;
}
