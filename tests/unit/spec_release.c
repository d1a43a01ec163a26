/* Releases and artifact versions: what each may hold, and who owns it afterwards. */
#include "base/json.h"
#include "spec/release.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(spec_release, .timeout = 10);
TestSuite(spec_artifact, .timeout = 10);

static struct json_object *parse(const char *json)
{
    struct json_object *value = NULL;
    struct fault fault = {0};
    cr_assert_eq(json_parse(json, strlen(json), &value, &fault), STATUS_OK, "%s: %s", json, fault.detail);
    return value;
}

#define MODEL "{\"kind\":\"model\",\"name\":\"gpt\",\"version\":3}"

Test(spec_release, full)
{
    struct json_object *value =
        parse("{\"name\":\"r7\",\"artifacts\":[{\"kind\":\"tool\",\"name\":\"search\",\"version\":1}," MODEL
              ",{\"kind\":\"prompt\",\"name\":\"system\",\"version\":12}],\"parameters\":{\"a\":[1]},"
              "\"changelog\":\"new\",\"compatibility\":\"none\",\"history_compatible\":false,"
              "\"fallback\":{\"refusal\":{\"message\":\"Sorry\",\"action\":\"Ask again\"},"
              "\"default\":{\"message\":\"Oh\"}},\"worksheets\":{\"cost\":1}}");
    struct spec_release release;
    struct fault fault = {0};
    cr_assert_eq(spec_read_release(value, "", &release, &fault), STATUS_OK, "%s", fault.error[0].detail);
    json_object_put(value); /* the release holds its own reference */
    cr_assert_str_eq(release.name, "r7");
    cr_assert_eq(release.pins, 3);
    cr_assert_eq(release.pin[0].kind, KIND_PROMPT);
    cr_assert_eq(release.pin[0].version, 12);
    cr_assert_str_eq(release.pin[1].name, "search");
    cr_assert_eq(release.pin[2].kind, KIND_MODEL);
    cr_assert_not(release.history_compatible);
    cr_assert_str_eq(release.changelog, "new");
    cr_assert_str_eq(release.compatibility, "none");
    cr_assert_eq(json_object_object_length(release.parameters), 1);
    cr_assert_eq(json_object_object_length(release.fallback), 2);
    spec_release_free(&release);
    spec_release_free(&release);
}

Test(spec_release, least)
{
    struct json_object *value = parse("{\"name\":\"r\",\"artifacts\":[" MODEL "]}");
    struct spec_release release;
    cr_assert_eq(spec_read_release(value, "", &release, NULL), STATUS_OK);
    cr_assert(release.history_compatible);
    cr_assert_str_eq(release.changelog, "");
    cr_assert_eq(json_object_object_length(release.worksheets), 0);
    spec_release_free(&release);
    json_object_put(value);
}

static const struct {
    char json[256], pointer[48], detail[64];
} refused[] = {
    {"{\"artifacts\":[" MODEL "]}", "/name", "is required"},
    {"{\"name\":\"-r\",\"artifacts\":[" MODEL "]}", "/name", "must be a name"},
    {"{\"name\":\"r\",\"artifacts\":[]}", "/artifacts", "1 to 64"},
    {"{\"name\":\"r\",\"artifacts\":[{\"kind\":\"tool\",\"name\":\"t\",\"version\":1}]}", "/artifacts",
     "exactly one model, names 0"},
    {"{\"name\":\"r\",\"artifacts\":[" MODEL "," MODEL "]}", "/artifacts", "more than once"},
    {"{\"name\":\"r\",\"artifacts\":[" MODEL ",{\"kind\":\"model\",\"name\":\"x\",\"version\":1}]}",
     "/artifacts", "names 2"},
    {"{\"name\":\"r\",\"artifacts\":[" MODEL ",{\"kind\":\"prompts\",\"name\":\"x\",\"version\":1}]}",
     "/artifacts/1/kind", "did you mean \"prompt\""},
    {"{\"name\":\"r\",\"artifacts\":[{\"kind\":\"model\",\"name\":\"x\",\"version\":0}]}",
     "/artifacts/0/version", "must be 1"},
    {"{\"name\":\"r\",\"artifacts\":[" MODEL "],\"fallback\":{\"oops\":{\"message\":\"m\"}}}",
     "/fallback/oops", "unknown field"},
    {"{\"name\":\"r\",\"artifacts\":[" MODEL "],\"fallback\":{\"error\":{\"message\":\"\"}}}",
     "/fallback/error/message", "must not be empty"},
    {"{\"name\":\"r\",\"artifacts\":[" MODEL "],\"parameters\":[]}", "/parameters", "an object"},
};

Test(spec_release, refused)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct json_object *value = parse(refused[i].json);
        struct spec_release release;
        struct fault fault = {0};
        cr_assert_eq(spec_read_release(value, "", &release, &fault), STATUS_INVALID, "%s", refused[i].json);
        cr_assert_null(release.document);
        cr_assert_str_eq(fault.error[0].pointer, refused[i].pointer, "%s", fault.error[0].pointer);
        cr_assert_not_null(strstr(fault.error[0].detail, refused[i].detail), "%s: %s", refused[i].json,
                           fault.error[0].detail);
        json_object_put(value);
    }
}

Test(spec_release, lengths_are_characters)
{
    struct text text;
    struct fault fault = {0};
    struct spec_release release;
    text_init(&text, 200000);
    text_puts(&text, "{\"name\":\"r\",\"artifacts\":[" MODEL "],\"changelog\":\"");
    for (int i = 0; i < 20000; i++) {
        text_puts(&text, "\xc3\xa9");
    }
    size_t length = text.length;
    text_puts(&text, "\"}");
    struct json_object *value = parse(text_get(&text));
    cr_assert_eq(spec_read_release(value, "", &release, &fault), STATUS_OK, "%s", fault.error[0].detail);
    spec_release_free(&release);
    json_object_put(value);
    text.length = length;
    text_puts(&text, "x\"}");
    value = parse(text_get(&text));
    cr_assert_eq(spec_read_release(value, "", &release, &fault), STATUS_INVALID);
    json_object_put(value);
    text_free(&text);
}

static const struct {
    enum spec_kind kind;
    char json[160], pointer[64]; /* "" = it is fine */
} versions[] = {
    {KIND_PROMPT, "{\"content\":\"Be kind.\",\"changelog\":\"x\"}", ""},
    {KIND_PROMPT, "{\"content\":[{\"role\":\"system\"}]}", ""},
    {KIND_PROMPT, "{\"content\":false}", ""},
    {KIND_PROMPT, "{\"content\":null}", "/content"},
    {KIND_PROMPT, "{\"content\":\"\"}", "/content"},
    {KIND_PROMPT, "{\"content\":\"a\\u0000b\"}", "/content"},
    {KIND_PROMPT, "{}", "/content"},
    {KIND_PROMPT, "{\"content\":\"a\",\"version\":1}", "/version"},
    {KIND_TOOL, "{\"content\":{\"name\":\"search\"}}", ""},
    {KIND_TOOL, "{\"content\":\"search\"}", "/content"},
    {KIND_TOOL, "{\"content\":null}", "/content"},
    {KIND_CORPUS, "{\"content\":{\"uri\":\"s3://x\",\"index_digest\":\"d\",\"embedding_model\":\"e\"}}", ""},
    {KIND_CORPUS, "{\"content\":{\"uri\":\"s3://x\",\"index_digest\":\"d\"}}", "/content/embedding_model"},
    {KIND_MODEL, "{\"content\":{\"provider\":\"p\",\"model\":\"m\"}}", ""},
    {KIND_MODEL, "{\"content\":{\"provider\":\"p\",\"model\":\"m\",\"parameters\":{\"t\":0}}}", ""},
    {KIND_MODEL, "{\"content\":{\"provider\":\"p\",\"model\":\"\"}}", "/content/model"},
    {KIND_MODEL, "{\"content\":{\"provider\":\"p\",\"model\":\"m\",\"temperature\":1}}",
     "/content/temperature"},
};

Test(spec_artifact, versions)
{
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        struct json_object *value = parse(versions[i].json);
        struct spec_version version;
        struct fault fault = {0};
        enum status status = spec_read_version(value, versions[i].kind, "", &version, &fault);
        if (versions[i].pointer[0] == '\0') {
            cr_assert_eq(status, STATUS_OK, "%s: %s", versions[i].json, fault.error[0].detail);
        } else {
            cr_assert_eq(status, STATUS_INVALID, "%s", versions[i].json);
            cr_assert_str_eq(fault.error[0].pointer, versions[i].pointer);
        }
        json_object_put(value);
    }
}

Test(spec_artifact, kinds)
{
    enum spec_kind kind;
    for (enum spec_kind i = 0; i < KIND_COUNT; i++) {
        cr_assert(spec_kind_parse(spec_kind_name(i), &kind) && kind == i);
    }
    cr_assert_not(spec_kind_parse("agent", &kind));
}
