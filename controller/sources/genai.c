/* The tables: attributes, providers, finish reasons, error types; and what follows from them.

   The words are those of OpenAI (Chat and Responses), Anthropic, Gemini, Bedrock Converse and Azure OpenAI,
   and of the exceptions that their clients throw; see deploy/handbook/opentelemetry.md. */
#include "sources/genai.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 64 };

/* --- words
 * -------------------------------------------------------------------------------------------------------- */

struct word {
    const char *text; /* lower case, letters and digits alone */
    enum genai_end end;
};

static const struct word finish_words[] = {
    {"stop", GENAI_OK},
    {"toolcalls", GENAI_OK},
    {"toolcall", GENAI_OK},
    {"functioncall", GENAI_OK},
    {"completed", GENAI_OK},
    {"endturn", GENAI_OK},
    {"stopsequence", GENAI_OK},
    {"tooluse", GENAI_OK},
    {"pauseturn", GENAI_OK},
    {"refusal", GENAI_REFUSAL},
    {"contentfilter", GENAI_CONTENT_FILTER},
    {"contentfiltered", GENAI_CONTENT_FILTER},
    {"guardrailintervened", GENAI_CONTENT_FILTER},
    {"safety", GENAI_CONTENT_FILTER},
    {"prohibitedcontent", GENAI_CONTENT_FILTER},
    {"blocklist", GENAI_CONTENT_FILTER},
    {"spii", GENAI_CONTENT_FILTER},
    {"recitation", GENAI_CONTENT_FILTER},
    {"imagesafety", GENAI_CONTENT_FILTER},
    {"imageprohibitedcontent", GENAI_CONTENT_FILTER},
    {"imagerecitation", GENAI_CONTENT_FILTER},
    {"modelarmor", GENAI_CONTENT_FILTER},
    {"jailbreak", GENAI_CONTENT_FILTER},
    {"length", GENAI_TRUNCATED},
    {"maxtokens", GENAI_TRUNCATED},
    {"maxoutputtokens", GENAI_TRUNCATED},
    {"modelcontextwindowexceeded", GENAI_TRUNCATED},
    {"modellength", GENAI_TRUNCATED},
    {"malformedmodeloutput", GENAI_SCHEMA_INVALID},
    {"malformedfunctioncall", GENAI_TOOL_ERROR},
    {"unexpectedtoolcall", GENAI_TOOL_ERROR},
    {"toomanytoolcalls", GENAI_TOOL_ERROR},
    {"malformedtooluse", GENAI_TOOL_ERROR},
    {"error", GENAI_ERROR},
    {"failed", GENAI_ERROR},
    {"other", GENAI_ERROR},
    {"language", GENAI_ERROR},
    {"noimage", GENAI_ERROR},
    {"imageother", GENAI_ERROR},
    {"cancelled", GENAI_CANCELLED},
    {"canceled", GENAI_CANCELLED},
};

/* What is not here is an error. */
static const struct word error_words[] = {
    {"429", GENAI_RATE_LIMITED},
    {"529", GENAI_RATE_LIMITED},
    {"ratelimit", GENAI_RATE_LIMITED},
    {"ratelimitexceeded", GENAI_RATE_LIMITED},
    {"ratelimiterror", GENAI_RATE_LIMITED},
    {"ratelimited", GENAI_RATE_LIMITED},
    {"toomanyrequests", GENAI_RATE_LIMITED},
    {"overloadederror", GENAI_RATE_LIMITED},
    {"resourceexhausted", GENAI_RATE_LIMITED},
    {"throttlingexception", GENAI_RATE_LIMITED},
    {"servicequotaexceededexception", GENAI_RATE_LIMITED},
    {"408", GENAI_TIMEOUT},
    {"504", GENAI_TIMEOUT},
    {"timeout", GENAI_TIMEOUT},
    {"timeouterror", GENAI_TIMEOUT},
    {"timeoutexception", GENAI_TIMEOUT},
    {"apitimeouterror", GENAI_TIMEOUT},
    {"apiconnectiontimeouterror", GENAI_TIMEOUT},
    {"readtimeout", GENAI_TIMEOUT},
    {"connecttimeout", GENAI_TIMEOUT},
    {"etimedout", GENAI_TIMEOUT},
    {"deadlineexceeded", GENAI_TIMEOUT},
    {"vectorstoretimeout", GENAI_TIMEOUT},
    {"modeltimeoutexception", GENAI_TIMEOUT},
    {"contentfilter", GENAI_CONTENT_FILTER},
    {"contentfilterfinishreasonerror", GENAI_CONTENT_FILTER},
    {"responsibleaipolicyviolation", GENAI_CONTENT_FILTER},
    {"biopolicy", GENAI_CONTENT_FILTER},
    {"imagecontentpolicyviolation", GENAI_CONTENT_FILTER},
    {"lengthfinishreasonerror", GENAI_TRUNCATED},
    {"499", GENAI_CANCELLED},
    {"cancelled", GENAI_CANCELLED},
    {"canceled", GENAI_CANCELLED},
    {"cancellederror", GENAI_CANCELLED},
    {"aborterror", GENAI_CANCELLED},
    {"apiuseraborterror", GENAI_CANCELLED},
};

/* "FinishReason.MAX_TOKENS" and "maxTokens" become "maxtokens". False if it is longer than any word. */
static bool simplify(const char *text, size_t length, char out[WORD_MAX])
{
    size_t used = 0;
    for (size_t i = length; i > 0; i--) {
        if (text[i - 1] == '.' && i < length) {
            text += i;
            length -= i;
            break;
        }
    }
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x80 || !isalnum(c))
            continue;
        if (used == WORD_MAX - 1)
            return false;
        out[used++] = (char)tolower(c);
    }
    out[used] = '\0';
    return true;
}

static enum genai_end look_up(const struct word *words, size_t count, const char *text, size_t length,
                              enum genai_end otherwise)
{
    char word[WORD_MAX];
    if (!simplify(text, length, word))
        return otherwise;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i].text, word) == 0)
            return words[i].end;
    }
    return otherwise;
}

enum genai_end genai_finish_reason(const char *text, size_t length)
{
    return look_up(finish_words, sizeof finish_words / sizeof finish_words[0], text, length, GENAI_UNKNOWN);
}

enum genai_end genai_error_type(const char *text, size_t length)
{
    return look_up(error_words, sizeof error_words / sizeof error_words[0], text, length, GENAI_ERROR);
}

/* --- attributes
 * --------------------------------------------------------------------------------------------------- */

typedef void (*take_value)(struct genai_facts *facts, const struct genai_value *value);

static bool is(const char *text, size_t length, const char *expected)
{
    return strlen(expected) == length && memcmp(text, expected, length) == 0;
}

/* Of short texts, so without the tables that memmem() makes first. */
static bool has_part(const struct genai_value *value, const char *part)
{
    size_t length = strlen(part);
    for (size_t i = 0; i + length <= value->length; i++) {
        if (value->text[i] == part[0] && memcmp(value->text + i, part, length) == 0)
            return true;
    }
    return false;
}

static void take_name(struct genai_name *name, const struct genai_value *value)
{
    name->state = GENAI_NO_NAME;
    name->text[0] = '\0';
    if (value->kind != GENAI_TEXT || value->length > NAME_MAX_LENGTH ||
        memchr(value->text, '\0', value->length) != NULL)
        return;
    memcpy(name->text, value->text, value->length);
    name->text[value->length] = '\0';
    if (name_valid(name->text))
        name->state = GENAI_NAMED;
    else
        name->text[0] = '\0';
}

static void take_operation(struct genai_facts *facts, const struct genai_value *value)
{
    static const char *const asks_a_model[] = {"chat", "generate_content", "text_completion"};
    facts->genai = true;
    for (size_t i = 0; i < sizeof asks_a_model / sizeof asks_a_model[0]; i++)
        facts->inference = facts->inference ||
                           (value->kind == GENAI_TEXT && is(value->text, value->length, asks_a_model[i]));
}

/* Whose words can say that a request was *not* refused: only there a share can be computed. */
static void take_provider(struct genai_facts *facts, const struct genai_value *value)
{
    if (value->kind != GENAI_TEXT)
        return;
    facts->says_refusal = has_part(value, "anthropic");
    facts->says_schema = is(value->text, value->length, "aws.bedrock");
    facts->says_tools = facts->says_schema || has_part(value, "gemini") || has_part(value, "vertex_ai") ||
                        has_part(value, "gcp.gen_ai");
}

static void take_finish(struct genai_facts *facts, const struct genai_value *value)
{
    if (value->kind == GENAI_TEXT)
        facts->finished |= 1u << genai_finish_reason(value->text, value->length);
}

static void take_error(struct genai_facts *facts, const struct genai_value *value)
{
    char digits[24];
    facts->failed = true;
    facts->failure = GENAI_ERROR;
    if (value->kind == GENAI_TEXT)
        facts->failure = genai_error_type(value->text, value->length);
    if (value->kind == GENAI_INTEGER) {
        int length = snprintf(digits, sizeof digits, "%lld", (long long)value->integer);
        facts->failure = genai_error_type(digits, (size_t)length);
    }
}

static void take_http_status(struct genai_facts *facts, const struct genai_value *value)
{
    if (value->kind == GENAI_INTEGER && value->integer >= 100 && value->integer <= 599)
        facts->http_status = value->integer;
}

static void take_first_chunk(struct genai_facts *facts, const struct genai_value *value)
{
    double seconds = value->kind == GENAI_NUMBER    ? value->number
                     : value->kind == GENAI_INTEGER ? (double)value->integer
                                                    : -1;
    if (isfinite(seconds) && seconds >= 0 && seconds <= 86400)
        facts->first_chunk_s = seconds;
}

static int64_t tokens(const struct genai_value *value)
{
    static const int64_t most = 1000000000;
    return value->kind == GENAI_INTEGER && value->integer >= 0 && value->integer <= most ? value->integer
                                                                                         : -1;
}

static void take_input_tokens(struct genai_facts *facts, const struct genai_value *value)
{
    facts->input_tokens = tokens(value);
}

static void take_output_tokens(struct genai_facts *facts, const struct genai_value *value)
{
    facts->output_tokens = tokens(value);
}

static void take_variant(struct genai_facts *facts, const struct genai_value *value)
{
    take_name(&facts->variant, value);
}

static void take_service_name(struct genai_facts *facts, const struct genai_value *value)
{
    take_name(&facts->service_name, value);
}

static void take_service_version(struct genai_facts *facts, const struct genai_value *value)
{
    take_name(&facts->service_version, value);
}

static void take_token_type(struct genai_facts *facts, const struct genai_value *value)
{
    if (value->kind == GENAI_TEXT)
        facts->token = is(value->text, value->length, "input")    ? GENAI_TOKEN_INPUT
                       : is(value->text, value->length, "output") ? GENAI_TOKEN_OUTPUT
                                                                  : GENAI_TOKEN_OTHER;
}

static void take_event(struct genai_facts *facts, const struct genai_value *value)
{
    if (value->kind != GENAI_TEXT || value->length >= sizeof facts->event)
        return;
    memcpy(facts->event, value->text, value->length);
    facts->event[value->length] = '\0';
}

/* An evaluation is of an SLI if it has its name. */
static void take_evaluation(struct genai_facts *facts, const struct genai_value *value)
{
    char word[WORD_MAX], name[WORD_MAX];
    facts->evaluation = -1;
    if (value->kind != GENAI_TEXT || !simplify(value->text, value->length, word))
        return;
    if (strcmp(word, "score") == 0)
        facts->evaluation = SLI_COUNT;
    for (int i = 0; i < SLI_COUNT; i++) {
        const char *sli = sli_name((enum sli)i);
        if (simplify(sli, strlen(sli), name) && strcmp(word, name) == 0)
            facts->evaluation = i;
    }
}

/* The SLIs are named after what is bad: "true" for a refusal is one. */
static void take_label(struct genai_facts *facts, const struct genai_value *value)
{
    static const char *const pass[] = {"pass", "passed", "good",       "ok",        "false",   "no",
                                       "none", "absent", "notrefused", "compliant", "complied"};
    static const char *const fail[] = {"fail",    "failed",   "bad",     "true",   "yes",
                                       "present", "detected", "refused", "refusal"};
    char word[WORD_MAX];
    facts->label = GENAI_LABEL_UNKNOWN;
    if (value->kind == GENAI_BOOL)
        facts->label = value->integer != 0 ? GENAI_LABEL_FAIL : GENAI_LABEL_PASS;
    if (value->kind != GENAI_TEXT || !simplify(value->text, value->length, word))
        return;
    for (size_t i = 0; i < sizeof pass / sizeof pass[0]; i++)
        facts->label = strcmp(word, pass[i]) == 0 ? GENAI_LABEL_PASS : facts->label;
    for (size_t i = 0; i < sizeof fail / sizeof fail[0]; i++)
        facts->label = strcmp(word, fail[i]) == 0 ? GENAI_LABEL_FAIL : facts->label;
}

static void take_score(struct genai_facts *facts, const struct genai_value *value)
{
    facts->score = value->kind == GENAI_NUMBER    ? value->number
                   : value->kind == GENAI_INTEGER ? (double)value->integer
                                                  : NAN;
}

static void take_exception(struct genai_facts *facts, const struct genai_value *value)
{
    facts->thrown = true;
    facts->exception = value->kind == GENAI_TEXT ? genai_error_type(value->text, value->length) : GENAI_ERROR;
}

#define ATTRIBUTE(key, take)                                                                                 \
    {                                                                                                        \
        key, sizeof key - 1, take                                                                            \
    }
static const struct {
    const char *key;
    size_t length;
    take_value take;
} attributes[] = {
    ATTRIBUTE("gen_ai.operation.name", take_operation),
    ATTRIBUTE("gen_ai.provider.name", take_provider),
    ATTRIBUTE("gen_ai.system", take_provider), /* its name before */
    ATTRIBUTE("gen_ai.response.finish_reasons", take_finish),
    ATTRIBUTE("gen_ai.response.time_to_first_chunk", take_first_chunk),
    ATTRIBUTE("gen_ai.usage.input_tokens", take_input_tokens),
    ATTRIBUTE("gen_ai.usage.prompt_tokens", take_input_tokens), /* likewise */
    ATTRIBUTE("gen_ai.usage.output_tokens", take_output_tokens),
    ATTRIBUTE("gen_ai.usage.completion_tokens", take_output_tokens), /* likewise */
    ATTRIBUTE("error.type", take_error),
    ATTRIBUTE("http.response.status_code", take_http_status),
    ATTRIBUTE("http.status_code", take_http_status), /* likewise */
    ATTRIBUTE("feature_flag.result.variant", take_variant),
    ATTRIBUTE("service.name", take_service_name),
    ATTRIBUTE("service.version", take_service_version),
    ATTRIBUTE("gen_ai.token.type", take_token_type),
    ATTRIBUTE("event.name", take_event),
    ATTRIBUTE("gen_ai.evaluation.name", take_evaluation),
    ATTRIBUTE("gen_ai.evaluation.score.label", take_label),
    ATTRIBUTE("gen_ai.evaluation.score.value", take_score),
    ATTRIBUTE("exception.type", take_exception),
};

void genai_facts_begin(struct genai_facts *facts)
{
    *facts = (struct genai_facts){
        .first_chunk_s = -1, .input_tokens = -1, .output_tokens = -1, .evaluation = -1, .score = NAN};
}

/* Names go to the sender's log and to ours, where anything may be in them. */
static void misjudged(struct genai_misjudged *out, bool known, const char *name, size_t length)
{
    if (out->why != GENAI_ALL_JUDGE)
        return;
    out->why = known ? GENAI_NO_BOOL : GENAI_NO_SLI;
    for (size_t i = 0; i < length && i < sizeof out->name - 1; i++) {
        unsigned char c = (unsigned char)name[i];
        out->name[i] = (char)(c < 0x80 && (isalnum(c) || strchr("_.-", c) != NULL) ? c : '?');
    }
}

/* serin.sli.NAME: the sender has judged it itself. */
static void take_sli(struct genai_facts *facts, const char *name, size_t length,
                     const struct genai_value *value)
{
    unsigned sli = 0;
    while (sli < SLI_COUNT && !is(name, length, sli_name((enum sli)sli)))
        sli++;
    if (sli == SLI_COUNT || value->kind != GENAI_BOOL) {
        misjudged(&facts->misjudged, sli < SLI_COUNT, name, length);
        return;
    }
    facts->said |= 1u << sli;
    facts->said_bad = (facts->said_bad & ~(1u << sli)) | (value->integer != 0 ? 1u << sli : 0);
}

/* Each attribute of each span is asked this: so without going through the setting to its end. */
static bool is_setting(const char *key, size_t length, const char name[GENAI_SETTING])
{
    return length > 0 && length < GENAI_SETTING && name[length - 1] != '\0' && name[length] == '\0' &&
           memcmp(key, name, length) == 0;
}

bool genai_look_up(const struct genai_names *names, const char *key, size_t length, struct genai_key *out)
{
    static const char own[] = "serin.sli.";
    bool sli = length > sizeof own - 1 && memcmp(key, own, sizeof own - 1) == 0;
    out->service = is_setting(key, length, names->service);
    out->release = is_setting(key, length, names->release);
    out->stratum = is_setting(key, length, names->stratum);
    out->sli = sli ? key + sizeof own - 1 : NULL;
    out->sli_length = sli ? length - (sizeof own - 1) : 0;
    out->known = -1;
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        if (attributes[i].length == length && memcmp(attributes[i].key, key, length) == 0) {
            out->known = (int)i;
            break;
        }
    }
    return out->known >= 0 || sli || out->service || out->release || out->stratum;
}

void genai_take(struct genai_facts *facts, const struct genai_key *key, const struct genai_value *value)
{
    if (key->service)
        take_name(&facts->service, value);
    if (key->release)
        take_name(&facts->release, value);
    if (key->stratum)
        take_name(&facts->stratum, value);
    if (key->sli != NULL)
        take_sli(facts, key->sli, key->sli_length, value);
    if (key->known >= 0)
        attributes[key->known].take(facts, value);
}

/* --- what follows
 * ------------------------------------------------------------------------------------------------- */

/* Why it failed; GENAI_OK if it did not. */
static enum genai_end failure_of(const struct genai_facts *span)
{
    char digits[24];
    if (span->failed && (span->failure != GENAI_ERROR || span->http_status < 400))
        return span->failure;
    if (span->http_status >= 400) {
        int length = snprintf(digits, sizeof digits, "%lld", (long long)span->http_status);
        return genai_error_type(digits, (size_t)length);
    }
    if ((span->finished & 1u << GENAI_ERROR) != 0 || span->status_failed)
        return GENAI_ERROR;
    return span->finished == 1u << GENAI_CANCELLED ? GENAI_CANCELLED : GENAI_OK;
}

bool genai_judge(const struct genai_facts *span, struct genai_judged *judged)
{
    static const struct {
        enum sli sli;
        enum genai_end end;
    } by_finish[] = {{SLI_REFUSAL, GENAI_REFUSAL},
                     {SLI_CONTENT_FILTER, GENAI_CONTENT_FILTER},
                     {SLI_TRUNCATED, GENAI_TRUNCATED},
                     {SLI_SCHEMA_INVALID, GENAI_SCHEMA_INVALID},
                     {SLI_TOOL_ERROR, GENAI_TOOL_ERROR}};
    *judged = (struct genai_judged){.of = {GENAI_NOT_SAID}};
    enum genai_verdict *out = judged->of;
    enum genai_end failure = failure_of(span);
    /* a filter is no fault, also where it answers with an error (Azure: HTTP 400) */
    if (failure == GENAI_ERROR && (span->finished & 1u << GENAI_CONTENT_FILTER) != 0)
        failure = GENAI_CONTENT_FILTER;
    unsigned ends = span->finished | (failure != GENAI_OK ? 1u << failure : 0);
    unsigned known = ends & ~(1u << GENAI_UNKNOWN | 1u << GENAI_RATE_LIMITED | 1u << GENAI_TIMEOUT |
                              1u << GENAI_ERROR | 1u << GENAI_CANCELLED);
    for (size_t i = 0; i < sizeof by_finish / sizeof by_finish[0] && known != 0; i++)
        out[by_finish[i].sli] = (known & 1u << by_finish[i].end) != 0 ? GENAI_BAD : GENAI_GOOD;
    /* where a provider has no word for it, its silence is no proof */
    if (!span->says_refusal)
        out[SLI_REFUSAL] = GENAI_NOT_SAID;
    if (!span->says_schema)
        out[SLI_SCHEMA_INVALID] = GENAI_NOT_SAID;
    if (!span->says_tools)
        out[SLI_TOOL_ERROR] = GENAI_NOT_SAID;
    out[SLI_ERROR] = failure == GENAI_ERROR ? GENAI_BAD : GENAI_GOOD;
    out[SLI_RATE_LIMITED] = failure == GENAI_RATE_LIMITED ? GENAI_BAD : GENAI_GOOD;
    out[SLI_TIMEOUT] = failure == GENAI_TIMEOUT ? GENAI_BAD : GENAI_NOT_SAID; /* else by its duration */
    for (unsigned i = 0; i < SLI_COUNT; i++) {
        if ((span->said & 1u << i) != 0)
            out[i] = (span->said_bad & 1u << i) != 0 ? GENAI_BAD : GENAI_GOOD;
    }
    return failure != GENAI_CANCELLED || span->said != 0;
}

/* The first that is there. */
static const char *first_of(const struct genai_name *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i]->state != GENAI_ABSENT)
            return names[i]->text;
    }
    return NULL;
}

const char *genai_service(const struct genai_facts *span, const struct genai_facts *resource)
{
    return first_of(
        (const struct genai_name *const[]){&span->service, &resource->service, &resource->service_name}, 3);
}

const char *genai_release(const struct genai_facts *span, const struct genai_facts *resource)
{
    return first_of((const struct genai_name *const[]){&span->variant, &span->release, &resource->release,
                                                       &resource->service_version},
                    4);
}

const char *genai_stratum(const struct genai_facts *span, const struct genai_facts *resource)
{
    return first_of((const struct genai_name *const[]){&span->stratum, &resource->stratum}, 2);
}
