/* Releases as people cut them (schema NewRelease). */
#pragma once

#include "base/fault.h"
#include "base/id.h"
#include "spec/artifact.h"

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RELEASE_PINS_MAX = 64 };

struct spec_pin {
    enum spec_kind kind;
    char name[NAME_MAX_LENGTH + 1];
    int32_t version; /* >= 1 */
};

struct spec_release {
    char name[NAME_MAX_LENGTH + 1];
    size_t pins;
    struct spec_pin pin[RELEASE_PINS_MAX]; /* sorted by kind, then name; exactly one model */
    bool history_compatible;
    struct json_object *parameters, *fallback, *worksheets; /* owned objects; empty if absent */
    const char *changelog, *compatibility;                  /* lent by `document`; "" if absent */
    struct json_object *document;                           /* a reference to what was read; owned */
};

/* Reads `value` (lent; a reference is kept) into *out. Artifacts are unique by kind and name, exactly one is
   a model; the keys of the fallback copy are SLIs or "default". INVALID with every problem at its pointer, or
   NO_MEMORY; *out then owns nothing. */
enum status spec_read_release(struct json_object *value, const char *pointer, struct spec_release *out,
                              struct fault *fault) MUST_CHECK;

/* Frees what *release owns and clears it; a cleared one is fine. */
void spec_release_free(struct spec_release *release);
