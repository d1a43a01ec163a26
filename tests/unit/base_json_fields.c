/* Tests of reading an object field by field. */
#include "base/json.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(base_json_fields, .timeout = 10);

static struct fault fault;
static struct json_object *root;
static struct json_fields fields;

static void open_text(const char *text)
{
    memset(&fault, 0, sizeof fault);
    json_object_put(root);
    cr_assert_eq(json_parse(text, strlen(text), &root, &fault), STATUS_OK, "%s", fault.detail);
    json_fields_open(&fields, root, "/at", &fault);
}

static void done(void)
{
    json_object_put(root);
    root = NULL;
}

/* The only error so far is this one. */
static void one_error(const char *pointer, const char *detail)
{
    cr_assert_eq(fault.errors, 1, "%zu errors, first: %s", fault.errors, fault.error[0].detail);
    cr_assert_str_eq(fault.error[0].pointer, pointer);
    cr_assert_str_eq(fault.error[0].detail, detail);
    cr_assert_eq(fault.status, STATUS_INVALID);
}

Test(base_json_fields, reads_every_kind, .fini = done)
{
    static const char *const words[] = {"rollback", "pause", "notify", NULL};
    const char *text = NULL, *name = NULL;
    int64_t integer = 0, ms = 0, weight = 0, percent = 0, round = 0;
    double number = 0;
    bool flag = false;
    int word = -1;
    struct json_object *object = NULL, *array = NULL, *any = root;
    open_text(
        "{\"t\":\"caf\xC3\xA9\",\"n\":\"svc-1\",\"i\":-3,\"r\":4.0,\"x\":2.5,\"b\":true,\"d\":\"1h30m\","
        "\"w\":250,"
        "\"p\":\"12.5%\",\"a\":\"pause\",\"o\":{},\"l\":[1,2],\"z\":null}");
    cr_assert(json_fields_text(&fields, "t", JSON_REQUIRED, 1, 5, &text));
    cr_assert(json_fields_name(&fields, "n", JSON_REQUIRED, &name));
    cr_assert(json_fields_integer(&fields, "i", JSON_REQUIRED, -3, 3, &integer));
    cr_assert(json_fields_integer(&fields, "r", JSON_REQUIRED, 0, 4, &round));
    cr_assert(json_fields_number(&fields, "x", JSON_REQUIRED, 0, 2.5, &number));
    cr_assert(json_fields_bool(&fields, "b", JSON_OPTIONAL, &flag));
    cr_assert(json_fields_duration(&fields, "d", JSON_OPTIONAL, 0, 5400000, &ms));
    cr_assert(json_fields_weight(&fields, "w", JSON_OPTIONAL, 0, 10000, &weight));
    cr_assert(json_fields_weight(&fields, "p", JSON_OPTIONAL, 0, 10000, &percent));
    cr_assert(json_fields_word(&fields, "a", JSON_REQUIRED, words, &word));
    cr_assert(json_fields_object(&fields, "o", JSON_REQUIRED, &object));
    cr_assert(json_fields_array(&fields, "l", JSON_REQUIRED, 2, 2, &array));
    cr_assert(json_fields_any(&fields, "z", JSON_REQUIRED, &any));
    cr_assert_eq(json_fields_close(&fields), STATUS_OK, "%s", fault.error[0].detail);
    cr_assert_str_eq(text, "caf\xC3\xA9");
    cr_assert_str_eq(name, "svc-1");
    cr_assert(integer == -3 && round == 4 && ms == 5400000 && weight == 250 && percent == 1250 && word == 1);
    cr_assert(number == 2.5 && flag && object != NULL && json_object_array_length(array) == 2 && any == NULL);
    cr_assert_eq(fault.errors, 0);
}

Test(base_json_fields, absent_optional_leaves_the_default, .fini = done)
{
    int64_t value = 7;
    open_text("{\"nil\":null}");
    cr_assert(!json_fields_integer(&fields, "gone", JSON_OPTIONAL, 0, 1, &value));
    cr_assert(!json_fields_integer(&fields, "nil", JSON_OPTIONAL, 0, 1, &value));
    cr_assert_eq(value, 7);
    cr_assert_eq(json_fields_close(&fields), STATUS_OK);
}

Test(base_json_fields, absent_required, .fini = done)
{
    int64_t value = 7;
    open_text("{\"nil\":null}");
    cr_assert(!json_fields_integer(&fields, "nil", JSON_REQUIRED, 0, 1, &value));
    one_error("/at/nil", "is required; it is null");
    cr_assert(!json_fields_integer(&fields, "gone", JSON_REQUIRED, 0, 1, &value));
    cr_assert_str_eq(fault.error[1].pointer, "/at/gone");
    cr_assert_str_eq(fault.error[1].detail, "is required");
    cr_assert_str_eq(fault.detail, "2 fields break a rule");
    cr_assert_eq(json_fields_close(&fields), STATUS_INVALID);
}

Test(base_json_fields, not_an_object, .fini = done)
{
    bool flag = true;
    open_text("[1]");
    one_error("/at", "must be an object, not an array");
    cr_assert(!json_fields_bool(&fields, "x", JSON_REQUIRED, &flag));
    cr_assert_eq(json_fields_close(&fields), STATUS_INVALID);
    one_error("/at", "must be an object, not an array");
}

Test(base_json_fields, unknown_keys_are_named, .fini = done)
{
    int64_t value;
    open_text("{\"wieght\":1,\"zzz\":2}");
    json_fields_integer(&fields, "weight", JSON_OPTIONAL, 0, 1, &value);
    json_fields_integer(&fields, "bake", JSON_OPTIONAL, 0, 1, &value);
    cr_assert_eq(json_fields_close(&fields), STATUS_INVALID);
    cr_assert_eq(fault.errors, 2);
    cr_assert_str_eq(fault.error[0].pointer, "/at/wieght");
    cr_assert_str_eq(fault.error[0].detail, "unknown field; did you mean \"weight\"?");
    cr_assert_str_eq(fault.error[1].detail, "unknown field; known here: weight, bake");
}

Test(base_json_fields, unknown_key_of_an_empty_object, .fini = done)
{
    open_text("{\"x\":1}");
    cr_assert_eq(json_fields_close(&fields), STATUS_INVALID);
    one_error("/at/x", "unknown field");
}

static void refuses_text(const char *json, const char *detail)
{
    const char *out = "kept";
    open_text(json);
    cr_assert(!json_fields_text(&fields, "v", JSON_REQUIRED, 2, 4, &out));
    one_error("/at/v", detail);
    cr_assert_str_eq(out, "kept");
}

Test(base_json_fields, text_refuses, .fini = done)
{
    refuses_text("{\"v\":1}", "must be a string, not a number");
    refuses_text("{\"v\":\"\"}", "must not be empty");
    refuses_text("{\"v\":\"abcde\"}", "must have 2 to 4 bytes, has 5");
    refuses_text("{\"v\":\"a\\u0000b\"}", "must not contain the NUL character");
    refuses_text("{\"v\":true}", "must be a string, not true or false");
}

static void refuses_integer(const char *json, const char *detail)
{
    int64_t out = 42;
    open_text(json);
    cr_assert(!json_fields_integer(&fields, "v", JSON_REQUIRED, 1, 10, &out));
    one_error("/at/v", detail);
    cr_assert_eq(out, 42);
}

Test(base_json_fields, integer_refuses, .fini = done)
{
    refuses_integer("{\"v\":0}", "must be 1 to 10, is 0");
    refuses_integer("{\"v\":11}", "must be 1 to 10, is 11");
    refuses_integer("{\"v\":1.5}", "must be an integer");
    refuses_integer("{\"v\":1e300}", "must be an integer");
    refuses_integer("{\"v\":\"3\"}", "must be an integer, not a string");
    refuses_integer("{\"v\":true}", "must be an integer, not true or false");
}

Test(base_json_fields, number_and_bool_refuse, .fini = done)
{
    double number = 42;
    bool flag = false;
    open_text("{\"v\":3,\"s\":\"3\",\"b\":1}");
    cr_assert(!json_fields_number(&fields, "v", JSON_REQUIRED, 0, 2.5, &number));
    cr_assert(!json_fields_number(&fields, "s", JSON_REQUIRED, 0, 2.5, &number));
    cr_assert(!json_fields_bool(&fields, "b", JSON_REQUIRED, &flag));
    cr_assert_str_eq(fault.error[0].detail, "must be 0 to 2.5, is 3");
    cr_assert_str_eq(fault.error[1].detail, "must be a number, not a string");
    cr_assert_str_eq(fault.error[2].detail, "must be true or false, not a number");
    cr_assert(number == 42 && !flag);
}

static void refuses_weight(const char *json, const char *detail)
{
    int64_t out = 42;
    open_text(json);
    cr_assert(!json_fields_weight(&fields, "v", JSON_REQUIRED, 1, 10000, &out), "%s", json);
    one_error("/at/v", detail);
    cr_assert_eq(out, 42);
}

Test(base_json_fields, weight_refuses, .fini = done)
{
    static const char shape[] =
        "must be a percentage with at most two decimals such as \"12.5%\", or an integer in 1/10,000";
    static const char range[] = "must be 0.01% to 100.00%, is 0 in 1/10,000";
    refuses_weight("{\"v\":\"12.555%\"}", shape);
    refuses_weight("{\"v\":\"12.%\"}", shape);
    refuses_weight("{\"v\":\"%\"}", shape);
    refuses_weight("{\"v\":\"12\"}", shape);
    refuses_weight("{\"v\":\"-1%\"}", shape);
    refuses_weight("{\"v\":\"1%%\"}", shape);
    refuses_weight("{\"v\":\"1.2.3%\"}", shape);
    refuses_weight("{\"v\":\"1%\\u0000\"}", shape);
    refuses_weight("{\"v\":0.5}", shape);
    refuses_weight("{\"v\":[]}", shape);
    refuses_weight("{\"v\":0}", range);
    refuses_weight("{\"v\":\"0%\"}", range);
    refuses_weight("{\"v\":\"100.01%\"}", "must be 0.01% to 100.00%, is 10001 in 1/10,000");
    refuses_weight("{\"v\":\"99999999999999999999%\"}", shape);
}

Test(base_json_fields, duration_word_name_refuse, .fini = done)
{
    static const char *const words[] = {"rollback", "pause", NULL};
    int64_t ms = 42;
    int word = 42;
    const char *name = NULL;
    open_text("{\"d\":\"soon\",\"e\":\"2h\",\"w\":\"rolback\",\"x\":\"stop\",\"n\":\"a b\"}");
    cr_assert(!json_fields_duration(&fields, "d", JSON_REQUIRED, 0, 1, &ms));
    cr_assert(!json_fields_duration(&fields, "e", JSON_REQUIRED, 60000, 3600000, &ms));
    cr_assert(!json_fields_word(&fields, "w", JSON_REQUIRED, words, &word));
    cr_assert(!json_fields_word(&fields, "x", JSON_REQUIRED, words, &word));
    cr_assert(!json_fields_name(&fields, "n", JSON_REQUIRED, &name));
    cr_assert_not_null(strstr(fault.error[0].detail, "must be a duration such as \"90s\""));
    cr_assert_str_eq(fault.error[1].detail, "must be 1m to 1h, is 2h");
    cr_assert_str_eq(fault.error[2].detail, "must be one of rollback, pause; did you mean \"rollback\"?");
    cr_assert_str_eq(fault.error[3].detail, "must be one of rollback, pause");
    cr_assert_not_null(strstr(fault.error[4].detail, "must be a name"));
    cr_assert(ms == 42 && word == 42 && name == NULL);
}

Test(base_json_fields, containers_refuse, .fini = done)
{
    struct json_object *out = NULL;
    open_text("{\"o\":[],\"a\":{},\"l\":[1,2,3]}");
    cr_assert(!json_fields_object(&fields, "o", JSON_REQUIRED, &out));
    cr_assert(!json_fields_array(&fields, "a", JSON_REQUIRED, 0, 9, &out));
    cr_assert(!json_fields_array(&fields, "l", JSON_REQUIRED, 0, 2, &out));
    cr_assert_str_eq(fault.error[0].detail, "must be an object, not an array");
    cr_assert_str_eq(fault.error[1].detail, "must be an array, not an object");
    cr_assert_str_eq(fault.error[2].detail, "must have 0 to 2 entries, has 3");
}

Test(base_json_fields, pointer_is_escaped_and_cut, .fini = done)
{
    char out[128], wide[400];
    memset(wide, '~', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    open_text("{}");
    cr_assert_str_eq(json_fields_pointer(&fields, "a/b~c", out), "/at/a~1b~0c");
    cr_assert_leq(strlen(json_fields_pointer(&fields, wide, out)), 127);
    fields.pointer = wide;
    cr_assert_eq(strlen(json_fields_pointer(&fields, "x", out)), 127);
}

Test(base_json_fields, works_without_a_fault, .fini = done)
{
    int64_t value = 0;
    open_text("{\"a\":\"x\"}");
    json_fields_open(&fields, root, "", NULL);
    cr_assert(!json_fields_integer(&fields, "a", JSON_REQUIRED, 0, 1, &value));
    cr_assert_eq(json_fields_close(&fields), STATUS_INVALID);
}
