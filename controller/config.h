/* Every setting of serind in one table: environment name, default, meaning. */
#pragma once

#include "base/fault.h"

#include <stdint.h>
#include <stdio.h>

/* X(kind, field, environment, default, meaning): kind text, integer (min, max after the default) */
#define CONFIG_TEXT_TABLE(X)                                                                                 \
    X(database_url, "SERIN_DATABASE_URL", "", "Postgres: a URL or libpq conninfo (required)")                \
    X(control_addr, "SERIN_CONTROL_ADDR", "127.0.0.1:8080",                                                  \
      "control port, host:port; port 0 = any free one")                                                      \
    X(control_socket, "SERIN_CONTROL_SOCKET", "",                                                            \
      "path of a unix socket for the control API too, so that idle connections cannot lock on-call out")     \
    X(gateway_addr, "SERIN_GATEWAY_ADDR", "127.0.0.1:8081", "gateway port, host:port")                       \
    X(haproxy_addr, "SERIN_HAPROXY_ADDR", "",                                                                \
      "HAProxy's agent-checks, numeric host:port, without a token; none = not taken")                        \
    X(state_dir, "SERIN_STATE_DIR", "",                                                                      \
      "folder for the last known good routes and the files control.addr, gateway.addr and haproxy.addr; "    \
      "none = not kept")                                                                                     \
    X(log_level, "SERIN_LOG_LEVEL", "info", "debug, info, warn or error")                                    \
    X(otlp_service, "SERIN_OTLP_SERVICE", "serin.service",                                                   \
      "attribute of spans or resources that names the service, before service.name")                         \
    X(otlp_release, "SERIN_OTLP_RELEASE", "serin.release",                                                   \
      "attribute that names the release, after feature_flag.result.variant and before service.version")      \
    X(otlp_stratum, "SERIN_OTLP_STRATUM", "serin.stratum", "attribute that names the stratum")               \
    X(otlp_counters, "SERIN_OTLP_COUNTERS", "",                                                              \
      "OTLP counters beside the GenAI metrics: requests=NAME, and SLI=NAME of bad ones, by commas")          \
    X(otlp_export_url, "SERIN_OTLP_EXPORT_URL", "",                                                          \
      "collector that is sent a trace of each decision (OTLP/HTTP with JSON), the whole address; none = "    \
      "not sent")                                                                                            \
    X(otlp_export_headers, "SERIN_OTLP_EXPORT_HEADERS", "",                                                  \
      "headers for it, name=value,name=value; secrets may stand here")

#define CONFIG_INTEGER_TABLE(X)                                                                              \
    X(database_connections, "SERIN_DATABASE_CONNECTIONS", 16, 2, 200, "connections to Postgres at most")     \
    X(control_connections, "SERIN_CONTROL_CONNECTIONS", 128, 4, 10000, "connections to the control port")    \
    X(gateway_connections, "SERIN_GATEWAY_CONNECTIONS", 12000, 16, 1000000,                                  \
      "connections to the gateway port")                                                                     \
    X(content_limit_bytes, "SERIN_CONTENT_LIMIT_BYTES", 1048576, 1024, 67108864,                             \
      "largest content of an artifact version")                                                              \
    X(tick_ms, "SERIN_TICK_MS", 1000, 50, 60000, "milliseconds between two turns of the loop")               \
    X(tick_threads, "SERIN_TICK_THREADS", 4, 1, 16, "rollouts worked on at the same time")                   \
    X(settle_ms, "SERIN_SETTLE_MS", 3000, 100, 60000,                                                        \
      "milliseconds after which a batch that was received is surely committed or refused (at least 3000 in " \
      "production)")                                                                                         \
    X(claim_s, "SERIN_CLAIM_S", 15, 2, 600, "seconds after which another replica takes over a rollout")      \
    X(canary_lease_s, "SERIN_CANARY_LEASE_S", 900, 10, 86400,                                                \
      "seconds that gateways may give a canary its weight without hearing from Serin")                       \
    X(alert_expires_s, "SERIN_ALERT_EXPIRES_S", 18000, 60, 604800,                                           \
      "seconds after which an alert that Alertmanager does not repeat is over; more than its "               \
      "repeat_interval")                                                                                     \
    X(allow_no_fsync, "SERIN_ALLOW_NO_FSYNC", 0, 0, 1, "1 = run on a Postgres without fsync (tests only)")   \
    X(webhook_private, "SERIN_WEBHOOK_PRIVATE", 0, 0, 1,                                                     \
      "1 = webhooks may go to private and loopback addresses")

struct config {
#define X(field, environment, standard, meaning) char field[1024];
    CONFIG_TEXT_TABLE(X)
#undef X
#define X(field, environment, standard, min, max, meaning) int64_t field;
    CONFIG_INTEGER_TABLE(X)
#undef X
};

/* Reads the environment. INVALID with every wrong setting named. */
enum status config_read(struct config *out, struct fault *fault) MUST_CHECK;
/* Prints the table for people: name, default, meaning. */
void config_print(FILE *out);
/* Splits "host:port" or "[host]:port"; host at most 255 bytes. */
enum status config_split_addr(const char *addr, char host[256], uint16_t *port,
                              struct fault *fault) MUST_CHECK;
