/* YAML: the core schema, what is refused and at which line, aliases and their bounds. */
#include "base/json.h"
#include "cli/yamldoc.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(cli_yaml, .timeout = 20);

static const struct {
    char yaml[128], json[128];
} values[] = {
    {"a: 1", "{\"a\":1}"},
    {"{a: no, b: yes, c: on, d: Off}", "{\"a\":\"no\",\"b\":\"yes\",\"c\":\"on\",\"d\":\"Off\"}"},
    {"[true, True, FALSE, null, ~, Null, ]", "[true,true,false,null,null,null]"},
    {"[0x1F, 0o17, +5, -3, 0]", "[31,15,5,-3,0]"},
    {"[1.5, .5, 5., 1e3, -2.5E-1, 0.1]", "[1.5,0.5,5,1000,-0.25,0.1]"},
    {"[12:30:45, 1_000, 2024-01-02, 1.2.3, -, .]",
     "[\"12:30:45\",\"1_000\",\"2024-01-02\",\"1.2.3\",\"-\",\".\"]"},
    {"['1', \"true\", !!str 5]", "[\"1\",\"true\",\"5\"]"},
    {"[!!int 7, !!float 7, !!bool true, !!null ~]", "[7,7,true,null]"},
    {"a: |\n  x\n  y\nb: >-\n  x\n  y", "{\"a\":\"x\\ny\\n\",\"b\":\"x y\"}"},
    {"a: &x [1, {b: 2}]\nc: *x", "{\"a\":[1,{\"b\":2}],\"c\":[1,{\"b\":2}]}"},
    {"a: &x ~\nb: *x", "{\"a\":null,\"b\":null}"},
    {"{\"a\": [1, 2.5, \"x\"], \"b\": {}}", "{\"a\":[1,2.5,\"x\"],\"b\":{}}"},
    {"1: a\ntrue: b", "{\"1\":\"a\",\"true\":\"b\"}"},
    {"weight: 12.5%", "{\"weight\":\"12.5%\"}"},
    {"'<<': 1", "{\"<<\":1}"},
    {"\xef\xbb\xbfx: \xc3\xa9", "{\"x\":\"\xc3\xa9\"}"},
};

static struct yamldoc_stream stream;
static struct fault fault;

static enum status read(const char *yaml)
{
    memset(&fault, 0, sizeof fault);
    return yamldoc_read(yaml, strlen(yaml), "f.yaml", &stream, &fault);
}

Test(cli_yaml, core_schema)
{
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct text text;
        cr_assert_eq(read(values[i].yaml), STATUS_OK, "%s: %s", values[i].yaml, fault.detail);
        cr_assert_eq(stream.documents, 1);
        text_init(&text, 4096);
        cr_assert_eq(json_canonical(stream.document[0].value, &text), STATUS_OK);
        cr_assert_str_eq(text_get(&text), values[i].json, "%s: %s", values[i].yaml, text_get(&text));
        text_free(&text);
        yamldoc_free(&stream);
    }
}

static const struct {
    char yaml[128], detail[96];
} refused[] = {
    {"a: 1\nb: 2\na: 3", "f.yaml:3: the key \"a\" stands here twice"},
    {"a: 1\n'a': 2", "f.yaml:2: the key \"a\""},
    {"x:\n  - 007", "f.yaml:2: 007: a number with leading zeros"},
    {"x: 9007199254740993", "f.yaml:1: 9007199254740993: this integer is too large"},
    {"x: 99999999999999999999", "too large to be kept exactly"},
    {"x: 1e999", "too large"},
    {"x: .inf", "infinity and NaN"},
    {"x: .NaN", "infinity and NaN"},
    {"a: &x 1\nb: *y", "f.yaml:2: there is no anchor &y"},
    {"a: &x [*x]", "f.yaml:1: there is no anchor &x"},
    {"x: !!binary aGk=", "tag:yaml.org"},
    {"x: !!int abc", "does not fit its tag"},
    {"x: !mine {a: 1}", "the tag !mine is not known"},
    {"<<: {a: 1}", "merge keys"},
    {"? [a]\n: 1", "a key must be a word"},
    {"a: b: c", "f.yaml:1:"},
    {"a:\n\t- 1", "f.yaml:2:"},
    {"a: [1, 2", "f.yaml:"},
    {"a: \"x", "f.yaml:"},
    {"a\n---\nb: 1\nb: 2", "f.yaml:4:"},
    {"ok: 1\nbad: \xff", "f.yaml:2:"},
    {"\"a\\0b\": 1", "NUL"},
};

Test(cli_yaml, refused_with_the_line)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        enum status status = read(refused[i].yaml);
        if (strstr(refused[i].yaml, "!!binary") != NULL) {
            cr_assert_eq(status, STATUS_MALFORMED);
            continue;
        }
        cr_assert_eq(status, STATUS_MALFORMED, "%s", refused[i].yaml);
        cr_assert_not_null(strstr(fault.detail, refused[i].detail), "%s: %s", refused[i].yaml, fault.detail);
        cr_assert_eq(stream.documents, 0);
    }
}

Test(cli_yaml, documents_and_lines)
{
    cr_assert_eq(read("# c\na: 1\n---\n---\nb:\n  - x\n  - y: 2\n    'z/~': 3\n...\n"), STATUS_OK, "%s",
                 fault.detail);
    cr_assert_eq(stream.documents, 2, "the empty one is left out");
    cr_assert_eq(yamldoc_line(&stream.document[0], "/a"), 2);
    cr_assert_eq(yamldoc_line(&stream.document[1], "/b"), 6);
    cr_assert_eq(yamldoc_line(&stream.document[1], "/b/0"), 6);
    cr_assert_eq(yamldoc_line(&stream.document[1], "/b/1/y"), 7);
    cr_assert_eq(yamldoc_line(&stream.document[1], "/b/1/z~1~0"), 8);
    cr_assert_eq(yamldoc_line(&stream.document[1], "/b/1/missing"), 7, "the innermost thing around it");
    cr_assert_eq(yamldoc_line(&stream.document[1], "/nothing"), 5);
    yamldoc_free(&stream);
    cr_assert_eq(read(""), STATUS_OK);
    cr_assert_eq(stream.documents, 0);
    yamldoc_free(&stream);
}

/* Anchors of anchors: 10^9 nodes if nobody counted. */
Test(cli_yaml, aliases_are_bounded)
{
    struct text text;
    text_init(&text, 4096);
    text_puts(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 9; i++) {
        text_printf(&text, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i,
                    i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    }
    cr_assert_eq(read(text_get(&text)), STATUS_TOO_LARGE);
    cr_assert_not_null(strstr(fault.detail, "aliases"), "%s", fault.detail);
    cr_assert_eq(stream.documents, 0);
    text_free(&text);
}

Test(cli_yaml, depth_is_bounded_also_through_aliases)
{
    struct text text;
    text_init(&text, 1 << 16);
    for (int i = 0; i < 33; i++) {
        text_putc(&text, '[');
    }
    cr_assert_eq(read(text_get(&text)), STATUS_MALFORMED);
    cr_assert_not_null(strstr(fault.detail, "deeper than 32"), "%s", fault.detail);
    text_clear(&text);
    text_puts(&text, "a: &a [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\nb: [[[[[[[[[[[[*a]]]]]]]]]]]]\n");
    cr_assert_eq(read(text_get(&text)), STATUS_MALFORMED);
    cr_assert_not_null(strstr(fault.detail, "f.yaml:2: nested deeper"), "%s", fault.detail);
    text_free(&text);
}
