/* Tests of the strict JSON reader. */
#include "base/json.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(base_json_parse, .timeout = 20);

static enum status parse(const char *text, struct json_object **out, struct fault *fault)
{
    return json_parse(text, strlen(text), out, fault);
}

Test(base_json_parse, accepts_what_rfc_8259_accepts)
{
    static const char *const good[] = {
        "null",
        " true ",
        "false",
        "0",
        "-0",
        "12",
        "-1.5e-3",
        "1E+2",
        "\"\"",
        "\"a\"",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[1,2]",
        "{\"a\":1,\"b\":[{}]}",
        "\t\r\n [ 1 , 2 ] \n",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
        "\"\\ud83d\\ude00\"",
        "\"\x7f\"",
        "\"\xF4\x8F\xBF\xBF\"",
        "9007199254740992",
        "-9007199254740992",
        "1e308",
        "1e-400",
        "\"\\u0000\"",
        "{\"\":1}",
        "12345678901234567890.0",
        "\"\\uFFFF\"",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct json_object *value = NULL;
        struct fault fault = {0};
        cr_assert_eq(parse(good[i], &value, &fault), STATUS_OK, "%s: %s", good[i], fault.detail);
        json_object_put(value);
    }
}

Test(base_json_parse, refuses_the_rest)
{
    static const char *const bad[] = {
        "",
        " ",
        "nul",
        "True",
        "NaN",
        "Infinity",
        "-Infinity",
        "-",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x10",
        "'a'",
        "{'a':1}",
        "\"a",
        "\"a\nb\"",
        "\"\t\"",
        "\"\x01\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1",
        "]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\":1",
        "{1:2}",
        "}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"a\":1 \"b\":2}",
        "[{\"x\":{\"k\":1,\"k\":null}}]",
        "1 2",
        "{} x",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800x\"",
        "\"\\ud800\\ud800\"",
        "\"\xC0\x80\"",
        "\"\xED\xA0\x80\"",
        "\"\xFF\"",
        "\"\xC3\"",
        "\xEF\xBB\xBF{}",
        "9007199254740993",
        "-9007199254740993",
        "99999999999999999999",
        "1e309",
        "-1e309",
        "// c\n1",
        "/* c */ 1",
        "[1]]",
        "{\"\\u0000\":1}",
        "\x0b"
        "1",
        "\xC2\xA0"
        "1",
        "nullx",
        "truefalse",
        "\"a\" \"b\"",
        "[\"a\",",
        "{\"a\":[1,{\"b\":tru}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct json_object *value = (struct json_object *)&fault_set;
        struct fault fault = {0};
        cr_assert_eq(parse(bad[i], &value, &fault), STATUS_MALFORMED, "accepted: %s", bad[i]);
        cr_assert_null(value);
        cr_assert_eq(fault.status, STATUS_MALFORMED);
        cr_assert_neq(fault.next_step[0], '\0', "%s", bad[i]);
        cr_assert_eq(parse(bad[i], &value, NULL), STATUS_MALFORMED);
    }
}

Test(base_json_parse, a_nul_byte_is_not_the_end)
{
    struct json_object *value = NULL;
    cr_assert_eq(json_parse("1\0", 2, &value, NULL), STATUS_MALFORMED);
    cr_assert_eq(json_parse("{}\0x", 4, &value, NULL), STATUS_MALFORMED);
    cr_assert_eq(json_parse("12", 1, &value, NULL), STATUS_OK, "reads only the length it was given");
    cr_assert_eq(json_object_get_int(value), 1);
    json_object_put(value);
}

Test(base_json_parse, values)
{
    struct json_object *value = NULL;
    cr_assert_eq(
        parse("[-0, 9007199254740992, 0.1, \"a\\u0000b\", \"\\ud83d\\ude00\", null, 1e2]", &value, NULL),
        STATUS_OK);
    cr_assert_eq(json_object_array_length(value), 7);
    struct json_object *at = json_object_array_get_idx(value, 0);
    cr_assert(json_object_is_type(at, json_type_int));
    cr_assert_eq(json_object_get_int64(at), 0);
    cr_assert_eq(json_object_get_int64(json_object_array_get_idx(value, 1)), 9007199254740992);
    cr_assert(json_object_get_double(json_object_array_get_idx(value, 2)) == 0.1);
    at = json_object_array_get_idx(value, 3);
    cr_assert_eq(json_object_get_string_len(at), 3);
    cr_assert_eq(memcmp(json_object_get_string(at), "a\0b", 3), 0);
    cr_assert_str_eq(json_object_get_string(json_object_array_get_idx(value, 4)), "\xF0\x9F\x98\x80");
    cr_assert_null(json_object_array_get_idx(value, 5));
    cr_assert(json_object_is_type(json_object_array_get_idx(value, 6), json_type_double));
    json_object_put(value);
}

Test(base_json_parse, large_numbers_keep_all_their_digits_or_are_refused)
{
    static const char *const exact[] = {"9007199254740994", "100000000000000000000", "-295147905179352830000",
                                        "18446744073709552000"};
    static const char *const lossy[] = {"9007199254740993",       "9223372036854775807",
                                        "18446744073709551615",   "18446744073709551616",
                                        "1000000000000000000000", "-9007199254740995"};
    struct json_object *value = NULL;
    for (size_t i = 0; i < sizeof exact / sizeof exact[0]; i++) {
        cr_assert_eq(parse(exact[i], &value, NULL), STATUS_OK, "%s", exact[i]);
        cr_assert(json_object_is_type(value, json_type_double));
        json_object_put(value);
    }
    for (size_t i = 0; i < sizeof lossy / sizeof lossy[0]; i++) {
        cr_assert_eq(parse(lossy[i], &value, NULL), STATUS_MALFORMED, "%s", lossy[i]);
    }
}

Test(base_json_parse, says_where_and_what_to_do)
{
    struct json_object *value = NULL;
    struct fault fault = {0};
    cr_assert_eq(parse("{\n  \"steps\": [\n    {\"a/b\": 1, \"a/b\": 2}]}", &value, &fault),
                 STATUS_MALFORMED);
    cr_assert_str_eq(fault.detail,
                     "line 3, column 16 (byte 30), at \"/steps/0/a~1b\": this member stands here twice");
    cr_assert_str_eq(fault.next_step, "Keep one of the two.");
    cr_assert_eq(parse("[1,2,'x']", &value, &fault), STATUS_MALFORMED);
    cr_assert_str_eq(fault.detail, "line 1, column 6 (byte 5), at \"/2\": a single quote");
    cr_assert_eq(parse("", &value, &fault), STATUS_MALFORMED);
    cr_assert_str_eq(fault.detail, "line 1, column 1 (byte 0), at \"\": there is no JSON");
}

static enum status parse_nested(int depth, const char *open, const char *middle, const char *close)
{
    struct json_object *value = NULL;
    struct text text;
    text_init(&text, 1 << 20);
    for (int i = 0; i < depth; i++) {
        text_puts(&text, open);
    }
    text_puts(&text, middle);
    for (int i = 0; i < depth; i++) {
        text_puts(&text, close);
    }
    enum status status = json_parse(text_get(&text), text.length, &value, NULL);
    json_object_put(value);
    text_free(&text);
    return status;
}

Test(base_json_parse, depth_is_bounded)
{
    cr_assert_eq(parse_nested(JSON_DEPTH_MAX, "[", "1", "]"), STATUS_OK);
    cr_assert_eq(parse_nested(JSON_DEPTH_MAX + 1, "[", "1", "]"), STATUS_MALFORMED);
    cr_assert_eq(parse_nested(JSON_DEPTH_MAX, "{\"a\":", "1", "}"), STATUS_OK);
    cr_assert_eq(parse_nested(JSON_DEPTH_MAX + 1, "{\"a\":", "1", "}"), STATUS_MALFORMED);
    cr_assert_eq(parse_nested(1, "[",
                              "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
                              "[],[],[],[],[],[],[]",
                              "]"),
                 STATUS_OK, "siblings are not depth");
    cr_assert_eq(parse_nested(100000, "[", "", ""), STATUS_MALFORMED);
    cr_assert_eq(parse_nested(30, "{\"a very long name indeed to overflow the path\":", "x", "}"),
                 STATUS_MALFORMED);
}

Test(base_json_parse, many_members_and_long_numbers)
{
    struct json_object *value = NULL;
    struct text text;
    text_init(&text, 4 << 20);
    text_puts(&text, "{\"m0\":0");
    for (int i = 1; i < 50000; i++) {
        text_printf(&text, ",\"m%d\":%d", i, i);
    }
    text_puts(&text, "}");
    cr_assert_eq(json_parse(text_get(&text), text.length, &value, NULL), STATUS_OK);
    cr_assert_eq(json_object_object_length(value), 50000);
    json_object_put(value);
    text_clear(&text);
    text_puts(&text, "0.");
    for (int i = 0; i < 1022; i++) {
        text_putc(&text, '3');
    }
    cr_assert_eq(json_parse(text_get(&text), text.length, &value, NULL), STATUS_OK);
    json_object_put(value);
    text_putc(&text, '3');
    cr_assert_eq(json_parse(text_get(&text), text.length, &value, NULL), STATUS_MALFORMED);
    text_free(&text);
}
