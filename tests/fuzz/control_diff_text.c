/* Two texts, cut at the first 0xff: the script must lead from one to the other, and the hunks must be JSON.
   SEES: base decision spec store rollout http control */
#include "base/json.h"
#include "control/diff_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct diff_script *script)
{
    size_t i = 0, j = 0;
    for (;;) {
        while (i < script->from.lines && script->from.changed[i])
            i++;
        while (j < script->to.lines && script->to.changed[j])
            j++;
        if (i == script->from.lines || j == script->to.lines)
            break;
        if (script->from.line[i].length != script->to.line[j].length ||
            memcmp(script->from.line[i].text, script->to.line[j].text, script->to.line[j].length) != 0)
            abort();
        i++;
        j++;
    }
    if (i != script->from.lines || j != script->to.lines)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size > 0 ? memchr(data, 0xff, size) : NULL;
    size_t first = cut != NULL ? (size_t)(cut - data) : size;
    const char *to = cut != NULL ? (const char *)cut + 1 : "";
    struct diff_script script;
    struct text out;
    struct json_object *items = NULL;
    struct fault fault;
    if (diff_text_compare((const char *)data, first, to, cut != NULL ? size - first - 1 : 0, &script) !=
        STATUS_OK)
        return 0;
    check(&script);
    text_init(&out, 1 << 24);
    text_putc(&out, '[');
    diff_text_write(&script, &out);
    text_putc(&out, ']');
    if (text_status(&out) == STATUS_OK && json_parse(text_get(&out), out.length, &items, &fault) != STATUS_OK)
        abort();
    json_object_put(items);
    text_free(&out);
    diff_script_free(&script);
    return 0;
}
