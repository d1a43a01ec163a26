/* What an artifact version of each kind may hold. */
#include "spec/artifact.h"

#include "spec/fields.h"

#include <string.h>

enum { CHANGELOG_MAX = 10000, WORD_MAX = 2000 };

static const char *const kind_words[] = {"prompt", "tool", "corpus", "model", NULL};

const char *spec_kind_name(enum spec_kind kind)
{
    return kind_words[kind];
}

const char *const *spec_kind_names(void)
{
    return kind_words;
}

bool spec_kind_parse(const char *text, enum spec_kind *out)
{
    for (enum spec_kind kind = 0; kind < KIND_COUNT; kind++) {
        if (strcmp(text, kind_words[kind]) == 0) {
            *out = kind;
            return true;
        }
    }
    return false;
}

static enum status check_prompt(struct json_object *content, const char *pointer, struct fault *fault)
{
    if (content == NULL) {
        return fault_at(fault, pointer, "must be text or JSON, not null");
    }
    if (!json_object_is_type(content, json_type_string)) {
        return STATUS_OK;
    }
    size_t length = (size_t)json_object_get_string_len(content);
    if (length == 0) {
        return fault_at(fault, pointer, "must not be empty");
    }
    if (memchr(json_object_get_string(content), '\0', length) != NULL) {
        return fault_at(fault, pointer, "must not contain the NUL character");
    }
    return STATUS_OK;
}

static enum status check_tool(struct json_object *content, const char *pointer, struct fault *fault)
{
    struct json_fields fields;
    json_fields_open(&fields, content, pointer, fault);
    return fields.failed ? STATUS_INVALID : STATUS_OK;
}

static enum status check_corpus(struct json_object *content, const char *pointer, struct fault *fault)
{
    struct json_fields fields;
    const char *text;
    json_fields_open(&fields, content, pointer, fault);
    spec_fields_characters(&fields, "uri", JSON_REQUIRED, 1, WORD_MAX, &text);
    spec_fields_characters(&fields, "index_digest", JSON_REQUIRED, 1, WORD_MAX, &text);
    spec_fields_characters(&fields, "embedding_model", JSON_REQUIRED, 1, WORD_MAX, &text);
    return json_fields_close(&fields);
}

static enum status check_model(struct json_object *content, const char *pointer, struct fault *fault)
{
    struct json_fields fields;
    struct json_object *parameters;
    const char *text;
    json_fields_open(&fields, content, pointer, fault);
    spec_fields_characters(&fields, "provider", JSON_REQUIRED, 1, WORD_MAX, &text);
    spec_fields_characters(&fields, "model", JSON_REQUIRED, 1, WORD_MAX, &text);
    json_fields_object(&fields, "parameters", JSON_OPTIONAL, &parameters);
    return json_fields_close(&fields);
}

enum status spec_check_content(struct json_object *content, enum spec_kind kind, const char *pointer,
                               struct fault *fault)
{
    switch (kind) {
    case KIND_TOOL:
        return check_tool(content, pointer, fault);
    case KIND_CORPUS:
        return check_corpus(content, pointer, fault);
    case KIND_MODEL:
        return check_model(content, pointer, fault);
    case KIND_PROMPT:
    case KIND_COUNT:
        break;
    }
    return check_prompt(content, pointer, fault);
}

enum status spec_read_version(struct json_object *value, enum spec_kind kind, const char *pointer,
                              struct spec_version *out, struct fault *fault)
{
    struct json_fields fields;
    char at[128];
    *out = (struct spec_version){.changelog = ""};
    json_fields_open(&fields, value, pointer, fault);
    if (json_fields_any(&fields, "content", JSON_REQUIRED, &out->content) &&
        spec_check_content(out->content, kind, json_fields_pointer(&fields, "content", at), fault) !=
            STATUS_OK) {
        fields.failed = true;
    }
    spec_fields_characters(&fields, "changelog", JSON_OPTIONAL, 0, CHANGELOG_MAX, &out->changelog);
    return json_fields_close(&fields);
}
