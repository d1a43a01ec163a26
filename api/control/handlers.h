/* The handlers of the route table, named after the operations of api/openapi.yaml. */
#pragma once

#include "http/router.h"

/* X(name); each is an http_handler. */
#define HANDLER_TABLE(X)                                                                                     \
    X(control_list_artifacts)                                                                                \
    X(control_list_versions)                                                                                 \
    X(control_register_version)                                                                              \
    X(control_get_version)                                                                                   \
    X(control_report_corpus_ready)                                                                           \
    X(control_list_services)                                                                                 \
    X(control_get_service)                                                                                   \
    X(control_put_service)                                                                                   \
    X(control_get_slos)                                                                                      \
    X(control_put_slos)                                                                                      \
    X(control_get_overdispersion)                                                                            \
    X(control_get_policy)                                                                                    \
    X(control_put_policy)                                                                                    \
    X(control_list_releases)                                                                                 \
    X(control_create_release)                                                                                \
    X(control_get_release)                                                                                   \
    X(control_diff_releases)                                                                                 \
    X(control_lift_quarantine)                                                                               \
    X(control_list_rollouts)                                                                                 \
    X(control_start_rollout)                                                                                 \
    X(control_rollback_service)                                                                              \
    X(control_get_rollout)                                                                                   \
    X(control_explain_rollout)                                                                               \
    X(control_record_rollout)                                                                                \
    X(control_list_verdicts)                                                                                 \
    X(control_list_blocks)                                                                                   \
    X(control_command_rollout)                                                                               \
    X(control_get_freeze)                                                                                    \
    X(control_freeze)                                                                                        \
    X(control_unfreeze)                                                                                      \
    X(control_take_alerts)                                                                                   \
    X(control_list_events)                                                                                   \
    X(control_list_routes)                                                                                   \
    X(control_list_gateways)                                                                                 \
    X(control_list_tokens)                                                                                   \
    X(control_create_token)                                                                                  \
    X(control_revoke_token)                                                                                  \
    X(control_list_webhooks)                                                                                 \
    X(control_create_webhook)                                                                                \
    X(control_delete_webhook)

#define X(name)                                                                                              \
    enum status name(void *context, const struct http_request *request, struct http_response *response,      \
                     struct fault *fault);
HANDLER_TABLE(X)
#undef X
