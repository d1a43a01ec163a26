/* The words of each provider, and what follows from them for each SLI. */
#include "sources/genai.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

TestSuite(sources_genai, .timeout = 20);

static const struct genai_names names = {"serin.service", "serin.release", "serin.stratum"};

static void take(struct genai_facts *facts, const char *key, const struct genai_value *value)
{
    struct genai_key known;
    if (genai_look_up(&names, key, strlen(key), &known))
        genai_take(facts, &known, value);
}

static void take_text(struct genai_facts *facts, const char *key, const char *text)
{
    struct genai_value value = {.kind = GENAI_TEXT, .text = text, .length = strlen(text)};
    take(facts, key, &value);
}

static void take_integer(struct genai_facts *facts, const char *key, int64_t integer)
{
    struct genai_value value = {.kind = GENAI_INTEGER, .integer = integer};
    take(facts, key, &value);
}

static void take_number(struct genai_facts *facts, const char *key, double number)
{
    struct genai_value value = {.kind = GENAI_NUMBER, .number = number};
    take(facts, key, &value);
}

static void take_bool(struct genai_facts *facts, const char *key, bool yes)
{
    struct genai_value value = {.kind = GENAI_BOOL, .integer = yes};
    take(facts, key, &value);
}

/* A letter for each of refusal, content_filter, error, timeout, truncated, rate_limited, schema_invalid and
   tool_error: B bad, g good, - not said. */
static const char *judged(const struct genai_facts *facts)
{
    static const enum sli shown[] = {SLI_REFUSAL,   SLI_CONTENT_FILTER, SLI_ERROR,          SLI_TIMEOUT,
                                     SLI_TRUNCATED, SLI_RATE_LIMITED,   SLI_SCHEMA_INVALID, SLI_TOOL_ERROR};
    static char out[16];
    struct genai_judged judged;
    if (!genai_judge(facts, &judged))
        return "nothing";
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
        out[i] = "-gB"[judged.of[shown[i]]];
    return out;
}

/* What a span with this provider, finish reason and error type says; NULL: it has none. */
static const char *span(const char *provider, const char *finish, const char *error)
{
    struct genai_facts facts;
    genai_facts_begin(&facts);
    take_text(&facts, "gen_ai.operation.name", "chat");
    if (provider != NULL)
        take_text(&facts, "gen_ai.provider.name", provider);
    if (finish != NULL)
        take_text(&facts, "gen_ai.response.finish_reasons", finish);
    if (error != NULL)
        take_text(&facts, "error.type", error);
    return judged(&facts);
}

struct row {
    const char *provider, *finish, *error, *expected;
};

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        const char *got = span(row->provider, row->finish, row->error);
        cr_expect_str_eq(got, row->expected, "%s, %s, %s: %s instead of %s", row->provider, row->finish,
                         row->error, got, row->expected);
    }
}

#define CHECK(rows) check(rows, sizeof rows / sizeof rows[0])

/*                                       refusal, filter, error, timeout, truncated, limited, schema, tools */
Test(sources_genai, words_of_openai)
{
    static const struct row rows[] = {
        {"openai", "stop", NULL, "-gg-gg--"},
        {"openai", "tool_calls", NULL, "-gg-gg--"},
        {"openai", "function_call", NULL, "-gg-gg--"},
        {"openai", "completed", NULL, "-gg-gg--"},
        {"openai", "content_filter", NULL, "-Bg-gg--"},
        {"openai", "length", NULL, "-gg-Bg--"},
        {"openai", "max_output_tokens", NULL, "-gg-Bg--"},
        {"openai", "failed", NULL, "--B--g--"},
        {"openai", NULL, "429", "--g--B--"},
        {"openai", NULL, "rate_limit_exceeded", "--g--B--"},
        {"openai", NULL, "openai.RateLimitError", "--g--B--"},
        {"openai", NULL, "APIConnectionTimeoutError", "--gB-g--"},
        {"openai", NULL, "openai.APITimeoutError", "--gB-g--"},
        {"openai", NULL, "vector_store_timeout", "--gB-g--"},
        {"openai", NULL, "504", "--gB-g--"},
        {"openai", NULL, "408", "--gB-g--"},
        {"openai", NULL, "server_error", "--B--g--"},
        {"openai", NULL, "500", "--B--g--"},
        {"openai", NULL, "_OTHER", "--B--g--"},
        {"openai", NULL, "bio_policy", "-Bg-gg--"},
        {"openai", NULL, "image_content_policy_violation", "-Bg-gg--"},
        {"openai", NULL, "LengthFinishReasonError", "-gg-Bg--"},
        {"openai", NULL, "ContentFilterFinishReasonError", "-Bg-gg--"},
    };
    CHECK(rows);
}

Test(sources_genai, words_of_anthropic)
{
    static const struct row rows[] = {
        {"anthropic", "end_turn", NULL, "ggg-gg--"},
        {"anthropic", "stop_sequence", NULL, "ggg-gg--"},
        {"anthropic", "tool_use", NULL, "ggg-gg--"},
        {"anthropic", "pause_turn", NULL, "ggg-gg--"},
        {"anthropic", "refusal", NULL, "Bgg-gg--"},
        {"aws.anthropic", "refusal", NULL, "Bgg-gg--"}, /* as Envoy AI Gateway writes it */
        {"anthropic", "max_tokens", NULL, "ggg-Bg--"},
        {"anthropic", "model_context_window_exceeded", NULL, "ggg-Bg--"},
        {"anthropic", NULL, "rate_limit_error", "--g--B--"},
        {"anthropic", NULL, "overloaded_error", "--g--B--"},
        {"anthropic", NULL, "529", "--g--B--"},
        {"anthropic", NULL, "timeout_error", "--gB-g--"},
        {"anthropic", NULL, "api_error", "--B--g--"},
    };
    CHECK(rows);
}

Test(sources_genai, words_of_gemini)
{
    static const char *const filtered[] = {
        "SAFETY",       "PROHIBITED_CONTENT",       "BLOCKLIST",        "SPII",        "RECITATION",
        "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR", "JAILBREAK"};
    static const struct row rows[] = {
        {"gcp.gemini", "STOP", NULL, "-gg-gg-g"},
        {"gcp.vertex_ai", "FinishReason.STOP", NULL, "-gg-gg-g"},
        {"gcp.gemini", "MAX_TOKENS", NULL, "-gg-Bg-g"},
        {"gcp.gemini", "MALFORMED_FUNCTION_CALL", NULL, "-gg-gg-B"},
        {"gcp.gemini", "UNEXPECTED_TOOL_CALL", NULL, "-gg-gg-B"},
        {"gcp.gemini", "TOO_MANY_TOOL_CALLS", NULL, "-gg-gg-B"},
        {"gcp.gemini", "OTHER", NULL, "--B--g--"},
        {"gcp.gemini", "LANGUAGE", NULL, "--B--g--"},
        {"gcp.gemini", "NO_IMAGE", NULL, "--B--g--"},
        {"gcp.gemini", "IMAGE_OTHER", NULL, "--B--g--"},
        {"gcp.gemini", NULL, "RESOURCE_EXHAUSTED", "--g--B--"},
        {"gcp.gemini", NULL, "DEADLINE_EXCEEDED", "--gB-g--"},
    };
    for (size_t i = 0; i < sizeof filtered / sizeof filtered[0]; i++)
        cr_expect_str_eq(span("gcp.gemini", filtered[i], NULL), "-Bg-gg-g", "%s", filtered[i]);
    CHECK(rows);
}

Test(sources_genai, words_of_bedrock_and_azure)
{
    static const struct row rows[] = {
        {"aws.bedrock", "end_turn", NULL, "-gg-gggg"},
        {"aws.bedrock", "content_filtered", NULL, "-Bg-gggg"},
        {"aws.bedrock", "guardrail_intervened", NULL, "-Bg-gggg"},
        {"aws.bedrock", "max_tokens", NULL, "-gg-Bggg"},
        {"aws.bedrock", "malformed_model_output", NULL, "-gg-ggBg"},
        {"aws.bedrock", "malformed_tool_use", NULL, "-gg-gggB"},
        {"aws.bedrock", NULL, "ThrottlingException", "--g--B--"},
        {"aws.bedrock", NULL, "ServiceQuotaExceededException", "--g--B--"},
        {"aws.bedrock", NULL, "ModelTimeoutException", "--gB-g--"},
        {"aws.bedrock", NULL, "InternalServerException", "--B--g--"},
        {"aws.bedrock", NULL, "ModelStreamErrorException", "--B--g--"},
        /* a filter that answers with HTTP 400 is no error */
        {"azure.ai.openai", "content_filter", "400", "-Bg-gg--"},
        {"azure.ai.openai", NULL, "content_filter", "-Bg-gg--"},
        {"azure.ai.openai", NULL, "ResponsibleAIPolicyViolation", "-Bg-gg--"},
        {"azure.ai.openai", "ContentFilter", NULL, "-Bg-gg--"},
        {"azure.ai.openai", NULL, "400", "--B--g--"},
    };
    CHECK(rows);
}

/* Missing data are never good: a word that nobody knows, and a provider without a word for it. */
Test(sources_genai, what_is_not_known_is_not_said)
{
    static const struct row rows[] = {
        {"openai", "some_new_reason", NULL, "--g--g--"},
        {"anthropic", "some_new_reason", NULL, "--g--g--"},
        {"anthropic", "", NULL, "--g--g--"},
        {NULL, NULL, NULL, "--g--g--"},
        {NULL, "stop", NULL, "-gg-gg--"},
        {"openai", "refusal", NULL, "-gg-gg--"},
        {"openai", "malformed_model_output", NULL, "-gg-gg--"},
        {"openai", NULL, "a word that is longer than any that stands in the table, and then some more of it",
         "--B--g--"},
    };
    CHECK(rows);
}

Test(sources_genai, one_bad_choice_is_enough)
{
    struct genai_facts facts;
    genai_facts_begin(&facts);
    take_text(&facts, "gen_ai.system", "anthropic");
    take_text(&facts, "gen_ai.response.finish_reasons", "end_turn");
    take_text(&facts, "gen_ai.response.finish_reasons", "refusal");
    take_text(&facts, "gen_ai.response.finish_reasons", "max_tokens");
    cr_assert_str_eq(judged(&facts), "Bgg-Bg--");
}

Test(sources_genai, a_status_alone_is_an_error_and_http_says_which)
{
    struct genai_facts facts;
    genai_facts_begin(&facts);
    facts.status_failed = true;
    cr_assert_str_eq(judged(&facts), "--B--g--");
    take_integer(&facts, "http.response.status_code", 429);
    cr_assert_str_eq(judged(&facts), "--g--B--");
    take_integer(&facts, "http.status_code", 504);
    cr_assert_str_eq(judged(&facts), "--gB-g--");
    take_integer(&facts, "http.response.status_code", 200);
    cr_assert_str_eq(judged(&facts), "--B--g--");
    /* a class name says less than the code; a word says more */
    genai_facts_begin(&facts);
    take_text(&facts, "error.type", "APIStatusError");
    take_integer(&facts, "http.response.status_code", 429);
    cr_assert_str_eq(judged(&facts), "--g--B--");
    genai_facts_begin(&facts);
    take_text(&facts, "error.type", "timeout");
    take_integer(&facts, "http.response.status_code", 500);
    cr_assert_str_eq(judged(&facts), "--gB-g--");
    genai_facts_begin(&facts);
    take_integer(&facts, "error.type", 429);
    cr_assert_str_eq(judged(&facts), "--g--B--");
}

Test(sources_genai, whoever_goes_away_says_nothing)
{
    cr_assert_str_eq(span("openai", NULL, "AbortError"), "nothing");
    cr_assert_str_eq(span("openai", NULL, "asyncio.CancelledError"), "nothing");
    cr_assert_str_eq(span("openai", NULL, "499"), "nothing");
    cr_assert_str_eq(span("openai", "cancelled", NULL), "nothing");
}

Test(sources_genai, what_the_sender_has_judged_wins)
{
    struct genai_facts facts;
    genai_facts_begin(&facts);
    take_text(&facts, "gen_ai.provider.name", "openai");
    take_text(&facts, "gen_ai.response.finish_reasons", "length");
    take_bool(&facts, "serin.sli.refusal", true);
    take_bool(&facts, "serin.sli.truncated", false);
    take_bool(&facts, "serin.sli.nonsense", true);
    take_text(&facts, "serin.sli.error", "true"); /* not a bool */
    cr_assert_str_eq(judged(&facts), "Bgg-gg--");
    take_bool(&facts, "serin.sli.refusal", false); /* the last one holds */
    cr_assert_str_eq(judged(&facts), "ggg-gg--");
}

static void wrong(const char *key, bool as_text, int why, const char *name)
{
    struct genai_facts facts;
    genai_facts_begin(&facts);
    if (as_text)
        take_text(&facts, key, "maybe");
    else
        take_bool(&facts, key, true);
    cr_assert_eq((int)facts.wrong.why, why, "%s", key);
    cr_assert_str_eq(facts.wrong.name, name);
    take_bool(&facts, "serin.sli.other", true); /* the first is kept */
    cr_assert(why == GENAI_ALL_RIGHT || strcmp(facts.wrong.name, name) == 0);
}

Test(sources_genai, what_judges_nothing_is_kept_by_its_name_alone)
{
    wrong("serin.sli.refusal", false, GENAI_ALL_RIGHT, "");
    wrong("serin.sli", false, GENAI_ALL_RIGHT, "");
    wrong("serin.sli.refusals", false, GENAI_NO_SLI, "refusals");
    wrong("serin.sli.refusals", true, GENAI_NO_SLI, "refusals");
    wrong("serin.sli.refusal", true, GENAI_NO_BOOL, "refusal");
    wrong("serin.sli.a\n\xff\"b", false, GENAI_NO_SLI, "a???b");
    wrong("serin.sli.0123456789012345678901234567890123456789", false, GENAI_NO_SLI,
          "012345678901234567890123456789012345678");
}

/* Of every attribute that has a kind, each value that it cannot have. */
Test(sources_genai, a_value_of_the_wrong_kind_says_nothing_and_is_noted)
{
    static const struct {
        const char *key;
        bool texts, seconds; /* else whole numbers */
    } rows[] = {
        {"gen_ai.provider.name", true, false},           {"gen_ai.system", true, false},
        {"gen_ai.response.finish_reasons", true, false}, {"gen_ai.response.time_to_first_chunk", false, true},
        {"gen_ai.usage.input_tokens", false, false},     {"gen_ai.usage.prompt_tokens", false, false},
        {"gen_ai.usage.output_tokens", false, false},    {"gen_ai.usage.completion_tokens", false, false},
        {"http.response.status_code", false, false},     {"http.status_code", false, false}};
    static const struct genai_value values[] = {{.kind = GENAI_TEXT, .text = "12", .length = 2},
                                                {.kind = GENAI_BOOL, .integer = 1},
                                                {.kind = GENAI_INTEGER, .integer = -12},
                                                {.kind = GENAI_NUMBER, .number = -0.5},
                                                {.kind = GENAI_NUMBER, .number = NAN},
                                                {.kind = GENAI_NUMBER, .number = INFINITY},
                                                {.kind = GENAI_INTEGER, .integer = INT64_C(1) << 62},
                                                {.kind = GENAI_NUMBER, .number = 200.5}};
    enum { VALUES = sizeof values / sizeof values[0] };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t j = 0; j < VALUES; j++) {
            struct genai_facts facts;
            bool right = (rows[i].texts && j == 0) || (rows[i].seconds && j == VALUES - 1);
            genai_facts_begin(&facts);
            take(&facts, rows[i].key, &values[j]);
            const struct genai_wrong *noted = genai_wrong(&facts);
            cr_assert_eq(noted == NULL, right, "%s, value %zu", rows[i].key, j);
            if (right)
                continue;
            cr_assert_eq((int)noted->why, GENAI_NO_VALUE);
            cr_assert_str_eq(noted->name, rows[i].key);
            cr_assert_not_null(noted->expected);
            cr_assert(facts.first_chunk_s == -1 && facts.input_tokens == -1 && facts.output_tokens == -1 &&
                      facts.http_status == 0 && facts.finished == 0 && !facts.says_refusal);
        }
    }
}

Test(sources_genai, what_is_right_is_not_noted_and_stays)
{
    struct genai_facts facts;
    genai_facts_begin(&facts);
    take_integer(&facts, "gen_ai.response.time_to_first_chunk", 86400);
    take_integer(&facts, "gen_ai.usage.input_tokens", 0);
    take_integer(&facts, "gen_ai.usage.output_tokens", 1000000000);
    take_integer(&facts, "http.response.status_code", 599);
    take_integer(&facts, "http.status_code", 0); /* there was none */
    take_text(&facts, "gen_ai.request.model", "m");
    take_text(&facts, "gen_ai.response.time_to_first_toke", "x");
    cr_assert_null(genai_wrong(&facts));
    cr_assert(facts.http_status == 599 && facts.input_tokens == 0 && facts.output_tokens == 1000000000);
    take_text(&facts, "gen_ai.usage.prompt_tokens", "many");
    cr_assert_eq(facts.input_tokens, 0);
    cr_assert_str_eq(genai_wrong(&facts)->name, "gen_ai.usage.prompt_tokens");
}

Test(sources_genai, a_name_near_one_that_is_read_is_noted_unless_that_one_is_there_too)
{
    struct genai_facts facts;
    genai_facts_begin(&facts);
    take_number(&facts, "gen_ai.response.time_to_first_token", 0.5);
    cr_assert_eq(facts.first_chunk_s, -1);
    cr_assert_eq((int)genai_wrong(&facts)->why, GENAI_OTHER_NAME);
    cr_assert_str_eq(genai_wrong(&facts)->name, "gen_ai.response.time_to_first_token");
    cr_assert_str_eq(genai_wrong(&facts)->expected, "gen_ai.response.time_to_first_chunk");
    take_number(&facts, "gen_ai.response.time_to_first_chunk", 0.5);
    cr_assert_null(genai_wrong(&facts));
    genai_facts_begin(&facts);
    take_text(&facts, "gen_ai.response.finish_reason", "stop");
    cr_assert_eq(facts.finished, 0);
    cr_assert_str_eq(genai_wrong(&facts)->expected, "gen_ai.response.finish_reasons");
    take_text(&facts, "gen_ai.response.finish_reasons", "stop");
    cr_assert_null(genai_wrong(&facts));
}

Test(sources_genai, what_means_most_is_noted_first)
{
    struct genai_facts facts;
    genai_facts_begin(&facts);
    take_number(&facts, "gen_ai.response.time_to_first_token", 0.5);
    take_text(&facts, "http.response.status_code", "200");
    cr_assert_str_eq(genai_wrong(&facts)->name, "http.response.status_code");
    take_text(&facts, "gen_ai.usage.input_tokens", "200");
    cr_assert_str_eq(genai_wrong(&facts)->name, "http.response.status_code");
    take_bool(&facts, "serin.sli.x", true);
    cr_assert_str_eq(genai_wrong(&facts)->name, "x");
    cr_assert_null(genai_wrong(&facts)->expected);
    take_text(&facts, "gen_ai.usage.input_tokens", "200");
    take_text(&facts, "serin.sli.error", "yes");
    cr_assert_str_eq(genai_wrong(&facts)->name, "x");
}

Test(sources_genai, only_requests_to_a_model_are_inference)
{
    static const struct {
        const char *operation;
        bool inference;
    } rows[] = {{"chat", true},          {"generate_content", true}, {"text_completion", true},
                {"embeddings", false},   {"retrieval", false},       {"execute_tool", false},
                {"invoke_agent", false}, {"chatter", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct genai_facts facts;
        genai_facts_begin(&facts);
        take_text(&facts, "gen_ai.operation.name", rows[i].operation);
        cr_expect_eq(facts.inference, rows[i].inference, "%s", rows[i].operation);
    }
}

Test(sources_genai, names_in_the_order_of_the_conventions)
{
    struct genai_facts facts, resource;
    genai_facts_begin(&facts);
    genai_facts_begin(&resource);
    cr_assert_null(genai_release(&facts, &resource));
    cr_assert_null(genai_service(&facts, &resource));
    take_text(&resource, "service.version", "r1");
    take_text(&resource, "service.name", "shop");
    cr_assert_str_eq(genai_release(&facts, &resource), "r1");
    cr_assert_str_eq(genai_service(&facts, &resource), "shop");
    take_text(&resource, "serin.release", "r2");
    take_text(&resource, "serin.service", "chat");
    cr_assert_str_eq(genai_release(&facts, &resource), "r2");
    cr_assert_str_eq(genai_service(&facts, &resource), "chat");
    take_text(&facts, "serin.release", "r3");
    take_text(&facts, "serin.service", "mail");
    cr_assert_str_eq(genai_release(&facts, &resource), "r3");
    cr_assert_str_eq(genai_service(&facts, &resource), "mail");
    take_text(&facts, "feature_flag.result.variant", "r4");
    cr_assert_str_eq(genai_release(&facts, &resource), "r4");
    /* what is there and is no name does not fall back to another: that would blame the wrong release */
    take_text(&facts, "feature_flag.result.variant", "not a name");
    cr_assert_str_eq(genai_release(&facts, &resource), "");
}

/* Which attribute it is, and with what; made safe for logs. */
static void no_release(const struct genai_facts *facts, const struct genai_facts *resource,
                       const char *attribute, const char *expected)
{
    const char *value = NULL, *found = genai_no_release(&names, facts, resource, &value);
    cr_assert_str_eq(found, attribute);
    cr_assert_str_eq(value, expected);
    cr_assert_str_eq(genai_release(facts, resource), "");
}

Test(sources_genai, what_is_no_name_is_told_apart_from_none)
{
    static const char attribute[] = "feature_flag.result.variant";
    const char *value;
    struct genai_facts facts, resource;
    genai_facts_begin(&facts);
    genai_facts_begin(&resource);
    cr_assert_null(genai_no_release(&names, &facts, &resource, &value));
    cr_assert_null(genai_no_service(&names, &facts, &resource, &value));
    take_text(&resource, "service.version", "v 1");
    no_release(&facts, &resource, "service.version", "v?1");
    take_text(&resource, "serin.release", "");
    no_release(&facts, &resource, "serin.release", "");
    take_text(&facts, attribute, "bad \"name\"\n\xc3\xa4!");
    no_release(&facts, &resource, attribute, "bad??name?????");
    take_text(&facts, attribute, "0123456789012345678901234567890123456789012345678901234567890123456789");
    no_release(&facts, &resource, attribute,
               "012345678901234567890123456789012345678901234567890123456789012");
    take_integer(&facts, attribute, -7);
    no_release(&facts, &resource, attribute, "the number -7");
    take_number(&facts, attribute, 1.5);
    no_release(&facts, &resource, attribute, "the number 1.5");
    take_bool(&facts, attribute, false);
    no_release(&facts, &resource, attribute, "the bool false");
    take_text(&facts, attribute, "v1");
    cr_assert_null(genai_no_release(&names, &facts, &resource, &value));
    cr_assert_str_eq(genai_release(&facts, &resource), "v1");
    take_text(&resource, "service.name", "a b");
    cr_assert_str_eq(genai_no_service(&names, &facts, &resource, &value), "service.name");
    cr_assert_str_eq(value, "a?b");
    take_integer(&facts, "serin.service", 3);
    cr_assert_str_eq(genai_no_service(&names, &facts, &resource, &value), "serin.service");
    cr_assert_str_eq(genai_service(&facts, &resource), "");
}

Test(sources_genai, measures_are_held_to_their_ranges)
{
    struct genai_facts facts;
    genai_facts_begin(&facts);
    take_number(&facts, "gen_ai.response.time_to_first_chunk", NAN);
    take_number(&facts, "gen_ai.response.time_to_first_chunk", -1);
    take_number(&facts, "gen_ai.response.time_to_first_chunk", INFINITY);
    cr_assert_eq(facts.first_chunk_s, -1);
    take_number(&facts, "gen_ai.response.time_to_first_chunk", 0.25);
    cr_assert_eq(facts.first_chunk_s, 0.25);
    take_integer(&facts, "gen_ai.usage.input_tokens", -5);
    cr_assert_eq(facts.input_tokens, -1);
    take_integer(&facts, "gen_ai.usage.prompt_tokens", 7);
    take_integer(&facts, "gen_ai.usage.output_tokens", INT64_MAX);
    cr_assert_eq(facts.input_tokens, 7);
    cr_assert_eq(facts.output_tokens, -1);
}

/* The whole of what is kept of a span whose every attribute is content. */
Test(sources_genai, content_leaves_no_trace)
{
    static const char *const keys[] = {"gen_ai.input.messages",
                                       "gen_ai.output.messages",
                                       "gen_ai.prompt",
                                       "gen_ai.completion",
                                       "gen_ai.tool.definitions",
                                       "llm.prompts.0.content",
                                       "error.message",
                                       "exception.message",
                                       "gen_ai.request.model",
                                       "error.type",
                                       "gen_ai.response.finish_reasons",
                                       "gen_ai.provider.name",
                                       "gen_ai.usage.input_tokens",
                                       "gen_ai.response.time_to_first_token",
                                       "http.response.status_code"};
    static const char secret[] = "Zwetschgendatschi with cream";
    struct genai_facts facts;
    genai_facts_begin(&facts);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        take_text(&facts, keys[i], secret);
    cr_assert_null(memmem(&facts, sizeof facts, secret, 8));
}
