/* serind: reads the settings, starts the parts, stops them in order. The only file that sees both wings. */
#include "base/lane.h"
#include "base/log.h"
#include "base/meter.h"
#include "base/trace_export.h"
#include "config.h"
#include "control/control.h"
#include "gateway/agent.h"
#include "gateway/gateway.h"
#include "http/server.h"
#include "notify/decision_trace.h"
#include "notify/notify.h"
#include "reconcile/observe.h"
#include "reconcile/reconcile.h"
#include "rollout/change.h"
#include "sources/counts.h"
#include "store/events.h"
#include "store/migrate.h"
#include "store/tokens.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { DB_TIMEOUT_MS = 10000, NOTIFY_BATCH = 20, NOTIFY_MS = 1000, STOP_MS = 10000 };

struct serind {
    struct config config;
    struct db_pool *pool;
    struct counts_writer *counts;
    struct gateway *gateway;
    struct agent *agent; /* NULL: HAProxy does not ask here */
    struct control *control;
    struct http_server *server;
    char control_addr[320];
    struct reconcile *reconcile;
    struct notify *notify;
    struct lane *notify_lane;
    atomic_bool notifying;
    uv_loop_t loop;
    uv_timer_t tick, notice;
    uv_signal_t interrupt, terminate;
};

static int complain(const struct fault *fault)
{
    fprintf(stderr, "serind: %s\n", fault->detail);
    for (size_t i = 0; i < fault->errors; i++)
        fprintf(stderr, "  %s %s\n", fault->error[i].pointer, fault->error[i].detail);
    if (fault->next_step[0] != '\0')
        fprintf(stderr, "%s\n", fault->next_step);
    return 1;
}

/* --- one-shot commands
 * ------------------------------------------------------------------------------------------------ */

static int run_migrate(const struct config *config)
{
    struct db *db = NULL;
    struct fault fault = {.status = STATUS_OK};
    int applied = 0;
    enum status status = db_open(config->database_url, DB_TIMEOUT_MS, &db, &fault);
    if (status == STATUS_OK) {
        db_deadline(
            db, clock_mono_after_ms(clock_mono(), (int64_t)3600 * 1000)); /* a migration may take its time */
        status = migrate_run(db, &applied, &fault);
    }
    db_close(db);
    if (status != STATUS_OK)
        return complain(&fault);
    printf("%d migrations applied; the database is at %d\n", applied, migrate_newest());
    return 0;
}

static enum status create_token(struct db *db, const char *name, enum token_role role,
                                char secret[TOKEN_SECRET_MAX], struct fault *fault)
{
    char id[ID_MAX];
    enum status status = db_begin(db, fault);
    if (status == STATUS_OK)
        status = tokens_create(db, name, role, "serind", id, secret, fault);
    if (status == STATUS_OK)
        return db_commit(db, fault);
    db_rollback(db);
    return status;
}

static int run_token_create(const struct config *config, int argc, char **argv)
{
    const char *name = NULL, *role_text = NULL;
    enum token_role role;
    char secret[TOKEN_SECRET_MAX];
    struct db *db = NULL;
    struct fault fault = {.status = STATUS_OK};
    for (int i = 0; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--name") == 0)
            name = argv[i + 1];
        else if (strcmp(argv[i], "--role") == 0)
            role_text = argv[i + 1];
    }
    if (name == NULL || role_text == NULL || !name_valid(name) || argc % 2 != 0 ||
        !token_role_parse(role_text, &role)) {
        fprintf(stderr,
                "usage: serind token create --name NAME --role viewer|gateway|engineer|oncall|admin\n");
        return 2;
    }
    enum status status = db_open(config->database_url, DB_TIMEOUT_MS, &db, &fault);
    if (status == STATUS_OK)
        status = create_token(db, name, role, secret, &fault);
    db_close(db);
    if (status != STATUS_OK)
        return complain(&fault);
    puts(secret);
    return 0;
}

static int usage(FILE *out)
{
    fprintf(out, "serind " SERIN_VERSION
                 ": the release controller for LLM applications\n\n"
                 "  serind                  run\n"
                 "  serind migrate          bring the database to this version's schema\n"
                 "  serind token create --name NAME --role ROLE\n"
                 "                          make a token and print its secret once\n"
                 "  serind help             this page\n\nSettings, from the environment:\n");
    config_print(out);
    return out == stdout ? 0 : 2;
}

/* --- what is seen of it
 * ------------------------------------------------------------------------------------------------- */

/* Each event of ours, once it is committed: the log of what this process has decided. */
static void on_event(void *argument, const struct event_told *told, const struct db_committed *times)
{
    const struct event *event = told->event;
    char trace[TRACE_ID_MAX] = "";
    (void)argument;
    if (event->rule != NULL)
        meter_add(METRIC_DECISIONS_TOTAL, 1, event->rule, NULL);
    if (event->rule != NULL)
        trace_of_event(told->id, trace);
    decision_trace(told, times);
    log_event(LOG_INFO, "events", event->type, "event", told->id, "service", event->service, "rollout",
              event->rollout, "release", event->release, "rule", event->rule, "actor", event->actor,
              "trace_id", trace[0] != '\0' ? trace : NULL, NULL);
}

/* Counters are there from the start, so that the first decision is an increase. */
static void show_rules(void)
{
    for (size_t i = 0; i < rules_count(); i++)
        if (rules_row(i)->event != NULL)
            meter_add(METRIC_DECISIONS_TOTAL, 0, rules_row(i)->id, NULL);
    meter_add(METRIC_DECISIONS_TOTAL, 0, "created", NULL);
    meter_add(METRIC_DECISIONS_TOTAL, 0, "service.rollback", NULL);
}

static void collect(void *argument)
{
    struct serind *serind = argument;
    struct db_pool_stats stats;
    db_pool_read_stats(serind->pool, &stats);
    meter_set(METRIC_POSTGRES_CONNECTIONS, (double)stats.used, "used", NULL);
    meter_set(METRIC_POSTGRES_CONNECTIONS, (double)stats.idle, "idle", NULL);
    meter_set(METRIC_POSTGRES_CONNECTIONS_LIMIT, (double)stats.size, NULL);
    meter_set(METRIC_POSTGRES_WAITS_TOTAL, (double)stats.served, "served", NULL);
    meter_set(METRIC_POSTGRES_WAITS_TOTAL, (double)stats.refused, "refused", NULL);
}

/* --- the daemon
 * ------------------------------------------------------------------------------------------------------- */

/* Others (tests, scripts) read where we listen from files. */
static enum status write_addr(const struct config *config, const char *name, const char *addr,
                              struct fault *fault)
{
    char path[1200], part[1216];
    if (config->state_dir[0] == '\0')
        return STATUS_OK;
    snprintf(path, sizeof path, "%s/%s", config->state_dir, name);
    snprintf(part, sizeof part, "%s.part", path);
    FILE *file = fopen(part, "w");
    bool good = file != NULL && fprintf(file, "%s\n", addr) > 0;
    if (file != NULL && fclose(file) != 0)
        good = false;
    if (good && rename(part, path) == 0)
        return STATUS_OK;
    fault_set(fault, STATUS_UNAVAILABLE, "Cannot write %s: %s", path, strerror(errno));
    fault_next(fault, "SERIN_STATE_DIR must name a folder that serind may write to.");
    return STATUS_UNAVAILABLE;
}

/* A database that answers must be right; one that does not answer is waited for, and gateways are served
 * meanwhile. */
static enum status check_database(struct serind *serind, struct fault *fault)
{
    struct db *db = NULL;
    enum status status = db_pool_take(serind->pool, DB_TIMEOUT_MS / 2, &db, fault);
    if (status != STATUS_OK) {
        log_event(LOG_WARN, "main", "no database yet: last known good routes are served", "error",
                  fault->detail, NULL);
        return STATUS_OK;
    }
    status = migrate_check(db, serind->config.allow_no_fsync == 0, fault);
    db_pool_give(serind->pool, db);
    return status;
}

static void on_tick(uv_timer_t *timer)
{
    reconcile_turn(((struct serind *)timer->data)->reconcile);
}

static void run_notify(void *argument)
{
    struct serind *serind = argument;
    struct fault fault = {.status = STATUS_OK};
    int sent = 0;
    if (notify_run_once(serind->pool, serind->notify, NOTIFY_BATCH, &sent, &fault) != STATUS_OK)
        log_event(LOG_WARN, "notify", "turn failed", "error", fault.detail, NULL);
    atomic_store(&serind->notifying, false);
}

static void on_notice(uv_timer_t *timer)
{
    struct serind *serind = timer->data;
    if (atomic_exchange(&serind->notifying, true))
        return;
    if (lane_submit(serind->notify_lane, run_notify, serind) != STATUS_OK)
        atomic_store(&serind->notifying, false);
}

static void close_loop(struct serind *serind)
{
    agent_stop(serind->agent);
    serind->agent = NULL;
    uv_close((uv_handle_t *)&serind->tick, NULL);
    uv_close((uv_handle_t *)&serind->notice, NULL);
    uv_close((uv_handle_t *)&serind->interrupt, NULL);
    uv_close((uv_handle_t *)&serind->terminate, NULL);
}

static void on_signal(uv_signal_t *handle, int number)
{
    log_event(LOG_INFO, "main", "stopping", "signal", number == SIGINT ? "SIGINT" : "SIGTERM", NULL);
    close_loop(handle->data);
}

static enum status start_workers(struct serind *serind, struct fault *fault)
{
    const struct config *config = &serind->config;
    struct reconcile_options reconcile = {
        .pool = serind->pool, .threads = (size_t)config->tick_threads, .lease_s = config->claim_s};
    change_set_lease(config->canary_lease_s);
    observe_set_settle(config->settle_ms);
    serind->reconcile = reconcile_new(&reconcile);
    serind->notify = notify_new(config->webhook_private == 0);
    serind->notify_lane = lane_new("notify", 1, 2);
    if (serind->reconcile == NULL || serind->notify == NULL || serind->notify_lane == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory or threads");
    return STATUS_OK;
}

static enum status start_control(struct serind *serind, struct fault *fault)
{
    const struct config *config = &serind->config;
    struct control_options options = {.pool = serind->pool,
                                      .content_max = (size_t)config->content_limit_bytes,
                                      .alert_expires_s = config->alert_expires_s,
                                      .webhook_private = config->webhook_private != 0};
    char host[256];
    uint16_t port;
    enum status status = config_split_addr(config->control_addr, host, &port, fault);
    if (status != STATUS_OK)
        return status;
    serind->control = control_new(&options);
    if (serind->control == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    struct http_server_options server = {.address = host,
                                         .port = port,
                                         .local = config->control_socket[0] != '\0' ? config->control_socket
                                                                                    : NULL,
                                         .connections_max = (unsigned)config->control_connections,
                                         .body_max = control_body_max(&options),
                                         .routes = control_routes,
                                         .route_count = control_route_count,
                                         .context = serind->control,
                                         .authenticate = control_authenticate,
                                         .release = control_release,
                                         .role_name = control_role_name,
                                         .observe = control_observe};
    serind->server = http_server_start(&server, fault);
    if (serind->server == NULL)
        return fault->status;
    bool six = strchr(host, ':') != NULL;
    snprintf(serind->control_addr, sizeof serind->control_addr, "%s%s%s:%d", six ? "[" : "", host,
             six ? "]" : "", http_server_port(serind->server));
    return STATUS_OK;
}

static enum status start_ports(struct serind *serind, struct fault *fault)
{
    const struct config *config = &serind->config;
    struct counts_options counts = {.conninfo = config->database_url};
    struct gateway_options gateway = {.listen = config->gateway_addr,
                                      .conninfo = config->database_url,
                                      .state_dir = config->state_dir[0] != '\0' ? config->state_dir : NULL,
                                      .connections = (size_t)config->gateway_connections,
                                      .otlp_service = config->otlp_service,
                                      .otlp_release = config->otlp_release,
                                      .otlp_stratum = config->otlp_stratum,
                                      .otlp_counters = config->otlp_counters};
    enum status status = counts_start(&counts, &serind->counts, fault);
    gateway.counts = serind->counts;
    if (status == STATUS_OK)
        status = gateway_start(&gateway, &serind->gateway, fault);
    if (status == STATUS_OK)
        status = start_control(serind, fault);
    if (status == STATUS_OK)
        status = write_addr(config, "gateway.addr", gateway_addr(serind->gateway), fault);
    if (status == STATUS_OK)
        status = write_addr(config, "control.addr", serind->control_addr, fault);
    return status;
}

/* HAProxy's agent-checks are answered on the loop. */
static enum status start_agent(struct serind *serind, struct fault *fault)
{
    char host[256];
    uint16_t port;
    if (serind->config.haproxy_addr[0] == '\0')
        return STATUS_OK;
    enum status status = config_split_addr(serind->config.haproxy_addr, host, &port, fault);
    if (status == STATUS_OK)
        status = agent_start(&serind->loop, host, port, serind->gateway, &serind->agent, fault);
    if (status == STATUS_OK)
        status = write_addr(&serind->config, "haproxy.addr", agent_addr(serind->agent), fault);
    return status;
}

static enum status run_loop(struct serind *serind, struct fault *fault)
{
    uv_loop_init(&serind->loop);
    uv_timer_init(&serind->loop, &serind->tick);
    uv_timer_init(&serind->loop, &serind->notice);
    uv_signal_init(&serind->loop, &serind->interrupt);
    uv_signal_init(&serind->loop, &serind->terminate);
    serind->tick.data = serind->notice.data = serind->interrupt.data = serind->terminate.data = serind;
    uv_timer_start(&serind->tick, on_tick, 10, (uint64_t)serind->config.tick_ms);
    uv_timer_start(&serind->notice, on_notice, 10, NOTIFY_MS);
    uv_signal_start(&serind->interrupt, on_signal, SIGINT);
    uv_signal_start(&serind->terminate, on_signal, SIGTERM);
    enum status status = start_agent(serind, fault);
    if (status == STATUS_OK)
        log_event(LOG_INFO, "main", "serving", "control", serind->control_addr, "gateway",
                  gateway_addr(serind->gateway), NULL);
    else
        close_loop(serind);
    uv_run(&serind->loop, UV_RUN_DEFAULT);
    uv_loop_close(&serind->loop);
    return status;
}

/* A handler that does not end within its time keeps what it uses; the process ends all the same. */
static void stop_control(struct serind *serind)
{
    if (serind->server != NULL && http_server_stop(serind->server, STOP_MS) != STATUS_OK) {
        log_event(LOG_ERROR, "main", "a request did not end; leaving it", NULL);
        _exit(1);
    }
    control_free(serind->control);
}

/* In the order that loses nothing: no new work, leases back, last flush, then the ports, then what they stood
 * on. */
static void stop_all(struct serind *serind)
{
    if (serind->gateway != NULL)
        gateway_quiesce(serind->gateway);
    reconcile_stop(serind->reconcile);
    lane_stop(serind->notify_lane);
    stop_control(serind);
    gateway_stop(serind->gateway);
    counts_stop(serind->counts);
    meter_collector(NULL, NULL);
    notify_free(serind->notify);
    db_pool_free(serind->pool);
    trace_export_stop();
}

static int run_daemon(struct serind *serind)
{
    struct fault fault = {.status = STATUS_OK};
    signal(SIGPIPE, SIG_IGN);
    if (serind->config.otlp_export_url[0] != '\0' &&
        trace_export_start(serind->config.otlp_export_url, serind->config.otlp_export_headers, &fault) !=
            STATUS_OK)
        return complain(&fault);
    if (db_check_conninfo(serind->config.database_url, &fault) != STATUS_OK)
        return complain(&fault);
    serind->pool = db_pool_new(serind->config.database_url, (size_t)serind->config.database_connections);
    enum status status = serind->pool != NULL ? check_database(serind, &fault)
                                              : fault_set(&fault, STATUS_NO_MEMORY, "Out of memory");
    if (status == STATUS_OK) {
        events_listen(on_event, serind);
        meter_collector(collect, serind);
        show_rules();
        status = start_workers(serind, &fault);
    }
    if (status == STATUS_OK)
        status = start_ports(serind, &fault);
    if (status == STATUS_OK)
        status = run_loop(serind, &fault);
    stop_all(serind);
    if (status != STATUS_OK)
        return complain(&fault);
    log_event(LOG_INFO, "main", "stopped", NULL);
    return 0;
}

int main(int argc, char **argv)
{
    static struct serind serind;
    struct fault fault = {.status = STATUS_OK};
    enum log_level level = LOG_INFO;
    const char *command = argc > 1 ? argv[1] : "run";
    if (strcmp(command, "help") == 0 || strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0)
        return usage(stdout);
    if (strcmp(command, "--version") == 0)
        return puts("serind " SERIN_VERSION) < 0;
    if (digest_start() != STATUS_OK || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return 1;
    if (config_read(&serind.config, &fault) != STATUS_OK)
        return complain(&fault);
    if (!log_parse_level(serind.config.log_level, &level)) {
        fault_set(&fault, STATUS_INVALID, "SERIN_LOG_LEVEL must be debug, info, warn or error");
        return complain(&fault);
    }
    log_set_level(level);
    if (strcmp(command, "migrate") == 0 && argc == 2)
        return run_migrate(&serind.config);
    if (strcmp(command, "token") == 0 && argc > 2 && strcmp(argv[2], "create") == 0)
        return run_token_create(&serind.config, argc - 3, argv + 3);
    if (strcmp(command, "run") == 0 && argc <= 2)
        return run_daemon(&serind);
    return usage(stderr);
}
