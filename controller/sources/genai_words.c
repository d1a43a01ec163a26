/* The words of OpenAI (Chat and Responses), Anthropic, Gemini, Bedrock Converse and Azure OpenAI, and of the
   exceptions that their clients throw; see deploy/handbook/opentelemetry.md. */
#include "sources/genai_words.h"

#include <ctype.h>
#include <string.h>

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

bool genai_simplify(const char *text, size_t length, char out[GENAI_WORD_MAX])
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
        if (used == GENAI_WORD_MAX - 1)
            return false;
        out[used++] = (char)tolower(c);
    }
    out[used] = '\0';
    return true;
}

static enum genai_end look_up(const struct word *words, size_t count, const char *text, size_t length,
                              enum genai_end otherwise)
{
    char word[GENAI_WORD_MAX];
    if (!genai_simplify(text, length, word))
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
