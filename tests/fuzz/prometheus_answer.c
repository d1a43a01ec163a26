// SEES: base decision spec store sources
/* Fuzzes the reading of Prometheus' answers and of cursors: whatever comes, it ends as a fault with a next
   step or as counts with 0 <= k <= n, and the same answer twice counts nothing. */
#include "base/text.h"
#include "sources/prometheus_cursor.h"
#include "sources/prometheus_delta.h"
#include "sources/prometheus_parse.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tick(const struct source_tick *tick, bool same)
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
    struct source_tick tick;
    struct fault fault = {0};
    struct prometheus_reading reading = {.at_s = 1000, .asked = "x", .requests = answer};
    reading.bad[SLI_ERROR] = answer;
    text_init(&cursor, SOURCE_CURSOR_MAX);
    text_init(&next, SOURCE_CURSOR_MAX);
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

/* What one rollout sees of the answer, where a label tells services apart and where none does. */
static void look(const char *data, size_t size, const char *service_label, const char *cursor)
{
    struct prometheus_question question = {
        .selector = "req_total", .service_label = service_label, .release_label = "release"};
    struct source_want want = {.service = "chat", .stable = "r1", .canary = "r2"};
    struct prometheus_vector vector;
    struct prometheus_answer answer;
    struct fault fault = {0};
    enum status status = prometheus_parse(data, size, &question, &vector, &fault);
    if (status != STATUS_OK) {
        if (fault.detail[0] == '\0' || (status == STATUS_PEER && fault.next_step[0] == '\0') ||
            vector.count != 0 || vector.sample != NULL)
            abort();
        return;
    }
    status = prometheus_select(&vector, &want, &answer, &fault);
    if (status == STATUS_OK) {
        compare(&answer, "");
        compare(&answer, cursor);
    } else if (fault.detail[0] == '\0' || (status == STATUS_PEER && fault.next_step[0] == '\0') ||
               answer.count != 0) {
        abort();
    }
    prometheus_answer_free(&answer);
    prometheus_vector_free(&vector);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor cursor;
    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    look((const char *)data, size, "", text);
    look((const char *)data, size, "service", text);
    cursor_read(text, "x", &cursor);
    cursor_free(&cursor);
    free(text);
    return 0;
}
