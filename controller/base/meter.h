/* What this process counts and measures of itself, for /metrics: one registry, as there is one log. Each
   metric is defined in METRIC_TABLE and nowhere else. Memory only, and a lock that is never held across
   anything slow, so that it can be called from any thread, also while gateways wait. */
#pragma once

#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

/* X(id, name, type, labels, series, help). `labels` are separated by commas; `series` is how many
   combinations of their values are kept at most, further ones are dropped and counted. Prometheus' naming:
   base units, _total for counters, no name of a label in the metric's. The handbook's table
   (deploy/handbook/observing.md) has a row for each; a test holds them together. */
#define METRIC_TABLE(X)                                                                                      \
    X(ROLLOUTS, "serin_rollouts", GAUGE, "service,phase,rule", 5000,                                         \
      "Live rollouts, by the rule that holds or moves them now. Of the database: the same on each replica.") \
    X(ROLLOUT_PHASE_SECONDS, "serin_rollout_phase_seconds", GAUGE, "service", 5000,                          \
      "Time that the live rollout has been in its phase.")                                                   \
    X(ROLLOUT_BLIND_SECONDS, "serin_rollout_blind_seconds", GAUGE, "service", 5000,                          \
      "Time that data of the live rollout have been missing; 0 = they are there.")                           \
    X(ROLLOUT_EVIDENCE_RATIO, "serin_rollout_evidence_ratio", GAUGE, "service", 5000,                        \
      "Evidence of all guardrails together that canary is worse, as a share of what a rollback needs "       \
      "(logarithms). On the "                                                                                \
      "replica that works on the rollout.")                                                                  \
    X(GUARDRAIL_EVIDENCE_RATIO, "serin_guardrail_evidence_ratio", GAUGE, "service,sli", 20000,               \
      "Evidence of one guardrail that canary is worse, as a share of what it alone would need "              \
      "(logarithms). On the "                                                                                \
      "replica that works on the rollout.")                                                                  \
    X(GUARDRAIL_UNREPORTED_REQUESTS, "serin_guardrail_unreported_requests", GAUGE, "service,sli", 20000,     \
      "Requests of canary that were counted in this step, none of them with this SLI, once that has lasted " \
      "for the policy's blind; 0 = it is reported, or it is too early to tell. On the replica that works "   \
      "on the rollout.")                                                                                     \
    X(FROZEN, "serin_frozen", GAUGE, "", 1, "1 = advances are frozen everywhere.")                           \
    X(DECISIONS_TOTAL, "serin_decisions_total", COUNTER, "rule", 400,                                        \
      "Decisions that this replica committed, by the rule that fired.")                                      \
    X(TURN_TIMESTAMP_SECONDS, "serin_turn_timestamp_seconds", GAUGE, "", 1,                                  \
      "End of the newest turn of the loop that succeeded (before one has: its start), seconds since 1970.")  \
    X(TURN_SECONDS, "serin_turn_seconds", HISTOGRAM, "", 1,                                                  \
      "Time of a turn of the loop: claiming, announcing, chores.")                                           \
    X(TICKS_TOTAL, "serin_ticks_total", COUNTER, "result", 4,                                                \
      "Ticks of rollouts: ok, superseded (another came between: done again with the next turn), failed.")    \
    X(TICK_SECONDS, "serin_tick_seconds", HISTOGRAM, "", 1,                                                  \
      "Time of one rollout's tick: observe, decide, commit.")                                                \
    X(LEASES, "serin_leases", GAUGE, "", 1, "Rollouts that this replica works on.")                          \
    X(SOURCE_READS_TOTAL, "serin_source_reads_total", COUNTER, "source,result", 40,                          \
      "Reads of metrics sources: ok, warned (not used), failed.")                                            \
    X(SOURCE_READ_SECONDS, "serin_source_read_seconds", HISTOGRAM, "source", 10,                             \
      "Time of a read of a metrics source.")                                                                 \
    X(GATEWAYS_LIVE, "serin_gateways_live", GAUGE, "service", 5000,                                          \
      "Gateways heard in the last 60 s. Of the database: the same on each replica.")                         \
    X(GATEWAYS_BEHIND, "serin_gateways_behind", GAUGE, "service", 5000,                                      \
      "Live gateways that have not applied the newest route.")                                               \
    X(GATEWAYS_SILENT, "serin_gateways_silent", GAUGE, "service", 5000,                                      \
      "Gateways heard in the last hour, but not in the last 60 s.")                                          \
    X(GATEWAY_EPOCHS_BEHIND, "serin_gateway_epochs_behind", GAUGE, "service", 5000,                          \
      "Epochs that the live gateway furthest behind has not applied.")                                       \
    X(ROUTE_UNAPPLIED_SECONDS, "serin_route_unapplied_seconds", GAUGE, "service", 5000,                      \
      "Time since the newest route was written, while it is not known to be applied; 0 = applied.")          \
    X(ROUTE_EPOCH, "serin_route_epoch", GAUGE, "service", 0, "Epoch of a service's route.")                  \
    X(ROUTE_WEIGHT, "serin_route_weight", GAUGE, "service,release,role", 0,                                  \
      "Weight of a release in its service's route, in 1/10000.")                                             \
    X(SNAPSHOT_AGE_SECONDS, "serin_snapshot_age_seconds", GAUGE, "", 0,                                      \
      "Time since the routes were last checked against the database.")                                       \
    X(SNAPSHOT_REVISION, "serin_snapshot_revision", GAUGE, "", 0, "Revision of the routes that are served.") \
    X(SNAPSHOT_INCARNATION, "serin_snapshot_incarnation", GAUGE, "", 0,                                      \
      "History that the revision counts in; grows when a database was restored.")                            \
    X(GATEWAY_REQUESTS_TOTAL, "serin_gateway_requests_total", COUNTER, "path,code", 0,                       \
      "Requests answered by the gateway port.")                                                              \
    X(GATEWAY_PARKED, "serin_gateway_parked", GAUGE, "", 0,                                                  \
      "Connections that wait for a change of their route.")                                                  \
    X(GATEWAY_PARKED_LIMIT, "serin_gateway_parked_limit", GAUGE, "", 0,                                      \
      "Connections that may wait; more are answered at once.")                                               \
    X(OUTCOMES_TOTAL, "serin_outcomes_total", COUNTER, "result", 0,                                          \
      "Items of outcome batches that were committed or named an unknown release.")                           \
    X(OTLP_ITEMS_TOTAL, "serin_otlp_items_total", COUNTER, "signal,result", 10,                              \
      "Spans, data points and log records that arrived: accepted (committed), rejected (could not be "       \
      "counted).")                                                                                           \
    X(BATCHES_TOTAL, "serin_batches_total", COUNTER, "result", 0,                                            \
      "Batches of counts: committed, counted before, not known to be kept, refused because the queue was "   \
      "full.")                                                                                               \
    X(FLUSH_QUEUE_BYTES, "serin_flush_queue_bytes", GAUGE, "", 0, "Counts that wait to be committed.")       \
    X(FLUSH_SECONDS, "serin_flush_seconds", HISTOGRAM, "", 0, "Time of a group commit of counts.")           \
    X(FLUSH_WAIT_SECONDS, "serin_flush_wait_seconds", HISTOGRAM, "", 0,                                      \
      "Time of a batch from its arrival until its commit began.")                                            \
    X(AGENT_CONNECTIONS, "serin_agent_connections", GAUGE, "", 1,                                            \
      "Open connections of HAProxy's agent-checks.")                                                         \
    X(AGENT_SERVERS, "serin_agent_servers", GAUGE, "", 1,                                                    \
      "Servers that HAProxy asks for, of all its instances.")                                                \
    X(AGENT_ANSWERS_TOTAL, "serin_agent_answers_total", COUNTER, "", 1, "Agent-checks that were answered.")  \
    X(WEBHOOK_OUTBOX, "serin_webhook_outbox", GAUGE, "", 1,                                                  \
      "Deliveries that webhooks are owed. Of the database: the same on each replica.")                       \
    X(WEBHOOK_OUTBOX_OLDEST_SECONDS, "serin_webhook_outbox_oldest_seconds", GAUGE, "", 1,                    \
      "Age of the oldest event that a webhook is owed; 0 = none is.")                                        \
    X(WEBHOOK_DELIVERIES_TOTAL, "serin_webhook_deliveries_total", COUNTER, "result", 4,                      \
      "Attempts to tell a webhook: delivered, failed (repeated later), given_up, gone (410).")               \
    X(ALERTS_TOTAL, "serin_alerts_total", COUNTER, "result", 9,                                              \
      "Alerts of Alertmanager's notifications, by what became of them: taken, or why they have no effect.")  \
    X(CONTROL_REQUESTS_TOTAL, "serin_control_requests_total", COUNTER, "method,route,code", 2000,            \
      "Requests answered by the control port; `route` is the path's template.")                              \
    X(CONTROL_REQUEST_SECONDS, "serin_control_request_seconds", HISTOGRAM, "method,route", 200,              \
      "Time of a request to the control port, from its first line to its answer.")                           \
    X(POSTGRES_CONNECTIONS, "serin_postgres_connections", GAUGE, "state", 2,                                 \
      "Connections of the pool: used (lent or being opened), idle.")                                         \
    X(POSTGRES_CONNECTIONS_LIMIT, "serin_postgres_connections_limit", GAUGE, "", 1,                          \
      "Connections that the pool may have.")                                                                 \
    X(POSTGRES_WAITS_TOTAL, "serin_postgres_waits_total", COUNTER, "result", 2,                              \
      "Times that all connections were in use: served (one came free in time), refused.")                    \
    X(LANE_QUEUED, "serin_lane_queued", GAUGE, "lane", 40, "Jobs that wait in a lane.")                      \
    X(TRACE_SPANS_TOTAL, "serin_trace_spans_total", COUNTER, "result", 3,                                    \
      "Spans of decisions for SERIN_OTLP_EXPORT_URL: exported, failed (the collector did not take them), "   \
      "dropped (the "                                                                                        \
      "queue was full).")                                                                                    \
    X(LOG_LINES_TOTAL, "serin_log_lines_total", COUNTER, "level", 4, "Lines written to the log.")            \
    X(METRIC_SERIES_DROPPED_TOTAL, "serin_metric_series_dropped_total", COUNTER, "", 1,                      \
      "Samples that were dropped because their metric had as many series as it may.")                        \
    X(CPU_SECONDS_TOTAL, "process_cpu_seconds_total", COUNTER, "", 0, "CPU time of the process.")            \
    X(RESIDENT_MEMORY_BYTES, "process_resident_memory_bytes", GAUGE, "", 0, "Resident memory.")              \
    X(OPEN_FDS, "process_open_fds", GAUGE, "", 0, "Open file descriptors.")                                  \
    X(MAX_FDS, "process_max_fds", GAUGE, "", 0, "File descriptors that the process may open.")               \
    X(START_TIME_SECONDS, "process_start_time_seconds", GAUGE, "", 0,                                        \
      "Start of the process, seconds since 1970.")                                                           \
    X(BUILD_INFO, "serin_build_info", GAUGE, "version", 0, "Version of this program.")

enum metric {
#define X(id, name, type, labels, series, help) METRIC_##id,
    METRIC_TABLE(X)
#undef X
        METRIC_COUNT
};

/* Upper bounds, in seconds, of the buckets of the registry's histograms. */
enum { METER_BUCKETS = 12 };
extern const double meter_bucket_s[METER_BUCKETS];

const char *meter_name(enum metric metric);

/* The values of the metric's labels follow, in the order of the table, closed by NULL. A combination that is
   new is made; what does not fit is counted in serin_metric_series_dropped_total. Any thread. */
void meter_add(enum metric metric, double amount, ...) __attribute__((sentinel)); /* a counter */
void meter_set(enum metric metric, double value, ...) __attribute__((sentinel));  /* a gauge */
/* A gauge that is forgotten when it was not set again for `for_s` seconds: of something that may end, or move
   to another replica, without a word. */
void meter_set_for(enum metric metric, int64_t for_s, double value, ...) __attribute__((sentinel));
void meter_observe(enum metric metric, double seconds, ...) __attribute__((sentinel)); /* a histogram */

/* A set of gauges that is shown in place of what was known before, all at once. */
struct meter_draft;
struct meter_draft *meter_draft_new(void);        /* NULL on no memory */
void meter_draft_free(struct meter_draft *draft); /* NULL is fine */
void meter_draft_set(struct meter_draft *draft, enum metric metric, double value, ...)
    __attribute__((sentinel));
/* All series of `metrics` are forgotten, those of the draft take their place; the draft is empty afterwards.
 */
void meter_publish(struct meter_draft *draft, const enum metric *metrics, size_t count);

/* `collect(argument)` is called before each meter_write(), to set gauges that are cheap to read; it must not
   wait. One at a time; NULL ends it, and when this has returned it is not called any more. */
void meter_collector(void (*collect)(void *argument), void *argument);

/* Appends everything in Prometheus' text format, a metric after the other with its HELP and TYPE. `own` (may
   be NULL) appends the samples that its caller keeps itself. */
void meter_write(struct text *out, void (*own)(void *argument, enum metric metric, struct text *out),
                 void *argument);
/* Appends `name{a="1",b="2"} value` for such samples. Labels as above. */
void meter_sample(struct text *out, enum metric metric, double value, ...) __attribute__((sentinel));
