// SEES: gateway sources http store spec decision base
/* Any body of POST /v1/outcomes is refused or counted, what is counted adds up, and the reader of plain
   batches counts what the reader of all batches counts. */
#include "base/digest.h"
#include "gateway/tally_items.h"
#include "gateway/tally_scan.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct snapshot *make(void)
{
    struct snapshot *snapshot = snapshot_new(1, 1, 1, 0);
    struct service_view *view = service_view_new("chat");
    struct fault fault;
    if (snapshot == NULL || view == NULL ||
        rules_read(&view->rules,
                   "{\"ttft\":{\"objective\":95,\"threshold\":\"500ms\"},"
                   "\"latency\":{\"objective\":95,\"threshold\":\"1s\"},\"timeout\":{\"objective\":99}}",
                   "", &fault) != STATUS_OK ||
        !rules_add_release(&view->rules, "v1") || !rules_add_release(&view->rules, "v2"))
        abort();
    rules_seal(&view->rules);
    snapshot->service[snapshot->services++] = view;
    snapshot_seal(snapshot);
    return snapshot;
}

static void check(const struct tally *tally)
{
    int64_t outcomes = 0, admissions = 0;
    for (size_t i = 0; i < tally->delta->entries; i++) {
        const struct counts_entry *entry = &tally->delta->entry[i];
        outcomes += entry->outcomes + entry->late_outcomes;
        admissions += entry->admissions > 0;
        for (int sli = 0; sli < SLI_COUNT; sli++) {
            if (entry->k[sli] < 0 || entry->k[sli] > entry->n[sli] || entry->n[sli] > entry->outcomes ||
                entry->late[sli] > entry->outcomes + entry->late_outcomes)
                abort();
        }
        for (int sum = 0; sum < COUNTS_SUMS; sum++) {
            if (entry->summed[sum] > entry->outcomes)
                abort();
        }
    }
    if (outcomes > tally->accepted || outcomes + admissions > tally->accepted)
        abort();
}

/* What tally_scan() takes, tally_read_any() takes too, with the same counts. */
static void compare(const uint8_t *data, size_t size, const struct snapshot *snapshot, struct wall_time now)
{
    static struct tally scanned, read;
    static struct clocks *clocks;
    struct fault fault = {.status = STATUS_OK};
    if (clocks == NULL)
        clocks = clocks_new();
    memset(&scanned, 0, sizeof scanned);
    if (!tally_scan((const char *)data, size, snapshot, now, clocks, "gw", "key", &scanned))
        return;
    if (tally_read_any((const char *)data, size, snapshot, now, clocks, "gw", "key", &read, &fault) !=
            STATUS_OK ||
        scanned.accepted != read.accepted || scanned.rejected != read.rejected ||
        scanned.lag_ms != read.lag_ms || scanned.listed != read.listed ||
        memcmp(scanned.first, read.first, sizeof read.first) != 0 ||
        scanned.delta->entries != read.delta->entries ||
        (read.delta->entries > 0 && memcmp(scanned.delta->entry, read.delta->entry,
                                           read.delta->entries * sizeof *read.delta->entry) != 0))
        abort();
    tally_free(&scanned);
    tally_free(&read);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct snapshot *snapshot;
    const struct wall_time now = {1700000000000000};
    struct tally tally;
    struct fault fault = {.status = STATUS_OK};
    struct text result;
    if (snapshot == NULL)
        snapshot = make();
    compare(data, size, snapshot, now);
    if (tally_read((const char *)data, size, snapshot, now, NULL, "gw", "key", &tally, &fault) != STATUS_OK) {
        if (fault.status == STATUS_OK || tally.delta != NULL)
            abort();
        return 0;
    }
    check(&tally);
    text_init(&result, 1 << 20);
    tally_put_result(&tally, false, &result);
    if (text_status(&result) != STATUS_OK)
        abort();
    text_free(&result);
    tally_free(&tally);
    return 0;
}
