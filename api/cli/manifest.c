/* Documents of `serin apply`, read and checked. */
#include "cli/manifest.h"

#include "base/json.h"
#include "base/spelling.h"
#include "cli/content.h"
#include "cli/pick.h"
#include "spec/plan.h"
#include "spec/release.h"
#include "spec/slos.h"

#include <json-c/json_object_iterator.h>
#include <stdlib.h>
#include <string.h>

enum { SERVICES_LISTED = 32 };

static const char *const kind_words[] = {
#define X(name, word) word,
    MANIFEST_TABLE(X)
#undef X
};

/* A new object with the fields of `value` but those in `without` (NULL-terminated); NULL on no memory. */
static struct json_object *copy_without(struct json_object *value, const char *const *without)
{
    struct json_object *copy = json_object_new_object();
    struct json_object_iterator at = json_object_iter_begin(value), end = json_object_iter_end(value);
    for (; copy != NULL && !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        const char *name = json_object_iter_peek_name(&at);
        size_t i = 0;
        while (without[i] != NULL && strcmp(without[i], name) != 0) {
            i++;
        }
        if (without[i] == NULL) {
            struct json_object *field = json_object_get(json_object_iter_peek_value(&at));
            if (json_object_object_add(copy, name, field) != 0) {
                json_object_put(field);
                json_object_put(copy);
                copy = NULL;
            }
        }
    }
    return copy;
}

/* A required name into a field of `out`. */
static bool read_name(struct json_object *value, const char *field, char out[NAME_MAX_LENGTH + 1],
                      struct fault *fault)
{
    struct json_fields fields;
    const char *name;
    json_fields_open(&fields, value, "", fault);
    if (!json_fields_name(&fields, field, JSON_REQUIRED, &name)) {
        return false;
    }
    snprintf(out, NAME_MAX_LENGTH + 1, "%s", name);
    return true;
}

static enum status read_service(struct json_object *value, struct manifest *out, struct fault *fault)
{
    static const char *const without[] = {"kind", "name", NULL};
    static const char *const sticky[] = {"user", "conversation", "none", NULL};
    struct json_fields fields;
    const char *text;
    int word;
    bool ok = read_name(value, "name", out->service, fault);
    json_fields_open(&fields, value, "", fault);
    json_fields_text(&fields, "kind", JSON_OPTIONAL, 0, 100, &text);
    struct json_object *name;
    json_fields_any(&fields, "name", JSON_OPTIONAL, &name);
    json_fields_text(&fields, "description", JSON_OPTIONAL, 0, 4000, &text);
    json_fields_word(&fields, "sticky", JSON_OPTIONAL, sticky, &word);
    if (json_fields_close(&fields) != STATUS_OK || !ok) {
        return STATUS_INVALID;
    }
    out->body = copy_without(value, without);
    return STATUS_OK;
}

static enum status read_slos(struct json_object *value, struct manifest *out, struct fault *fault)
{
    static const char *const without[] = {"kind", "service", NULL};
    struct json_fields fields;
    struct json_object *slos, *ignored;
    struct slos unused;
    bool ok = read_name(value, "service", out->service, fault);
    json_fields_open(&fields, value, "", fault);
    json_fields_any(&fields, "kind", JSON_OPTIONAL, &ignored);
    json_fields_any(&fields, "service", JSON_OPTIONAL, &ignored);
    if (json_fields_object(&fields, "slos", JSON_REQUIRED, &slos) &&
        spec_read_slos(slos, "/slos", &unused, fault) != STATUS_OK) {
        ok = false;
    }
    if (json_fields_close(&fields) != STATUS_OK || !ok) {
        return STATUS_INVALID;
    }
    out->body = copy_without(value, without);
    return STATUS_OK;
}

/* What a policy holds is checked once all documents are known: it needs the SLOs. */
static enum status read_policy(struct json_object *value, struct manifest *out, struct fault *fault)
{
    static const char *const without[] = {"kind", "service", NULL};
    if (!read_name(value, "service", out->service, fault)) {
        return STATUS_INVALID;
    }
    out->body = copy_without(value, without);
    return STATUS_OK;
}

/* The content that `file` names, relative to the file of the manifests. */
static bool read_file(struct json_object *value, const char *from, struct manifest *out, struct fault *fault)
{
    const char *file = pick_text(value, "file");
    struct fault why = {0};
    struct text path;
    text_init(&path, 4096);
    content_path(&path, from, file);
    struct json_object *content = content_from_file(text_get(&path), out->artifact.kind, &why);
    text_free(&path);
    if (content == NULL) {
        fault_at(fault, "/file", "%.180s", why.detail[0] != '\0' ? why.detail : "holds null");
        return false;
    }
    cli_add(&out->body, "content", content);
    return true;
}

static enum status read_artifact(struct json_object *value, const char *from, struct manifest *out,
                                 struct fault *fault)
{
    static const char *const without[] = {"kind", "name", "file", NULL};
    struct spec_version unused;
    char problem[160];
    const char *name = pick_text(value, "name");
    if (!ref_parse(name, &out->artifact, problem, sizeof problem)) {
        return fault_at(fault, "/name", "must be KIND/NAME, such as prompt/system%s%.120s",
                        name[0] != '\0' ? ": " : "", name[0] != '\0' ? problem : "");
    }
    if (out->artifact.version[0] != '\0') {
        return fault_at(fault, "/name", "the server gives the version its number; leave it out");
    }
    if (pick_has(value, "file") == pick_has(value, "content")) {
        return fault_at(fault, "", "must have either content or file");
    }
    out->body = copy_without(value, without);
    if (pick_has(value, "file") && !read_file(value, from, out, fault)) {
        return STATUS_INVALID;
    }
    return out->body != NULL ? spec_read_version(out->body, out->artifact.kind, "", &unused, fault)
                             : STATUS_NO_MEMORY;
}

static int any_version(void *argument, const struct ref *ref, int64_t *out)
{
    (void)argument;
    (void)ref;
    *out = 1;
    return CLI_OK;
}

static enum status read_release(struct json_object *value, struct manifest *out, struct fault *fault)
{
    static const char *const without[] = {"kind", "service", NULL};
    struct spec_release release;
    bool ok = read_name(value, "service", out->service, fault);
    out->body = copy_without(value, without);
    if (out->body == NULL) {
        return STATUS_NO_MEMORY;
    }
    snprintf(out->release, sizeof out->release, "%s",
             name_valid(pick_text(value, "name")) ? pick_text(value, "name") : "");
    struct json_object *pinned = manifest_pins(out->body, any_version, NULL, fault);
    if (pinned == NULL) {
        return STATUS_INVALID;
    }
    enum status status = spec_read_release(pinned, "", &release, fault);
    json_object_put(pinned);
    if (status == STATUS_OK) {
        spec_release_free(&release);
    }
    return ok ? status : STATUS_INVALID;
}

static enum status read_rollout(struct json_object *value, struct manifest *out, struct fault *fault)
{
    static const char *const without[] = {"kind", "service", NULL};
    struct json_fields fields;
    struct json_object *ignored, *plan_json;
    struct plan plan;
    const char *text;
    bool flag;
    bool ok =
        read_name(value, "service", out->service, fault) && read_name(value, "release", out->release, fault);
    json_fields_open(&fields, value, "", fault);
    json_fields_any(&fields, "kind", JSON_OPTIONAL, &ignored);
    json_fields_any(&fields, "service", JSON_OPTIONAL, &ignored);
    json_fields_any(&fields, "release", JSON_OPTIONAL, &ignored);
    json_fields_text(&fields, "reason", JSON_OPTIONAL, 0, 4000, &text);
    json_fields_bool(&fields, "supersede", JSON_OPTIONAL, &flag);
    json_fields_bool(&fields, "fix", JSON_OPTIONAL, &flag);
    json_fields_bool(&fields, "allow_no_gateway", JSON_OPTIONAL, &flag);
    if (json_fields_object(&fields, "plan", JSON_OPTIONAL, &plan_json) &&
        spec_read_plan(plan_json, "/plan", &plan, fault) != STATUS_OK) {
        ok = false;
    }
    if (json_fields_close(&fields) != STATUS_OK || !ok) {
        return STATUS_INVALID;
    }
    out->body = copy_without(value, without);
    return STATUS_OK;
}

static enum status read_kind(struct json_object *value, enum manifest_kind *out, struct fault *fault)
{
    const char *word = pick_text(value, "kind");
    char list[96];
    spelling_list(list, sizeof list, kind_words, MANIFEST_COUNT);
    if (word[0] == '\0') {
        return fault_at(fault, "/kind", "is required: one of %s", list);
    }
    for (int i = 0; i < MANIFEST_COUNT; i++) {
        if (strcmp(word, kind_words[i]) == 0) {
            *out = (enum manifest_kind)i;
            return STATUS_OK;
        }
    }
    const char *near = spelling_nearest(word, kind_words, MANIFEST_COUNT);
    return near != NULL ? fault_at(fault, "/kind", "\"%.30s\" is not known; did you mean %s?", word, near)
                        : fault_at(fault, "/kind", "\"%.30s\" is not one of %s", word, list);
}

static enum status read_one(const struct yamldoc *document, const char *path, struct manifest *out,
                            struct fault *fault)
{
    struct json_object *value = document->value;
    *out = (struct manifest){.document = document};
    if (!json_object_is_type(value, json_type_object)) {
        return fault_at(fault, "", "must be an object with a kind");
    }
    enum status status = read_kind(value, &out->kind, fault);
    if (status != STATUS_OK) {
        return status;
    }
    switch (out->kind) {
    case MANIFEST_SERVICE:
        return read_service(value, out, fault);
    case MANIFEST_SLOS:
        return read_slos(value, out, fault);
    case MANIFEST_POLICY:
        return read_policy(value, out, fault);
    case MANIFEST_ARTIFACT:
        return read_artifact(value, path, out, fault);
    case MANIFEST_RELEASE:
        return read_release(value, out, fault);
    case MANIFEST_ROLLOUT:
    case MANIFEST_COUNT:
        break;
    }
    return read_rollout(value, out, fault);
}

/* Shows what is wrong with one document. */
static int show(struct cli *cli, const struct manifests *manifests, const struct yamldoc *document,
                const struct fault *fault)
{
    return cli_fault_in(cli, fault, document,
                        strcmp(manifests->path, "-") == 0 ? "standard input" : manifests->path);
}

static int check_policies(struct cli *cli, const struct manifests *manifests)
{
    int code = CLI_OK;
    for (size_t i = 0; i < manifests->count; i++) {
        const struct manifest *manifest = &manifests->item[i];
        struct fault fault = {0};
        struct spec_policy unused;
        struct slos slos;
        if (manifest->kind != MANIFEST_POLICY) {
            continue;
        }
        manifest_slos(manifests, manifest->service, manifest->body, &slos);
        if (spec_read_policy(manifest->body, "", &slos, &unused, &fault) != STATUS_OK) {
            code = show(cli, manifests, manifest->document, &fault);
        }
    }
    return code;
}

/* Two documents that say what the same thing should be. */
static int check_twice(struct cli *cli, const struct manifests *manifests)
{
    for (size_t i = 0; i < manifests->count; i++) {
        const struct manifest *one = &manifests->item[i];
        for (size_t j = i + 1; j < manifests->count; j++) {
            const struct manifest *two = &manifests->item[j];
            if (one->kind == two->kind && strcmp(one->service, two->service) == 0 &&
                (one->kind == MANIFEST_ROLLOUT || strcmp(one->release, two->release) == 0) &&
                one->artifact.kind == two->artifact.kind &&
                strcmp(one->artifact.name, two->artifact.name) == 0) {
                return cli_refuse(cli, "Leave one of them out",
                                  "%s:%d: this %s stands in the file before, at line %d", manifests->path,
                                  yamldoc_line(two->document, ""), kind_words[one->kind],
                                  yamldoc_line(one->document, ""));
            }
        }
    }
    return CLI_OK;
}

/* Stable, by kind. */
static void sort(struct manifests *manifests)
{
    for (size_t i = 1; i < manifests->count; i++) {
        struct manifest manifest = manifests->item[i];
        size_t at = i;
        for (; at > 0 && manifests->item[at - 1].kind > manifest.kind; at--) {
            manifests->item[at] = manifests->item[at - 1];
        }
        manifests->item[at] = manifest;
    }
}

static int read_all(struct cli *cli, struct manifests *out)
{
    int code = CLI_OK;
    for (size_t i = 0; i < out->stream.documents; i++) {
        struct fault fault = {0};
        enum status status = read_one(&out->stream.document[i], out->path, &out->item[i], &fault);
        out->count++;
        if (status == STATUS_OK && out->item[i].body == NULL) {
            status = fault_set(&fault, STATUS_NO_MEMORY, "out of memory");
        }
        if (status != STATUS_OK) {
            code = show(cli, out, &out->stream.document[i], &fault);
        }
    }
    if (code == CLI_OK) {
        sort(out);
        code = check_policies(cli, out);
    }
    return code == CLI_OK ? check_twice(cli, out) : code;
}

int manifest_read(struct cli *cli, const char *path, struct manifests *out)
{
    struct fault fault = {0};
    struct text data;
    *out = (struct manifests){.path = path};
    if (cli_read_file(path, YAMLDOC_BYTES_MAX, &data, &fault) != STATUS_OK) {
        return cli_fault(cli, &fault);
    }
    enum status status = yamldoc_read(text_get(&data), data.length,
                                      strcmp(path, "-") == 0 ? "standard input" : path, &out->stream, &fault);
    text_free(&data);
    if (status != STATUS_OK) {
        return cli_fault(cli, &fault);
    }
    int code = CLI_REFUSED;
    out->item = calloc(out->stream.documents + 1, sizeof *out->item);
    if (out->item == NULL) {
        cli_refuse(cli, NULL, "out of memory");
    } else if (out->stream.documents == 0) {
        cli_refuse(cli, "Write what the file should say as in the handbook, getting-started.md.",
                   "%s holds no document", path);
    } else {
        code = read_all(cli, out);
    }
    if (code != CLI_OK) {
        manifest_free(out);
    }
    return code;
}

void manifest_free(struct manifests *manifests)
{
    for (size_t i = 0; i < manifests->count; i++) {
        json_object_put(manifests->item[i].body);
    }
    free(manifests->item);
    yamldoc_free(&manifests->stream);
    *manifests = (struct manifests){0};
}

static bool lists(const char *const *list, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], word) == 0) {
            return true;
        }
    }
    return false;
}

int manifest_check_service(struct cli *cli, const struct manifests *manifests, const char *service)
{
    const char *named[SERVICES_LISTED];
    char list[300];
    size_t count = 0;
    for (size_t i = 0; service != NULL && i < manifests->count; i++) {
        const char *one = manifests->item[i].service;
        if (strcmp(one, service) == 0) {
            return CLI_OK;
        }
        if (one[0] != '\0' && count < SERVICES_LISTED && !lists(named, count, one)) {
            named[count++] = one;
        }
    }
    if (service == NULL) {
        return CLI_OK;
    }
    const char *path = strcmp(manifests->path, "-") == 0 ? "standard input" : manifests->path;
    spelling_list(list, sizeof list, named, count);
    return cli_refuse(cli, "Name a service of the file with --service, or give the file that has this one.",
                      "%s says nothing of a service %.70s; it has: %s", path, service,
                      count > 0 ? list : "none");
}

const struct manifest *manifest_find(const struct manifests *manifests, enum manifest_kind kind,
                                     const char *service)
{
    for (size_t i = 0; i < manifests->count; i++) {
        if (manifests->item[i].kind == kind && strcmp(manifests->item[i].service, service) == 0) {
            return &manifests->item[i];
        }
    }
    return NULL;
}

bool manifest_slos(const struct manifests *manifests, const char *service, struct json_object *policy,
                   struct slos *out)
{
    const struct manifest *found = manifest_find(manifests, MANIFEST_SLOS, service);
    if (found != NULL && spec_read_slos(pick(found->body, "slos"), "/slos", out, NULL) == STATUS_OK) {
        return true;
    }
    memset(out, 0, sizeof *out);
    for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
        struct json_object *ignored;
        struct json_object *guardrails = pick(policy, "guardrails");
        if (json_object_is_type(guardrails, json_type_object) &&
            json_object_object_get_ex(guardrails, sli_name(sli), &ignored)) {
            out->of[sli] = (struct slo){.used = true,
                                        .objective_ppm = 990000,
                                        .threshold_ms = sli_deadline(sli) ? 1000 : 0,
                                        .window_s = 30 * 86400};
        }
    }
    return false;
}
