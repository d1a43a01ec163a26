/* Artifact versions as people register them (schema NewVersion): what each kind may hold. */
#pragma once

#include "base/fault.h"

#include <json-c/json_object.h>
#include <stdbool.h>

enum spec_kind { KIND_PROMPT, KIND_TOOL, KIND_CORPUS, KIND_MODEL, KIND_COUNT };

const char *spec_kind_name(enum spec_kind kind); /* "prompt"; static */
bool spec_kind_parse(const char *text, enum spec_kind *out);
/* The names, NULL-terminated, in the order of the enum. Static. */
const char *const *spec_kind_names(void);

struct spec_version {
    struct json_object *content; /* lent by the document; never NULL */
    const char *changelog;       /* lent; "" if absent */
};

/* Reads `value` (lent), a NewVersion for an artifact of this kind, into *out. INVALID with every problem at
 *its pointer; out is then unspecified. */
enum status spec_read_version(struct json_object *value, enum spec_kind kind, const char *pointer,
                              struct spec_version *out, struct fault *fault) MUST_CHECK;

/* Checks content alone. prompt: text that is not empty, or any JSON but null; tool: an object; corpus: {uri,
   index_digest, embedding_model}; model: {provider, model, parameters?}. */
enum status spec_check_content(struct json_object *content, enum spec_kind kind, const char *pointer,
                               struct fault *fault) MUST_CHECK;
