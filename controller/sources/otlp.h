/* OTLP/HTTP: the requests of its three signals in both encodings, span by span, point by point, log record by
   log record. Pure. Of each only what is listed here is kept; what carries content is passed over. */
#pragma once

#include "base/fault.h"
#include "sources/genai.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OTLP_TRACE_ID = 16, OTLP_SPAN_ID = 8 };

/* Where a span, point or record comes from. */
struct otlp_origin {
    struct genai_facts facts; /* of the resource */
    uint64_t identity[2];     /* of all attributes of the resource, and the scope's name, in any order */
};

/* Adds a name and a value to an identity, in any order. */
void otlp_identify(uint64_t identity[2], const char *name, size_t name_length, const void *value,
                   size_t length);

/* --- spans */

struct otlp_span {
    bool identified; /* both ids have their length and are not all zeros */
    uint8_t trace_id[OTLP_TRACE_ID], span_id[OTLP_SPAN_ID];
    uint64_t start_ns, end_ns; /* since 1970, by the sender's clock; 0 = not given */
    struct genai_facts facts;
};

/* Is called for every span, in order; both are lent for the call. What it returns, other than OK, ends the
   reading. */
typedef enum status (*otlp_take_span)(void *context, const struct otlp_origin *origin,
                                      const struct otlp_span *span);

/* MALFORMED if the body cannot be read (some spans may have been taken by then), NO_MEMORY, or what `take`
   returned. Fields that are not known are skipped. */
enum status otlp_read_spans(bool protobuf, const char *body, size_t length, const struct genai_names *names,
                            otlp_take_span take, void *context, struct fault *fault) MUST_CHECK;

/* --- points of metrics */

enum { OTLP_METRIC_NAME = 128, OTLP_UNIT_TEXT = 24, OTLP_BOUNDS_MAX = 64 };

enum otlp_metric_kind { OTLP_SUM, OTLP_HISTOGRAM, OTLP_EXPONENTIAL, OTLP_GAUGE, OTLP_SUMMARY };
/* Those that a metric of requests may have; ONES count things: 1, {token}, tokens. */
enum otlp_unit { OTLP_NO_UNIT, OTLP_SECONDS, OTLP_MILLISECONDS, OTLP_ONES, OTLP_OTHER_UNIT };
enum otlp_temporality { OTLP_UNSPECIFIED, OTLP_DELTA, OTLP_CUMULATIVE };

struct otlp_point {
    const char *metric; /* lent */
    enum otlp_metric_kind kind;
    enum otlp_temporality temporality;
    bool monotonic; /* of a sum */
    enum otlp_unit unit;
    const char *unit_text; /* lent; its beginning, printable */
    bool recorded;         /* false: the sender says that there is no value */
    uint64_t start_ns, time_ns;
    uint64_t count; /* of a histogram */
    double value;   /* of a sum: its value; of a histogram: the sum, NAN = not given */
    /* of a histogram with explicit bounds: bucket i holds what is above bound[i - 1] and up to bound[i] */
    size_t buckets,
        bounds; /* as many as were sent; only the first OTLP_BOUNDS_MAX + 1 and OTLP_BOUNDS_MAX are here */
    uint64_t bucket[OTLP_BOUNDS_MAX + 1];
    double bound[OTLP_BOUNDS_MAX];
    uint64_t identity[2]; /* of its attributes */
    struct genai_facts facts;
};

/* Whether points of this metric are wanted. */
typedef bool (*otlp_want_metric)(void *context, const char *name);
typedef enum status (*otlp_take_point)(void *context, const struct otlp_origin *origin,
                                       const struct otlp_point *point);

/* As otlp_read_spans, for the points of metrics that are wanted. */
enum status otlp_read_points(bool protobuf, const char *body, size_t length, const struct genai_names *names,
                             otlp_want_metric want, otlp_take_point take, void *context,
                             struct fault *fault) MUST_CHECK;

/* --- log records */

enum { OTLP_EVENT_NAME = 64 };

struct otlp_record {
    char event[OTLP_EVENT_NAME]; /* "" = none, or a longer one */
    bool identified;             /* both ids are there: it happened in a span */
    uint8_t trace_id[OTLP_TRACE_ID], span_id[OTLP_SPAN_ID];
    uint64_t time_ns, observed_ns; /* 0 = not given */
    uint64_t identity[2];          /* of its attributes */
    struct genai_facts facts;
};

typedef enum status (*otlp_take_record)(void *context, const struct otlp_origin *origin,
                                        const struct otlp_record *record);

/* As otlp_read_spans. The body of a record is never looked at. */
enum status otlp_read_records(bool protobuf, const char *body, size_t length, const struct genai_names *names,
                              otlp_take_record take, void *context, struct fault *fault) MUST_CHECK;
