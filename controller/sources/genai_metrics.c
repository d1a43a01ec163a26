/* Names of metrics. */
#include "sources/genai_metrics.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum genai_role role;
} metrics[] = {
    {"gen_ai.client.operation.duration", GENAI_DURATION},
    {"gen_ai.server.request.duration", GENAI_DURATION},
    {"gen_ai.client.operation.time_to_first_chunk", GENAI_FIRST_TOKEN},
    {"gen_ai.server.time_to_first_token", GENAI_FIRST_TOKEN},
    {"gen_ai.client.token.usage", GENAI_TOKENS},
    {"gen_ai.client.inference.operation.input_tokens", GENAI_INPUT_TOKENS},
    {"gen_ai.client.inference.operation.output_tokens", GENAI_OUTPUT_TOKENS},
};

enum genai_role genai_metric(const struct genai_counters *counters, const char *name, enum sli *sli)
{
    if (counters->requests[0] != '\0' && strcmp(counters->requests, name) == 0)
        return GENAI_REQUESTS;
    for (int i = 0; i < SLI_COUNT; i++) {
        if (counters->bad[i][0] != '\0' && strcmp(counters->bad[i], name) == 0) {
            *sli = (enum sli)i;
            return GENAI_BAD_REQUESTS;
        }
    }
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        if (strcmp(metrics[i].name, name) == 0)
            return metrics[i].role;
    }
    return GENAI_PASSED_OVER;
}

static enum status refuse(struct fault *fault, const char *text, size_t length)
{
    fault_set(fault, STATUS_INVALID, "\"%.*s\" names no counter", (int)length, text);
    fault_next(fault,
               "Set SERIN_OTLP_COUNTERS to requests=NAME and SLI=NAME, separated by commas, such as "
               "requests=llm.requests,refusal=llm.refusals; each once.");
    return STATUS_INVALID;
}

static enum status read_one(const char *text, size_t length, struct genai_counters *out, struct fault *fault)
{
    const char *equals = memchr(text, '=', length);
    char left[32], *right;
    enum sli sli;
    if (equals == NULL || (size_t)(equals - text) >= sizeof left)
        return refuse(fault, text, length);
    snprintf(left, sizeof left, "%.*s", (int)(equals - text), text);
    size_t name = length - (size_t)(equals + 1 - text);
    if (strcmp(left, "requests") == 0)
        right = out->requests;
    else if (sli_parse(left, &sli))
        right = out->bad[sli];
    else
        return refuse(fault, text, length);
    if (name == 0 || name >= sizeof out->requests || right[0] != '\0')
        return refuse(fault, text, length);
    memcpy(right, equals + 1, name);
    right[name] = '\0';
    return STATUS_OK;
}

enum status genai_counters_read(const char *text, struct genai_counters *out, struct fault *fault)
{
    enum status status = STATUS_OK;
    memset(out, 0, sizeof *out);
    while (*text != '\0' && status == STATUS_OK) {
        size_t length = strcspn(text, ",");
        status = read_one(text, length, out, fault);
        text += length + (text[length] == ',');
    }
    return status;
}
