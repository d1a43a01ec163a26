/* The simulated model. */
#include "demo/model.h"

#include "base/json.h"
#include "demo/replay.h"

#include <errno.h>
#include <json-c/json_object.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct behaviour behaviour_default(void)
{
    struct behaviour behaviour = {.ttft_ms = 300,
                                  .ttft_sigma = 0.4,
                                  .latency_ms = 600,
                                  .latency_sigma = 0.4,
                                  .timeout_ms = 30000,
                                  .input_tokens = -1,
                                  .output_tokens = 120,
                                  .cost_micros = -1};
    for (enum outcome_sli sli = 0; sli < OUTCOME_SLIS; sli++) {
        behaviour.rate[sli] = -1;
    }
    behaviour.rate[OUTCOME_REFUSAL] = 0.02;
    behaviour.rate[OUTCOME_ERROR] = 0.002;
    return behaviour;
}

enum status behaviour_overlay(struct behaviour *behaviour, struct json_object *object, const char *pointer,
                              struct fault *fault)
{
    const double long_ms = 3600e3, many = 1e9;
    struct behaviour read = *behaviour;
    struct json_fields fields;
    json_fields_open(&fields, object, pointer, fault);
    for (enum outcome_sli sli = 0; sli < OUTCOME_SLIS; sli++) {
        json_fields_number(&fields, outcome_sli_name(sli), JSON_OPTIONAL, 0, 1, &read.rate[sli]);
    }
    json_fields_number(&fields, "lost", JSON_OPTIONAL, 0, 1, &read.lost);
    json_fields_number(&fields, "ttft_ms", JSON_OPTIONAL, 0, long_ms, &read.ttft_ms);
    json_fields_number(&fields, "ttft_sigma", JSON_OPTIONAL, 0, 3, &read.ttft_sigma);
    json_fields_number(&fields, "latency_ms", JSON_OPTIONAL, 0, long_ms, &read.latency_ms);
    json_fields_number(&fields, "latency_sigma", JSON_OPTIONAL, 0, 3, &read.latency_sigma);
    json_fields_number(&fields, "timeout_ms", JSON_OPTIONAL, 0, long_ms, &read.timeout_ms);
    json_fields_number(&fields, "input_tokens", JSON_OPTIONAL, 0, many, &read.input_tokens);
    json_fields_number(&fields, "output_tokens", JSON_OPTIONAL, 0, many, &read.output_tokens);
    json_fields_number(&fields, "cost_micros", JSON_OPTIONAL, 0, many, &read.cost_micros);
    enum status status = json_fields_close(&fields);
    if (status == STATUS_OK) {
        *behaviour = read;
    }
    return status;
}

enum status behaviour_read_file(const char *path, struct behaviour *out, struct fault *fault)
{
    char data[8192];
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return fault_set(fault, STATUS_NOT_FOUND, "%s: %s", path, strerror(errno));
    }
    size_t length = fread(data, 1, sizeof data, file);
    fclose(file);
    if (length == sizeof data) {
        return fault_set(fault, STATUS_TOO_LARGE, "%s: 8 KiB or more", path);
    }
    struct json_object *object;
    enum status status = json_parse(data, length, &object, fault);
    if (status != STATUS_OK) {
        return status;
    }
    *out = behaviour_default();
    status = behaviour_overlay(out, object, "", fault);
    json_object_put(object);
    return status;
}

static bool happens(double rate, struct random *random)
{
    return rate > 0 && random_unit(random) < rate;
}

/* Some number around its median, at least 1; -1 if it is not measured. */
static int32_t around(double median, struct random *random)
{
    return median < 0 ? -1 : (int32_t)fmin(fmax(1, random_log_normal(random, median, 0.4)), 1e9);
}

static int32_t milliseconds(double ms)
{
    return (int32_t)fmin(fmax(0, round(ms)), 1e9);
}

/* The first of those that leave no answer, or none. */
static enum outcome_sli no_answer(const struct behaviour *behaviour, struct random *random)
{
    for (enum outcome_sli sli = 0; sli < OUTCOME_SLIS; sli++) {
        if (!outcome_sli_of_answer(sli) && happens(behaviour->rate[sli], random)) {
            return sli;
        }
    }
    return OUTCOME_SLIS;
}

static struct answer from_rates(const struct behaviour *behaviour, struct random *random)
{
    struct answer answer = {.outcome = outcome_none()};
    struct outcome *outcome = &answer.outcome;
    double ttft = random_log_normal(random, behaviour->ttft_ms, behaviour->ttft_sigma);
    double rest = fmax(behaviour->latency_ms - behaviour->ttft_ms, 0);
    double takes = ttft + random_log_normal(random, rest, behaviour->latency_sigma);
    enum outcome_sli failed = no_answer(behaviour, random);
    for (enum outcome_sli sli = 0; sli < OUTCOME_SLIS; sli++) {
        bool judged = behaviour->rate[sli] >= 0 && (failed == OUTCOME_SLIS || !outcome_sli_of_answer(sli));
        if (judged) {
            outcome_set(outcome, sli,
                        sli == failed ||
                            (outcome_sli_of_answer(sli) && happens(behaviour->rate[sli], random)));
        }
    }
    outcome->input_tokens = around(behaviour->input_tokens, random);
    if (failed == OUTCOME_SLIS) {
        outcome->ttft_ms = milliseconds(ttft);
        outcome->latency_ms = milliseconds(takes);
        outcome->output_tokens = around(behaviour->output_tokens, random);
        outcome->cost_micros = around(behaviour->cost_micros, random);
    } else {
        takes = failed == OUTCOME_TIMEOUT ? behaviour->timeout_ms : ttft;
    }
    answer.takes_us = (int64_t)(fmin(takes, 86400e3) * 1000);
    return answer;
}

static struct answer from_replay(const struct behaviour *behaviour, struct random *random)
{
    struct answer answer = {.outcome = *replay_draw(behaviour->replay, random)};
    double takes = answer.outcome.latency_ms;
    if (takes < 0) {
        takes = random_log_normal(random, behaviour->latency_ms, behaviour->latency_sigma);
    }
    answer.takes_us = (int64_t)(fmin(takes, 86400e3) * 1000);
    return answer;
}

struct answer model_answer(const struct behaviour *behaviour, struct random *random)
{
    struct answer answer =
        behaviour->replay != NULL ? from_replay(behaviour, random) : from_rates(behaviour, random);
    answer.lost = happens(behaviour->lost, random);
    return answer;
}
