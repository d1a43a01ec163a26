// SEES: base decision spec store sources
/* Fuzzes the reading of Prometheus' answers and of cursors: whatever comes, it ends as a fault with a next
   step or as counts with 0 <= k <= n, and the same answer twice counts nothing. */
#include "base/text.h"
#include "sources/prometheus_cursor.h"
#include "sources/prometheus_delta.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tick(const struct prometheus_tick *tick, bool same)
{
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct counts *c = &tick->counts[i];
        if (c->k_c < 0 || c->k_b < 0 || c->k_c > c->n_c || c->k_b > c->n_b || (tick->has[i] && !tick->valid))
            abort();
        if (same && (c->n_c != 0 || c->n_b != 0))
            abort();
    }
    if (tick->to_s < tick->from_s || (tick->first && tick->valid))
        abort();
}

static void compare(const struct prometheus_answer *answer, const char *before)
{
    struct text cursor, next;
    struct prometheus_tick tick;
    struct fault fault = {0};
    struct prometheus_reading reading = {.at_s = 1000, .asked = "x", .requests = answer};
    reading.bad[SLI_ERROR] = answer;
    text_init(&cursor, PROMETHEUS_CURSOR_MAX);
    text_init(&next, PROMETHEUS_CURSOR_MAX);
    if (prometheus_delta(before, &reading, &tick, &cursor, &fault) != STATUS_OK)
        goto out;
    check_tick(&tick, false);
    reading.at_s = 1015;
    if (prometheus_delta(text_get(&cursor), &reading, &tick, &next, &fault) != STATUS_OK)
        goto out;
    check_tick(&tick, true);
out:
    text_free(&cursor);
    text_free(&next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct prometheus_answer answer;
    struct cursor cursor;
    struct fault fault = {0};
    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    enum status status =
        prometheus_parse((const char *)data, size, "req_total", "release", "r1", "r2", &answer, &fault);
    if (status == STATUS_OK) {
        compare(&answer, "");
        compare(&answer, text);
    } else if (fault.detail[0] == '\0' || (status == STATUS_PEER && fault.next_step[0] == '\0') ||
               answer.count != 0) {
        abort();
    }
    prometheus_answer_free(&answer);
    cursor_read(text, "x", &cursor);
    cursor_free(&cursor);
    free(text);
    return 0;
}
