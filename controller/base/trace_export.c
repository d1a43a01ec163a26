/* A ring of spans, written down, and the job that sends them. */
#include "base/trace_export.h"

#include "base/fetch.h"
#include "base/id.h"
#include "base/json.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/meter.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    SPAN_MAX = 8192,
    BODY_MAX = 4 << 20,
    ANSWER_MAX = 64 * 1024,
    HEADERS_MAX = 16,
    FIRST_WAIT_MS = 1000, /* between two tries; doubled each time */
    COMPLAIN_MS = 60000
};

static struct {
    bool on;
    char url[1024], instance[ID_MAX];
    char *header[HEADERS_MAX + 2]; /* owned; closed by NULL */
    struct lane *lane;
    struct fetch *fetch; /* of the lane's thread */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping, sending;      /* lock */
    size_t head, count;          /* lock */
    char *span[TRACE_QUEUE_MAX]; /* lock; owned */
    struct mono_time complained; /* of the lane's thread */
} exporter = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

bool trace_export_on(void)
{
    return exporter.on;
}

const char *trace_export_instance(void)
{
    return exporter.instance;
}

/* --- headers
 * ------------------------------------------------------------------------------------------------------ */

static int hex_value(char c)
{
    const char *digits = "0123456789abcdef",
               *at = c != '\0' ? strchr(digits, c | (c >= 'A' ? 0x20 : 0)) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* "name=value" of `length` bytes as "name: value"; NULL if it is none. */
static char *read_header(const char *pair, size_t length)
{
    const char *equals = memchr(pair, '=', length);
    char *out = equals != NULL && equals > pair ? calloc(1, length + 2) : NULL;
    size_t used = 0;
    if (out == NULL)
        return NULL;
    for (const char *at = pair; at < equals; at++) {
        if (*at <= ' ' || *at > '~' || *at == ':')
            goto bad;
        out[used++] = *at;
    }
    out[used++] = ':';
    out[used++] = ' ';
    for (const char *at = equals + 1; at < pair + length; at++) {
        char c = *at;
        if (c == '%') {
            if (at + 2 >= pair + length || hex_value(at[1]) < 0 || hex_value(at[2]) < 0)
                goto bad;
            c = (char)(hex_value(at[1]) * 16 + hex_value(at[2]));
            at += 2;
        }
        if ((unsigned char)c < ' ' || c == 0x7F)
            goto bad;
        out[used++] = c;
    }
    return out;
bad:
    free(out);
    return NULL;
}

static enum status read_headers(const char *headers, struct fault *fault)
{
    size_t count = 0;
    exporter.header[count++] = strdup("Content-Type: application/json");
    while (*headers != '\0') {
        size_t length = strcspn(headers, ",");
        const char *from = headers + strspn(headers, " ");
        const char *to = headers + length;
        while (to > from && to[-1] == ' ')
            to--;
        char *header = from < to && count <= HEADERS_MAX ? read_header(from, (size_t)(to - from)) : NULL;
        if (header == NULL) {
            /* a header may hold a secret: it is not shown */
            fault_set(fault, STATUS_INVALID, "Header %zu of SERIN_OTLP_EXPORT_HEADERS cannot be read", count);
            fault_next(fault, "Write name=value,name=value, at most %d of them, with %%20 for a space.",
                       HEADERS_MAX);
            return STATUS_INVALID;
        }
        exporter.header[count++] = header;
        headers += length + (headers[length] == ',');
    }
    return exporter.header[0] != NULL ? STATUS_OK : fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
}

/* --- sending
 * ------------------------------------------------------------------------------------------------------ */

/* The next batch as a request's body; how many spans it has. */
static size_t take_batch(struct text *body)
{
    size_t taken = 0;
    text_clear(body);
    text_puts(
        body,
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
        "\"stringValue\":\"serin\"}},{\"key\":\"service.version\",\"value\":{\"stringValue\":\"" SERIN_VERSION
        "\"}},{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":");
    json_put_string(body, exporter.instance, strlen(exporter.instance));
    text_puts(body, "}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"serin\",\"version\":\"" SERIN_VERSION
                    "\"},\"spans\":[");
    pthread_mutex_lock(&exporter.lock);
    while (exporter.count > 0 && taken < TRACE_BATCH_MAX) {
        text_printf(body, "%s%s", taken > 0 ? "," : "", exporter.span[exporter.head]);
        free(exporter.span[exporter.head]);
        exporter.span[exporter.head] = NULL;
        exporter.head = (exporter.head + 1) % TRACE_QUEUE_MAX;
        exporter.count--;
        taken++;
    }
    if (taken == 0)
        exporter.sending = false;
    pthread_mutex_unlock(&exporter.lock);
    text_puts(body, "]}]}]}");
    return taken;
}

enum sent { SENT, REFUSED, LATER };

static enum sent try_once(const struct text *body, int64_t *retry_after_s, struct fault *fault)
{
    struct fetch_answer answer;
    struct fetch_request request = {.url = exporter.url,
                                    .headers = (const char *const *)exporter.header,
                                    .body = text_get(body),
                                    .body_length = body->length,
                                    .connect_ms = TRACE_TIMEOUT_MS,
                                    .total_ms = TRACE_TIMEOUT_MS,
                                    .body_max = ANSWER_MAX};
    enum sent sent = LATER;
    *retry_after_s = 0;
    if (fetch_run(exporter.fetch, &request, &answer, fault) == STATUS_OK) {
        bool again = answer.code == 429 || (answer.code >= 502 && answer.code <= 504);
        sent = answer.code >= 200 && answer.code < 300 ? SENT : again ? LATER : REFUSED;
        *retry_after_s = answer.retry_after_s < 60 ? answer.retry_after_s : 60;
        if (sent != SENT)
            fault_set(fault, STATUS_PEER, "The collector answered %d", answer.code);
    }
    fetch_answer_free(&answer);
    return sent;
}

/* False when it is to stop. */
static bool wait_ms(int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    pthread_mutex_lock(&exporter.lock);
    while (!exporter.stopping && pthread_cond_timedwait(&exporter.wake, &exporter.lock, &until) == 0)
        continue;
    bool go = !exporter.stopping;
    pthread_mutex_unlock(&exporter.lock);
    return go;
}

static void complain(size_t spans, const struct fault *fault)
{
    char count[24];
    if (exporter.complained.us != 0 && clock_mono_since_ms(exporter.complained) < COMPLAIN_MS)
        return;
    exporter.complained = clock_mono();
    snprintf(count, sizeof count, "%zu", spans);
    log_event(LOG_WARN, "trace", "spans of decisions were not exported", "spans", count, "error",
              fault->detail, "next_step",
              "Look at the collector at SERIN_OTLP_EXPORT_URL; decisions are not affected.", NULL);
}

/* False if they did not arrive. */
static bool send_batch(const struct text *body, size_t spans)
{
    struct fault fault = {.status = STATUS_OK};
    int64_t pause_ms = FIRST_WAIT_MS, retry_after_s = 0;
    enum sent sent = LATER;
    fault_set(&fault, STATUS_NO_MEMORY, "Out of memory");
    if (text_status(body) != STATUS_OK)
        sent = REFUSED;
    for (int i = 0; sent == LATER && i < TRACE_TRIES; i++) {
        if (i > 0) {
            if (!wait_ms(retry_after_s * 1000 > pause_ms ? retry_after_s * 1000 : pause_ms))
                break;
            pause_ms *= 2;
        }
        sent = try_once(body, &retry_after_s, &fault);
    }
    meter_add(METRIC_TRACE_SPANS_TOTAL, (double)spans, sent == SENT ? "exported" : "failed", NULL);
    if (sent != SENT)
        complain(spans, &fault);
    return sent == SENT;
}

static bool is_stopping(void)
{
    pthread_mutex_lock(&exporter.lock);
    bool stopping = exporter.stopping;
    pthread_mutex_unlock(&exporter.lock);
    return stopping;
}

static void send_all(void *argument)
{
    struct text body;
    size_t spans;
    (void)argument;
    text_init(&body, BODY_MAX);
    bool arrives = true;
    while ((spans = take_batch(&body)) > 0) {
        if (arrives || !is_stopping())
            arrives = send_batch(&body, spans);
        else
            meter_add(METRIC_TRACE_SPANS_TOTAL, (double)spans, "failed", NULL);
    }
    text_free(&body);
}

/* --- for everybody
 * ------------------------------------------------------------------------------------------------ */

void trace_export(const struct trace_span *span)
{
    struct text one;
    if (!exporter.on)
        return;
    text_init(&one, SPAN_MAX);
    char *written = trace_put_span(span, &one) ? text_take(&one) : NULL;
    text_free(&one);
    bool wakes = false;
    pthread_mutex_lock(&exporter.lock);
    bool kept = written != NULL && exporter.count < TRACE_QUEUE_MAX;
    if (kept) {
        exporter.span[(exporter.head + exporter.count++) % TRACE_QUEUE_MAX] = written;
        wakes = !exporter.sending;
        exporter.sending = true;
    }
    pthread_mutex_unlock(&exporter.lock);
    if (!kept) {
        free(written);
        meter_add(METRIC_TRACE_SPANS_TOTAL, 1, "dropped", NULL);
    }
    if (wakes && lane_submit(exporter.lane, send_all, NULL) != STATUS_OK) {
        pthread_mutex_lock(&exporter.lock);
        exporter.sending = false; /* the next span tries again */
        pthread_mutex_unlock(&exporter.lock);
    }
}

enum status trace_export_start(const char *url, const char *headers, struct fault *fault)
{
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0) {
        fault_set(fault, STATUS_INVALID, "SERIN_OTLP_EXPORT_URL is not an address");
        fault_next(fault, "Give the whole of it, such as http://127.0.0.1:4318/v1/traces.");
        return STATUS_INVALID;
    }
    enum status status = read_headers(headers, fault);
    if (status != STATUS_OK)
        return status;
    snprintf(exporter.url, sizeof exporter.url, "%s", url);
    id_new("rep", exporter.instance);
    exporter.fetch = fetch_new(false);
    exporter.lane = lane_new("trace", 1, 2);
    if (exporter.fetch == NULL || exporter.lane == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory or threads");
    meter_add(METRIC_TRACE_SPANS_TOTAL, 0, "exported", NULL);
    meter_add(METRIC_TRACE_SPANS_TOTAL, 0, "failed", NULL);
    meter_add(METRIC_TRACE_SPANS_TOTAL, 0, "dropped", NULL);
    exporter.on = true;
    return STATUS_OK;
}

void trace_export_stop(void)
{
    pthread_mutex_lock(&exporter.lock);
    exporter.stopping = true;
    pthread_cond_broadcast(&exporter.wake);
    pthread_mutex_unlock(&exporter.lock);
    lane_stop(exporter.lane);
    exporter.lane = NULL;
    exporter.on = false;
    fetch_free(exporter.fetch);
    exporter.fetch = NULL;
    for (size_t i = 0; i < HEADERS_MAX + 2; i++) {
        free(exporter.header[i]);
        exporter.header[i] = NULL;
    }
}
