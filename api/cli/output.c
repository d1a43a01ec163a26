/* Formats for people, and safe text for terminals. */
#include "cli/output.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool output_colors(FILE *file)
{
    const char *none = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return (none == NULL || none[0] == '\0') && terminal != NULL && strcmp(terminal, "dumb") != 0 &&
           isatty(fileno(file)) == 1;
}

char *output_weight(int64_t weight, char out[OUTPUT_MAX])
{
    if (weight % 100 == 0) {
        snprintf(out, OUTPUT_MAX, "%lld %%", (long long)weight / 100);
    } else if (weight % 10 == 0) {
        snprintf(out, OUTPUT_MAX, "%lld.%lld %%", (long long)weight / 100, llabs(weight) % 100 / 10);
    } else {
        snprintf(out, OUTPUT_MAX, "%lld.%02lld %%", (long long)weight / 100, llabs(weight) % 100);
    }
    return out;
}

char *output_percent(double percent, char out[OUTPUT_MAX])
{
    if (percent == 0 || fabs(percent) >= 0.001) {
        snprintf(out, OUTPUT_MAX, "%.4g %%", percent);
    } else {
        snprintf(out, OUTPUT_MAX, "%.2g %%", percent);
    }
    return out;
}

char *output_rate(int64_t k, int64_t n, char out[OUTPUT_MAX])
{
    if (n <= 0) {
        snprintf(out, OUTPUT_MAX, "-");
        return out;
    }
    double percent = 100.0 * (double)k / (double)n;
    int decimals = percent >= 10 ? 1 : percent >= 0.1 || k == 0 ? 2 : 3;
    snprintf(out, OUTPUT_MAX, "%.*f %%", decimals, percent);
    return out;
}

char *output_count(int64_t count, char out[OUTPUT_MAX])
{
    return number_count(count, out);
}

char *output_requests(double requests, const char *what, char out[OUTPUT_MAX])
{
    char number[NUMBER_MAX];
    number_measure(requests, number);
    snprintf(out, OUTPUT_MAX, "%s %s%s", number, what, number_plural(number));
    return out;
}

char *output_since(const char *time, char out[OUTPUT_MAX])
{
    char span[CLOCK_TEXT_MAX];
    struct wall_time at;
    if (time == NULL || time[0] == '\0') {
        snprintf(out, OUTPUT_MAX, "-");
        return out;
    }
    if (!clock_parse(time, &at)) {
        snprintf(out, OUTPUT_MAX, "%s", time);
        utf8_trim(out);
        return out;
    }
    int64_t ms = (clock_wall().us - at.us) / 1000;
    if (llabs(ms) < 1000) {
        snprintf(out, OUTPUT_MAX, "just now");
        return out;
    }
    /* Below ten seconds nobody asks for tenths. */
    clock_format_human(llabs(ms) < 10000 ? llabs(ms) / 1000 * 1000 : llabs(ms), span);
    snprintf(out, OUTPUT_MAX, ms > 0 ? "%s ago" : "in %s", span);
    return out;
}

char *output_span(int64_t seconds, char out[OUTPUT_MAX])
{
    char span[CLOCK_TEXT_MAX];
    if (seconds > INT64_MAX / 1000) {
        seconds = INT64_MAX / 1000;
    }
    snprintf(out, OUTPUT_MAX, "%s", clock_format_human(seconds * 1000, span));
    return out;
}

/* Control characters of C0, DEL and C1, and what turns the direction of text around. */
static bool harmful(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x202a && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0x200e || code == 0x200f || code == 0x2028 ||
           code == 0x2029;
}

void output_clean(struct text *out, const char *string, bool lines)
{
    size_t length = strlen(string);
    while (length > 0) {
        uint32_t code;
        size_t used = utf8_next(string, length, &code);
        if (used == 0) {
            text_puts(out, "\xef\xbf\xbd");
            used = 1;
        } else if (lines && (code == '\n' || code == '\t')) {
            text_putc(out, (char)code);
        } else if (code == '\n' || code == '\t' || code == '\r') {
            text_putc(out, ' ');
        } else if (harmful(code)) {
            text_puts(out, "\xef\xbf\xbd");
        } else {
            text_add(out, string, used);
        }
        string += used;
        length -= used;
    }
}

static const char *const paints[] = {"",         "\033[1m",  "\033[2m", "\033[32m",
                                     "\033[31m", "\033[33m", "\033[34m"};

void output_paint(struct text *out, bool colors, enum paint paint, const char *string)
{
    bool painted = colors && paint != PAINT_NONE;
    if (painted) {
        text_puts(out, paints[paint]);
    }
    output_clean(out, string, false);
    if (painted) {
        text_puts(out, "\033[0m");
    }
}

size_t output_width(const char *string)
{
    size_t width = 0;
    for (; *string != '\0'; string++) {
        width += ((unsigned char)*string & 0xc0) != 0x80 ? 1 : 0;
    }
    return width;
}

char *output_short(const char *string, size_t columns, char out[OUTPUT_SHORT_MAX])
{
    size_t at = 0, length = strlen(string);
    bool cut = output_width(string) > columns;
    for (size_t column = 0; length > 0 && column < (cut ? columns - 2 : columns); column++) {
        size_t used = utf8_next(string, length, NULL);
        used = used == 0 ? 1 : used;
        if (at + used + 3 > OUTPUT_SHORT_MAX) {
            cut = true;
            break;
        }
        memcpy(out + at, string, used);
        at += used;
        string += used;
        length -= used;
    }
    memcpy(out + at, cut ? ".." : "", cut ? 3 : 1);
    return out;
}

static void spaces(struct text *out, size_t count)
{
    while (count-- > 0) {
        text_putc(out, ' ');
    }
}

void output_wrap(struct text *out, const char *string, size_t indent, size_t width)
{
    struct text clean;
    size_t column = 0;
    text_init(&clean, 1 << 20);
    output_clean(&clean, string, true);
    const char *at = text_get(&clean);
    while (*at != '\0') {
        if (*at == '\n') {
            text_putc(out, '\n');
            column = 0;
            at++;
            continue;
        }
        size_t blank = strspn(at, " ");
        size_t length = strcspn(at + blank, " \n");
        if (strncmp(at + blank + length, " %", 2) == 0) { /* a number stays with its sign */
            length += 1 + strcspn(at + blank + length + 1, " \n");
        }
        char *word = strndup(at + blank, length);
        size_t wide = word == NULL ? length : output_width(word);
        if (column > 0 && column + blank + wide > width) {
            text_putc(out, '\n');
            column = 0;
            blank = 0;
            at += strspn(at, " ");
        } else {
            at += blank;
        }
        if (column == 0) {
            spaces(out, indent);
            column = indent;
        }
        spaces(out, blank);
        text_add(out, at, length);
        column += blank + wide;
        at += length;
        free(word);
    }
    text_putc(out, '\n');
    text_free(&clean);
}
