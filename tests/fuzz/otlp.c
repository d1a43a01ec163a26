// SEES: gateway sources http store spec decision base
/* Any body of POST /v1/traces is refused or counted, and what is counted adds up. A body that begins with
   '{' is read as JSON, and as protobuf without its first byte; any other as protobuf. */
#include "base/digest.h"
#include "gateway/spans.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct snapshot *make(void)
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

static void check(const struct spans *spans)
{
    if (spans->parts > 2 || (spans->rejected > 0) != (spans->reason[0] != '\0'))
        abort();
    for (size_t part = 0; part < spans->parts; part++) {
        const struct counts_delta *delta = spans->part[part].delta;
        int64_t outcomes = 0;
        if (strlen(delta->key) != 5 + DIGEST_HEX - 1)
            abort();
        for (size_t i = 0; i < delta->entries; i++) {
            const struct counts_entry *entry = &delta->entry[i];
            outcomes += entry->outcomes + entry->late_outcomes;
            if (entry->admissions != 0)
                abort();
            for (int sli = 0; sli < SLI_COUNT; sli++) {
                if (entry->k[sli] < 0 || entry->k[sli] > entry->n[sli] || entry->n[sli] > entry->outcomes ||
                    entry->late[sli] > entry->outcomes + entry->late_outcomes)
                    abort();
            }
            for (int sum = 0; sum < COUNTS_SUMS; sum++) {
                if (entry->summed[sum] > entry->outcomes || !(entry->sums[sum] >= 0))
                    abort();
            }
        }
        if (outcomes != spans->part[part].accepted)
            abort();
    }
}

static void feed(const uint8_t *data, size_t size, bool protobuf)
{
    static struct snapshot *snapshot;
    static const struct genai_names names = {"serin.service", "serin.release", "serin.stratum"};
    struct spans spans;
    struct fault fault = {.status = STATUS_OK};
    if (snapshot == NULL)
        snapshot = make();
    struct spans_setting setting = {.snapshot = snapshot,
                                    .names = &names,
                                    .gateway = "gw",
                                    .received = {1700000000000000},
                                    .wall = {1700000000000000},
                                    .rate = 1};
    /* just as long as it is, so that a sanitizer sees a byte too far */
    char *copy = malloc(size + (size == 0));
    if (copy == NULL)
        return;
    memcpy(copy, data, size);
    enum status status = spans_read(&setting, protobuf, copy, size, &spans, &fault);
    if (status == STATUS_OK)
        check(&spans);
    else if (fault.detail[0] == '\0' || spans.parts != 0)
        abort();
    if (status == STATUS_OK)
        spans_free(&spans);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool json = size > 0 && data[0] == '{';
    if (json)
        feed(data, size, false);
    feed(data + json, size - json, true);
    return 0;
}
