/* Counting log records: events of the GenAI conventions that say what came of a request, and any record that
   carries a judgement of Serin's own (serin.sli.*). What the span of a request says itself is not counted a
   second time. They count when they happen. */
#include "gateway/otlp_counts.h"

#include <math.h>
#include <string.h>

enum { RECORDS_MAX = 10000 /* in one request */ };
static const double score_max = 1e6;

struct counting {
    const struct otlp_setting *setting;
    struct otlp_counts *out;
    struct fault *fault;
    size_t records;
};

/* --- what a record says
 * -------------------------------------------------------------------------------------------- */

struct said {
    bool outcome; /* it is about a whole request, of which no span tells */
    uint8_t verdict[SLI_COUNT];
    bool any;
    const char *wrong; /* why it cannot be counted; NULL = it can */
};

static void say(struct said *said, int sli, bool bad)
{
    said->verdict[sli] = bad ? COUNTS_BAD : COUNTS_GOOD;
    said->any = true;
}

static void evaluated(const struct genai_facts *facts, struct said *said)
{
    if (facts->evaluation < 0)
        return;
    if (facts->evaluation == SLI_COUNT) {
        said->any = isfinite(facts->score) && fabs(facts->score) <= score_max;
        said->wrong = said->any ? NULL : "an evaluation \"score\" has no gen_ai.evaluation.score.value";
        return;
    }
    if (facts->label == GENAI_LABEL_PASS || facts->label == GENAI_LABEL_FAIL)
        say(said, facts->evaluation, facts->label == GENAI_LABEL_FAIL);
    else
        said->wrong =
            "the gen_ai.evaluation.score.label of an evaluation of an SLI is neither pass nor fail, or "
            "missing";
}

static void ended(const struct genai_facts *facts, struct said *said)
{
    struct genai_judged judged;
    if (!genai_judge(facts, &judged))
        return;
    said->outcome = said->any = true;
    for (int i = 0; i < SLI_COUNT; i++)
        said->verdict[i] = judged.of[i] == GENAI_BAD    ? COUNTS_BAD
                           : judged.of[i] == GENAI_GOOD ? COUNTS_GOOD
                                                        : COUNTS_ABSENT;
}

static struct said read_record(const struct otlp_record *record)
{
    struct said said = {.any = false};
    struct genai_facts facts = record->facts;
    bool thrown = strcmp(record->event, "gen_ai.client.operation.exception") == 0;
    if (!record->identified && thrown && !facts.failed) {
        facts.failed = true;
        facts.failure = facts.thrown ? facts.exception : GENAI_ERROR;
    }
    if (strcmp(record->event, "gen_ai.evaluation.result") == 0)
        evaluated(&facts, &said);
    else if (!record->identified && facts.inference &&
             (thrown || strcmp(record->event, "gen_ai.client.inference.operation.details") == 0))
        ended(&facts, &said);
    for (int i = 0; i < SLI_COUNT; i++) {
        if ((facts.said & 1u << i) != 0)
            say(&said, i, (facts.said_bad & 1u << i) != 0);
    }
    return said;
}

/* --- counting it
 * ------------------------------------------------------------------------------------------------- */

static enum status add(struct counting *counting, const struct otlp_whom *whom, double age_ms,
                       struct counts_point **out)
{
    struct counts_point *point = counts_delta_point(whom->part->delta);
    if (point == NULL)
        return fault_set(counting->fault, STATUS_NO_MEMORY, "Out of memory");
    otlp_place(whom, age_ms, &point->effect);
    point->effect.bucket_s = outcome_bucket(counting->setting->received, (int64_t)age_ms);
    point->value[0] = 1;
    point->sum = NAN;
    *out = point;
    return STATUS_OK;
}

static enum status add_sum(struct counting *counting, const struct otlp_whom *whom, double age_ms,
                           enum counts_sum sum, double value)
{
    struct counts_point *point;
    enum status status = add(counting, whom, age_ms, &point);
    if (status != STATUS_OK)
        return status;
    point->effect.sum = (int)sum;
    point->sum = value;
    return STATUS_OK;
}

static enum status count_record(struct counting *counting, const struct otlp_whom *whom, double age_ms,
                                const struct otlp_record *record, const struct said *said)
{
    const struct genai_facts *facts = &record->facts;
    struct counts_point *point;
    enum status status = add(counting, whom, age_ms, &point);
    if (status != STATUS_OK)
        return status;
    point->effect.outcomes = said->outcome;
    memcpy(point->effect.verdict, said->verdict, sizeof said->verdict);
    if (facts->evaluation == SLI_COUNT)
        status = add_sum(counting, whom, age_ms, SUM_SCORE, facts->score);
    if (status == STATUS_OK && said->outcome && facts->input_tokens >= 0)
        status = add_sum(counting, whom, age_ms, SUM_INPUT_TOKENS, (double)facts->input_tokens);
    if (status == STATUS_OK && said->outcome && facts->output_tokens >= 0)
        status = add_sum(counting, whom, age_ms, SUM_OUTPUT_TOKENS, (double)facts->output_tokens);
    whom->part->accepted++;
    return status;
}

static enum status take_record(void *context, const struct otlp_origin *origin,
                               const struct otlp_record *record)
{
    struct counting *counting = context;
    struct otlp_counts *out = counting->out;
    struct otlp_whom whom;
    struct said said = read_record(record);
    uint64_t time_ns = record->time_ns != 0 ? record->time_ns : record->observed_ns;
    struct {
        uint64_t identity[2], time_ns;
        uint8_t trace_id[OTLP_TRACE_ID], span_id[OTLP_SPAN_ID];
    } noted = {.identity = {record->identity[0], record->identity[1]}, .time_ns = time_ns};
    char wrong[OTLP_WRONG_MAX];
    if (said.wrong != NULL)
        return otlp_reject(out, "%s", said.wrong);
    if (!said.any && record->facts.wrong.why >= GENAI_NO_SLI) { /* it was meant to judge */
        otlp_say_wrong(&record->facts.wrong, wrong);
        return otlp_reject(out, "%s", wrong);
    }
    if (!said.any)
        return STATUS_OK;
    memcpy(noted.trace_id, record->trace_id, sizeof noted.trace_id);
    memcpy(noted.span_id, record->span_id, sizeof noted.span_id);
    const struct otlp_item item = {"records", &record->facts, &origin->facts, &noted, sizeof noted};
    enum status status = otlp_find(counting->setting, &item, out, &whom, counting->fault);
    if (status != STATUS_OK || whom.part == NULL)
        return status;
    double age_ms = otlp_age_ms(counting->setting, time_ns, 0);
    if (!(age_ms >= 0 && age_ms <= OUTCOME_AGE_MAX_MS))
        return otlp_reject(out,
                           "a record has no time, or it is older than a day by the clock of this server");
    if (counting->records++ == RECORDS_MAX)
        return otlp_reject(out, "one request holds more than %d records", RECORDS_MAX);
    otlp_warn_wrong(out, &record->facts);
    return count_record(counting, &whom, age_ms, record, &said);
}

enum status events_read(const struct otlp_setting *setting, bool protobuf, const char *body, size_t length,
                        struct otlp_counts *out, struct fault *fault)
{
    struct counting counting = {.setting = setting, .out = out, .fault = fault};
    memset(out, 0, sizeof *out);
    enum status status =
        otlp_read_records(protobuf, body, length, setting->names, take_record, &counting, fault);
    if (status == STATUS_OK)
        otlp_counts_seal(out);
    else
        otlp_counts_free(out);
    return status;
}
