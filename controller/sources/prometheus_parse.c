/* Reading one answer of Prometheus' query API. */
#include "sources/prometheus_parse.h"

#include "base/digest.h"
#include "base/json.h"
#include "base/utf8.h"
#include "sources/prometheus.h"

#include <json-c/linkhash.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An honest answer of 10,000 series has three containers a series and less than 100 labels. More is not
   parsed at all: 8 MiB of brackets would become a gigabyte of objects. */
enum { CONTAINERS_MAX = 4 * PROMETHEUS_SERIES_MAX, COMMAS_MAX = 100 * PROMETHEUS_SERIES_MAX };

static const double value_max = 9007199254740992.0; /* 2^53 */

struct parser {
    const char *selector, *release_label, *stable, *canary;
    struct text scratch; /* canonical labels of the series at hand */
    size_t labelled;     /* series that have the release label */
    struct fault *fault;
};

static enum status not_a_vector(const struct parser *parser, const char *what)
{
    fault_set(parser->fault, STATUS_PEER, "Prometheus answered %.300s with %s", parser->selector, what);
    fault_next(parser->fault,
               "Check that the URL is that of Prometheus and the selector is one of a raw counter, such as "
               "llm_requests_total{service=\"chat\"}.");
    return STATUS_PEER;
}

/* The series by its labels, for a fault. */
static enum status bad_series(const struct parser *parser, const char *what)
{
    fault_set(parser->fault, STATUS_PEER, "%s in the series %.300s", what, text_get(&parser->scratch));
    fault_next(parser->fault,
               "The selector must name raw counters of whole requests: not gauges, sums of seconds or "
               "histograms. Narrow it, or mend what exports the series.");
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

static enum status read_count(const struct parser *parser, struct json_object *series, int64_t *out)
{
    struct json_object *sample = member(series, "value", json_type_array);
    double value;
    char what[96];
    if (sample == NULL && member(series, "histogram", json_type_array) != NULL)
        return bad_series(parser, "There is a native histogram, not a counter,");
    const char *text = sample != NULL && json_object_array_length(sample) == 2
                           ? plain_text(json_object_array_get_idx(sample, 1))
                           : NULL;
    if (text == NULL || !read_number(text, &value))
        return bad_series(parser, "There is no readable value");
    snprintf(what, sizeof what, "The value %.17g is not a count", value);
    if (!isfinite(value) || value < -1e-6 || value > value_max || fabs(value - round(value)) > 1e-6)
        return bad_series(parser, what);
    *out = (int64_t)llround(value);
    return STATUS_OK;
}

static void digest_text(const char *data, size_t length, char *out, size_t out_size)
{
    char hex[DIGEST_HEX];
    struct digest digest = digest_sha256(data, length);
    digest_hex(&digest, hex);
    memcpy(out, hex, out_size - 1);
    out[out_size - 1] = '\0';
}

/* `arm` of a series by its release; false if it is of another release. */
static bool arm_of(struct parser *parser, struct json_object *labels, enum prometheus_arm *arm)
{
    const char *release = text_member(labels, parser->release_label);
    if (release == NULL)
        return false;
    parser->labelled++;
    if (parser->stable != NULL && strcmp(release, parser->stable) == 0)
        *arm = ARM_STABLE;
    else if (strcmp(release, parser->canary) == 0)
        *arm = ARM_CANARY;
    else
        return false;
    return true;
}

static enum status read_target(struct parser *parser, struct json_object *labels,
                               struct prometheus_series *out)
{
    const char *job = text_member(labels, "job"), *instance = text_member(labels, "instance");
    text_clear(&parser->scratch);
    text_printf(&parser->scratch, "%d", (int)out->arm);
    text_putc(&parser->scratch, '\0');
    text_puts(&parser->scratch, job != NULL ? job : "");
    text_putc(&parser->scratch, '\0');
    text_puts(&parser->scratch, instance != NULL ? instance : "");
    digest_text(text_get(&parser->scratch), parser->scratch.length, out->target, sizeof out->target);
    return text_status(&parser->scratch);
}

/* *used tells whether the series is of one of the two releases. */
static enum status read_series(struct parser *parser, struct json_object *series,
                               struct prometheus_series *out, bool *used)
{
    struct json_object *labels = member(series, "metric", json_type_object);
    *used = false;
    if (labels == NULL)
        return not_a_vector(parser, "a series without labels");
    json_object_object_foreach(labels, name, value)
    {
        (void)name;
        if (plain_text(value) == NULL)
            return not_a_vector(parser, "a label that is not a string");
    }
    if (!arm_of(parser, labels, &out->arm))
        return STATUS_OK;
    enum status status = read_target(parser, labels, out);
    text_clear(&parser->scratch);
    if (status == STATUS_OK)
        status = json_canonical(labels, &parser->scratch);
    if (status != STATUS_OK)
        return fault_set(parser->fault, STATUS_NO_MEMORY, "Out of memory");
    digest_text(text_get(&parser->scratch), parser->scratch.length, out->key, sizeof out->key);
    status = read_count(parser, series, &out->value);
    *used = status == STATUS_OK;
    return status;
}

static int by_key(const void *a, const void *b)
{
    const struct prometheus_series *left = a, *right = b;
    return strcmp(left->key, right->key);
}

static enum status read_vector(struct parser *parser, struct json_object *result,
                               struct prometheus_answer *out)
{
    size_t length = json_object_array_length(result);
    if (length > PROMETHEUS_SERIES_MAX) {
        fault_set(parser->fault, STATUS_PEER, "Prometheus has %zu series for %.300s; at most %d are read",
                  length, parser->selector, PROMETHEUS_SERIES_MAX);
        fault_next(parser->fault, "Narrow the selector, or sum the series by release in a recording rule.");
        return STATUS_PEER;
    }
    out->series = calloc(length > 0 ? length : 1, sizeof *out->series);
    if (out->series == NULL)
        return fault_set(parser->fault, STATUS_NO_MEMORY, "Out of memory");
    for (size_t i = 0; i < length; i++) {
        bool used;
        enum status status =
            read_series(parser, json_object_array_get_idx(result, i), &out->series[out->count], &used);
        if (status != STATUS_OK)
            return status;
        out->count += used;
    }
    if (length > 0 && parser->labelled == 0) {
        fault_set(parser->fault, STATUS_PEER, "No series of %.300s has the label \"%s\"", parser->selector,
                  parser->release_label);
        fault_next(parser->fault,
                   "Put the name of the release into this label of the counters, or name the label that "
                   "holds it as release_label.");
        return STATUS_PEER;
    }
    qsort(out->series, out->count, sizeof *out->series, by_key);
    for (size_t i = 1; i < out->count; i++)
        if (by_key(&out->series[i - 1], &out->series[i]) == 0)
            return not_a_vector(parser, "the same series twice");
    return STATUS_OK;
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

static enum status read_envelope(struct parser *parser, struct json_object *root,
                                 struct prometheus_answer *out)
{
    char words[200];
    struct json_object *warnings = NULL;
    if (error_words(root, words, sizeof words)) {
        fault_set(parser->fault, STATUS_PEER, "Prometheus could not answer %.200s: %s", parser->selector,
                  words);
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
    if (json_object_object_get_ex(root, "warnings", &warnings) && warnings != NULL)
        out->warned =
            !json_object_is_type(warnings, json_type_array) || json_object_array_length(warnings) > 0;
    return read_vector(parser, result, out);
}

enum status prometheus_parse(const char *body, size_t length, const char *selector, const char *release_label,
                             const char *stable, const char *canary, struct prometheus_answer *out,
                             struct fault *fault)
{
    struct parser parser = {.selector = selector,
                            .release_label = release_label,
                            .stable = stable,
                            .canary = canary,
                            .fault = fault};
    struct json_object *root = NULL;
    struct fault why;
    *out = (struct prometheus_answer){0};
    if (!bounded(body, length))
        return not_a_vector(&parser, "more than can be read");
    enum status status = json_parse(body, length, &root, &why);
    if (status == STATUS_NO_MEMORY)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    if (status != STATUS_OK)
        return not_a_vector(&parser, "something that is not JSON");
    text_init(&parser.scratch, length + 1024);
    status = read_envelope(&parser, root, out);
    text_free(&parser.scratch);
    json_object_put(root);
    if (status != STATUS_OK)
        prometheus_answer_free(out);
    return status;
}

void prometheus_answer_free(struct prometheus_answer *answer)
{
    free(answer->series);
    *answer = (struct prometheus_answer){0};
}

bool prometheus_parse_error(const char *body, size_t length, char *out, size_t out_size)
{
    struct json_object *root = NULL;
    bool found = bounded(body, length) && json_parse(body, length, &root, NULL) == STATUS_OK &&
                 error_words(root, out, out_size);
    json_object_put(root);
    return found;
}
