/* Tests of canonical JSON, with the samples that RFC 8785 publishes (3.2.2, 3.2.3 and appendix B). */
#include "base/json.h"
#include "base/json_number.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

TestSuite(base_json_canonical, .timeout = 60);

static const struct {
    uint64_t bits;
    const char *text;
} numbers[] = {
    {0x0000000000000000, "0"},
    {0x8000000000000000, "0"},
    {0x0000000000000001, "5e-324"},
    {0x8000000000000001, "-5e-324"},
    {0x7fefffffffffffff, "1.7976931348623157e+308"},
    {0xffefffffffffffff, "-1.7976931348623157e+308"},
    {0x4340000000000000, "9007199254740992"},
    {0xc340000000000000, "-9007199254740992"},
    {0x4430000000000000, "295147905179352830000"},
    {0x44b52d02c7e14af5, "9.999999999999997e+22"},
    {0x44b52d02c7e14af6, "1e+23"},
    {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
    {0x444b1ae4d6e2ef4e, "999999999999999700000"},
    {0x444b1ae4d6e2ef4f, "999999999999999900000"},
    {0x444b1ae4d6e2ef50, "1e+21"},
    {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
    {0x3eb0c6f7a0b5ed8d, "0.000001"},
    {0x41b3de4355555553, "333333333.3333332"},
    {0x41b3de4355555554, "333333333.33333325"},
    {0x41b3de4355555555, "333333333.3333333"},
    {0x41b3de4355555556, "333333333.3333334"},
    {0x41b3de4355555557, "333333333.33333343"},
    {0xbecbf647612f3696, "-0.0000033333333333333333"},
    {0x43143ff3c1cb0959, "1424953923781206.2"},
    /* Powers of two, where only a neighbour of the nearest decimal reads back. */
    {0x3d30000000000000, "5.684341886080802e-14"},
    {0x3ff0000000000000, "1"},
    {0x3e7ad7f29abcaf48, "1e-7"},
    {0x4415af1d78b58c40, "100000000000000000000"},
};

static double of_bits(uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

Test(base_json_canonical, numbers_of_the_rfc)
{
    char out[JSON_NUMBER_MAX];
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        cr_assert_str_eq(json_number(of_bits(numbers[i].bits), out), numbers[i].text);
    }
}

Test(base_json_canonical, numbers_read_back)
{
    char out[JSON_NUMBER_MAX];
    uint64_t state = 88172645463325252;
    for (int i = 0; i < 20000; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        double number = of_bits(state);
        if (isfinite(number)) {
            cr_assert(strtod(json_number(number, out), NULL) == number, "%s", out);
            cr_assert_lt(strlen(out), 26);
        }
    }
}

static void becomes(const char *text, const char *expected)
{
    struct json_object *value = NULL;
    struct text out;
    text_init(&out, 4096);
    cr_assert_eq(json_parse(text, strlen(text), &value, NULL), STATUS_OK, "%s", text);
    cr_assert_eq(json_canonical(value, &out), STATUS_OK);
    cr_assert_str_eq(text_get(&out), expected);
    json_object_put(value);
    text_free(&out);
}

Test(base_json_canonical, sample_of_the_rfc)
{
    becomes(
        "{\"numbers\": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],"
        " \"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\","
        " \"literals\": [null, true, false]}",
        "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
        "\"string\":\"\xE2\x82\xAC$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
}

Test(base_json_canonical, keys_in_utf16_order)
{
    becomes(
        "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew\",\"1\":\"One\","
        "\"\\ud83d\\ude00\":\"Emoji\",\"\\u0080\":\"Control\",\"\\u00f6\":\"Latin\"}",
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xC2\x80\":\"Control\",\"\xC3\xB6\":\"Latin\","
        "\"\xE2\x82\xAC\":\"Euro Sign\",\"\xF0\x9F\x98\x80\":\"Emoji\",\"\xEF\xAC\xB3\":\"Hebrew\"}");
    becomes(
        "{\"\\ue000\":1,\"\\ud7ff\":2,\"\\ud800\\udc00\":3,\"\\uffff\":4,\"a\":5,\"\":6,\"aa\":7,\"B\":8}",
        "{\"\":6,\"B\":8,\"a\":5,\"aa\":7,\"\xED\x9F\xBF\":2,\"\xF0\x90\x80\x80\":3,\"\xEE\x80\x80\":1,"
        "\"\xEF\xBF\xBF\":4}");
}

Test(base_json_canonical, strings)
{
    becomes("\"\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f\\u2028/\"",
            "\"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\xE2\x80\xA8/\"");
    becomes(" [ ] ", "[]");
    becomes("{ \"a\" : { } }", "{\"a\":{}}");
    becomes("[1.0, -0.0, -0, 1e2, 100]", "[1,0,0,100,100]");
    becomes("[1e20,1e21]", "[100000000000000000000,1e+21]");
    becomes("[100000000000000000000,1e+21]", "[100000000000000000000,1e+21]");
}

Test(base_json_canonical, put_keeps_the_order)
{
    static const char text[] = "{\"b\":0.1,\"a\":[{\"z\":1,\"y\":null}]}";
    struct json_object *value = NULL;
    struct text out;
    text_init(&out, 4096);
    cr_assert_eq(json_parse(text, strlen(text), &value, NULL), STATUS_OK);
    cr_assert_eq(json_put(value, &out), STATUS_OK);
    cr_assert_str_eq(text_get(&out), text);
    json_object_put(value);
    text_free(&out);
}

Test(base_json_canonical, put_string_mends_bad_utf8)
{
    struct text out;
    text_init(&out, 100);
    json_put_string(&out, "a\xFF\"\xE2\x82", 5);
    cr_assert_str_eq(text_get(&out), "\"a\xEF\xBF\xBD\\\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
    text_free(&out);
}

static enum status canonical_of(struct json_object *value)
{
    struct text out;
    text_init(&out, 1000);
    enum status status = json_canonical(value, &out);
    json_object_put(value);
    text_free(&out);
    return status;
}

Test(base_json_canonical, refuses_what_it_cannot_hold)
{
    struct json_object *object = json_object_new_object();
    struct json_object *deep = json_object_new_array();
    json_object_object_add(object, "k\xFF", NULL);
    for (int i = 0; i < 100; i++) {
        struct json_object *outer = json_object_new_array();
        json_object_array_add(outer, deep);
        deep = outer;
    }
    cr_assert_eq(canonical_of(json_object_new_double(NAN)), STATUS_INVALID);
    cr_assert_eq(canonical_of(json_object_new_double(INFINITY)), STATUS_INVALID);
    cr_assert_eq(canonical_of(json_object_new_int64(INT64_MAX)), STATUS_INVALID);
    cr_assert_eq(canonical_of(json_object_new_uint64(UINT64_MAX)), STATUS_INVALID);
    cr_assert_eq(canonical_of(json_object_new_int64(-9007199254740992)), STATUS_OK);
    cr_assert_eq(canonical_of(json_object_new_string("\xC3")), STATUS_INVALID);
    cr_assert_eq(canonical_of(object), STATUS_INVALID);
    cr_assert_eq(canonical_of(deep), STATUS_TOO_LARGE);
}

Test(base_json_canonical, too_large_is_said)
{
    struct text out;
    struct json_object *value = json_object_new_string("12345678901234567890");
    text_init(&out, 10);
    cr_assert_eq(json_canonical(value, &out), STATUS_TOO_LARGE);
    json_object_put(value);
    text_free(&out);
}
