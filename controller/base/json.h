/* JSON: a strict scanner before json-c, canonical output (RFC 8785), and a reader that holds an object to its
 * fields. */
#pragma once

#include "base/fault.h"
#include "base/text.h"

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_DEPTH_MAX = 32 };

/* Parses exactly one JSON value (RFC 8259, UTF-8). json-c alone would let through duplicate keys, single
   quotes, NaN, raw control characters, lone surrogates and saturated integers; here each is MALFORMED, with
   the byte offset and a pointer in the detail; numbers that overflow a double too, and integers beyond +-2^53
   unless they stand there exactly as a double is written (1e20 has the canonical form 100000000000000000000,
   which must be read again; such a number is a double and no json_fields_integer). On success `*out` is owned
   by the caller (json_object_put; NULL means the JSON value null); on failure it is NULL. */
enum status json_parse(const char *data, size_t length, struct json_object **out,
                       struct fault *fault) MUST_CHECK;

/* Appends the canonical form (RFC 8785): keys in UTF-16 order, shortest numbers, no white space. */
enum status json_canonical(struct json_object *value, struct text *out) MUST_CHECK;

/* Appends the same without sorting: members in the order in which they were added, as people like to read
 * them. */
enum status json_put(struct json_object *value, struct text *out) MUST_CHECK;

/* Appends `string` (length bytes of UTF-8) as a JSON string with quotes; invalid UTF-8 becomes U+FFFD. */
void json_put_string(struct text *out, const char *string, size_t length);

/* --- reading an object, field by field
   --------------------------------------------------------------------------- Every problem is added to
   `fault` with its pointer, so that the user sees all of them at once. A reader function returns true when it
   has set *out. An optional field that is absent leaves *out as it was and returns false without a problem;
   null counts as absent for optional fields. */
struct json_fields {
    struct json_object *object; /* lent */
    const char *pointer;        /* JSON pointer of the object, lent; "" at the top */
    struct fault *fault;        /* may be NULL */
    bool failed;
    size_t seen;
    const char *seen_name[48];
};

enum json_need { JSON_OPTIONAL, JSON_REQUIRED };

/* Opens `value` as an object; anything else is a problem at `pointer` and every read will return false. */
void json_fields_open(struct json_fields *fields, struct json_object *value, const char *pointer,
                      struct fault *fault);
/* A string of min..max bytes without NUL; *out is lent by the object. */
bool json_fields_text(struct json_fields *fields, const char *name, enum json_need need, size_t min,
                      size_t max, const char **out);
/* A string that name_valid() accepts. */
bool json_fields_name(struct json_fields *fields, const char *name, enum json_need need, const char **out);
bool json_fields_integer(struct json_fields *fields, const char *name, enum json_need need, int64_t min,
                         int64_t max, int64_t *out);
bool json_fields_number(struct json_fields *fields, const char *name, enum json_need need, double min,
                        double max, double *out);
bool json_fields_bool(struct json_fields *fields, const char *name, enum json_need need, bool *out);
/* A duration string as clock_parse_duration reads it, within min_ms..max_ms. */
bool json_fields_duration(struct json_fields *fields, const char *name, enum json_need need, int64_t min_ms,
                          int64_t max_ms, int64_t *out_ms);
/* A weight: "12.5%" or an integer in 1/10,000; *out in 1/10,000. */
bool json_fields_weight(struct json_fields *fields, const char *name, enum json_need need, int64_t min,
                        int64_t max, int64_t *out);
/* One of `words` (NULL-terminated); *out is its index. */
bool json_fields_word(struct json_fields *fields, const char *name, enum json_need need,
                      const char *const *words, int *out);
bool json_fields_object(struct json_fields *fields, const char *name, enum json_need need,
                        struct json_object **out);
bool json_fields_array(struct json_fields *fields, const char *name, enum json_need need, size_t min,
                       size_t max, struct json_object **out);
/* Any value, null included (*out NULL, returns true if the key is present). */
bool json_fields_any(struct json_fields *fields, const char *name, enum json_need need,
                     struct json_object **out);
/* Pointer of a field below this object, escaped (RFC 6901), cut at the size. Returns `out`. */
char *json_fields_pointer(const struct json_fields *fields, const char *name, char out[128]);
/* Names every key that was not read as unknown. OK, or INVALID if anything was wrong. */
enum status json_fields_close(struct json_fields *fields) MUST_CHECK;
