/* The artifacts of a Release document: words such as "prompt/system@3" become pins. */
#include "cli/manifest.h"

#include "cli/pick.h"

#include <stdio.h>

struct resolving {
    int (*version)(void *argument, const struct ref *ref, int64_t *out);
    void *argument;
    struct fault *fault;
};

/* One entry as a pin; what is no word is left for the check that follows. NULL: the fault says why. */
static struct json_object *pin(const struct resolving *resolving, struct json_object *entry, size_t index)
{
    char pointer[64], problem[160];
    struct ref ref;
    int64_t version;
    snprintf(pointer, sizeof pointer, "/artifacts/%zu", index);
    if (!json_object_is_type(entry, json_type_string)) {
        return json_object_get(entry);
    }
    if (!ref_parse(json_object_get_string(entry), &ref, problem, sizeof problem)) {
        fault_at(resolving->fault, pointer, "%s", problem);
        return NULL;
    }
    if (resolving->version(resolving->argument, &ref, &version) != CLI_OK) {
        fault_at(resolving->fault, pointer, "its version is not known");
        return NULL;
    }
    struct json_object *made = ref_pin(&ref, version);
    if (made == NULL) {
        fault_set(resolving->fault, STATUS_NO_MEMORY, "out of memory");
    }
    return made;
}

struct json_object *manifest_pins(struct json_object *body,
                                  int (*version)(void *argument, const struct ref *ref, int64_t *out),
                                  void *argument, struct fault *fault)
{
    struct resolving resolving = {.version = version, .argument = argument, .fault = fault};
    struct json_object *copy = NULL;
    size_t length = pick_length(body, "artifacts");
    if (json_object_deep_copy(body, &copy, NULL) != 0) {
        fault_set(fault, STATUS_NO_MEMORY, "out of memory");
        return NULL;
    }
    struct json_object *artifacts = pick(copy, "artifacts");
    for (size_t i = 0; i < length; i++) {
        struct json_object *entry = json_object_array_get_idx(artifacts, i);
        struct json_object *made = pin(&resolving, entry, i);
        if (made == NULL && entry != NULL) {
            json_object_put(copy);
            return NULL;
        }
        if (json_object_array_put_idx(artifacts, i, made) != 0) {
            json_object_put(made);
            json_object_put(copy);
            fault_set(fault, STATUS_NO_MEMORY, "out of memory");
            return NULL;
        }
    }
    return copy;
}
