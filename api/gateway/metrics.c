/* /metrics: the registry of the process, and what the gateway port keeps for itself, in Prometheus' text
 * format. */
#include "gateway/metrics.h"

#include "base/meter.h"
#include "gateway/answer.h"
#include "sources/counts.h"

#include <dirent.h>
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

/* What the gateway port counts for itself, without a lock, and what it knows from its snapshot. */
struct view {
    struct gateway *gateway;
    const struct snapshot *snapshot; /* NULL: none yet */
    struct counts_stats counts;
};

static void put_requests(const struct gateway *gateway, struct text *out)
{
    for (size_t path = 0; path < METRIC_PATHS; path++) {
        for (size_t code = 0; code < METRIC_CODES; code++) {
            char number[16];
            long long sum = 0;
            for (size_t i = 0; i < gateway->threads; i++)
                sum += atomic_load_explicit(&gateway->thread[i].metrics.requests[path][code],
                                            memory_order_relaxed);
            snprintf(number, sizeof number, "%u", metric_code[code]);
            if (sum > 0)
                meter_sample(out, METRIC_GATEWAY_REQUESTS_TOTAL, (double)sum, path_names[path], number, NULL);
        }
    }
}

static void put_parked(const struct gateway *gateway, enum metric metric, struct text *out)
{
    double parked = 0, limit = 0;
    for (size_t i = 0; i < gateway->threads; i++) {
        parked += (double)atomic_load_explicit(&gateway->thread[i].metrics.parked, memory_order_relaxed);
        limit += (double)gateway->thread[i].waiters.maximum;
    }
    meter_sample(out, metric, metric == METRIC_GATEWAY_PARKED ? parked : limit, NULL);
}

static void put_outcomes(const struct gateway *gateway, struct text *out)
{
    const struct metric_shared *metrics = &gateway->metrics;
    long long accepted = atomic_load_explicit(&metrics->outcomes_accepted, memory_order_relaxed);
    long long rejected = atomic_load_explicit(&metrics->outcomes_rejected, memory_order_relaxed);
    meter_sample(out, METRIC_OUTCOMES_TOTAL, (double)accepted, "accepted", NULL);
    meter_sample(out, METRIC_OUTCOMES_TOTAL, (double)rejected, "rejected", NULL);
}

static void put_batches(const struct counts_stats *stats, struct text *out)
{
    meter_sample(out, METRIC_BATCHES_TOTAL, (double)stats->committed, "committed", NULL);
    meter_sample(out, METRIC_BATCHES_TOTAL, (double)stats->duplicate, "duplicate", NULL);
    meter_sample(out, METRIC_BATCHES_TOTAL, (double)stats->unknown, "unknown", NULL);
    meter_sample(out, METRIC_BATCHES_TOTAL, (double)stats->refused, "refused", NULL);
}

static void put_times(enum metric metric, const int64_t buckets[COUNTS_BUCKETS + 1], double sum_s,
                      struct text *out)
{
    const char *name = meter_name(metric);
    int64_t below = 0;
    for (size_t i = 0; i < COUNTS_BUCKETS; i++) {
        below += buckets[i];
        text_printf(out, "%s_bucket{le=\"%g\"} %" PRId64 "\n", name, counts_bucket_s[i], below);
    }
    below += buckets[COUNTS_BUCKETS];
    text_printf(out, "%s_bucket{le=\"+Inf\"} %" PRId64 "\n", name, below);
    text_printf(out, "%s_sum %.6f\n%s_count %" PRId64 "\n", name, sum_s, name, below);
}

static void put_epochs(const struct snapshot *snapshot, struct text *out)
{
    for (size_t i = 0; i < snapshot->services; i++) {
        const struct service_view *view = snapshot->service[i];
        if (view->routed)
            meter_sample(out, METRIC_ROUTE_EPOCH, (double)view->epoch, view->name, NULL);
    }
}

static void put_weights(const struct snapshot *snapshot, struct text *out)
{
    for (size_t i = 0; i < snapshot->services; i++) {
        const struct service_view *view = snapshot->service[i];
        for (size_t j = 0; j < view->weights; j++)
            meter_sample(out, METRIC_ROUTE_WEIGHT, view->weight[j].weight, view->name,
                         view->weight[j].release, view->weight[j].canary ? "canary" : "stable", NULL);
    }
}

static void put_cpu(struct text *out)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        meter_sample(out, METRIC_CPU_SECONDS_TOTAL,
                     (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
                     NULL);
}

static void put_memory(struct text *out)
{
    FILE *statm = fopen("/proc/self/statm", "re");
    long pages = 0;
    if (statm != NULL && fscanf(statm, "%*s %ld", &pages) == 1)
        meter_sample(out, METRIC_RESIDENT_MEMORY_BYTES, (double)pages * (double)sysconf(_SC_PAGESIZE), NULL);
    if (statm != NULL)
        fclose(statm);
}

/* The directory itself counts among its entries while it is read, with "." and "..": as many too much. */
static void put_open_files(struct text *out)
{
    DIR *directory = opendir("/proc/self/fd");
    double count = -3;
    if (directory == NULL)
        return;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    meter_sample(out, METRIC_OPEN_FDS, count, NULL);
}

static void put_file_limit(struct text *out)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        meter_sample(out, METRIC_MAX_FDS, (double)files.rlim_cur, NULL);
}

static void put_own(void *argument, enum metric metric, struct text *out)
{
    const struct view *view = argument;
    const struct snapshot *snapshot = view->snapshot;
    int64_t unchecked_ms;
    switch (metric) {
    case METRIC_GATEWAY_REQUESTS_TOTAL:
        return put_requests(view->gateway, out);
    case METRIC_GATEWAY_PARKED:
    case METRIC_GATEWAY_PARKED_LIMIT:
        return put_parked(view->gateway, metric, out);
    case METRIC_OUTCOMES_TOTAL:
        return put_outcomes(view->gateway, out);
    case METRIC_BATCHES_TOTAL:
        return put_batches(&view->counts, out);
    case METRIC_FLUSH_QUEUE_BYTES:
        return meter_sample(out, metric, (double)view->counts.queued_bytes, NULL);
    case METRIC_FLUSH_SECONDS:
        return put_times(metric, view->counts.flushes, view->counts.flush_s, out);
    case METRIC_FLUSH_WAIT_SECONDS:
        return put_times(metric, view->counts.waits, view->counts.wait_s, out);
    case METRIC_SNAPSHOT_AGE_SECONDS:
        unchecked_ms = gateway_unchecked_ms(view->gateway);
        if (unchecked_ms >= 0)
            meter_sample(out, metric, (double)unchecked_ms / 1e3, NULL);
        return;
    case METRIC_CPU_SECONDS_TOTAL:
        return put_cpu(out);
    case METRIC_RESIDENT_MEMORY_BYTES:
        return put_memory(out);
    case METRIC_OPEN_FDS:
        return put_open_files(out);
    case METRIC_MAX_FDS:
        return put_file_limit(out);
    case METRIC_START_TIME_SECONDS:
        return meter_sample(out, metric, (double)view->gateway->started.us / 1e6, NULL);
    case METRIC_BUILD_INFO:
        return meter_sample(out, metric, 1, SERIN_VERSION, NULL);
    default:
        break;
    }
    if (snapshot == NULL)
        return;
    if (metric == METRIC_SNAPSHOT_REVISION)
        meter_sample(out, metric, (double)snapshot->rev, NULL);
    else if (metric == METRIC_SNAPSHOT_INCARNATION)
        meter_sample(out, metric, (double)snapshot->incarnation, NULL);
    else if (metric == METRIC_ROUTE_EPOCH)
        put_epochs(snapshot, out);
    else if (metric == METRIC_ROUTE_WEIGHT)
        put_weights(snapshot, out);
}

void metrics_write(struct gateway *gateway, const struct snapshot *snapshot, struct text *out)
{
    struct view view = {.gateway = gateway, .snapshot = snapshot};
    counts_read_stats(gateway->counts, &view.counts);
    meter_write(out, put_own, &view);
}

enum MHD_Result metrics_answer(struct request *request)
{
    struct text body;
    text_init(&body, TEXT_MAX);
    metrics_write(request->thread->gateway, request->thread->snapshot, &body);
    return answer_body(request, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", &body);
}
