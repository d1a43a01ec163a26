/* Readers of fields beside those of base/json.h: whole seconds, limited decimals, percentages, counted
   characters; and the way back. For the files of this room. */
#pragma once

#include "base/json.h"

#include <stdint.h>

/* Adds a problem at a field. Always false. */
bool spec_wrong(struct json_fields *fields, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A duration of whole seconds within min_s..max_s. */
bool spec_fields_seconds(struct json_fields *fields, const char *name, int64_t min_s, int64_t max_s,
                         int64_t *out_s);
/* A number within min..max with at most `decimals` (0..6) of them; *out is the number times 10^decimals. */
bool spec_fields_decimal(struct json_fields *fields, const char *name, enum json_need need, double min,
                         double max, int decimals, int64_t *out);
/* An optional number above `above` and up to `max`. */
bool spec_fields_above(struct json_fields *fields, const char *name, double above, double max, double *out);
/* An optional text of min..max characters (code points, as the API counts them). *out is lent. */
bool spec_fields_characters(struct json_fields *fields, const char *name, enum json_need need, size_t min,
                            size_t max, const char **out);

/* Percent to share of 1 and back, by shifting the decimal point: 0.15 % is the double nearest to 0.0015. The
   way back finds a percentage that is read as exactly this share where one exists, which holds for every
   share that was read. */
double spec_percent_to_share(double percent);
double spec_share_to_percent(double share);

/* Builds an object. After a failed allocation every put does nothing and spec_writer_end() gives NULL. */
struct spec_writer {
    struct json_object *object; /* owned */
    bool failed;
};
void spec_writer_begin(struct spec_writer *writer);
/* Adds `value`, which changes hands also on failure; NULL counts as no memory. */
void spec_put(struct spec_writer *writer, const char *name, struct json_object *value);
void spec_put_null(struct spec_writer *writer, const char *name);
void spec_put_text(struct spec_writer *writer, const char *name, const char *text);
void spec_put_integer(struct spec_writer *writer, const char *name, int64_t integer);
void spec_put_number(struct spec_writer *writer, const char *name, double number); /* finite */
void spec_put_ms(struct spec_writer *writer, const char *name, int64_t ms);        /* a duration */
/* The object, owned by the caller; NULL on no memory. */
struct json_object *spec_writer_end(struct spec_writer *writer);
