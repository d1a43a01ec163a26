/* Counting spans: one that asked a model is one outcome, which counts in the second in which it started. */
#include "gateway/spans.h"

#include "gateway/outcome.h"
#include "sources/otlp.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct counting {
    const struct spans_setting *setting;
    struct spans *out;
    struct fault *fault;
};

static enum status reject(struct spans *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static enum status reject(struct spans *out, const char *format, ...)
{
    va_list arguments;
    if (out->rejected++ > 0)
        return STATUS_OK;
    va_start(arguments, format);
    vsnprintf(out->reason, sizeof out->reason, format, arguments);
    va_end(arguments);
    return STATUS_OK;
}

/* --- one span
 * ----------------------------------------------------------------------------------------------------- */

/* In ms of the database's clock; -1 if it cannot be told. The sender's clock may be ahead: a request is at
   least as old as it lasted. */
static double age_of(const struct spans_setting *setting, const struct otlp_span *span)
{
    if (span->start_ns == 0)
        return -1;
    double start_ms = (double)span->start_ns / 1e6, age_ms = (double)setting->wall.us / 1e3 - start_ms;
    double lasted_ms = span->end_ns > span->start_ns ? (double)(span->end_ns - span->start_ns) / 1e6 : 0;
    if (age_ms < lasted_ms)
        age_ms = lasted_ms;
    return age_ms * setting->rate;
}

static void put_sum(struct outcome *outcome, enum counts_sum sum, double value)
{
    outcome->has[sum] = true;
    outcome->value[sum] = value;
}

static void measure(const struct otlp_span *span, struct outcome *outcome)
{
    const struct genai_facts *facts = &span->facts;
    outcome->latency_ms = outcome->ttft_ms = -1;
    if (span->end_ns >= span->start_ns && span->end_ns - span->start_ns <= OUTCOME_AGE_MAX_MS * 1000000ull) {
        outcome->latency_ms = (int64_t)((span->end_ns - span->start_ns) / 1000000);
        put_sum(outcome, SUM_LATENCY_MS, (double)outcome->latency_ms);
    }
    if (facts->first_chunk_s >= 0) {
        outcome->ttft_ms = (int64_t)(facts->first_chunk_s * 1000);
        put_sum(outcome, SUM_TTFT_MS, (double)outcome->ttft_ms);
    }
    if (facts->input_tokens >= 0)
        put_sum(outcome, SUM_INPUT_TOKENS, (double)facts->input_tokens);
    if (facts->output_tokens >= 0)
        put_sum(outcome, SUM_OUTPUT_TOKENS, (double)facts->output_tokens);
}

static void judge(const struct genai_judged *judged, const struct rules *rules, struct outcome *outcome)
{
    for (int i = 0; i < SLI_COUNT; i++)
        outcome->sli[i] = judged->of[i] == GENAI_BAD    ? OUTCOME_BAD
                          : judged->of[i] == GENAI_GOOD ? OUTCOME_GOOD
                                                        : OUTCOME_ABSENT;
    outcome_judge(outcome, rules);
    if (outcome->sli[SLI_TIMEOUT] == OUTCOME_ABSENT) /* it has ended, and no threshold says more */
        outcome->sli[SLI_TIMEOUT] = OUTCOME_GOOD;
}

/* --- the parts
 * ---------------------------------------------------------------------------------------------------- */

static enum status part_of(struct counting *counting, const struct service_view *view,
                           struct spans_part **out)
{
    struct spans *spans = counting->out;
    *out = NULL;
    for (size_t i = 0; i < spans->parts; i++) {
        if (spans->part[i].view == view)
            *out = &spans->part[i];
    }
    if (*out != NULL || spans->parts == SPANS_SERVICES_MAX)
        return STATUS_OK;
    struct counts_delta *delta = counts_delta_new(counting->setting->gateway, NULL, view->name);
    if (delta == NULL)
        return fault_set(counting->fault, STATUS_NO_MEMORY, "Out of memory");
    *out = &spans->part[spans->parts++];
    **out = (struct spans_part){
        .view = view, .delta = delta, .ids = digest_sha256(view->name, strlen(view->name))};
    return STATUS_OK;
}

static void note_ids(struct spans_part *part, const struct otlp_span *span)
{
    uint8_t bytes[DIGEST_BYTES + OTLP_TRACE_ID + OTLP_SPAN_ID];
    memcpy(bytes, part->ids.bytes, DIGEST_BYTES);
    memcpy(bytes + DIGEST_BYTES, span->trace_id, OTLP_TRACE_ID);
    memcpy(bytes + DIGEST_BYTES + OTLP_TRACE_ID, span->span_id, OTLP_SPAN_ID);
    part->ids = digest_sha256(bytes, sizeof bytes);
}

static enum status count_span(struct counting *counting, struct spans_part *part,
                              const struct genai_judged *judged, struct outcome *outcome)
{
    const struct rules *rules = &part->view->rules;
    judge(judged, rules, outcome);
    struct counts_entry *entry =
        counts_delta_entry(part->delta, outcome->release, rules_stratum(rules, outcome->stratum),
                           outcome_bucket(counting->setting->received, outcome->age_ms));
    if (entry == NULL)
        return fault_set(counting->fault, STATUS_NO_MEMORY, "Out of memory");
    outcome_count(outcome, rules, 0, entry);
    part->accepted++;
    return STATUS_OK;
}

static enum status take_span(void *context, const struct genai_facts *resource, const struct otlp_span *span)
{
    struct counting *counting = context;
    struct spans *out = counting->out;
    struct spans_part *part;
    struct genai_judged judged;
    if (!span->facts.inference || !genai_judge(&span->facts, &judged))
        return STATUS_OK;
    const char *service = genai_service(&span->facts, resource);
    const char *release = genai_release(&span->facts, resource);
    const char *stratum = genai_stratum(&span->facts, resource);
    double age_ms = age_of(counting->setting, span);
    if (!span->identified)
        return reject(out, "a span has no trace id or span id");
    if (service == NULL || service[0] == '\0')
        return reject(out, "the resource has no service.name, or it is not a name of Serin's");
    const struct service_view *view = snapshot_find(counting->setting->snapshot, service);
    if (view == NULL)
        return reject(out, "there is no service %s", service);
    enum status status = part_of(counting, view, &part);
    if (status != STATUS_OK)
        return status;
    if (part == NULL)
        return reject(out, "one request holds spans of more than %d services", SPANS_SERVICES_MAX);
    note_ids(part, span);
    if (release == NULL || release[0] == '\0')
        return reject(out,
                      "no release: neither feature_flag.result.variant, %s nor service.version names one",
                      counting->setting->names->release);
    if (!rules_has_release(&view->rules, release))
        return reject(out, "service %s has no release %s", service, release);
    if (!(age_ms >= 0 && age_ms <= OUTCOME_AGE_MAX_MS))
        return reject(out, "a span has no start time, or it is older than a day by the clock of this server");
    struct outcome outcome = {
        .release = release, .stratum = stratum != NULL ? stratum : "", .age_ms = (int64_t)age_ms};
    measure(span, &outcome);
    return count_span(counting, part, &judged, &outcome);
}

/* A part of which nothing counted has no key either: what is sent again once its release is known counts. */
static void set_keys(struct spans *spans)
{
    char hex[DIGEST_HEX];
    size_t kept = 0;
    for (size_t i = 0; i < spans->parts; i++) {
        struct spans_part *part = &spans->part[i];
        if (part->accepted == 0) {
            counts_delta_free(part->delta);
            continue;
        }
        snprintf(part->delta->key, sizeof part->delta->key, "otlp:%s", digest_hex(&part->ids, hex));
        spans->part[kept++] = *part;
    }
    spans->parts = kept;
}

enum status spans_read(const struct spans_setting *setting, bool protobuf, const char *body, size_t length,
                       struct spans *out, struct fault *fault)
{
    struct counting counting = {.setting = setting, .out = out, .fault = fault};
    memset(out, 0, sizeof *out);
    enum status status = (protobuf ? otlp_read_protobuf : otlp_read_json)(body, length, setting->names,
                                                                          take_span, &counting, fault);
    if (status == STATUS_OK)
        set_keys(out);
    else
        spans_free(out);
    return status;
}

void spans_free(struct spans *spans)
{
    for (size_t i = 0; i < spans->parts; i++)
        counts_delta_free(spans->part[i].delta);
    spans->parts = 0;
}
