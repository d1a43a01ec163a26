/* The route table of the control port. */
#include "control/control.h"

#include "base/meter.h"
#include "control/auth.h"
#include "control/call.h"
#include "control/handlers.h"

#include <stdio.h>
#include <stdlib.h>

enum { CONTENT_DEFAULT = 1 << 20, ALERT_EXPIRES_S = 5 * 3600 };

/* Literal segments stand before parameters in the same place: the first row that fits wins. */
const struct http_route control_routes[] = {
    {HTTP_GET, "/v1/artifacts", ROLE_VIEWER, control_list_artifacts, 0},
    {HTTP_GET, "/v1/artifacts/{kind}/{name}/versions", ROLE_VIEWER, control_list_versions, 0},
    {HTTP_POST, "/v1/artifacts/{kind}/{name}/versions", ROLE_ENGINEER, control_register_version, 0},
    {HTTP_GET, "/v1/artifacts/{kind}/{name}/versions/{version}", ROLE_VIEWER, control_get_version, 0},
    {HTTP_POST, "/v1/artifacts/corpus/{name}/versions/{version}/ready", ROLE_ENGINEER,
     control_report_corpus_ready, 0},

    {HTTP_GET, "/v1/services", ROLE_VIEWER, control_list_services, 0},
    {HTTP_GET, "/v1/services/{service}", ROLE_VIEWER, control_get_service, 0},
    {HTTP_PUT, "/v1/services/{service}", ROLE_ENGINEER, control_put_service, 0},
    {HTTP_GET, "/v1/services/{service}/slos", ROLE_VIEWER, control_get_slos, 0},
    {HTTP_PUT, "/v1/services/{service}/slos", ROLE_ENGINEER, control_put_slos, 0},
    {HTTP_GET, "/v1/services/{service}/policy", ROLE_VIEWER, control_get_policy, 0},
    {HTTP_GET, "/v1/services/{service}/overdispersion", ROLE_VIEWER, control_get_overdispersion, 0},
    {HTTP_PUT, "/v1/services/{service}/policy", ROLE_ENGINEER, control_put_policy, 0},

    {HTTP_GET, "/v1/services/{service}/releases", ROLE_VIEWER, control_list_releases, 0},
    {HTTP_POST, "/v1/services/{service}/releases", ROLE_ENGINEER, control_create_release, 0},
    {HTTP_GET, "/v1/services/{service}/releases/{release}", ROLE_VIEWER, control_get_release, 0},
    {HTTP_GET, "/v1/services/{service}/releases/{release}/diff/{other}", ROLE_VIEWER, control_diff_releases,
     0},
    {HTTP_POST, "/v1/services/{service}/releases/{release}/lift-quarantine", ROLE_ONCALL,
     control_lift_quarantine, 0},

    {HTTP_GET, "/v1/services/{service}/rollouts", ROLE_VIEWER, control_list_rollouts, 0},
    {HTTP_POST, "/v1/services/{service}/rollouts", ROLE_ENGINEER, control_start_rollout, 0},
    {HTTP_POST, "/v1/services/{service}/rollback", ROLE_ONCALL, control_rollback_service, 0},
    {HTTP_GET, "/v1/rollouts/{id}", ROLE_VIEWER, control_get_rollout, 0},
    {HTTP_GET, "/v1/rollouts/{id}/explain", ROLE_VIEWER, control_explain_rollout, 0},
    {HTTP_GET, "/v1/rollouts/{id}/record", ROLE_VIEWER, control_record_rollout, 0},
    {HTTP_GET, "/v1/rollouts/{id}/verdicts", ROLE_VIEWER, control_list_verdicts, 0},
    {HTTP_GET, "/v1/rollouts/{id}/blocks", ROLE_VIEWER, control_list_blocks, 0},
    {HTTP_POST, "/v1/rollouts/{id}/{verb}", ROLE_ENGINEER, control_command_rollout, 0},

    {HTTP_GET, "/v1/freeze", ROLE_VIEWER, control_get_freeze, 0},
    {HTTP_POST, "/v1/freeze", ROLE_ONCALL, control_freeze, 0},
    {HTTP_DELETE, "/v1/freeze", ROLE_ONCALL, control_unfreeze, 0},
    {HTTP_POST, "/v1/alerts", ROLE_GATEWAY, control_take_alerts, 0},
    {HTTP_GET, "/v1/events", ROLE_VIEWER, control_list_events, 0},
    {HTTP_GET, "/v1/routes", ROLE_VIEWER, control_list_routes, 0},
    {HTTP_GET, "/v1/gateways", ROLE_VIEWER, control_list_gateways, 0},

    {HTTP_GET, "/v1/tokens", ROLE_ADMIN, control_list_tokens, 0},
    {HTTP_POST, "/v1/tokens", ROLE_ADMIN, control_create_token, 0},
    {HTTP_DELETE, "/v1/tokens/{id}", ROLE_ADMIN, control_revoke_token, 0},
    {HTTP_GET, "/v1/webhooks", ROLE_ADMIN, control_list_webhooks, 0},
    {HTTP_POST, "/v1/webhooks", ROLE_ADMIN, control_create_webhook, 0},
    {HTTP_DELETE, "/v1/webhooks/{id}", ROLE_ADMIN, control_delete_webhook, 0},
};
const size_t control_route_count = sizeof control_routes / sizeof control_routes[0];

static size_t content_max(const struct control_options *options)
{
    return options->content_max != 0 ? options->content_max : CONTENT_DEFAULT;
}

/* Text may double when its line feeds and quotes are escaped. */
size_t control_body_max(const struct control_options *options)
{
    return (1 << 20) + 2 * content_max(options);
}

struct control *control_new(const struct control_options *options)
{
    struct control *control = calloc(1, sizeof *control);
    if (control == NULL)
        return NULL;
    control->pool = options->pool;
    control->content_max = content_max(options);
    control->webhook_private = options->webhook_private;
    control->alert_expires_s = options->alert_expires_s > 0 ? options->alert_expires_s : ALERT_EXPIRES_S;
    auth_cache_init(&control->tokens);
    return control;
}

void control_free(struct control *control)
{
    if (control == NULL)
        return;
    auth_cache_free(&control->tokens);
    free(control);
}

const char *control_role_name(int role)
{
    return role >= 0 && role < ROLE_COUNT ? token_role_name((enum token_role)role) : "unknown";
}

void control_observe(void *context, const struct http_request *request, const char *pattern, int http_status,
                     int64_t duration_us)
{
    const char *method = http_method_name(request->method), *route = pattern != NULL ? pattern : "none";
    char code[16];
    (void)context;
    snprintf(code, sizeof code, "%d", http_status);
    meter_add(METRIC_CONTROL_REQUESTS_TOTAL, 1, method, route, code, NULL);
    meter_observe(METRIC_CONTROL_REQUEST_SECONDS, (double)duration_us / 1e6, method, route, NULL);
}
