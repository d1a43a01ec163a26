/* The table of attributes; and what follows from them. */
#include "sources/genai.h"

#include "sources/genai_words.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- attributes
 * --------------------------------------------------------------------------------------------------- */

/* False: it can have no such value, which then says nothing. */
typedef bool (*take_value)(struct genai_facts *facts, const struct genai_value *value);

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

/* What was sent goes to the sender's log and to ours, where anything may be in it. */
static void make_safe(char *out, size_t size, const char *text, size_t length)
{
    size_t used = length < size ? length : size - 1;
    for (size_t i = 0; i < used; i++) {
        unsigned char c = (unsigned char)text[i];
        out[i] = (char)(c < 0x80 && (isalnum(c) || (c != '\0' && strchr("_.-", c) != NULL)) ? c : '?');
    }
    out[used] = '\0';
}

static void keep_no_name(struct genai_name *name, const struct genai_value *value)
{
    name->state = GENAI_NO_NAME;
    switch (value->kind) {
    case GENAI_TEXT:
        make_safe(name->text, sizeof name->text, value->text, value->length);
        break;
    case GENAI_BOOL:
        snprintf(name->text, sizeof name->text, "the bool %s", value->integer != 0 ? "true" : "false");
        break;
    case GENAI_INTEGER:
        snprintf(name->text, sizeof name->text, "the number %lld", (long long)value->integer);
        break;
    case GENAI_NUMBER:
        snprintf(name->text, sizeof name->text, "the number %g", value->number);
        break;
    }
}

static bool take_name(struct genai_name *name, const struct genai_value *value)
{
    if (value->kind == GENAI_TEXT && value->length <= NAME_MAX_LENGTH &&
        memchr(value->text, '\0', value->length) == NULL) {
        memcpy(name->text, value->text, value->length);
        name->text[value->length] = '\0';
        name->state = name_valid(name->text) ? GENAI_NAMED : GENAI_NO_NAME;
    } else {
        name->state = GENAI_NO_NAME;
    }
    if (name->state == GENAI_NO_NAME)
        keep_no_name(name, value);
    return true; /* whoever looks for the name says it */
}

static bool take_operation(struct genai_facts *facts, const struct genai_value *value)
{
    static const char *const asks_a_model[] = {"chat", "generate_content", "text_completion"};
    facts->genai = true;
    for (size_t i = 0; i < sizeof asks_a_model / sizeof asks_a_model[0]; i++)
        facts->inference = facts->inference ||
                           (value->kind == GENAI_TEXT && is(value->text, value->length, asks_a_model[i]));
    return true;
}

/* Whose words can say that a request was *not* refused: only there a share can be computed. */
static bool take_provider(struct genai_facts *facts, const struct genai_value *value)
{
    if (value->kind != GENAI_TEXT)
        return false;
    facts->says_refusal = has_part(value, "anthropic");
    facts->says_schema = is(value->text, value->length, "aws.bedrock");
    facts->says_tools = facts->says_schema || has_part(value, "gemini") || has_part(value, "vertex_ai") ||
                        has_part(value, "gcp.gen_ai");
    return true;
}

static bool take_finish(struct genai_facts *facts, const struct genai_value *value)
{
    if (value->kind != GENAI_TEXT)
        return false;
    facts->finished |= 1u << genai_finish_reason(value->text, value->length);
    return true;
}

static bool take_error(struct genai_facts *facts, const struct genai_value *value)
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
    return true;
}

static bool take_http_status(struct genai_facts *facts, const struct genai_value *value)
{
    bool none = value->kind == GENAI_INTEGER && value->integer == 0; /* as some write it */
    bool is_one = value->kind == GENAI_INTEGER && value->integer >= 100 && value->integer <= 599;
    if (is_one)
        facts->http_status = value->integer;
    return is_one || none;
}

static bool take_first_chunk(struct genai_facts *facts, const struct genai_value *value)
{
    double seconds = value->kind == GENAI_NUMBER    ? value->number
                     : value->kind == GENAI_INTEGER ? (double)value->integer
                                                    : -1;
    if (!(seconds >= 0 && seconds <= 86400))
        return false;
    facts->first_chunk_s = seconds;
    return true;
}

static bool take_tokens(int64_t *tokens, const struct genai_value *value)
{
    static const int64_t most = 1000000000;
    if (value->kind != GENAI_INTEGER || value->integer < 0 || value->integer > most)
        return false;
    *tokens = value->integer;
    return true;
}

static bool take_input_tokens(struct genai_facts *facts, const struct genai_value *value)
{
    return take_tokens(&facts->input_tokens, value);
}

static bool take_output_tokens(struct genai_facts *facts, const struct genai_value *value)
{
    return take_tokens(&facts->output_tokens, value);
}

static bool take_variant(struct genai_facts *facts, const struct genai_value *value)
{
    return take_name(&facts->variant, value);
}

static bool take_service_name(struct genai_facts *facts, const struct genai_value *value)
{
    return take_name(&facts->service_name, value);
}

static bool take_service_version(struct genai_facts *facts, const struct genai_value *value)
{
    return take_name(&facts->service_version, value);
}

static bool take_token_type(struct genai_facts *facts, const struct genai_value *value)
{
    if (value->kind == GENAI_TEXT)
        facts->token = is(value->text, value->length, "input")    ? GENAI_TOKEN_INPUT
                       : is(value->text, value->length, "output") ? GENAI_TOKEN_OUTPUT
                                                                  : GENAI_TOKEN_OTHER;
    return true;
}

static bool take_event(struct genai_facts *facts, const struct genai_value *value)
{
    if (value->kind != GENAI_TEXT || value->length >= sizeof facts->event)
        return true; /* none of those that are known */
    memcpy(facts->event, value->text, value->length);
    facts->event[value->length] = '\0';
    return true;
}

/* An evaluation is of an SLI if it has its name. */
static bool take_evaluation(struct genai_facts *facts, const struct genai_value *value)
{
    char word[GENAI_WORD_MAX], name[GENAI_WORD_MAX];
    facts->evaluation = -1;
    if (value->kind != GENAI_TEXT || !genai_simplify(value->text, value->length, word))
        return true;
    if (strcmp(word, "score") == 0)
        facts->evaluation = SLI_COUNT;
    for (int i = 0; i < SLI_COUNT; i++) {
        const char *sli = sli_name((enum sli)i);
        if (genai_simplify(sli, strlen(sli), name) && strcmp(word, name) == 0)
            facts->evaluation = i;
    }
    return true;
}

/* The SLIs are named after what is bad: "true" for a refusal is one. */
static bool take_label(struct genai_facts *facts, const struct genai_value *value)
{
    static const char *const pass[] = {"pass", "passed", "good",       "ok",        "false",   "no",
                                       "none", "absent", "notrefused", "compliant", "complied"};
    static const char *const fail[] = {"fail",    "failed",   "bad",     "true",   "yes",
                                       "present", "detected", "refused", "refusal"};
    char word[GENAI_WORD_MAX];
    facts->label = GENAI_LABEL_UNKNOWN;
    if (value->kind == GENAI_BOOL)
        facts->label = value->integer != 0 ? GENAI_LABEL_FAIL : GENAI_LABEL_PASS;
    if (value->kind != GENAI_TEXT || !genai_simplify(value->text, value->length, word))
        return true;
    for (size_t i = 0; i < sizeof pass / sizeof pass[0]; i++)
        facts->label = strcmp(word, pass[i]) == 0 ? GENAI_LABEL_PASS : facts->label;
    for (size_t i = 0; i < sizeof fail / sizeof fail[0]; i++)
        facts->label = strcmp(word, fail[i]) == 0 ? GENAI_LABEL_FAIL : facts->label;
    return true;
}

static bool take_score(struct genai_facts *facts, const struct genai_value *value)
{
    facts->score = value->kind == GENAI_NUMBER    ? value->number
                   : value->kind == GENAI_INTEGER ? (double)value->integer
                                                  : NAN;
    return true;
}

static bool take_exception(struct genai_facts *facts, const struct genai_value *value)
{
    facts->thrown = true;
    facts->exception = value->kind == GENAI_TEXT ? genai_error_type(value->text, value->length) : GENAI_ERROR;
    return true;
}

static const char first_chunk_key[] = "gen_ai.response.time_to_first_chunk";
static const char finish_key[] = "gen_ai.response.finish_reasons";

/* Each with what its value must be, where that is said. Those without `take` only say which one is meant. */
#define A_COUNT "a whole number from 0 to 1,000,000,000"
#define A_CODE  "a whole number from 100 to 599"
#define ATTRIBUTE(key, take, expected)                                                                       \
    {                                                                                                        \
        key, sizeof key - 1, take, expected                                                                  \
    }
static const struct {
    const char *key;
    size_t length;
    take_value take;
    const char *expected;
} attributes[] = {
    ATTRIBUTE("gen_ai.operation.name", take_operation, NULL),
    ATTRIBUTE("gen_ai.provider.name", take_provider, "text"),
    ATTRIBUTE("gen_ai.system", take_provider, "text"), /* its name before */
    ATTRIBUTE("gen_ai.response.finish_reasons", take_finish, "text"),
    ATTRIBUTE("gen_ai.response.time_to_first_chunk", take_first_chunk,
              "a number of seconds from 0 to 86,400"),
    ATTRIBUTE("gen_ai.usage.input_tokens", take_input_tokens, A_COUNT),
    ATTRIBUTE("gen_ai.usage.prompt_tokens", take_input_tokens, A_COUNT), /* likewise */
    ATTRIBUTE("gen_ai.usage.output_tokens", take_output_tokens, A_COUNT),
    ATTRIBUTE("gen_ai.usage.completion_tokens", take_output_tokens, A_COUNT), /* likewise */
    ATTRIBUTE("error.type", take_error, NULL),
    ATTRIBUTE("http.response.status_code", take_http_status, A_CODE),
    ATTRIBUTE("http.status_code", take_http_status, A_CODE), /* likewise */
    ATTRIBUTE("feature_flag.result.variant", take_variant, NULL),
    ATTRIBUTE("service.name", take_service_name, NULL),
    ATTRIBUTE("service.version", take_service_version, NULL),
    ATTRIBUTE("gen_ai.token.type", take_token_type, NULL),
    ATTRIBUTE("event.name", take_event, NULL),
    ATTRIBUTE("gen_ai.evaluation.name", take_evaluation, NULL),
    ATTRIBUTE("gen_ai.evaluation.score.label", take_label, NULL),
    ATTRIBUTE("gen_ai.evaluation.score.value", take_score, NULL),
    ATTRIBUTE("exception.type", take_exception, NULL),
    ATTRIBUTE("gen_ai.response.finish_reason", NULL, finish_key),
    ATTRIBUTE("gen_ai.response.time_to_first_token", NULL, first_chunk_key),
};

void genai_facts_begin(struct genai_facts *facts)
{
    *facts = (struct genai_facts){
        .first_chunk_s = -1, .input_tokens = -1, .output_tokens = -1, .evaluation = -1, .score = NAN};
}

/* Those of no SLI and those that are no bool weigh the same. */
static int weight(enum genai_why why)
{
    return (int)(why < GENAI_NO_SLI ? why : GENAI_NO_SLI);
}

static void note(struct genai_wrong *out, enum genai_why why, const char *name, size_t length,
                 const char *expected)
{
    if (weight(why) <= weight(out->why))
        return;
    *out = (struct genai_wrong){.expected = expected};
    out->why = why;
    make_safe(out->name, sizeof out->name, name, length);
}

/* serin.sli.NAME: the sender has judged it itself. */
static void take_sli(struct genai_facts *facts, const char *name, size_t length,
                     const struct genai_value *value)
{
    unsigned sli = 0;
    while (sli < SLI_COUNT && !is(name, length, sli_name((enum sli)sli)))
        sli++;
    if (sli == SLI_COUNT || value->kind != GENAI_BOOL) {
        note(&facts->wrong, sli < SLI_COUNT ? GENAI_NO_BOOL : GENAI_NO_SLI, name, length, NULL);
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

static void take_known(struct genai_facts *facts, int known, const struct genai_value *value)
{
    take_value take = attributes[known].take;
    if (take == NULL || !take(facts, value))
        note(&facts->wrong, take == NULL ? GENAI_OTHER_NAME : GENAI_NO_VALUE, attributes[known].key,
             attributes[known].length, attributes[known].expected);
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
        take_known(facts, key->known, value);
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

/* The first that is there; NULL: none. */
static const struct genai_name *first_of(const struct genai_name *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i]->state != GENAI_ABSENT)
            return names[i];
    }
    return NULL;
}

static const struct genai_name *service_of(const struct genai_facts *span, const struct genai_facts *resource)
{
    return first_of(
        (const struct genai_name *const[]){&span->service, &resource->service, &resource->service_name}, 3);
}

static const struct genai_name *release_of(const struct genai_facts *span, const struct genai_facts *resource)
{
    return first_of((const struct genai_name *const[]){&span->variant, &span->release, &resource->release,
                                                       &resource->service_version},
                    4);
}

static const char *text_of(const struct genai_name *name)
{
    return name == NULL ? NULL : name->state == GENAI_NAMED ? name->text : "";
}

const char *genai_service(const struct genai_facts *span, const struct genai_facts *resource)
{
    return text_of(service_of(span, resource));
}

const char *genai_release(const struct genai_facts *span, const struct genai_facts *resource)
{
    return text_of(release_of(span, resource));
}

const char *genai_stratum(const struct genai_facts *span, const struct genai_facts *resource)
{
    return text_of(first_of((const struct genai_name *const[]){&span->stratum, &resource->stratum}, 2));
}

const char *genai_no_service(const struct genai_names *names, const struct genai_facts *span,
                             const struct genai_facts *resource, const char **value)
{
    const struct genai_name *name = service_of(span, resource);
    if (name == NULL || name->state == GENAI_NAMED)
        return NULL;
    *value = name->text;
    return name == &resource->service_name ? "service.name" : names->service;
}

const char *genai_no_release(const struct genai_names *names, const struct genai_facts *span,
                             const struct genai_facts *resource, const char **value)
{
    const struct genai_name *name = release_of(span, resource);
    if (name == NULL || name->state == GENAI_NAMED)
        return NULL;
    *value = name->text;
    return name == &span->variant               ? "feature_flag.result.variant"
           : name == &resource->service_version ? "service.version"
                                                : names->release;
}

/* Whoever sends both names of an attribute has not mistaken one for the other. */
const struct genai_wrong *genai_wrong(const struct genai_facts *facts)
{
    const struct genai_wrong *wrong = &facts->wrong;
    bool both = wrong->why == GENAI_OTHER_NAME &&
                (wrong->expected == finish_key ? facts->finished != 0 : facts->first_chunk_s >= 0);
    return wrong->why == GENAI_ALL_RIGHT || both ? NULL : wrong;
}
