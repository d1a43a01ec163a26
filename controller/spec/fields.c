/* Readers and writers of single fields that the documents of this room share. */
#include "spec/fields.h"

#include "base/clock.h"
#include "base/json_number.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool spec_wrong(struct json_fields *fields, const char *name, const char *format, ...)
{
    char pointer[128];
    char detail[192];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    fields->failed = true;
    fault_at(fields->fault, json_fields_pointer(fields, name, pointer), "%s", detail);
    return false;
}

bool spec_fields_seconds(struct json_fields *fields, const char *name, int64_t min_s, int64_t max_s,
                         int64_t *out_s)
{
    int64_t ms;
    if (!json_fields_duration(fields, name, JSON_OPTIONAL, min_s * 1000, max_s * 1000, &ms)) {
        return false;
    }
    if (ms % 1000 != 0) {
        return spec_wrong(fields, name, "must be whole seconds");
    }
    *out_s = ms / 1000;
    return true;
}

bool spec_fields_decimal(struct json_fields *fields, const char *name, enum json_need need, double min,
                         double max, int decimals, int64_t *out)
{
    double number;
    if (!json_fields_number(fields, name, need, min, max, &number)) {
        return false;
    }
    double scale = pow(10, decimals);
    double whole = round(number * scale);
    /* The decimal that `whole` stands for must be this very double. */
    if (whole / scale != number) {
        return spec_wrong(fields, name, "must have at most %d decimals", decimals);
    }
    *out = (int64_t)whole;
    return true;
}

bool spec_fields_above(struct json_fields *fields, const char *name, double above, double max, double *out)
{
    double number;
    if (!json_fields_number(fields, name, JSON_OPTIONAL, -INFINITY, INFINITY, &number)) {
        return false;
    }
    if (!(number > above && number <= max)) {
        return spec_wrong(fields, name, "must be above %g and at most %g, is %g", above, max, number);
    }
    *out = number;
    return true;
}

bool spec_fields_characters(struct json_fields *fields, const char *name, enum json_need need, size_t min,
                            size_t max, const char **out)
{
    const char *text;
    size_t characters = 0;
    if (!json_fields_text(fields, name, need, min, 4 * max, &text)) {
        return false;
    }
    for (const char *at = text; *at != '\0'; at++) {
        characters += ((unsigned char)*at & 0xc0) != 0x80 ? 1 : 0;
    }
    if (characters > max) {
        return spec_wrong(fields, name, "must have at most %zu characters, has %zu", max, characters);
    }
    *out = text;
    return true;
}

/* number * 10^places, as decimals: the shortest decimal form of `number`, its point moved, read again. */
static double shift(double number, int places)
{
    char shortest[JSON_NUMBER_MAX];
    char moved[JSON_NUMBER_MAX + 24];
    json_number(number, shortest);
    char *exponent = strchr(shortest, 'e');
    long power = 0;
    if (exponent != NULL) {
        *exponent = '\0';
        power = strtol(exponent + 1, NULL, 10);
    }
    snprintf(moved, sizeof moved, "%se%ld", shortest, power + places);
    return strtod(moved, NULL);
}

double spec_percent_to_share(double percent)
{
    return shift(percent, -2);
}

double spec_share_to_percent(double share)
{
    enum { NEIGHBOURS = 8 };
    double best = shift(share, 2);
    double up = best, down = best;
    for (int i = 0; i < NEIGHBOURS; i++) {
        if (spec_percent_to_share(up) == share) {
            return up;
        }
        if (spec_percent_to_share(down) == share) {
            return down;
        }
        up = nextafter(up, INFINITY);
        down = nextafter(down, -INFINITY);
    }
    return best;
}

void spec_writer_begin(struct spec_writer *writer)
{
    writer->object = json_object_new_object();
    writer->failed = writer->object == NULL;
}

void spec_put(struct spec_writer *writer, const char *name, struct json_object *value)
{
    if (writer->failed || value == NULL || json_object_object_add(writer->object, name, value) != 0) {
        json_object_put(value);
        writer->failed = true;
    }
}

void spec_put_null(struct spec_writer *writer, const char *name)
{
    if (!writer->failed && json_object_object_add(writer->object, name, NULL) != 0) {
        writer->failed = true;
    }
}

void spec_put_text(struct spec_writer *writer, const char *name, const char *text)
{
    spec_put(writer, name, json_object_new_string(text));
}

void spec_put_integer(struct spec_writer *writer, const char *name, int64_t integer)
{
    spec_put(writer, name, json_object_new_int64(integer));
}

void spec_put_number(struct spec_writer *writer, const char *name, double number)
{
    char shortest[JSON_NUMBER_MAX];
    spec_put(writer, name, json_object_new_double_s(number, json_number(number, shortest)));
}

void spec_put_ms(struct spec_writer *writer, const char *name, int64_t ms)
{
    char text[CLOCK_TEXT_MAX];
    spec_put_text(writer, name, clock_format_duration(ms, text));
}

struct json_object *spec_writer_end(struct spec_writer *writer)
{
    struct json_object *object = writer->object;
    writer->object = NULL;
    if (writer->failed) {
        json_object_put(object);
        return NULL;
    }
    return object;
}
