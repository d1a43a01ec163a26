/* /metrics: what Serin's operators watch, in Prometheus' text format. */
#include "gateway/metrics.h"

#include "gateway/answer.h"
#include "sources/counts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { TEXT_MAX = 16 << 20 };

const unsigned metric_code[METRIC_CODES] = {200, 304, 400, 401, 403, 404, 405, 412,
                                            413, 415, 422, 429, 500, 503, 504, 0};

static const char *const path_names[METRIC_PATHS] = {"routes", "ofrep",        "outcomes", "content",
                                                     "traces", "otlp_metrics", "logs",     "livez",
                                                     "readyz", "metrics",      "other"};

void metric_request(struct metric_thread *metrics, enum metric_path path, unsigned code)
{
    size_t at = 0;
    while (at < METRIC_CODES - 1 && metric_code[at] != code)
        at++;
    atomic_fetch_add_explicit(&metrics->requests[path][at], 1, memory_order_relaxed);
}

static void head(struct text *out, const char *name, const char *type, const char *help)
{
    text_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_requests(const struct gateway *gateway, struct text *out)
{
    long long parked = 0;
    head(out, "serin_gateway_requests_total", "counter", "Requests answered by the gateway port.");
    for (size_t path = 0; path < METRIC_PATHS; path++) {
        for (size_t code = 0; code < METRIC_CODES; code++) {
            long long sum = 0;
            for (size_t i = 0; i < gateway->threads; i++)
                sum += atomic_load_explicit(&gateway->thread[i].metrics.requests[path][code],
                                            memory_order_relaxed);
            if (sum > 0)
                text_printf(out, "serin_gateway_requests_total{path=\"%s\",code=\"%u\"} %lld\n",
                            path_names[path], metric_code[code], sum);
        }
    }
    for (size_t i = 0; i < gateway->threads; i++)
        parked += atomic_load_explicit(&gateway->thread[i].metrics.parked, memory_order_relaxed);
    head(out, "serin_gateway_parked", "gauge", "Connections that wait for a change of their route.");
    text_printf(out, "serin_gateway_parked %lld\n", parked);
}

static void put_histogram(const char *name, const char *help, const int64_t buckets[COUNTS_BUCKETS + 1],
                          double sum_s, struct text *out)
{
    int64_t below = 0;
    head(out, name, "histogram", help);
    for (size_t i = 0; i < COUNTS_BUCKETS; i++) {
        below += buckets[i];
        text_printf(out, "%s_bucket{le=\"%g\"} %" PRId64 "\n", name, counts_bucket_s[i], below);
    }
    below += buckets[COUNTS_BUCKETS];
    text_printf(out, "%s_bucket{le=\"+Inf\"} %" PRId64 "\n%s_sum %.6f\n%s_count %" PRId64 "\n", name, below,
                name, sum_s, name, below);
}

static void put_counts(struct gateway *gateway, struct text *out)
{
    struct counts_stats stats;
    counts_read_stats(gateway->counts, &stats);
    head(out, "serin_outcomes_total", "counter",
         "Items of outcome batches that were committed or named an unknown release.");
    text_printf(out, "serin_outcomes_total{result=\"accepted\"} %lld\n",
                atomic_load_explicit(&gateway->metrics.outcomes_accepted, memory_order_relaxed));
    text_printf(out, "serin_outcomes_total{result=\"rejected\"} %lld\n",
                atomic_load_explicit(&gateway->metrics.outcomes_rejected, memory_order_relaxed));
    head(out, "serin_batches_total", "counter",
         "Batches of counts: committed, counted before, not known to be kept, refused because the queue was "
         "full.");
    text_printf(out, "serin_batches_total{result=\"committed\"} %" PRId64 "\n", stats.committed);
    text_printf(out, "serin_batches_total{result=\"duplicate\"} %" PRId64 "\n", stats.duplicate);
    text_printf(out, "serin_batches_total{result=\"unknown\"} %" PRId64 "\n", stats.unknown);
    text_printf(out, "serin_batches_total{result=\"refused\"} %" PRId64 "\n", stats.refused);
    head(out, "serin_flush_queue_bytes", "gauge", "Counts that wait to be committed.");
    text_printf(out, "serin_flush_queue_bytes %zu\n", stats.queued_bytes);
    put_histogram("serin_flush_seconds", "Time of a group commit of counts.", stats.flushes, stats.flush_s,
                  out);
    put_histogram("serin_flush_wait_seconds", "Time of a batch from its arrival until its commit began.",
                  stats.waits, stats.wait_s, out);
}

static void put_routes(const struct snapshot *snapshot, struct text *out)
{
    head(out, "serin_snapshot_revision", "gauge", "Revision of the routes that are served.");
    text_printf(out, "serin_snapshot_revision %" PRId64 "\n", snapshot->rev);
    head(out, "serin_snapshot_incarnation", "gauge",
         "History that the revision counts in; grows when a database was restored.");
    text_printf(out, "serin_snapshot_incarnation %" PRId64 "\n", snapshot->incarnation);
    head(out, "serin_route_epoch", "gauge", "Epoch of a service's route.");
    for (size_t i = 0; i < snapshot->services; i++) {
        const struct service_view *view = snapshot->service[i];
        if (view->routed)
            text_printf(out, "serin_route_epoch{service=\"%s\"} %" PRId64 "\n", view->name, view->epoch);
    }
    head(out, "serin_route_weight", "gauge", "Weight of a release in its service's route, in 1/10000.");
    for (size_t i = 0; i < snapshot->services; i++) {
        const struct service_view *view = snapshot->service[i];
        for (size_t j = 0; j < view->weights; j++)
            text_printf(out, "serin_route_weight{service=\"%s\",release=\"%s\",role=\"%s\"} %d\n", view->name,
                        view->weight[j].release, view->weight[j].canary ? "canary" : "stable",
                        (int)view->weight[j].weight);
    }
}

static void put_process(const struct gateway *gateway, struct text *out)
{
    struct rusage usage;
    FILE *statm = fopen("/proc/self/statm", "re");
    long pages = 0;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        double cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
        head(out, "process_cpu_seconds_total", "counter", "CPU time of the process.");
        text_printf(out, "process_cpu_seconds_total %.6f\n", cpu_s);
    }
    if (statm != NULL && fscanf(statm, "%*s %ld", &pages) == 1) {
        head(out, "process_resident_memory_bytes", "gauge", "Resident memory.");
        text_printf(out, "process_resident_memory_bytes %ld\n", pages * sysconf(_SC_PAGESIZE));
    }
    if (statm != NULL)
        fclose(statm);
    head(out, "process_start_time_seconds", "gauge", "Start of the process, seconds since 1970.");
    text_printf(out, "process_start_time_seconds %.3f\n", (double)gateway->started.us / 1e6);
    head(out, "serin_build_info", "gauge", "Version of this program.");
    text_printf(out, "serin_build_info{version=\"%s\"} 1\n", SERIN_VERSION);
}

void metrics_write(struct gateway *gateway, const struct snapshot *snapshot, struct text *out)
{
    int64_t unchecked_ms = gateway_unchecked_ms(gateway);
    put_requests(gateway, out);
    put_counts(gateway, out);
    if (unchecked_ms >= 0) {
        head(out, "serin_snapshot_age_seconds", "gauge",
             "Time since the routes were last checked against the database.");
        text_printf(out, "serin_snapshot_age_seconds %.3f\n", (double)unchecked_ms / 1e3);
    }
    if (snapshot != NULL)
        put_routes(snapshot, out);
    put_process(gateway, out);
}

enum MHD_Result metrics_answer(struct request *request)
{
    struct text body;
    text_init(&body, TEXT_MAX);
    metrics_write(request->thread->gateway, request->thread->snapshot, &body);
    return answer_body(request, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", &body);
}
