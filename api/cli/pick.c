/* Lenient reading of answers. */
#include "cli/pick.h"

struct json_object *pick(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, name, &value)) {
        return NULL;
    }
    return value;
}

bool pick_has(struct json_object *object, const char *name)
{
    return pick(object, name) != NULL;
}

const char *pick_text(struct json_object *object, const char *name)
{
    struct json_object *value = pick(object, name);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

int64_t pick_integer(struct json_object *object, const char *name)
{
    struct json_object *value = pick(object, name);
    return json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double)
               ? json_object_get_int64(value)
               : 0;
}

double pick_number(struct json_object *object, const char *name)
{
    struct json_object *value = pick(object, name);
    return json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double)
               ? json_object_get_double(value)
               : 0;
}

bool pick_bool(struct json_object *object, const char *name)
{
    struct json_object *value = pick(object, name);
    return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

size_t pick_length(struct json_object *object, const char *name)
{
    struct json_object *value = pick(object, name);
    return json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;
}

struct json_object *pick_nth(struct json_object *object, const char *name, size_t index)
{
    return index < pick_length(object, name) ? json_object_array_get_idx(pick(object, name), index) : NULL;
}
