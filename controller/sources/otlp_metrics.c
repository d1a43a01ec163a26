/* ExportMetricsServiceRequest. */
#include "sources/otlp_attributes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    POINT_START,
    POINT_TIME,
    POINT_DOUBLE,
    POINT_INT,
    POINT_COUNT,
    POINT_SUM,
    POINT_BUCKETS,
    POINT_BOUNDS,
    POINT_FLAGS,
    POINT_ATTRIBUTES
};
/* Of all kinds of points; what a kind does not have has number 0, which no field has. */
#define NUMBER_POINT(start, time, number, integer, count, sum, buckets, bounds, flags, attributes)           \
    {                                                                                                        \
        {"startTimeUnixNano", start, OTLP_FIXED, false, false},                                              \
            {"timeUnixNano", time, OTLP_FIXED, false, false},                                                \
            {"asDouble", number, OTLP_DOUBLE, false, false}, {"asInt", integer, OTLP_SIGNED, false, false},  \
            {"count", count, OTLP_FIXED, false, false}, {"sum", sum, OTLP_DOUBLE, false, false},             \
            {"bucketCounts", buckets, OTLP_FIXED, true, false},                                              \
            {"explicitBounds", bounds, OTLP_DOUBLE, true, false},                                            \
            {"flags", flags, OTLP_INTEGER, false, false},                                                    \
            {"attributes", attributes, OTLP_MESSAGE, true, false}, {NULL, 0, OTLP_OTHER, false, false},      \
    }
static const struct otlp_field number_fields[] = NUMBER_POINT(2, 3, 4, 6, 0, 0, 0, 0, 8, 7);
static const struct otlp_field histogram_fields[] = NUMBER_POINT(2, 3, 0, 0, 4, 5, 6, 7, 10, 9);
static const struct otlp_field exponential_fields[] = NUMBER_POINT(2, 3, 0, 0, 4, 5, 0, 0, 10, 1);
static const struct otlp_field summary_fields[] = NUMBER_POINT(2, 3, 0, 0, 4, 5, 0, 0, 8, 7);

enum { DATA_TEMPORALITY, DATA_MONOTONIC, DATA_POINTS };
static const struct otlp_field data_fields[] = {{"aggregationTemporality", 2, OTLP_ENUM, false, false},
                                                {"isMonotonic", 3, OTLP_BOOL, false, false},
                                                {"dataPoints", 1, OTLP_MESSAGE, true, true},
                                                {NULL, 0, OTLP_OTHER, false, false}};
enum {
    METRIC_NAME,
    METRIC_UNIT,
    METRIC_SUM,
    METRIC_HISTOGRAM,
    METRIC_EXPONENTIAL,
    METRIC_GAUGE,
    METRIC_SUMMARY
};
static const struct otlp_field metric_fields[] = {{"name", 1, OTLP_TEXT, false, false},
                                                  {"unit", 3, OTLP_TEXT, false, false},
                                                  {"sum", 7, OTLP_MESSAGE, false, true},
                                                  {"histogram", 9, OTLP_MESSAGE, false, true},
                                                  {"exponentialHistogram", 10, OTLP_MESSAGE, false, true},
                                                  {"gauge", 5, OTLP_MESSAGE, false, true},
                                                  {"summary", 11, OTLP_MESSAGE, false, true},
                                                  {NULL, 0, OTLP_OTHER, false, false}};
enum { SCOPE_SCOPE };
static const struct otlp_field scope_metrics_fields[] = {{"scope", 1, OTLP_MESSAGE, false, false},
                                                         {"metrics", 2, OTLP_MESSAGE, true, true},
                                                         {NULL, 0, OTLP_OTHER, false, false}};
enum { RESOURCE_RESOURCE };
static const struct otlp_field resource_metrics_fields[] = {{"resource", 1, OTLP_MESSAGE, false, false},
                                                            {"scopeMetrics", 2, OTLP_MESSAGE, true, true},
                                                            {NULL, 0, OTLP_OTHER, false, false}};
static const struct otlp_field request_fields[] = {{"resourceMetrics", 1, OTLP_MESSAGE, true, false},
                                                   {NULL, 0, OTLP_OTHER, false, false}};

struct reading {
    struct otlp_body body;
    const struct genai_names *names;
    otlp_want_metric want;
    otlp_take_point take;
    void *context;
    struct otlp_origin resource, scope; /* the scope's: the resource's, and its own name */
    char metric[OTLP_METRIC_NAME], unit[OTLP_UNIT_TEXT];
    bool wanted;
    struct otlp_point point;
};

static void take_bucket(struct otlp_point *point, uint64_t count)
{
    if (point->buckets <= OTLP_BOUNDS_MAX)
        point->bucket[point->buckets] = count;
    point->buckets++;
}

static void take_bound(struct otlp_point *point, double bound)
{
    if (point->bounds < OTLP_BOUNDS_MAX)
        point->bound[point->bounds] = bound;
    point->bounds++;
}

static enum status take_point_field(void *context, const struct otlp_value *value)
{
    struct reading *reading = context;
    struct otlp_point *point = &reading->point;
    struct otlp_attributes attributes = {
        .body = &reading->body, .names = reading->names, .facts = &point->facts, .identity = point->identity};
    switch (value->field) {
    case POINT_START:
        point->start_ns = value->fixed;
        break;
    case POINT_TIME:
        point->time_ns = value->fixed;
        break;
    case POINT_DOUBLE:
    case POINT_SUM:
        point->value = value->number;
        break;
    case POINT_INT:
        point->value = (double)value->integer;
        break;
    case POINT_COUNT:
        point->count = value->fixed;
        break;
    case POINT_BUCKETS:
        take_bucket(point, value->fixed);
        break;
    case POINT_BOUNDS:
        take_bound(point, value->number);
        break;
    case POINT_FLAGS:
        point->recorded = (value->integer & 1) == 0;
        break;
    default:
        return otlp_take_attribute(&attributes, &value->node);
    }
    return STATUS_OK;
}

static void begin_point(struct otlp_point *point)
{
    point->recorded = true;
    point->start_ns = point->time_ns = point->count = 0;
    point->value = NAN;
    point->buckets = point->bounds = 0;
    point->identity[0] = point->identity[1] = 0;
    genai_facts_begin(&point->facts);
}

static enum status take_data_field(void *context, const struct otlp_value *value)
{
    static const struct otlp_field *const fields[] = {[OTLP_SUM] = number_fields,
                                                      [OTLP_HISTOGRAM] = histogram_fields,
                                                      [OTLP_EXPONENTIAL] = exponential_fields,
                                                      [OTLP_GAUGE] = number_fields,
                                                      [OTLP_SUMMARY] = summary_fields};
    struct reading *reading = context;
    struct otlp_point *point = &reading->point;
    if (value->field == DATA_TEMPORALITY)
        point->temporality = value->integer == OTLP_DELTA || value->integer == OTLP_CUMULATIVE
                                 ? (enum otlp_temporality)value->integer
                                 : OTLP_UNSPECIFIED;
    if (value->field == DATA_MONOTONIC)
        point->monotonic = value->integer != 0;
    if (value->field != DATA_POINTS)
        return STATUS_OK;
    begin_point(point);
    enum status status =
        otlp_read_message(&reading->body, &value->node, fields[point->kind], take_point_field, reading);
    return status == STATUS_OK ? reading->take(reading->context, &reading->scope, point) : status;
}

static enum status take_name(struct reading *reading, const struct otlp_value *value)
{
    if (value->length >= sizeof reading->metric || memchr(value->text, '\0', value->length) != NULL)
        return STATUS_OK;
    memcpy(reading->metric, value->text, value->length);
    reading->metric[value->length] = '\0';
    reading->wanted = reading->want(reading->context, reading->metric);
    return STATUS_OK;
}

/* Of the units of UCUM: what stands in braces counts for nothing. The words are those of Micrometer and
   OpenLLMetry. */
static enum otlp_unit unit_of(const char *unit)
{
    static const struct {
        const char *text;
        enum otlp_unit unit;
    } known[] = {{"", OTLP_NO_UNIT},
                 {"s", OTLP_SECONDS},
                 {"seconds", OTLP_SECONDS},
                 {"ms", OTLP_MILLISECONDS},
                 {"milliseconds", OTLP_MILLISECONDS},
                 {"1", OTLP_ONES},
                 {"token", OTLP_ONES},
                 {"tokens", OTLP_ONES}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].text, unit) == 0)
            return known[i].unit;
    }
    return unit[0] == '{' && strchr(unit, '}') == unit + strlen(unit) - 1 ? OTLP_ONES : OTLP_OTHER_UNIT;
}

static void take_unit(struct reading *reading, const struct otlp_value *value)
{
    size_t length = value->length < sizeof reading->unit ? value->length : sizeof reading->unit - 1;
    for (size_t i = 0; i < length; i++)
        reading->unit[i] = value->text[i] > ' ' && value->text[i] <= '~' ? value->text[i] : '?';
    reading->unit[length] = '\0';
    reading->point.unit = unit_of(reading->unit);
}

static enum status take_metric_field(void *context, const struct otlp_value *value)
{
    static const enum otlp_metric_kind kinds[] = {[METRIC_SUM] = OTLP_SUM,
                                                  [METRIC_HISTOGRAM] = OTLP_HISTOGRAM,
                                                  [METRIC_EXPONENTIAL] = OTLP_EXPONENTIAL,
                                                  [METRIC_GAUGE] = OTLP_GAUGE,
                                                  [METRIC_SUMMARY] = OTLP_SUMMARY};
    struct reading *reading = context;
    struct otlp_point *point = &reading->point;
    if (value->field == METRIC_NAME)
        return take_name(reading, value);
    if (value->field == METRIC_UNIT)
        take_unit(reading, value);
    if (value->field == METRIC_UNIT || !reading->wanted)
        return STATUS_OK;
    point->kind = kinds[value->field];
    point->temporality = OTLP_UNSPECIFIED;
    point->monotonic = false;
    return otlp_read_message(&reading->body, &value->node, data_fields, take_data_field, reading);
}

static enum status take_scope_field(void *context, const struct otlp_value *value)
{
    struct reading *reading = context;
    if (value->field == SCOPE_SCOPE)
        return otlp_take_scope(&reading->body, &value->node, &reading->scope);
    reading->metric[0] = reading->unit[0] = '\0';
    reading->wanted = false;
    reading->point = (struct otlp_point){.metric = reading->metric, .unit_text = reading->unit};
    return otlp_read_message(&reading->body, &value->node, metric_fields, take_metric_field, reading);
}

static enum status take_resource_field(void *context, const struct otlp_value *value)
{
    struct reading *reading = context;
    if (value->field == RESOURCE_RESOURCE)
        return otlp_take_resource(&reading->body, reading->names, &value->node, &reading->resource);
    reading->scope = reading->resource;
    return otlp_read_message(&reading->body, &value->node, scope_metrics_fields, take_scope_field, reading);
}

static enum status take_resource(void *context, const struct otlp_value *value)
{
    struct reading *reading = context;
    reading->resource = (struct otlp_origin){.identity = {0}};
    genai_facts_begin(&reading->resource.facts);
    return otlp_read_message(&reading->body, &value->node, resource_metrics_fields, take_resource_field,
                             reading);
}

enum status otlp_read_points(bool protobuf, const char *body, size_t length, const struct genai_names *names,
                             otlp_want_metric want, otlp_take_point take, void *context, struct fault *fault)
{
    struct reading reading = {
        .body = {.protobuf = protobuf, .name = "ExportMetricsServiceRequest", .fault = fault},
        .names = names,
        .want = want,
        .take = take,
        .context = context};
    return otlp_read_body(&reading.body, body, length, request_fields, take_resource, &reading);
}
