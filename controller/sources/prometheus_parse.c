/* Reading one answer of Prometheus' query API. */
#include "sources/prometheus_parse.h"

#include "base/digest.h"
#include "base/json.h"
#include "base/utf8.h"

#include <json-c/linkhash.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An honest answer of 10,000 series has three containers a series and less than 50 labels. More is not
   parsed at all: 8 MiB of brackets would become a gigabyte of objects. */
enum {
    CONTAINERS_MAX = 4 * PROMETHEUS_SERIES_MAX,
    COMMAS_MAX = 50 * PROMETHEUS_SERIES_MAX,
    NAMES_MAX = 4 * SOURCE_BODY_MAX,
    SHOWN_MAX = 300 /* of a label set, in a fault */
};

static const double value_max = 9007199254740992.0; /* 2^53 */

struct parser {
    const struct prometheus_question *question;
    struct prometheus_vector *out;
    struct text scratch; /* canonical labels of the series at hand */
    size_t with_release; /* series that have the release label */
    struct fault *fault;
};

static enum status not_a_vector(const struct parser *parser, const char *what)
{
    fault_set(parser->fault, STATUS_PEER, "Prometheus answered %.300s with %s", parser->question->selector,
              what);
    fault_next(parser->fault,
               "Check that the URL is that of Prometheus and the selector is one of a raw counter, such as "
               "llm_requests_total{service=\"chat\"}.");
    return STATUS_PEER;
}

static bool bounded(const char *body, size_t length)
{
    size_t containers = 0, commas = 0;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        char c = body[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            containers++;
        } else if (c == ',') {
            commas++;
        }
    }
    return containers <= CONTAINERS_MAX && commas <= COMMAS_MAX;
}

static struct json_object *member(struct json_object *object, const char *name, json_type type)
{
    struct json_object *value = NULL;
    if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, name, &value) ||
        !json_object_is_type(value, type))
        return NULL;
    return value;
}

/* A string without NUL, which would cut it short; else NULL. */
static const char *plain_text(struct json_object *value)
{
    if (!json_object_is_type(value, json_type_string))
        return NULL;
    const char *text = json_object_get_string(value);
    return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

static const char *text_member(struct json_object *object, const char *name)
{
    return plain_text(member(object, name, json_type_string));
}

/* A sample value as Prometheus writes it: a decimal number, NaN, +Inf or -Inf. Anything else is no number. */
static bool read_number(const char *text, double *out)
{
    char *end;
    if (strcmp(text, "NaN") == 0 || strcmp(text, "+Inf") == 0 || strcmp(text, "-Inf") == 0 ||
        (text[0] != '\0' && strspn(text, "0123456789+-.eE") == strlen(text))) {
        *out = strtod(text, &end);
        return *end == '\0';
    }
    return false;
}

/* Appends a name; where it begins. Position 0 is the empty one. */
static size_t keep(struct parser *parser, const char *name)
{
    size_t at = parser->out->names.length;
    if (name[0] == '\0')
        return 0;
    text_puts(&parser->out->names, name);
    text_putc(&parser->out->names, '\0');
    return at;
}

/* The value of a series is no count: said with its labels, for whom it concerns. */
static void note_odd(struct parser *parser, const char *what, struct prometheus_sample *out)
{
    char labels[SHOWN_MAX], words[SHOWN_MAX + 120];
    snprintf(labels, sizeof labels, "%s", text_get(&parser->scratch));
    utf8_trim(labels);
    snprintf(words, sizeof words, "%s in the series %s", what, labels);
    out->odd = keep(parser, words);
}

static void read_count(struct parser *parser, struct json_object *series, struct prometheus_sample *out)
{
    struct json_object *sample = member(series, "value", json_type_array);
    double value;
    char what[96];
    const char *text = sample != NULL && json_object_array_length(sample) == 2
                           ? plain_text(json_object_array_get_idx(sample, 1))
                           : NULL;
    if (sample == NULL && member(series, "histogram", json_type_array) != NULL) {
        note_odd(parser, "There is a native histogram, not a counter,", out);
        return;
    }
    if (text == NULL || !read_number(text, &value)) {
        note_odd(parser, "There is no readable value", out);
        return;
    }
    if (!isfinite(value) || value < -1e-6 || value > value_max || fabs(value - round(value)) > 1e-6) {
        snprintf(what, sizeof what, "The value %.17g is not a count", value);
        note_odd(parser, what, out);
        return;
    }
    out->value = (int64_t)llround(value);
}

static void digest_text(const char *data, size_t length, char *out, size_t out_size)
{
    char hex[DIGEST_HEX];
    struct digest digest = digest_sha256(data, length);
    digest_hex(&digest, hex);
    memcpy(out, hex, out_size - 1);
    out[out_size - 1] = '\0';
}

static enum status read_target(struct parser *parser, struct json_object *labels, const char *service,
                               const char *release, char out[PROMETHEUS_TARGET])
{
    const char *job = text_member(labels, "job"), *instance = text_member(labels, "instance");
    const char *const parts[] = {service, release, job != NULL ? job : "", instance != NULL ? instance : ""};
    text_clear(&parser->scratch);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        text_puts(&parser->scratch, parts[i]);
        text_putc(&parser->scratch, '\0');
    }
    digest_text(text_get(&parser->scratch), parser->scratch.length, out, PROMETHEUS_TARGET);
    return text_status(&parser->scratch);
}

/* A series without the labels is nobody's, and left out. */
static enum status read_series(struct parser *parser, struct json_object *series)
{
    const struct prometheus_question *question = parser->question;
    struct json_object *labels = member(series, "metric", json_type_object);
    struct prometheus_sample *out = &parser->out->sample[parser->out->count];
    const char *service = "";
    if (labels == NULL)
        return not_a_vector(parser, "a series without labels");
    json_object_object_foreach(labels, name, value)
    {
        (void)name;
        if (plain_text(value) == NULL)
            return not_a_vector(parser, "a label that is not a string");
    }
    const char *release = text_member(labels, question->release_label);
    parser->with_release += release != NULL;
    if (question->service_label[0] != '\0')
        service = text_member(labels, question->service_label);
    if (release == NULL || service == NULL)
        return STATUS_OK;
    enum status status = read_target(parser, labels, service, release, out->target);
    text_clear(&parser->scratch);
    if (status == STATUS_OK)
        status = json_canonical(labels, &parser->scratch);
    if (status != STATUS_OK)
        return fault_set(parser->fault, STATUS_NO_MEMORY, "Out of memory");
    digest_text(text_get(&parser->scratch), parser->scratch.length, out->key, sizeof out->key);
    out->service = keep(parser, service);
    out->release = keep(parser, release);
    read_count(parser, series, out);
    parser->out->count++;
    return STATUS_OK;
}

static enum status missing_label(const struct parser *parser)
{
    const struct prometheus_question *question = parser->question;
    bool release = parser->with_release == 0;
    fault_set(parser->fault, STATUS_PEER, "No series of %.300s has the label \"%s\"", question->selector,
              release ? question->release_label : question->service_label);
    if (release)
        fault_next(parser->fault,
                   "Put the name of the release into this label of the counters, or name the label that "
                   "holds it as release_label.");
    else
        fault_next(parser->fault,
                   "Put the name of the service into this label of the counters, or name the label that "
                   "holds it as service_label, or leave that out and name the service in the selectors.");
    return STATUS_PEER;
}

static enum status read_vector(struct parser *parser, struct json_object *result)
{
    struct prometheus_vector *out = parser->out;
    size_t length = json_object_array_length(result);
    if (length > PROMETHEUS_SERIES_MAX) {
        fault_set(parser->fault, STATUS_PEER, "Prometheus has %zu series for %.300s; at most %d are read",
                  length, parser->question->selector, PROMETHEUS_SERIES_MAX);
        fault_next(parser->fault, "Narrow the selector, or sum the series by release in a recording rule.");
        return STATUS_PEER;
    }
    out->sample = calloc(length > 0 ? length : 1, sizeof *out->sample);
    if (out->sample == NULL)
        return fault_set(parser->fault, STATUS_NO_MEMORY, "Out of memory");
    text_putc(&out->names, '\0'); /* the name at 0 */
    for (size_t i = 0; i < length; i++) {
        enum status status = read_series(parser, json_object_array_get_idx(result, i));
        if (status != STATUS_OK)
            return status;
    }
    if (text_status(&out->names) != STATUS_OK)
        return fault_set(parser->fault, STATUS_NO_MEMORY, "Out of memory");
    if (length > 0 && out->count == 0)
        return missing_label(parser);
    return prometheus_vector_sort(out) ? STATUS_OK : not_a_vector(parser, "the same series twice");
}

/* Warnings say that the answer may be incomplete; a remote store behind Prometheus gives them. */
static void read_warnings(struct json_object *root, struct prometheus_vector *out)
{
    struct json_object *warnings = NULL;
    if (!json_object_object_get_ex(root, "warnings", &warnings) || warnings == NULL)
        return;
    out->warned = !json_object_is_type(warnings, json_type_array) || json_object_array_length(warnings) > 0;
    const char *first = out->warned && json_object_is_type(warnings, json_type_array)
                            ? plain_text(json_object_array_get_idx(warnings, 0))
                            : NULL;
    snprintf(out->warning, sizeof out->warning, "%s", first != NULL ? first : "");
    utf8_trim(out->warning);
}

static bool error_words(struct json_object *root, char *out, size_t out_size)
{
    const char *state = text_member(root, "status");
    if (state == NULL || strcmp(state, "error") != 0)
        return false;
    const char *type = text_member(root, "errorType"), *error = text_member(root, "error");
    snprintf(out, out_size, "%s: %s", type != NULL ? type : "error", error != NULL ? error : "no message");
    utf8_trim(out);
    return true;
}

static enum status read_envelope(struct parser *parser, struct json_object *root)
{
    char words[200];
    if (error_words(root, words, sizeof words)) {
        fault_set(parser->fault, STATUS_PEER, "Prometheus could not answer %.200s: %s",
                  parser->question->selector, words);
        fault_next(parser->fault, "Try the selector in Prometheus itself.");
        return STATUS_PEER;
    }
    const char *state = text_member(root, "status");
    struct json_object *data = member(root, "data", json_type_object);
    const char *type = text_member(data, "resultType");
    struct json_object *result = member(data, "result", json_type_array);
    if (state == NULL || strcmp(state, "success") != 0 || data == NULL || type == NULL || result == NULL)
        return not_a_vector(parser, "something that is not an answer of its query API");
    if (strcmp(type, "vector") != 0)
        return not_a_vector(parser, "something that is not an instant vector");
    read_warnings(root, parser->out);
    return read_vector(parser, result);
}

enum status prometheus_parse(const char *body, size_t length, const struct prometheus_question *question,
                             struct prometheus_vector *out, struct fault *fault)
{
    struct parser parser = {.question = question, .out = out, .fault = fault};
    struct json_object *root = NULL;
    struct fault why = {.status = STATUS_OK};
    *out = (struct prometheus_vector){.by_service = question->service_label[0] != '\0'};
    text_init(&out->names, NAMES_MAX);
    if (!bounded(body, length))
        return not_a_vector(&parser, "more than can be read");
    enum status status = json_parse(body, length, &root, &why);
    if (status == STATUS_NO_MEMORY)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    if (status != STATUS_OK)
        return not_a_vector(&parser, "something that is not JSON");
    text_init(&parser.scratch, length + 1024);
    status = read_envelope(&parser, root);
    text_free(&parser.scratch);
    json_object_put(root);
    if (status != STATUS_OK)
        prometheus_vector_free(out);
    return status;
}

bool prometheus_parse_error(const char *body, size_t length, char *out, size_t out_size)
{
    struct json_object *root = NULL;
    bool found = bounded(body, length) && json_parse(body, length, &root, NULL) == STATUS_OK &&
                 error_words(root, out, out_size);
    json_object_put(root);
    return found;
}
