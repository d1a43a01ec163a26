/* Writing a batch of reports as JSON. */
#include "demo/batch.h"

#include <math.h>

static const int64_t AGE_MAX_MS = 86400000;

static void put_integer(struct text *out, int64_t number)
{
    char digits[24], *start = digits + sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        *--start = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0) {
        *--start = '-';
    }
    text_add(out, start, (size_t)(digits + sizeof digits - start));
}

static void put_field(struct text *out, const char *name, int64_t number)
{
    if (number >= 0) {
        text_puts(out, name);
        put_integer(out, number);
    }
}

static void put_slis(struct text *out, const struct outcome *outcome)
{
    const char *separator = ",\"sli\":{\"";
    for (enum outcome_sli sli = 0; sli < OUTCOME_SLIS; sli++) {
        if (outcome->measured >> sli & 1) {
            text_puts(out, separator);
            text_puts(out, outcome_sli_name(sli));
            text_puts(out, outcome->bad >> sli & 1 ? "\":true" : "\":false");
            separator = ",\"";
        }
    }
    if (outcome->measured != 0) {
        text_putc(out, '}');
    }
}

static void put_outcome(struct text *out, const struct outcome *outcome)
{
    put_slis(out, outcome);
    put_field(out, ",\"ttft_ms\":", outcome->ttft_ms);
    put_field(out, ",\"latency_ms\":", outcome->latency_ms);
    put_field(out, ",\"input_tokens\":", outcome->input_tokens);
    put_field(out, ",\"output_tokens\":", outcome->output_tokens);
    put_field(out, ",\"cost_micros\":", outcome->cost_micros);
    if (!isnan(outcome->score)) {
        text_printf(out, ",\"score\":%.17g", outcome->score);
    }
}

/* One of the two lists; returns how many were too old. */
static size_t put_list(struct text *out, bool admissions, const struct report *reports, size_t count,
                       const char *const *names, int64_t now_us)
{
    size_t old = 0;
    const char *separator =
        admissions ? ",\"admissions\":[{\"release\":\"" : ",\"outcomes\":[{\"release\":\"";
    const char *start = separator;
    for (size_t i = 0; i < count; i++) {
        const struct report *report = &reports[i];
        if (report->admission != admissions) {
            continue;
        }
        /* in whole ms on both sides, so that clock less age is the same for an admission and its outcome */
        int64_t age_ms = now_us / 1000 - report->admitted_us / 1000;
        if (age_ms > AGE_MAX_MS) {
            old++;
            continue;
        }
        text_puts(out, separator);
        text_puts(out, names[report->release]);
        text_puts(out, "\",\"age_ms\":");
        put_integer(out, age_ms < 0 ? 0 : age_ms);
        if (admissions) {
            put_field(out, ",\"count\":", report->count);
        } else {
            put_outcome(out, &report->outcome);
        }
        text_putc(out, '}');
        separator = ",{\"release\":\"";
    }
    if (separator != start) {
        text_putc(out, ']');
    }
    return old;
}

size_t batch_write(struct text *out, const char *service, const struct report *reports, size_t count,
                   const char *const *names, int64_t now_us)
{
    text_puts(out, "{\"service\":\"");
    text_puts(out, service);
    text_puts(out, "\",\"clock_ms\":");
    put_integer(out, now_us / 1000);
    size_t old = put_list(out, true, reports, count, names, now_us);
    old += put_list(out, false, reports, count, names, now_us);
    text_putc(out, '}');
    return old;
}
