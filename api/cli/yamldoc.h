/* YAML as people write it, read into json-c: YAML 1.2, core schema ("no" is a word, not false; no
   sexagesimals), one or several documents. Strict where YAML would guess: duplicate keys, leading zeros,
   numbers that cannot be kept exactly, unknown tags and merge keys are refused with their line. JSON is YAML
   and reads the same. */
#pragma once

#include "base/fault.h"

#include <json-c/json_object.h>
#include <stddef.h>

enum {
    YAMLDOC_BYTES_MAX = 8 << 20,
    YAMLDOC_COST_MAX =
        16 << 20, /* nodes and bytes after aliases have been put in: bounds anchors of anchors */
    YAMLDOC_DEPTH_MAX = 32,
    YAMLDOC_MAX = 256 /* documents */
};

struct yamldoc_place {
    char *pointer; /* JSON pointer, owned */
    int line;      /* from 1 */
};

struct yamldoc {
    struct json_object *value; /* owned; NULL = null */
    struct yamldoc_place *place;
    size_t places, places_max;
};

struct yamldoc_stream {
    struct yamldoc *document; /* owned */
    size_t documents;
};

/* Reads all documents of `data` (length bytes, UTF-8). `name` is the file's, for messages. Empty documents
   are left out. MALFORMED with "name:line: ..." in the detail, TOO_LARGE or NO_MEMORY; *out is then empty. */
enum status yamldoc_read(const char *data, size_t length, const char *name, struct yamldoc_stream *out,
                         struct fault *fault) MUST_CHECK;
/* Frees all documents. An empty stream is fine. */
void yamldoc_free(struct yamldoc_stream *stream);
/* Line of what `pointer` names, or of the innermost thing around it that is there. */
int yamldoc_line(const struct yamldoc *document, const char *pointer);
