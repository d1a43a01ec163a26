/* Objectives and policy of a service. Each is checked against the other, so that a rollout can always be
   started with what is stored. */
#include "control/slos_policy.h"

#include "control/handlers.h"
#include "spec/slos.h"
#include "store/documents.h"

#include <stdlib.h>

enum { DOCUMENT_MAX = 1 << 20 };

/* The stored document parsed; *out NULL and *version 0 if there is none. */
static enum status load(struct call *call, enum document_kind kind, const char *service,
                        struct json_object **out, int64_t *version)
{
    struct text document;
    *out = NULL;
    text_init(&document, DOCUMENT_MAX);
    enum status status = documents_get(call->db, kind, service, NULL, &document, version, call->fault);
    if (status == STATUS_OK && *version > 0) {
        status = json_parse(text_get(&document), document.length, out, call->fault);
        if (status != STATUS_OK)
            status =
                fault_set(call->fault, STATUS_INTERNAL, "A stored document of %s cannot be read", service);
    }
    text_free(&document);
    return status;
}

/* The stored objectives; none are used before the first PUT. */
static enum status load_slos(struct call *call, const char *service, struct slos *out)
{
    struct json_object *document = NULL;
    int64_t version = 0;
    *out = (struct slos){0};
    enum status status = load(call, DOCUMENT_SLOS, service, &document, &version);
    if (status == STATUS_OK && version > 0)
        status = spec_read_slos(document, "", out, call->fault);
    json_object_put(document);
    return status;
}

enum status slos_policy_load(struct call *call, const char *service, struct spec_policy *out)
{
    struct json_object *document = NULL;
    struct slos slos;
    int64_t version = 0;
    enum status status = load_slos(call, service, &slos);
    if (status == STATUS_OK)
        status = load(call, DOCUMENT_POLICY, service, &document, &version);
    if (status == STATUS_OK && document == NULL) {
        document = json_object_new_object();
        status = document != NULL ? STATUS_OK : fault_set(call->fault, STATUS_NO_MEMORY, "Out of memory");
    }
    if (status == STATUS_OK)
        status = spec_read_policy(document, "", &slos, out, call->fault);
    json_object_put(document);
    return status;
}

static enum status store(struct call *call, enum document_kind kind, const char *service,
                         struct json_object *document, int64_t expected)
{
    struct text canonical;
    text_init(&canonical, DOCUMENT_MAX);
    enum status status = json_canonical(document, &canonical);
    if (status == STATUS_OK)
        status =
            documents_put(call->db, kind, service, text_get(&canonical), expected, call->actor, call->fault);
    else
        fault_set(call->fault, status, "The document cannot be written down");
    text_free(&canonical);
    return status;
}

/* Locks the service, and reads the version of its document for If-Match. */
static enum status begin(struct call *call, enum document_kind kind, const char **service, int64_t *expected)
{
    int64_t version = 0;
    enum status status = call_name(call, 0, "service", service);
    if (status == STATUS_OK)
        status = services_lock(call->db, *service, call->fault);
    if (status == STATUS_OK)
        status = documents_get(call->db, kind, *service, NULL, NULL, &version, call->fault);
    return status == STATUS_OK ? call_if_match(call, version, expected) : status;
}

static enum status refuse(struct call *call, enum status status)
{
    if (status != STATUS_OK && call->fault->next_step[0] == '\0')
        fault_next(call->fault, "Mend the fields named under errors, and send it again.");
    return status;
}

/* --- objectives
 * --------------------------------------------------------------------------------------------------- */

static enum status answer_slos(struct call *call, const char *service)
{
    int64_t version = 0;
    enum status status =
        documents_get(call->db, DOCUMENT_SLOS, service, &call->response->body, NULL, &version, call->fault);
    if (status == STATUS_OK && version == 0) {
        status = fault_set(call->fault, STATUS_NOT_FOUND, "Service %s has no objectives yet", service);
        fault_next(call->fault, "Set them with 'serin apply' and kind Slos (PUT /v1/services/%s/slos).",
                   service);
    }
    call_etag(call, version);
    return status;
}

static enum status get_slos(struct call *call)
{
    const char *service = NULL;
    enum status status = call_name(call, 0, "service", &service);
    if (status == STATUS_OK)
        status = services_exists(call->db, service, call->fault);
    return status == STATUS_OK ? answer_slos(call, service) : status;
}
CALL_READ(control_get_slos, get_slos, )

/* The stored policy must hold under the new objectives too. */
static enum status check_policy(struct call *call, const char *service, const struct slos *slos)
{
    struct json_object *document = NULL;
    struct fault why = {.status = STATUS_OK};
    int64_t version = 0;
    struct spec_policy *policy = malloc(sizeof *policy);
    if (policy == NULL)
        return fault_set(call->fault, STATUS_NO_MEMORY, "Out of memory");
    enum status status = load(call, DOCUMENT_POLICY, service, &document, &version);
    if (status == STATUS_OK && version > 0 &&
        spec_read_policy(document, "", slos, policy, &why) != STATUS_OK) {
        status = fault_set(call->fault, STATUS_CONFLICT,
                           "The policy of %s does not go with these objectives: %s %s", service,
                           why.errors > 0 ? why.error[0].pointer : "",
                           why.errors > 0 ? why.error[0].detail : why.detail);
        fault_next(
            call->fault,
            "Change the policy first, with 'serin apply' and kind Policy (PUT /v1/services/%s/policy).",
            service);
    }
    json_object_put(document);
    free(policy);
    return status;
}

static enum status put_slos(struct call *call)
{
    struct json_fields fields;
    struct json_object *document = NULL;
    struct slos slos;
    const char *service = NULL;
    int64_t expected = STORE_ANY_VERSION;
    json_fields_open(&fields, call->body, "", call->fault);
    json_fields_object(&fields, "slos", JSON_REQUIRED, &document);
    enum status status = call_close(call, &fields);
    if (status == STATUS_OK)
        status = refuse(call, spec_read_slos(document, "/slos", &slos, call->fault));
    if (status == STATUS_OK)
        status = begin(call, DOCUMENT_SLOS, &service, &expected);
    if (status == STATUS_OK)
        status = check_policy(call, service, &slos);
    if (status == STATUS_OK)
        status = store(call, DOCUMENT_SLOS, service, document, expected);
    return status == STATUS_OK ? answer_slos(call, service) : status;
}
CALL_CHANGE(control_put_slos, put_slos, 0)

/* --- policy
 * ------------------------------------------------------------------------------------------------------- */

/* Before the first PUT: what a rollout would be started with, all fields explicit, as version 0. */
static enum status answer_default(struct call *call, const char *service)
{
    struct text *body = &call->response->body;
    struct json_object *written = NULL;
    struct spec_policy *policy = malloc(sizeof *policy);
    enum status status = policy != NULL ? slos_policy_load(call, service, policy) : STATUS_NO_MEMORY;
    if (status == STATUS_OK) {
        written = spec_write_policy(policy);
        status = written != NULL ? STATUS_OK : STATUS_NO_MEMORY;
    }
    if (status == STATUS_OK) {
        text_printf(
            body,
            "{\"service\":\"%s\",\"version\":0,\"created_at\":null,\"created_by\":null,\"policy\":", service);
        status = json_canonical(written, body);
        text_putc(body, '}');
    }
    if (status == STATUS_NO_MEMORY)
        fault_set(call->fault, status, "Out of memory");
    json_object_put(written);
    free(policy);
    return status;
}

static enum status answer_policy(struct call *call, const char *service)
{
    int64_t version = 0;
    enum status status =
        documents_get(call->db, DOCUMENT_POLICY, service, &call->response->body, NULL, &version, call->fault);
    if (status == STATUS_OK && version == 0)
        status = answer_default(call, service);
    call_etag(call, version);
    return status;
}

static enum status get_policy(struct call *call)
{
    const char *service = NULL;
    enum status status = call_name(call, 0, "service", &service);
    if (status == STATUS_OK)
        status = services_exists(call->db, service, call->fault);
    return status == STATUS_OK ? answer_policy(call, service) : status;
}
CALL_READ(control_get_policy, get_policy, )

static enum status put_policy(struct call *call)
{
    struct slos slos;
    const char *service = NULL;
    int64_t expected = STORE_ANY_VERSION;
    struct spec_policy *policy = malloc(sizeof *policy);
    if (policy == NULL)
        return fault_set(call->fault, STATUS_NO_MEMORY, "Out of memory");
    enum status status = begin(call, DOCUMENT_POLICY, &service, &expected);
    if (status == STATUS_OK)
        status = load_slos(call, service, &slos);
    if (status == STATUS_OK)
        status = refuse(call, spec_read_policy(call->body, "", &slos, policy, call->fault));
    if (status == STATUS_OK)
        status = store(call, DOCUMENT_POLICY, service, call->body, expected);
    free(policy);
    return status == STATUS_OK ? answer_policy(call, service) : status;
}
CALL_CHANGE(control_put_policy, put_policy, 0)
