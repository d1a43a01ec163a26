/* Tests of the JSON diff. */
#include "control/diff_json.h"

#include "base/json.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(control_diff_json, .timeout = 30);

static struct json_object *parse(const char *json)
{
    struct json_object *value = NULL;
    struct fault fault;
    cr_assert_eq(json_parse(json, strlen(json), &value, &fault), STATUS_OK, "%s", json);
    return value;
}

static void expect(const char *from, const char *to, const char *wanted)
{
    struct json_object *a = parse(from), *b = parse(to);
    struct text out;
    bool same = false;
    text_init(&out, 1 << 20);
    cr_assert_eq(diff_json_write(a, b, &same, &out), STATUS_OK);
    cr_assert_str_eq(text_get(&out), wanted);
    cr_assert_eq(same, wanted[0] == '\0');
    text_free(&out);
    json_object_put(a);
    json_object_put(b);
}

Test(control_diff_json, equal)
{
    expect("{}", "{}", "");
    expect("null", "null", "");
    expect("{\"a\":[1,{\"b\":null}]}", "{\"a\":[1.0,{\"b\":null}]}", "");
}

Test(control_diff_json, added_removed_changed)
{
    expect("{\"a\":1,\"b\":2}", "{\"b\":3,\"c\":null}",
           "{\"pointer\":\"/a\",\"change\":\"removed\",\"from\":1},"
           "{\"pointer\":\"/b\",\"change\":\"changed\",\"from\":2,\"to\":3},"
           "{\"pointer\":\"/c\",\"change\":\"added\",\"to\":null}");
}

Test(control_diff_json, deep_and_escaped)
{
    expect("{\"a/b\":{\"~\":[true,false]}}", "{\"a/b\":{\"~\":[true]}}",
           "{\"pointer\":\"/a~1b/~0/1\",\"change\":\"removed\",\"from\":false}");
    expect("[]", "[{}]", "{\"pointer\":\"/0\",\"change\":\"added\",\"to\":{}}");
}

Test(control_diff_json, types_differ)
{
    expect("{\"a\":\"1\"}", "{\"a\":1}",
           "{\"pointer\":\"/a\",\"change\":\"changed\",\"from\":\"1\",\"to\":1}");
    expect("{\"a\":{}}", "{\"a\":[]}", "{\"pointer\":\"/a\",\"change\":\"changed\",\"from\":{},\"to\":[]}");
    expect("{\"a\":null}", "{\"a\":false}",
           "{\"pointer\":\"/a\",\"change\":\"changed\",\"from\":null,\"to\":false}");
    expect("1", "2", "{\"pointer\":\"\",\"change\":\"changed\",\"from\":1,\"to\":2}");
}

Test(control_diff_json, too_many_changes_become_one)
{
    struct text from, to;
    text_init(&from, 1 << 20);
    text_init(&to, 1 << 20);
    text_putc(&from, '[');
    text_putc(&to, '[');
    for (int i = 0; i <= DIFF_FIELDS_MAX; i++) {
        text_printf(&from, "%s%d", i > 0 ? "," : "", i);
        text_printf(&to, "%s%d", i > 0 ? "," : "", i + 1);
    }
    text_putc(&from, ']');
    text_putc(&to, ']');
    expect(text_get(&from), text_get(&to), "{\"pointer\":\"\",\"change\":\"changed\"}");
    text_free(&to);
    text_free(&from);
}
