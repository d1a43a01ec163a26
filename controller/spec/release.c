/* Releases: JSON to struct. */
#include "spec/release.h"

#include "decision/sli.h"
#include "spec/fields.h"

#include <json-c/json_object_iterator.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOTES_MAX = 20000, COPY_MAX = 2000 };

static void copy_name(char out[NAME_MAX_LENGTH + 1], const char *name)
{
    snprintf(out, NAME_MAX_LENGTH + 1, "%s", name);
}

static enum status read_pin(struct json_object *value, const char *pointer, struct spec_pin *pin,
                            struct fault *fault)
{
    struct json_fields fields;
    const char *name;
    int64_t version;
    int kind;
    memset(pin, 0, sizeof *pin);
    json_fields_open(&fields, value, pointer, fault);
    if (json_fields_word(&fields, "kind", JSON_REQUIRED, spec_kind_names(), &kind)) {
        pin->kind = (enum spec_kind)kind;
    }
    if (json_fields_name(&fields, "name", JSON_REQUIRED, &name)) {
        copy_name(pin->name, name);
    }
    if (json_fields_integer(&fields, "version", JSON_REQUIRED, 1, INT32_MAX, &version)) {
        pin->version = (int32_t)version;
    }
    return json_fields_close(&fields);
}

static int order(const void *a, const void *b)
{
    const struct spec_pin *one = a, *two = b;
    return one->kind != two->kind ? (one->kind < two->kind ? -1 : 1) : strcmp(one->name, two->name);
}

/* Unique by kind and name, and exactly one model. */
static enum status check_pins(struct spec_release *out, const char *pointer, struct fault *fault)
{
    size_t models = 0;
    enum status status = STATUS_OK;
    qsort(out->pin, out->pins, sizeof out->pin[0], order);
    for (size_t i = 0; i < out->pins; i++) {
        models += out->pin[i].kind == KIND_MODEL ? 1 : 0;
        if (i > 0 && order(&out->pin[i - 1], &out->pin[i]) == 0) {
            status = fault_at(fault, pointer, "names %s/%s more than once", spec_kind_name(out->pin[i].kind),
                              out->pin[i].name);
        }
    }
    if (models != 1) {
        status = fault_at(fault, pointer, "must name exactly one model, names %zu", models);
    }
    return status;
}

static enum status read_pins(struct json_object *array, const char *pointer, struct spec_release *out,
                             struct fault *fault)
{
    enum status status = STATUS_OK;
    out->pins = json_object_array_length(array);
    for (size_t i = 0; i < out->pins; i++) {
        char at[160];
        snprintf(at, sizeof at, "%s/%zu", pointer, i);
        if (read_pin(json_object_array_get_idx(array, i), at, &out->pin[i], fault) != STATUS_OK) {
            status = STATUS_INVALID;
        }
    }
    return status == STATUS_OK ? check_pins(out, pointer, fault) : status;
}

static enum status check_copy(struct json_object *value, const char *pointer, struct fault *fault)
{
    struct json_fields fields;
    const char *text;
    json_fields_open(&fields, value, pointer, fault);
    spec_fields_characters(&fields, "message", JSON_REQUIRED, 1, COPY_MAX, &text);
    spec_fields_characters(&fields, "action", JSON_OPTIONAL, 0, COPY_MAX, &text);
    return json_fields_close(&fields);
}

/* Keys are SLIs and "default"; others are named as unknown. */
static enum status check_fallback(struct json_object *value, const char *pointer, struct fault *fault)
{
    struct json_fields fields;
    json_fields_open(&fields, value, pointer, fault);
    for (int i = 0; i <= SLI_COUNT; i++) {
        const char *name = i < SLI_COUNT ? sli_name((enum sli)i) : "default";
        struct json_object *copy;
        char at[128];
        if (json_fields_any(&fields, name, JSON_OPTIONAL, &copy) &&
            check_copy(copy, json_fields_pointer(&fields, name, at), fault) != STATUS_OK) {
            fields.failed = true;
        }
    }
    return json_fields_close(&fields);
}

/* A new reference to `value`, or an empty object. NULL on no memory. */
static struct json_object *own(struct json_object *value)
{
    return value != NULL ? json_object_get(value) : json_object_new_object();
}

enum status spec_read_release(struct json_object *value, const char *pointer, struct spec_release *out,
                              struct fault *fault)
{
    struct json_fields fields;
    struct json_object *part, *parameters = NULL, *fallback = NULL, *worksheets = NULL;
    const char *name;
    char at[128];
    *out = (struct spec_release){.history_compatible = true, .changelog = "", .compatibility = ""};
    json_fields_open(&fields, value, pointer, fault);
    if (json_fields_name(&fields, "name", JSON_REQUIRED, &name)) {
        copy_name(out->name, name);
    }
    if (json_fields_array(&fields, "artifacts", JSON_REQUIRED, 1, RELEASE_PINS_MAX, &part) &&
        read_pins(part, json_fields_pointer(&fields, "artifacts", at), out, fault) != STATUS_OK) {
        fields.failed = true;
    }
    json_fields_object(&fields, "parameters", JSON_OPTIONAL, &parameters);
    spec_fields_characters(&fields, "changelog", JSON_OPTIONAL, 0, NOTES_MAX, &out->changelog);
    spec_fields_characters(&fields, "compatibility", JSON_OPTIONAL, 0, NOTES_MAX, &out->compatibility);
    json_fields_bool(&fields, "history_compatible", JSON_OPTIONAL, &out->history_compatible);
    if (json_fields_object(&fields, "fallback", JSON_OPTIONAL, &fallback) &&
        check_fallback(fallback, json_fields_pointer(&fields, "fallback", at), fault) != STATUS_OK) {
        fields.failed = true;
    }
    json_fields_object(&fields, "worksheets", JSON_OPTIONAL, &worksheets);
    enum status status = json_fields_close(&fields);
    if (status != STATUS_OK) {
        *out = (struct spec_release){.changelog = "", .compatibility = ""};
        return status;
    }
    out->parameters = own(parameters);
    out->fallback = own(fallback);
    out->worksheets = own(worksheets);
    out->document = json_object_get(value);
    if (out->parameters == NULL || out->fallback == NULL || out->worksheets == NULL) {
        spec_release_free(out);
        return fault_set(fault, STATUS_NO_MEMORY, "no memory for the release");
    }
    return STATUS_OK;
}

void spec_release_free(struct spec_release *release)
{
    json_object_put(release->parameters);
    json_object_put(release->fallback);
    json_object_put(release->worksheets);
    json_object_put(release->document);
    *release = (struct spec_release){.changelog = "", .compatibility = ""};
}
