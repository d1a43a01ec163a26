/* Reading one answer of Prometheus' query API. Pure: text in, series out. */
#pragma once

#include "sources/prometheus_vector.h"

/* What was asked, and which labels tell the series apart. Lent. */
struct prometheus_question {
    const char *selector;
    const char *service_label; /* "" = every series is of the service that asks */
    const char *release_label;
};

/* Reads the body of an answer to an instant query. PEER with a next step for everything that is not a vector:
   errors, other types, the same series twice, more than PROMETHEUS_SERIES_MAX, no series with the labels at
   all; NO_MEMORY. Series without the labels are left out. A value that is no count (histograms, NaN,
   infinite, negative, fractional or huge) is noted with its series, and is a fault of those who look at it.
   On success the caller frees *out (prometheus_vector_free); on failure it is empty. */
enum status prometheus_parse(const char *body, size_t length, const struct prometheus_question *question,
                             struct prometheus_vector *out, struct fault *fault) MUST_CHECK;

/* Words of an error answer ({"status":"error",...}) for a fault: "bad_data: ..."; false if `body` is not one.
 */
bool prometheus_parse_error(const char *body, size_t length, char *out, size_t out_size);
