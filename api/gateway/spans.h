/* From the spans of an OTLP request to counts, a delta for each service that they belong to. Pure: no clock,
   no threads. */
#pragma once

#include "base/clock.h"
#include "base/digest.h"
#include "base/fault.h"
#include "gateway/snapshot.h"
#include "sources/counts.h"
#include "sources/genai.h"

#include <stdbool.h>

enum { SPANS_SERVICES_MAX = 16 /* in one request */, SPANS_REASON_MAX = 256 };

/* The key of a part is a digest of its spans' ids: the same spans sent again count once. */
struct spans_part {
    const struct service_view *view; /* lent by the snapshot */
    struct counts_delta *delta;      /* owned */
    struct digest ids;
    int64_t accepted;
};

struct spans {
    size_t parts;
    struct spans_part part[SPANS_SERVICES_MAX];
    int64_t rejected;              /* GenAI spans that could not be counted */
    char reason[SPANS_REASON_MAX]; /* of the first of them */
};

struct spans_setting {
    const struct snapshot *snapshot;
    const struct genai_names *names;
    const char *gateway;
    struct wall_time received; /* serin_now() when the request began to arrive */
    struct wall_time wall;     /* the machine's clock at the same time: spans have times, not ages */
    double rate;               /* of the database's clock against the machine's; 1 but in tests */
};

/* Reads `body` as protobuf or JSON. A span that asks no model is passed over; one whose service, release or
   start is not known is rejected, the others count. MALFORMED, NO_MEMORY. On success the caller frees with
   spans_free(); on failure *out owns nothing. */
enum status spans_read(const struct spans_setting *setting, bool protobuf, const char *body, size_t length,
                       struct spans *out, struct fault *fault) MUST_CHECK;
void spans_free(struct spans *spans);
