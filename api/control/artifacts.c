/* Artifact versions: list, register, read, and whether a corpus is ready. */
#include "store/artifacts.h"

#include "control/call.h"
#include "control/handlers.h"
#include "spec/artifact.h"

#include <string.h>

static enum status read_kind(const struct call *call, const char *text, enum spec_kind *out)
{
    if (spec_kind_parse(text, out))
        return STATUS_OK;
    fault_set(call->fault, STATUS_NOT_FOUND, "There is no kind of artifact called \"%.32s\"", text);
    fault_next(call->fault, "Use prompt, tool, corpus or model.");
    return STATUS_NOT_FOUND;
}

/* The path parameters {kind} and {name}. */
static enum status read_artifact(const struct call *call, enum spec_kind *kind, const char **name)
{
    enum status status = read_kind(call, call->request->parameter[0], kind);
    return status == STATUS_OK ? call_name(call, 1, "artifact's name", name) : status;
}

static enum status list(struct call *call)
{
    struct page page;
    enum spec_kind kind;
    const char *text = http_query(call->request, "kind");
    enum status status = call_page(call, &page);
    if (status == STATUS_OK && text != NULL)
        status = read_kind(call, text, &kind);
    if (status == STATUS_OK)
        status = artifacts_list(call->db, text, &page, call->fault);
    return call_answer_page(call, &page, status);
}
CALL_READ(control_list_artifacts, list, "kind", "limit", "cursor", )

static enum status versions(struct call *call)
{
    struct page page;
    enum spec_kind kind;
    const char *name;
    enum status status = call_page(call, &page);
    if (status == STATUS_OK)
        status = read_artifact(call, &kind, &name);
    if (status == STATUS_OK)
        status = artifacts_versions(call->db, spec_kind_name(kind), name, &page, call->fault);
    if (status == STATUS_OK && page.count == 0 && page.after[0] == '\0') {
        fault_set(call->fault, STATUS_NOT_FOUND, "There is no %s %s", spec_kind_name(kind), name);
        fault_next(call->fault,
                   "Register a version of it with 'serin version register' (POST to this path).");
        status = STATUS_NOT_FOUND;
    }
    return call_answer_page(call, &page, status);
}
CALL_READ(control_list_versions, versions, "limit", "cursor", )

static enum status get(struct call *call)
{
    enum spec_kind kind;
    const char *name;
    int64_t version = 0;
    enum status status = read_artifact(call, &kind, &name);
    if (status == STATUS_OK)
        status = call_version(call, 2, &version);
    if (status == STATUS_OK)
        status = artifacts_get(call->db, spec_kind_name(kind), name, version, true, &call->response->body,
                               call->fault);
    return status;
}
CALL_READ(control_get_version, get, )

/* The bytes that are stored: canonical JSON, or the text of a prompt as it is. */
static enum status write_content(const struct call *call, const struct spec_version *version, bool *json,
                                 struct text *out)
{
    *json = !json_object_is_type(version->content, json_type_string);
    enum status status = STATUS_OK;
    if (*json) {
        status = json_canonical(version->content, out);
    } else {
        const char *text = json_object_get_string(version->content);
        size_t length = (size_t)json_object_get_string_len(version->content);
        if (memchr(text, '\0', length) != NULL) {
            status = fault_at(call->fault, "/content", "holds the character U+0000");
            fault_next(call->fault, "Take U+0000 out of the text.");
            return status;
        }
        text_add(out, text, length);
    }
    if (status == STATUS_OK)
        status = text_status(out);
    if (status == STATUS_TOO_LARGE) {
        fault_set(call->fault, status, "The content is larger than %zu bytes", call->control->content_max);
        fault_next(call->fault, "Split it, or keep it elsewhere and register a reference to it.");
    } else if (status != STATUS_OK) {
        fault_set(call->fault, status, "The content cannot be written down");
    }
    return status;
}

static enum status register_version(struct call *call)
{
    enum spec_kind kind;
    const char *name;
    struct spec_version version;
    struct text content;
    bool json = false, created = false;
    int64_t number = 0;
    text_init(&content, call->control->content_max);
    enum status status = read_artifact(call, &kind, &name);
    if (status == STATUS_OK) {
        status = spec_read_version(call->body, kind, "", &version, call->fault);
        if (status != STATUS_OK && call->fault->next_step[0] == '\0')
            fault_next(call->fault, "Mend the fields named under errors, and send it again.");
    }
    if (status == STATUS_OK)
        status = write_content(call, &version, &json, &content);
    if (status != STATUS_OK)
        goto out;
    status = artifacts_register(call->db,
                                &(struct artifact_new){.kind = spec_kind_name(kind),
                                                       .name = name,
                                                       .content = text_get(&content),
                                                       .length = content.length,
                                                       .media_type = json ? "application/json" : "text/plain",
                                                       .changelog = version.changelog,
                                                       .actor = call->actor},
                                &number, &created, call->fault);
    if (status == STATUS_OK)
        status = artifacts_get(call->db, spec_kind_name(kind), name, number, false, &call->response->body,
                               call->fault);
    call->response->status = created ? 201 : 200;
out:
    text_free(&content);
    return status;
}
CALL_CHANGE(control_register_version, register_version, 0)

static enum status report_corpus(struct call *call)
{
    const char *name;
    int64_t version = 0, reported = 0;
    struct json_fields fields;
    bool ready = false;
    json_fields_open(&fields, call->body, "", call->fault);
    json_fields_bool(&fields, "ready", JSON_REQUIRED, &ready);
    enum status status = call_close(call, &fields);
    if (status == STATUS_OK)
        status = call_name(call, 0, "artifact's name", &name);
    if (status == STATUS_OK)
        status = call_version(call, 1, &version);
    if (status == STATUS_OK)
        status = artifacts_report_corpus(call->db, name, version, ready, call->actor, &reported, call->fault);
    if (status == STATUS_OK)
        status = artifacts_get(call->db, "corpus", name, reported, false, &call->response->body, call->fault);
    return status;
}
CALL_CHANGE(control_report_corpus_ready, report_corpus, 0)
