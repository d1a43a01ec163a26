/* Counting points of metrics: a point of a histogram of durations is as many requests as it has grown by, all
   with the facts of its attributes; counters that were named say of how many something was bad. They count
   when they end. */
#include "gateway/otlp_counts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { POINTS_MAX = 10000 /* in one request */, INTERVAL_MAX_S = 300 };
static const double count_max = 9007199254740992.0; /* 2^53 */

struct counting {
    const struct otlp_setting *setting;
    struct otlp_counts *out;
    struct fault *fault;
    size_t points;
    /* points of one process that are read one after the other belong into one second */
    uint64_t process[2];
    int64_t bucket_s;
};

/* --- what a point may be
 * ------------------------------------------------------------------------------------------- */

static enum status check_time(struct counting *counting, const struct otlp_point *point, double age_ms)
{
    if (!(age_ms >= 0 && age_ms <= OUTCOME_AGE_MAX_MS))
        return otlp_reject(counting->out,
                           "%s: a point has no time, or it is older than a day by the clock of this server",
                           point->metric);
    if (point->temporality == OTLP_UNSPECIFIED)
        return otlp_reject(counting->out, "%s: its aggregation temporality is neither delta nor cumulative",
                           point->metric);
    if (point->start_ns > point->time_ns || point->time_ns > INT64_MAX)
        return otlp_reject(counting->out, "%s: a point ends before it begins", point->metric);
    if (point->temporality == OTLP_DELTA &&
        (point->start_ns == 0 || point->time_ns - point->start_ns > INTERVAL_MAX_S * UINT64_C(1000000000)))
        return otlp_reject(counting->out,
                           "%s: a point covers more than %d s; export more often "
                           "(OTEL_METRIC_EXPORT_INTERVAL=10000)",
                           point->metric, INTERVAL_MAX_S);
    return STATUS_OK;
}

/* How a metric of the wrong kind is called. */
static const char *kind_of(const struct otlp_point *point)
{
    switch (point->kind) {
    case OTLP_SUM:
        return point->monotonic ? "a monotonic sum" : "a sum that is not monotonic";
    case OTLP_HISTOGRAM:
        return "a histogram";
    case OTLP_EXPONENTIAL:
        return "an exponential histogram";
    case OTLP_GAUGE:
        return "a gauge";
    case OTLP_SUMMARY:
        break;
    }
    return "a summary";
}

static enum status check_kind(struct counting *counting, bool counter, const struct otlp_point *point)
{
    if (counter && (point->kind != OTLP_SUM || !point->monotonic))
        return otlp_reject(counting->out,
                           "%s is %s, but SERIN_OTLP_COUNTERS names it as a counter; a monotonic sum is "
                           "expected: make it by createCounter()",
                           point->metric, kind_of(point));
    if (!counter && point->kind == OTLP_EXPONENTIAL)
        return otlp_reject(
            counting->out,
            "%s is an exponential histogram, whose buckets end at no threshold; export explicit "
            "buckets (OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION="
            "explicit_bucket_histogram)",
            point->metric);
    if (!counter && point->kind != OTLP_HISTOGRAM)
        return otlp_reject(counting->out, "%s is %s; a histogram is expected", point->metric, kind_of(point));
    return STATUS_OK;
}

/* Without a unit it is taken for what the conventions prescribe for the name. A counter counts whatever
   its unit says: whoever named it in the setting knows. */
static enum status check_unit(struct counting *counting, enum genai_role role, const struct otlp_point *point)
{
    bool time = role == GENAI_DURATION || role == GENAI_FIRST_TOKEN;
    bool tokens = role == GENAI_TOKENS || role == GENAI_INPUT_TOKENS || role == GENAI_OUTPUT_TOKENS;
    if (time && point->unit != OTLP_NO_UNIT && point->unit != OTLP_SECONDS &&
        point->unit != OTLP_MILLISECONDS)
        return otlp_reject(counting->out, "%s: its unit is \"%s\"; s or ms is expected", point->metric,
                           point->unit_text);
    if (tokens && point->unit != OTLP_NO_UNIT && point->unit != OTLP_ONES)
        return otlp_reject(counting->out, "%s: its unit is \"%s\"; {token} is expected", point->metric,
                           point->unit_text);
    return STATUS_OK;
}

static enum status check_counter(struct counting *counting, const struct otlp_point *point)
{
    if (!(point->value >= 0 && point->value <= count_max && point->value == floor(point->value)))
        return otlp_reject(counting->out, "%s: a value is no count", point->metric);
    return STATUS_OK;
}

static enum status check_buckets(struct counting *counting, const struct otlp_point *point)
{
    uint64_t sum = 0;
    if (point->buckets == 0 && point->bounds == 0)
        return STATUS_OK;
    if (point->buckets != point->bounds + 1)
        return otlp_reject(counting->out, "%s: %zu buckets do not go with %zu bounds", point->metric,
                           point->buckets, point->bounds);
    if (point->bounds > OTLP_BOUNDS_MAX)
        return otlp_reject(counting->out, "%s: its histogram has more than %d bounds", point->metric,
                           OTLP_BOUNDS_MAX);
    for (size_t i = 0; i < point->bounds; i++) {
        if (!isfinite(point->bound[i]) || (i > 0 && !(point->bound[i] > point->bound[i - 1])))
            return otlp_reject(counting->out, "%s: its bounds do not grow", point->metric);
    }
    for (size_t i = 0; i < point->buckets; i++) {
        if (point->bucket[i] > point->count - sum)
            return otlp_reject(counting->out, "%s: its buckets hold more than its count", point->metric);
        sum += point->bucket[i];
    }
    if (sum != point->count)
        return otlp_reject(counting->out, "%s: its buckets hold less than its count", point->metric);
    return STATUS_OK;
}

static enum status check_histogram(struct counting *counting, const struct otlp_point *point)
{
    if (point->count > (uint64_t)count_max)
        return otlp_reject(counting->out, "%s: a count is larger than 2^53", point->metric);
    return check_buckets(counting, point);
}

/* --- thresholds
 * --------------------------------------------------------------------------------------------------- */

static double in_ms(const struct otlp_point *point, double bound)
{
    return point->unit == OTLP_MILLISECONDS ? bound : bound * 1000;
}

/* How many are over the threshold; -1 if it is no bound, which is said. */
static int64_t over(struct counting *counting, const struct otlp_whom *whom, const struct otlp_point *point,
                    enum sli sli, int64_t threshold_ms)
{
    int64_t count = 0;
    char below[32] = "none", above[32] = "none";
    size_t at = 0;
    while (at < point->bounds && in_ms(point, point->bound[at]) < (double)threshold_ms - 1e-3)
        at++;
    if (at < point->bounds && fabs(in_ms(point, point->bound[at]) - (double)threshold_ms) < 1e-3) {
        for (size_t i = at + 1; i < point->buckets; i++)
            count += (int64_t)point->bucket[i];
        return count;
    }
    if (at > 0)
        snprintf(below, sizeof below, "%g ms", in_ms(point, point->bound[at - 1]));
    if (at < point->bounds)
        snprintf(above, sizeof above, "%g ms", in_ms(point, point->bound[at]));
    otlp_warn(counting->out,
              "%s of %s was not counted: its threshold of %" PRId64
              " ms is no bound of %s (below: %s, above: "
              "%s); set the threshold to a bound, or give the histogram this bound by a view",
              sli_name(sli), whom->part->view->name, threshold_ms, point->metric, below, above);
    return -1;
}

static void judge_over(struct counting *counting, const struct otlp_whom *whom,
                       const struct otlp_point *point, enum sli sli, int64_t threshold_ms, size_t place,
                       struct counts_point *out)
{
    if (threshold_ms <= 0)
        return;
    int64_t slow = over(counting, whom, point, sli, threshold_ms);
    bool known_bad = out->effect.verdict[sli] == COUNTS_BAD;
    out->effect.verdict[sli] = slow < 0     ? COUNTS_ABSENT
                               : known_bad  ? COUNTS_BAD
                               : place == 1 ? COUNTS_OVER_FIRST
                                            : COUNTS_OVER_SECOND;
    out->value[place] = slow < 0 ? 0 : slow;
    out->shape = out->shape * 1000003 + (slow < 0 ? -1 : threshold_ms);
}

/* --- roles
 * ------------------------------------------------------------------------------------------------------- */

static void count_duration(struct counting *counting, const struct otlp_whom *whom,
                           const struct otlp_point *point, const struct genai_judged *judged,
                           struct counts_point *out)
{
    const struct rules *rules = &whom->part->view->rules;
    const struct genai_counters *counters = counting->setting->counters;
    struct counts_effect *effect = &out->effect;
    bool alone = counters->requests[0] == '\0'; /* nobody else says how many there were */
    effect->outcomes = alone;
    for (int i = 0; i < SLI_COUNT && alone; i++) {
        effect->verdict[i] = judged->of[i] == GENAI_BAD    ? COUNTS_BAD
                             : judged->of[i] == GENAI_GOOD ? COUNTS_GOOD
                             : i == SLI_TTFT               ? COUNTS_NOTHING
                                                           : COUNTS_ABSENT;
        if (counters->bad[i][0] != '\0')
            effect->verdict[i] = COUNTS_GOOD; /* a counter says which of them were not */
    }
    if (judged->of[SLI_TIMEOUT] == GENAI_NOT_SAID || !alone) /* they have ended, and no threshold says more */
        effect->verdict[SLI_TIMEOUT] = judged->of[SLI_TIMEOUT] == GENAI_BAD ? COUNTS_BAD : COUNTS_GOOD;
    if (counters->bad[SLI_TIMEOUT][0] != '\0')
        effect->verdict[SLI_TIMEOUT] = alone ? COUNTS_GOOD : COUNTS_NOTHING;
    if (counters->bad[SLI_LATENCY][0] == '\0')
        judge_over(counting, whom, point, SLI_LATENCY, rules->latency_ms, 1, out);
    if (counters->bad[SLI_TIMEOUT][0] == '\0')
        judge_over(counting, whom, point, SLI_TIMEOUT, rules->timeout_ms, 2, out);
    effect->sum = SUM_LATENCY_MS;
    effect->scale = in_ms(point, 1);
}

static void count_first_token(struct counting *counting, const struct otlp_whom *whom,
                              const struct otlp_point *point, struct counts_point *out)
{
    if (counting->setting->counters->bad[SLI_TTFT][0] == '\0')
        judge_over(counting, whom, point, SLI_TTFT, whom->part->view->rules.ttft_ms, 1, out);
    out->effect.sum = SUM_TTFT_MS;
    out->effect.scale = in_ms(point, 1);
}

static void count_requests(struct counting *counting, const struct otlp_point *point,
                           const struct genai_judged *judged, struct counts_point *out)
{
    for (int i = 0; i < SLI_COUNT; i++) {
        bool elsewhere = i == SLI_TTFT || i == SLI_LATENCY || i == SLI_TIMEOUT;
        out->effect.verdict[i] = counting->setting->counters->bad[i][0] != '\0' ? COUNTS_GOOD
                                 : elsewhere                                    ? COUNTS_NOTHING
                                                                                : COUNTS_ABSENT;
        if (out->effect.verdict[i] == COUNTS_ABSENT && point->facts.inference)
            out->effect.verdict[i] = judged->of[i] == GENAI_BAD    ? COUNTS_BAD
                                     : judged->of[i] == GENAI_GOOD ? COUNTS_GOOD
                                                                   : COUNTS_ABSENT;
    }
    out->effect.outcomes = true;
}

static void count_tokens(enum genai_role role, const struct otlp_point *point, struct counts_point *out)
{
    enum genai_token token = role == GENAI_INPUT_TOKENS    ? GENAI_TOKEN_INPUT
                             : role == GENAI_OUTPUT_TOKENS ? GENAI_TOKEN_OUTPUT
                                                           : point->facts.token;
    out->effect.sum = token == GENAI_TOKEN_INPUT    ? SUM_INPUT_TOKENS
                      : token == GENAI_TOKEN_OUTPUT ? SUM_OUTPUT_TOKENS
                                                    : -1;
}

static void count_role(struct counting *counting, const struct otlp_whom *whom, enum genai_role role,
                       enum sli sli, const struct otlp_point *point, const struct genai_judged *judged,
                       struct counts_point *out)
{
    switch (role) {
    case GENAI_DURATION:
        count_duration(counting, whom, point, judged, out);
        break;
    case GENAI_FIRST_TOKEN:
        count_first_token(counting, whom, point, out);
        break;
    case GENAI_TOKENS:
    case GENAI_INPUT_TOKENS:
    case GENAI_OUTPUT_TOKENS:
        count_tokens(role, point, out);
        break;
    case GENAI_REQUESTS:
        count_requests(counting, point, judged, out);
        break;
    case GENAI_BAD_REQUESTS:
        out->effect.verdict[sli] = COUNTS_BAD_ALONE;
        break;
    case GENAI_PASSED_OVER:
        break;
    }
}

/* --- one point
 * ---------------------------------------------------------------------------------------------------- */

static void identify(const struct otlp_origin *origin, const struct otlp_whom *whom,
                     const struct otlp_point *point, struct counts_point *out)
{
    const char *service = whom->part->view->name;
    memcpy(out->target, origin->identity, sizeof out->target);
    otlp_identify(out->target, "serin.service", 13, service, strlen(service));
    memcpy(out->series, point->identity, sizeof out->series);
    otlp_identify(out->series, "serin.metric", 12, point->metric, strlen(point->metric));
}

static int64_t bucket_of(struct counting *counting, const struct otlp_origin *origin, double age_ms)
{
    int64_t bucket_s = outcome_bucket(counting->setting->received, (int64_t)age_ms);
    int64_t apart = bucket_s - counting->bucket_s;
    if (memcmp(counting->process, origin->identity, sizeof counting->process) == 0 && apart >= -2 &&
        apart <= 2)
        return counting->bucket_s;
    memcpy(counting->process, origin->identity, sizeof counting->process);
    return counting->bucket_s = bucket_s;
}

static void place(struct counting *counting, const struct otlp_origin *origin, const struct otlp_whom *whom,
                  const struct otlp_point *point, double age_ms, struct counts_point *out)
{
    otlp_place(whom, age_ms, &out->effect);
    out->effect.bucket_s = bucket_of(counting, origin, age_ms);
    out->cumulative = point->temporality == OTLP_CUMULATIVE;
    out->start_ns = (int64_t)point->start_ns;
    out->time_ns = (int64_t)point->time_ns;
    identify(origin, whom, point, out);
}

static enum status check_point(struct counting *counting, enum genai_role role,
                               const struct otlp_point *point, double age_ms)
{
    bool counter = role == GENAI_REQUESTS || role == GENAI_BAD_REQUESTS;
    int64_t before = counting->out->rejected;
    enum status status = check_kind(counting, counter, point);
    if (status == STATUS_OK && counting->out->rejected == before)
        status = check_unit(counting, role, point);
    if (status == STATUS_OK && counting->out->rejected == before)
        status = check_time(counting, point, age_ms);
    if (status == STATUS_OK && counting->out->rejected == before)
        status = counter ? check_counter(counting, point) : check_histogram(counting, point);
    return status;
}

static enum status take_point(void *context, const struct otlp_origin *origin, const struct otlp_point *point)
{
    struct counting *counting = context;
    struct otlp_counts *out = counting->out;
    struct genai_judged judged;
    struct otlp_whom whom;
    enum sli sli = SLI_REFUSAL;
    enum genai_role role = genai_metric(counting->setting->counters, point->metric, &sli);
    bool counter = role == GENAI_REQUESTS || role == GENAI_BAD_REQUESTS;
    /* a series of what was cancelled is one of nobody's fault */
    if (!point->recorded || (!genai_judge(&point->facts, &judged) && !counter) ||
        (!point->facts.inference && !counter))
        return STATUS_OK;
    double age_ms = otlp_age_ms(counting->setting, point->time_ns, 0);
    int64_t rejected = out->rejected;
    enum status status = check_point(counting, role, point, age_ms);
    if (status != STATUS_OK || out->rejected != rejected)
        return status;
    const uint64_t noted[] = {origin->identity[0], origin->identity[1], point->identity[0],
                              point->identity[1],  point->start_ns,     point->time_ns};
    const struct otlp_item item = {"points", &point->facts, &origin->facts, noted, sizeof noted};
    status = otlp_find(counting->setting, &item, out, &whom, counting->fault);
    if (status != STATUS_OK || whom.part == NULL)
        return status;
    if (counting->points == POINTS_MAX)
        return otlp_reject(out, "one request holds more than %d points", POINTS_MAX);
    struct counts_point *made = counts_delta_point(whom.part->delta);
    if (made == NULL)
        return fault_set(counting->fault, STATUS_NO_MEMORY, "Out of memory");
    place(counting, origin, &whom, point, age_ms, made);
    made->value[0] = counter ? (int64_t)point->value : (int64_t)point->count;
    made->sum = counter ? NAN : point->value;
    count_role(counting, &whom, role, sli, point, &judged, made);
    otlp_warn_wrong(out, &point->facts);
    counting->points++;
    whom.part->accepted++;
    return STATUS_OK;
}

static bool want_metric(void *context, const char *name)
{
    const struct counting *counting = context;
    enum sli sli;
    return genai_metric(counting->setting->counters, name, &sli) != GENAI_PASSED_OVER;
}

enum status points_read(const struct otlp_setting *setting, bool protobuf, const char *body, size_t length,
                        struct otlp_counts *out, struct fault *fault)
{
    struct counting counting = {.setting = setting, .out = out, .fault = fault, .bucket_s = INT64_MIN / 2};
    memset(out, 0, sizeof *out);
    enum status status =
        otlp_read_points(protobuf, body, length, setting->names, want_metric, take_point, &counting, fault);
    if (status == STATUS_OK)
        otlp_counts_seal(out);
    else
        otlp_counts_free(out);
    return status;
}
