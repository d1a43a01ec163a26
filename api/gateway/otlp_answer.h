/* What OTLP/HTTP answers with, in the encoding of the request. */
#pragma once

#include "gateway/parts.h"

bool otlp_is_protobuf(const struct request *request);
/* struct path's `problem`: google.rpc.Status, with what to do now in its message. */
const char *otlp_put_fault(const struct request *request, const struct fault *fault, struct text *out);
/* What was not counted. */
struct otlp_result {
    int64_t rejected;
    const char *reason; /* "" = everything counted */
    const char *field;  /* in JSON: "rejectedSpans" */
    const char *plural; /* "spans" */
};
/* Appends the Export...ServiceResponse of any signal: a partial success if there is a reason. Returns the
   media type. */
const char *otlp_put_result(bool protobuf, const struct otlp_result *result, struct text *out);
