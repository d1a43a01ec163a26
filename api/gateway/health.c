/* /livez and /readyz. */
#include "gateway/answer.h"

enum MHD_Result health_live(struct request *request)
{
    return answer_text(request, MHD_HTTP_OK, "text/plain", "ok\n");
}

enum MHD_Result health_ready(struct request *request)
{
    struct gateway *gateway = request->thread->gateway;
    if (atomic_load(&gateway->draining))
        return answer_text(request, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain", "shutting down\n");
    if (request->thread->snapshot == NULL)
        return answer_text(request, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain", "no routes are known yet\n");
    if (gateway_is_stale(gateway, request->thread->mono))
        return answer_text(
            request, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain",
            "routes could not be checked against the database; the last known good ones are served\n");
    return answer_text(request, MHD_HTTP_OK, "text/plain", "ready\n");
}
