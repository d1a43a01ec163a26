/* What the fuzzers of OTLP share: two services, and how a body is fed. A body that begins with '{' is read as
   JSON, and as protobuf without its first byte; any other as protobuf. */
#pragma once

#include "base/digest.h"
#include "gateway/otlp_counts.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline struct snapshot *otlp_world(void)
{
    struct snapshot *snapshot = snapshot_new(1, 1, 2, 0);
    static const char *const names[] = {"chat", "mail"};
    struct fault fault;
    if (snapshot == NULL)
        abort();
    for (size_t i = 0; i < 2; i++) {
        struct service_view *view = service_view_new(names[i]);
        if (view == NULL ||
            rules_read(&view->rules,
                       "{\"ttft\":{\"objective\":95,\"threshold\":\"500ms\"},"
                       "\"latency\":{\"objective\":95,\"threshold\":\"1s\"},\"timeout\":{\"objective\":99}}",
                       "", &fault) != STATUS_OK ||
            !rules_add_release(&view->rules, "v1") || !rules_add_release(&view->rules, "v2"))
            abort();
        rules_seal(&view->rules);
        snapshot->service[snapshot->services++] = view;
    }
    snapshot_seal(snapshot);
    return snapshot;
}

/* Feeds one encoding; what was counted is given to `check`. */
static inline void otlp_feed_one(const uint8_t *data, size_t size, bool protobuf, otlp_count read,
                                 void (*check)(const struct otlp_counts *counts))
{
    static struct snapshot *snapshot;
    static const struct genai_names names = {"serin.service", "serin.release", "serin.stratum"};
    static struct genai_counters counters;
    struct otlp_counts counts;
    struct fault fault = {.status = STATUS_OK};
    if (snapshot == NULL) {
        snapshot = otlp_world();
        if (genai_counters_read("requests=llm.requests,refusal=llm.refusals", &counters, &fault) != STATUS_OK)
            abort();
    }
    struct otlp_setting setting = {.snapshot = snapshot,
                                   .names = &names,
                                   .counters = &counters,
                                   .gateway = "gw",
                                   .received = {1700000000000000},
                                   .wall = {1700000000000000},
                                   .rate = 1};
    /* just as long as it is, so that a sanitizer sees a byte too far */
    char *copy = malloc(size + (size == 0));
    if (copy == NULL)
        return;
    memcpy(copy, data, size);
    enum status status = read(&setting, protobuf, copy, size, &counts, &fault);
    if (status == STATUS_OK && (counts.parts > 2 || (counts.rejected > 0 && counts.reason[0] == '\0')))
        abort();
    if (status == STATUS_OK)
        check(&counts);
    else if (fault.detail[0] == '\0' || counts.parts != 0)
        abort();
    if (status == STATUS_OK)
        otlp_counts_free(&counts);
    free(copy);
}

static inline void otlp_feed(const uint8_t *data, size_t size, otlp_count read,
                             void (*check)(const struct otlp_counts *counts))
{
    bool json = size > 0 && data[0] == '{';
    if (json)
        otlp_feed_one(data, size, false, read, check);
    otlp_feed_one(data + json, size - json, true, read, check);
}

/* What points come to must be counts, as they will be summed. */
static inline void otlp_check_points(const struct otlp_counts *counts)
{
    static const int64_t most = INT64_C(1) << 53;
    for (size_t part = 0; part < counts->parts; part++) {
        const struct counts_delta *delta = counts->part[part].delta;
        if (strlen(delta->key) != 5 + DIGEST_HEX - 1 || delta->entries != 0 || delta->points == 0)
            abort();
        for (size_t i = 0; i < delta->points; i++) {
            const struct counts_point *point = &delta->point[i];
            if (point->value[0] < 0 || point->value[0] > most || point->start_ns > point->time_ns ||
                point->effect.release[0] == '\0' || point->effect.sum >= COUNTS_SUMS)
                abort();
            for (size_t value = 1; value < COUNTS_VALUES; value++)
                if (point->value[value] < 0 || point->value[value] > point->value[0])
                    abort();
        }
    }
}
