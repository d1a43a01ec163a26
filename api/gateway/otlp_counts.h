/* What an OTLP request of any signal comes to: a delta for each service that it is about, and what of it
   could not be counted. Pure: no clock, no threads. */
#pragma once

#include "base/clock.h"
#include "base/digest.h"
#include "base/fault.h"
#include "gateway/outcome.h"
#include "gateway/snapshot.h"
#include "sources/counts.h"
#include "sources/genai_metrics.h"
#include "sources/otlp.h"

#include <stdbool.h>

enum { OTLP_SERVICES_MAX = 16 /* in one request */, OTLP_REASON_MAX = 400 };

/* The key of a part is a digest of what was noted of it: the same sent again counts once. */
struct otlp_part {
    const struct service_view *view; /* lent by the snapshot */
    struct counts_delta *delta;      /* owned */
    struct digest_run noted;
    int64_t accepted;
};

struct otlp_counts {
    size_t parts;
    struct otlp_part part[OTLP_SERVICES_MAX];
    int64_t rejected;             /* items that could not be counted */
    char reason[OTLP_REASON_MAX]; /* of the first of them, or of what was counted in part; "" = none */
};

struct otlp_setting {
    const struct snapshot *snapshot;
    const struct genai_names *names;
    const struct genai_counters *counters;
    const char *gateway;
    struct wall_time received; /* serin_now() when the request began to arrive */
    struct wall_time wall;     /* the machine's clock at the same time: senders give times, not ages */
    double rate;               /* of the database's clock against the machine's; 1 but in tests */
};

/* A span, point or record, as far as they are alike. */
struct otlp_item {
    const char *plural; /* "spans" */
    const struct genai_facts *own, *resource;
    const void *noted; /* by what the key of its part knows it again */
    size_t noted_length;
};

/* Whom an item is about, by its own facts and those of its resource. */
struct otlp_whom {
    struct otlp_part *part;
    const char *release, *stratum; /* the stratum as the policy has it; lent by the facts */
};

/* Of spans, points, or log records: reads `body` as protobuf or JSON. What is not about requests to models is
   passed over; what is, but whose service, release or time is not known, is rejected, the others count.
   MALFORMED, NO_MEMORY. On success the caller frees with otlp_counts_free(); on failure *out owns nothing. */
typedef enum status (*otlp_count)(const struct otlp_setting *setting, bool protobuf, const char *body,
                                  size_t length, struct otlp_counts *out, struct fault *fault);
enum status spans_read(const struct otlp_setting *setting, bool protobuf, const char *body, size_t length,
                       struct otlp_counts *out, struct fault *fault) MUST_CHECK;
enum status points_read(const struct otlp_setting *setting, bool protobuf, const char *body, size_t length,
                        struct otlp_counts *out, struct fault *fault) MUST_CHECK;
enum status events_read(const struct otlp_setting *setting, bool protobuf, const char *body, size_t length,
                        struct otlp_counts *out, struct fault *fault) MUST_CHECK;
void otlp_counts_free(struct otlp_counts *counts);

/* --- for those three */

/* Notes why an item was not counted. Returns OK, so that the others are read on. */
enum status otlp_reject(struct otlp_counts *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Notes what of an item was not counted, where the rest of it was. */
void otlp_warn(struct otlp_counts *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Notes an attribute of the item that says nothing, where the rest of it was counted. */
void otlp_warn_wrong(struct otlp_counts *out, const struct genai_facts *own);
/* The same in words: "serin.sli.refusals is no SLI; did you mean ...?" */
enum { OTLP_WRONG_MAX = 200 };
void otlp_say_wrong(const struct genai_wrong *wrong, char out[OTLP_WRONG_MAX]);
/* NO_MEMORY, else OK: with whom->part NULL where the item was rejected. */
enum status otlp_find(const struct otlp_setting *setting, const struct otlp_item *item,
                      struct otlp_counts *out, struct otlp_whom *whom, struct fault *fault) MUST_CHECK;
/* Age in ms of the database's clock of what was at `time_ns`; -1 if it is not given. The sender's clock may
   be ahead: nothing is younger than `at_least_ns`. */
double otlp_age_ms(const struct otlp_setting *setting, uint64_t time_ns, uint64_t at_least_ns);
/* Release, stratum and lateness of what ended `age_ms` ago; it counts nothing yet. */
void otlp_place(const struct otlp_whom *whom, double age_ms, struct counts_effect *out);
/* Sets the keys. A part of which nothing counted goes: what is sent again once its release is known counts.
 */
void otlp_counts_seal(struct otlp_counts *out);
