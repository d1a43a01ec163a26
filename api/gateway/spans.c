/* Counting spans: one that asked a model is one outcome, which counts in the second in which it started. */
#include "gateway/otlp_counts.h"

#include <math.h>
#include <string.h>

/* A first chunk may come so much after the end of its span: the two are taken from different clocks, and are
   rounded. */
static const double first_chunk_tolerance_s = 0.1;

struct counting {
    const struct otlp_setting *setting;
    struct otlp_counts *out;
    struct fault *fault;
};

static void put_sum(struct outcome *outcome, enum counts_sum sum, double value)
{
    outcome->has[sum] = true;
    outcome->value[sum] = value;
}

/* Most often it was measured in milliseconds: then it is later than the end of nearly every span. */
static bool first_chunk_fits(const struct otlp_span *span, struct otlp_counts *out)
{
    double lasted_s = (double)(span->end_ns - span->start_ns) / 1e9;
    if (span->end_ns < span->start_ns || span->facts.first_chunk_s <= lasted_s + first_chunk_tolerance_s)
        return true;
    otlp_warn(
        out,
        "gen_ai.response.time_to_first_chunk is later than the end of its span: seconds are expected; ttft "
        "was not counted");
    return false;
}

static void measure(const struct otlp_span *span, struct outcome *outcome, struct otlp_counts *out)
{
    const struct genai_facts *facts = &span->facts;
    outcome->latency_ms = outcome->ttft_ms = -1;
    if (span->end_ns >= span->start_ns && span->end_ns - span->start_ns <= OUTCOME_AGE_MAX_MS * 1000000ull) {
        outcome->latency_ms = (int64_t)((span->end_ns - span->start_ns) / 1000000);
        put_sum(outcome, SUM_LATENCY_MS, (double)outcome->latency_ms);
    }
    if (facts->first_chunk_s >= 0 && first_chunk_fits(span, out)) {
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

static enum status count_span(struct counting *counting, const struct otlp_whom *whom,
                              const struct genai_judged *judged, struct outcome *outcome)
{
    const struct rules *rules = &whom->part->view->rules;
    judge(judged, rules, outcome);
    struct counts_entry *entry =
        counts_delta_entry(whom->part->delta, outcome->release, outcome->stratum,
                           outcome_bucket(counting->setting->received, outcome->age_ms));
    if (entry == NULL)
        return fault_set(counting->fault, STATUS_NO_MEMORY, "Out of memory");
    outcome_count(outcome, rules, 0, entry);
    whom->part->accepted++;
    return STATUS_OK;
}

static enum status take_span(void *context, const struct otlp_origin *origin, const struct otlp_span *span)
{
    struct counting *counting = context;
    struct otlp_counts *out = counting->out;
    struct otlp_whom whom;
    struct genai_judged judged;
    uint8_t ids[OTLP_TRACE_ID + OTLP_SPAN_ID];
    if (!span->facts.inference || !genai_judge(&span->facts, &judged))
        return STATUS_OK;
    if (!span->identified)
        return otlp_reject(out, "a span has no trace id or span id");
    memcpy(ids, span->trace_id, OTLP_TRACE_ID);
    memcpy(ids + OTLP_TRACE_ID, span->span_id, OTLP_SPAN_ID);
    const struct otlp_item item = {"spans", &span->facts, &origin->facts, ids, sizeof ids};
    enum status status = otlp_find(counting->setting, &item, out, &whom, counting->fault);
    if (status != STATUS_OK || whom.part == NULL)
        return status;
    uint64_t lasted_ns = span->end_ns > span->start_ns ? span->end_ns - span->start_ns : 0;
    double age_ms = otlp_age_ms(counting->setting, span->start_ns, lasted_ns);
    if (!(age_ms >= 0 && age_ms <= OUTCOME_AGE_MAX_MS))
        return otlp_reject(out,
                           "a span has no start time, or it is older than a day by the clock of this server");
    struct outcome outcome = {.release = whom.release, .stratum = whom.stratum, .age_ms = (int64_t)age_ms};
    measure(span, &outcome, out);
    otlp_warn_wrong(out, &span->facts);
    return count_span(counting, &whom, &judged, &outcome);
}

enum status spans_read(const struct otlp_setting *setting, bool protobuf, const char *body, size_t length,
                       struct otlp_counts *out, struct fault *fault)
{
    struct counting counting = {.setting = setting, .out = out, .fault = fault};
    memset(out, 0, sizeof *out);
    enum status status = otlp_read_spans(protobuf, body, length, setting->names, take_span, &counting, fault);
    if (status == STATUS_OK)
        otlp_counts_seal(out);
    else
        otlp_counts_free(out);
    return status;
}
