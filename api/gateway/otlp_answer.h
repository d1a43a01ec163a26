/* What OTLP/HTTP answers with, in the encoding of the request. */
#pragma once

#include "gateway/parts.h"

bool otlp_is_protobuf(const struct request *request);
/* struct path's `problem`: google.rpc.Status, with what to do now in its message. */
const char *otlp_put_fault(const struct request *request, const struct fault *fault, struct text *out);
/* Appends an ExportTraceServiceResponse: everything counted, or how many spans did not and why. Returns the
   media type. */
const char *otlp_put_result(bool protobuf, int64_t rejected, const char *reason, struct text *out);
