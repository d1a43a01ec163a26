/* JSON diff by pointer. */
#include "control/diff_json.h"

#include "base/json.h"

#include <json-c/json_object_iterator.h>
#include <string.h>

struct walk {
    struct text *out;
    struct text pointer; /* of the present value, escaped */
    size_t changes;
    enum status status;
};

static void put_value(struct walk *walk, const char *name, struct json_object *value)
{
    text_printf(walk->out, ",\"%s\":", name);
    enum status status = json_canonical(value, walk->out);
    if (walk->status == STATUS_OK)
        walk->status = status;
}

enum { FROM = 1, TO = 2 };

/* One change at the present pointer; `has` says which sides have a value. */
static void put_change(struct walk *walk, int has, struct json_object *from, struct json_object *to)
{
    if (++walk->changes > DIFF_FIELDS_MAX)
        return;
    if (walk->changes > 1)
        text_putc(walk->out, ',');
    text_puts(walk->out, "{\"pointer\":");
    json_put_string(walk->out, text_get(&walk->pointer), walk->pointer.length);
    text_printf(walk->out, ",\"change\":\"%s\"", has == TO ? "added" : has == FROM ? "removed" : "changed");
    if (has & FROM)
        put_value(walk, "from", from);
    if (has & TO)
        put_value(walk, "to", to);
    text_putc(walk->out, '}');
}

static size_t enter_key(struct walk *walk, const char *key)
{
    size_t before = walk->pointer.length;
    text_putc(&walk->pointer, '/');
    for (; *key != '\0'; key++) {
        if (*key == '~')
            text_puts(&walk->pointer, "~0");
        else if (*key == '/')
            text_puts(&walk->pointer, "~1");
        else
            text_putc(&walk->pointer, *key);
    }
    return before;
}

static void leave(struct walk *walk, size_t before)
{
    if (walk->pointer.broken || walk->pointer.data == NULL)
        return;
    walk->pointer.length = before;
    walk->pointer.data[before] = '\0';
}

static bool is_number(struct json_object *value)
{
    return json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);
}

static bool same_scalar(struct json_object *from, struct json_object *to)
{
    if (is_number(from) && is_number(to)) {
        double a = json_object_get_double(from), b = json_object_get_double(to);
        return !(a < b) && !(a > b);
    }
    enum json_type type = json_object_get_type(from);
    if (type != json_object_get_type(to))
        return false;
    if (type == json_type_string)
        return json_object_get_string_len(from) == json_object_get_string_len(to) &&
               memcmp(json_object_get_string(from), json_object_get_string(to),
                      (size_t)json_object_get_string_len(from)) == 0;
    if (type == json_type_boolean)
        return json_object_get_boolean(from) == json_object_get_boolean(to);
    return type == json_type_null;
}

static void compare(struct walk *walk, struct json_object *from, struct json_object *to);

static void compare_objects(struct walk *walk, struct json_object *from, struct json_object *to)
{
    struct json_object_iterator at = json_object_iter_begin(from), end = json_object_iter_end(from);
    struct json_object *other;
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        const char *key = json_object_iter_peek_name(&at);
        struct json_object *value = json_object_iter_peek_value(&at);
        size_t before = enter_key(walk, key);
        if (json_object_object_get_ex(to, key, &other))
            compare(walk, value, other);
        else
            put_change(walk, FROM, value, NULL);
        leave(walk, before);
    }
    at = json_object_iter_begin(to);
    end = json_object_iter_end(to);
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        const char *key = json_object_iter_peek_name(&at);
        if (json_object_object_get_ex(from, key, &other))
            continue;
        size_t before = enter_key(walk, key);
        put_change(walk, TO, NULL, json_object_iter_peek_value(&at));
        leave(walk, before);
    }
}

static void compare_arrays(struct walk *walk, struct json_object *from, struct json_object *to)
{
    size_t n = json_object_array_length(from), m = json_object_array_length(to);
    for (size_t i = 0; i < n || i < m; i++) {
        size_t before = walk->pointer.length;
        text_printf(&walk->pointer, "/%zu", i);
        if (i >= m)
            put_change(walk, FROM, json_object_array_get_idx(from, i), NULL);
        else if (i >= n)
            put_change(walk, TO, NULL, json_object_array_get_idx(to, i));
        else
            compare(walk, json_object_array_get_idx(from, i), json_object_array_get_idx(to, i));
        leave(walk, before);
    }
}

/* Ends: the depth of JSON from outside is bounded by its scanner. */
static void compare(struct walk *walk, struct json_object *from, struct json_object *to)
{
    if (json_object_is_type(from, json_type_object) && json_object_is_type(to, json_type_object))
        compare_objects(walk, from, to);
    else if (json_object_is_type(from, json_type_array) && json_object_is_type(to, json_type_array))
        compare_arrays(walk, from, to);
    else if (!same_scalar(from, to))
        put_change(walk, FROM | TO, from, to);
}

enum status diff_json_write(struct json_object *from, struct json_object *to, bool *same, struct text *out)
{
    struct walk walk = {.out = out, .status = STATUS_OK};
    size_t start = out->length;
    text_init(&walk.pointer, 1 << 22);
    compare(&walk, from, to);
    *same = walk.changes == 0;
    enum status status = text_status(&walk.pointer);
    text_free(&walk.pointer);
    if (walk.status != STATUS_OK)
        status = walk.status;
    if (status == STATUS_OK && walk.changes > DIFF_FIELDS_MAX && !out->broken) {
        out->length = start;
        out->data[start] = '\0';
        text_puts(out, "{\"pointer\":\"\",\"change\":\"changed\"}");
    }
    return status == STATUS_OK ? text_status(out) : status;
}
