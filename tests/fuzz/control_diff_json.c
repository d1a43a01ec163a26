/* Two JSON values with a line feed between them: the changes must be JSON, and a value is the same as itself.
   SEES: base decision spec store rollout http control */
#include "base/json.h"
#include "control/diff_json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool differ(struct json_object *from, struct json_object *to)
{
    struct text out;
    struct json_object *items = NULL;
    struct fault fault;
    bool same = false;
    text_init(&out, 1 << 24);
    text_putc(&out, '[');
    enum status status = diff_json_write(from, to, &same, &out);
    text_putc(&out, ']');
    if (status == STATUS_OK && text_status(&out) == STATUS_OK &&
        json_parse(text_get(&out), out.length, &items, &fault) != STATUS_OK)
        abort();
    if (status == STATUS_OK && (json_object_array_length(items) == 0) != same)
        abort();
    json_object_put(items);
    text_free(&out);
    return !same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size > 0 ? memchr(data, '\n', size) : NULL;
    struct json_object *from = NULL, *to = NULL;
    struct fault fault;
    if (cut == NULL)
        return 0;
    size_t first = (size_t)(cut - data);
    if (json_parse((const char *)data, first, &from, &fault) == STATUS_OK &&
        json_parse((const char *)cut + 1, size - first - 1, &to, &fault) == STATUS_OK) {
        if (differ(from, from) || differ(to, to))
            abort();
        if (differ(from, to) != differ(to, from))
            abort();
    }
    json_object_put(to);
    json_object_put(from);
    return 0;
}
