// SEES: gateway sources http store spec decision base
/* Any body of POST /v1/traces is refused or counted, and what is counted adds up. */
#include "otlp_feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct otlp_counts *spans)
{
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    otlp_feed(data, size, spans_read, check);
    return 0;
}
