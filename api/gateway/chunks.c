/* Who may send chunks, and for how long. */
#include "gateway/chunks.h"

#include "base/log.h"
#include "gateway/answer.h"
#include "gateway/auth.h"

#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static const int64_t STALLED_US = 2000000;

bool chunks_begin(struct request *request, enum MHD_Result *out)
{
    struct gateway_thread *thread = request->thread;
    struct fault fault = {.status = STATUS_OK};
    const char *encoding = request->fields.transfer_encoding;
    bool taken = request->path->chunks && strcmp(request->method, MHD_HTTP_METHOD_POST) == 0;
    if (!taken || strcasecmp(encoding, "chunked") != 0 ||
        request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH) != NULL) {
        *out = answer_refusal(
            request, STATUS_MALFORMED,
            taken ? "The body's length is told in more than one way, or in one that is not known"
                  : "A body without Content-Length is not taken here",
            "Send the body in one piece, with a Content-Length.");
        return false;
    }
    if (auth_check(request, &fault) != STATUS_OK) {
        *out = answer_problem(request, &fault);
        return false;
    }
    request->chunk_next = thread->chunked;
    if (thread->chunked != NULL)
        thread->chunked->chunk_before = request;
    thread->chunked = request;
    request->chunked = true;
    request->got_on = clock_mono();
    return true;
}

void chunks_progress(struct request *request)
{
    if (request->chunked)
        request->got_on = clock_mono();
}

void chunks_end(struct request *request)
{
    if (!request->chunked)
        return;
    if (request->chunk_before != NULL)
        request->chunk_before->chunk_next = request->chunk_next;
    else
        request->thread->chunked = request->chunk_next;
    if (request->chunk_next != NULL)
        request->chunk_next->chunk_before = request->chunk_before;
    request->chunk_next = request->chunk_before = NULL;
    request->chunked = false;
}

void chunks_cut(struct gateway_thread *thread)
{
    struct mono_time now = clock_mono();
    for (struct request *at = thread->chunked; at != NULL; at = at->chunk_next) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(at->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info == NULL || now.us - at->got_on.us < STALLED_US)
            continue;
        log_event(LOG_WARN, "gateway", "a body in chunks does not get on; its connection is closed", "actor",
                  at->caller, "path", at->path->prefix, NULL);
        shutdown(info->connect_fd, SHUT_RDWR); /* MHD finds it hung up, and ends it */
        at->got_on = now;
    }
}
