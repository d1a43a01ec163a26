/* Content from files. */
#include "cli/content.h"

#include "base/utf8.h"

#include <string.h>

static bool ends(const char *path, const char *end)
{
    size_t length = strlen(path), tail = strlen(end);
    return length >= tail && strcmp(path + length - tail, end) == 0;
}

static struct json_object *from_bytes(const char *data, size_t length, const char *name, bool plain,
                                      struct fault *fault)
{
    struct yamldoc_stream stream;
    struct json_object *value = NULL;
    if (plain) {
        if (!utf8_valid(data, length)) {
            fault_set(fault, STATUS_INVALID, "%s is not UTF-8", name);
            return NULL;
        }
        value = json_object_new_string_len(data, (int)length);
        if (value == NULL) {
            fault_set(fault, STATUS_NO_MEMORY, "no memory for %s", name);
        }
        return value;
    }
    if (yamldoc_read(data, length, name, &stream, fault) != STATUS_OK) {
        return NULL;
    }
    if (stream.documents == 1) {
        value = json_object_get(stream.document[0].value);
    } else {
        fault_set(fault, STATUS_INVALID, "%s must hold one document, it holds %zu", name, stream.documents);
    }
    yamldoc_free(&stream);
    return value;
}

struct json_object *content_from_file(const char *path, enum spec_kind kind, struct fault *fault)
{
    struct text data;
    bool plain = kind == KIND_PROMPT && !ends(path, ".json") && !ends(path, ".yaml") && !ends(path, ".yml");
    if (cli_read_file(path, CONTENT_MAX, &data, fault) != STATUS_OK) {
        return NULL;
    }
    struct json_object *value = from_bytes(text_get(&data), data.length, path, plain, fault);
    text_free(&data);
    return value;
}

struct json_object *content_from_string(const char *string, enum spec_kind kind, struct fault *fault)
{
    return from_bytes(string, strlen(string), "--content", kind == KIND_PROMPT, fault);
}

void content_path(struct text *out, const char *from, const char *path)
{
    const char *slash = strrchr(from, '/');
    if (path[0] != '/' && strcmp(path, "-") != 0 && slash != NULL) {
        text_add(out, from, (size_t)(slash - from) + 1);
    }
    text_puts(out, path);
}
