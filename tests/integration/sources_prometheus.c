/* Reading counters from a real Prometheus: a private one is started for each test on a free loopback port,
   and scrapes a target that the test plays. */
#include "base/clock.h"
#include "base/fetch.h"
#include "sources/prometheus.h"
#include "support/peer.h"
#include "support/polled.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 60000 };

/* What the target shows; "" = it answers 500. */
static pthread_mutex_t metrics_mutex = PTHREAD_MUTEX_INITIALIZER;
static char metrics[2048];

static struct peer *target;
static pid_t server;
static int server_port;
static char folder[64], url[64];
static struct spec_source source;
static struct text cursor;
static struct source_tick tick;
static struct fault fault;

static void show(const char *text)
{
    pthread_mutex_lock(&metrics_mutex);
    snprintf(metrics, sizeof metrics, "%s", text);
    pthread_mutex_unlock(&metrics_mutex);
}

static void play_target(struct peer *peer, int fd, const struct peer_request *request, void *context)
{
    char copy[sizeof metrics];
    (void)peer;
    (void)request;
    (void)context;
    pthread_mutex_lock(&metrics_mutex);
    memcpy(copy, metrics, sizeof copy);
    pthread_mutex_unlock(&metrics_mutex);
    peer_answer(fd, copy[0] != '\0' ? 200 : 500, "Content-Type: text/plain; version=0.0.4\r\n", copy);
}

static bool have_prometheus(void)
{
    const char *path = getenv("PATH");
    char file[600];
    while (path != NULL && *path != '\0') {
        size_t length = strcspn(path, ":");
        snprintf(file, sizeof file, "%.*s/prometheus", (int)length, path);
        if (access(file, X_OK) == 0)
            return true;
        path += length + (path[length] == ':');
    }
    return false;
}

static void start_server(void)
{
    char config[100], storage[100], listen[100];
    snprintf(config, sizeof config, "--config.file=%s/prometheus.yml", folder);
    snprintf(storage, sizeof storage, "--storage.tsdb.path=%s/data", folder);
    snprintf(listen, sizeof listen, "--web.listen-address=127.0.0.1:%d", server_port);
    server = fork();
    cr_assert(server >= 0);
    if (server == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execlp("prometheus", "prometheus", config, storage, listen, (char *)NULL);
        _exit(127);
    }
}

static void stop_server(int signal_number)
{
    if (server <= 0)
        return;
    kill(server, signal_number);
    waitpid(server, NULL, 0);
    server = 0;
}

static void set_up(void)
{
    char path[100];
    setenv("no_proxy", "*", 1);
    text_init(&cursor, SOURCE_CURSOR_MAX);
    if (!have_prometheus())
        cr_skip_test("there is no prometheus in PATH: install the Debian package prometheus");
    target = peer_new(play_target, NULL);
    snprintf(folder, sizeof folder, "/tmp/serin-prometheus.XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/prometheus.yml", folder);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fprintf(file,
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
            "scrape_configs:\n- job_name: chat\n  static_configs: [{targets: ['127.0.0.1:%d']}]\n",
            peer_port(target));
    fclose(file);
    server_port = peer_free_port();
    snprintf(url, sizeof url, "http://127.0.0.1:%d", server_port);
    source = (struct spec_source){.kind = SOURCE_PROMETHEUS, .interval_ms = 1000, .release_label = "release"};
    snprintf(source.url, sizeof source.url, "%s/", url);
    snprintf(source.requests, sizeof source.requests, "llm_requests_total{service=\"chat\"}");
    snprintf(source.bad[SLI_ERROR], sizeof source.bad[SLI_ERROR], "llm_errors_total{service=\"chat\"}");
    start_server();
}

static void tear_down(void)
{
    char command[100];
    stop_server(SIGKILL);
    peer_free(target);
    text_free(&cursor);
    if (folder[0] != '\0') {
        snprintf(command, sizeof command, "rm -rf %s", folder);
        cr_expect_eq(system(command), 0);
    }
}

TestSuite(sources_prometheus, .timeout = 200, .init = set_up, .fini = tear_down);

/* True if the sum of `selector`, at the time the reader would ask for, is `value` (NULL: there is no series).
 */
static bool sum_is(const char *selector, const char *value)
{
    char body[300], wanted[64];
    struct fetch *fetch = fetch_new(false);
    struct fetch_answer answer;
    snprintf(body, sizeof body, "time=%.3f&query=sum(%s)",
             (double)(clock_wall().us / 1000 - PROMETHEUS_SETTLE_MS) / 1000, selector);
    char address[100];
    snprintf(address, sizeof address, "%s/api/v1/query", url);
    const char *headers[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    struct fetch_request request = {.url = address,
                                    .headers = headers,
                                    .body = body,
                                    .body_length = strlen(body),
                                    .connect_ms = 1000,
                                    .total_ms = 5000,
                                    .body_max = 100000};
    snprintf(wanted, sizeof wanted, "\"%s\"]", value != NULL ? value : "");
    bool found = fetch_run(fetch, &request, &answer, NULL) == STATUS_OK && answer.code == 200 &&
                 strstr(text_get(&answer.body), value != NULL ? wanted : "\"result\":[]") != NULL;
    fetch_answer_free(&answer);
    fetch_free(fetch);
    return found;
}

static void await_sum(const char *selector, const char *value)
{
    struct mono_time begun = clock_mono();
    while (!sum_is(selector, value)) {
        cr_assert(clock_mono_since_ms(begun) < WAIT_MS, "%s never became %s", selector,
                  value != NULL ? value : "absent");
        usleep(100000);
    }
}

static enum status read_now(const char *stable)
{
    struct text next;
    text_init(&next, SOURCE_CURSOR_MAX);
    struct source_want want = {.service = "chat", .stable = stable, .canary = "v2"};
    enum status status = polled_read_now(&source, &want, text_get(&cursor), &tick, &next, &fault);
    if (status == STATUS_OK) {
        text_free(&cursor);
        cursor = next;
    } else {
        cr_expect_neq(fault.next_step[0], '\0', "%s", fault.detail);
        cr_expect_eq(next.length, 0);
        text_free(&next);
    }
    return status;
}

static void expect_error_counts(int64_t n_c, int64_t k_c, int64_t n_b, int64_t k_b)
{
    const struct counts *c = &tick.counts[SLI_ERROR];
    cr_assert(tick.valid && tick.has[SLI_ERROR]);
    cr_assert(c->n_c == n_c && c->k_c == k_c && c->n_b == n_b && c->k_b == k_b,
              "n_c %lld k_c %lld n_b %lld k_b %lld", (long long)c->n_c, (long long)c->k_c, (long long)c->n_b,
              (long long)c->k_b);
}

#define TRAFFIC(v1, v2)                                                                                      \
    "# TYPE llm_requests_total counter\n"                                                                    \
    "llm_requests_total{service=\"chat\",release=\"v1\"} " #v1                                               \
    "\n"                                                                                                     \
    "llm_requests_total{service=\"chat\",release=\"v2\"} " #v2                                               \
    "\n"                                                                                                     \
    "llm_requests_total{service=\"other\",release=\"v2\"} 77\n"
#define ERRORS(release, value) "llm_errors_total{service=\"chat\",release=\"" release "\"} " #value "\n"

Test(sources_prometheus, differences_first_errors_and_resets)
{
    show(TRAFFIC(1000, 0));
    await_sum(source.requests, "1000");
    cr_assert_eq(read_now("v1"), STATUS_OK, "%s", fault.detail);
    cr_assert(tick.first && !tick.valid);

    show(TRAFFIC(1900, 100));
    await_sum(source.requests, "2000");
    cr_assert_eq(read_now("v1"), STATUS_OK, "%s", fault.detail);
    expect_error_counts(100, 0, 900, 0); /* no error series at all */
    cr_assert(tick.absent[SLI_ERROR]);
    cr_assert(tick.to_s > tick.from_s);

    show(TRAFFIC(2000, 200) ERRORS("v2", 3));
    await_sum(source.bad[SLI_ERROR], "3");
    cr_assert_eq(read_now("v1"), STATUS_OK, "%s", fault.detail);
    expect_error_counts(100, 3, 100, 0); /* the first errors of a series */

    show(TRAFFIC(50, 220) ERRORS("v2", 4)); /* the counter of v1 begins anew */
    await_sum(source.requests, "270");
    cr_assert_eq(read_now("v1"), STATUS_OK, "%s", fault.detail);
    cr_assert_not(tick.valid);
    cr_assert_eq(tick.resets, 1);

    show(TRAFFIC(60, 230) ERRORS("v2", 5) ERRORS("v1", 1));
    await_sum(source.bad[SLI_ERROR], "6");
    cr_assert_eq(read_now("v1"), STATUS_OK, "%s", fault.detail);
    expect_error_counts(10, 1, 10, 1);

    /* a rollout without a stable release reads the canary alone: another cursor */
    cr_assert_eq(read_now(NULL), STATUS_OK, "%s", fault.detail);
    cr_assert(tick.first);

    /* a selector that Prometheus refuses */
    snprintf(source.requests, sizeof source.requests, "llm_requests_total{");
    cr_assert_eq(read_now("v1"), STATUS_PEER);
    cr_assert_not_null(strstr(fault.detail, "bad_data"), "%s", fault.detail);
    /* and one that is no selector */
    snprintf(source.requests, sizeof source.requests, "scalar(vector(1))");
    cr_assert_eq(read_now("v1"), STATUS_PEER);
}

Test(sources_prometheus, a_restart_of_prometheus_loses_nothing)
{
    show(TRAFFIC(1000, 10) ERRORS("v2", 1));
    await_sum(source.bad[SLI_ERROR], "1");
    cr_assert_eq(read_now("v1"), STATUS_OK, "%s", fault.detail);
    char *before = strdup(text_get(&cursor));
    double from_s = tick.to_s;
    stop_server(SIGTERM);
    cr_assert_eq(read_now("v1"), STATUS_PEER);
    cr_assert_str_eq(text_get(&cursor), before);
    show(TRAFFIC(1300, 60) ERRORS("v2", 6));
    start_server();
    await_sum(source.bad[SLI_ERROR], "6");
    cr_assert_eq(read_now("v1"), STATUS_OK, "%s", fault.detail);
    expect_error_counts(50, 5, 300, 0);
    cr_assert_float_eq(tick.from_s, from_s, 1e-3);
    free(before);
}

Test(sources_prometheus, a_target_that_is_gone_is_no_data_and_its_counts_come_back)
{
    show(TRAFFIC(1000, 10) ERRORS("v1", 5) ERRORS("v2", 1));
    await_sum(source.bad[SLI_ERROR], "6");
    cr_assert_eq(read_now("v1"), STATUS_OK, "%s", fault.detail);
    show("");
    await_sum(source.requests, NULL);
    cr_assert_eq(read_now("v1"), STATUS_OK, "%s", fault.detail);
    cr_assert_not(tick.has[SLI_ERROR]);
    cr_assert_not(tick.first);
    show(TRAFFIC(1100, 30) ERRORS("v1", 7) ERRORS("v2", 4));
    await_sum(source.bad[SLI_ERROR], "11");
    cr_assert_eq(read_now("v1"), STATUS_OK, "%s", fault.detail);
    expect_error_counts(20, 3, 100, 2);
}
