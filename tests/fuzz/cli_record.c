// SEES: base decision spec cli
/* Fuzzes the reader of records: pages, one a line, as `serin replay --file` reads them. Whatever it accepts
   is computed without a fault, and what it refuses has a reason. */
#include "cli/record.h"

#include "base/digest.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct record *record)
{
    for (size_t i = 0; i < record->decisions; i++) {
        const struct record_decision *decision = &record->decision[i];
        if (record_equal(decision) &&
            strcmp(decision->result.decision.rule->id, decision->stored.rule) != 0) {
            abort();
        }
        if (decision->decided && !(decision->result.difference >= 0)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record *record = record_new();
    struct fault fault = {0};
    const char *at = (const char *)data, *end = at + size;
    enum status status = STATUS_OK;
    if (record == NULL || digest_start() != STATUS_OK) {
        abort();
    }
    while (status == STATUS_OK && at < end) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        size_t length = line != NULL ? (size_t)(line - at) : (size_t)(end - at);
        status = record_page(record, at, length, &fault);
        if (status != STATUS_OK && fault.detail[0] == '\0') {
            abort();
        }
        at += length + (line != NULL ? 1 : 0);
    }
    record_end(record);
    check(record);
    record_free(record);
    return 0;
}
