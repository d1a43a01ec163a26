/* Reads, changes, and what every handler needs. */
#include "control/call.h"

#include "base/log.h"
#include "control/control.h"
#include "http/etag.h"
#include "store/idempotency.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 128 };

static struct call call_of(void *context, const struct http_request *request, struct http_response *response,
                           struct fault *fault)
{
    const struct token *token = request->principal;
    return (struct call){.control = context,
                         .request = request,
                         .response = response,
                         .actor = token != NULL ? token->name : "nobody",
                         .fault = fault};
}

bool call_died(enum status status, const struct db *db)
{
    return status == STATUS_DATABASE && db != NULL && !db_healthy(db);
}

static void clear_response(struct http_response *response)
{
    text_clear(&response->body);
    response->etag[0] = '\0';
    response->extras = 0;
    response->status = 200;
}

/* The ETag of what a GET answers: the row's version, where there is one, and a digest of the answer, as it
   shows more than the version counts (a service its stable release, a rollout what the gateways have
   applied). */
static void name_answer(struct http_response *response)
{
    char hex[DIGEST_HEX], version[HTTP_ETAG_MAX];
    struct digest digest = digest_sha256(text_get(&response->body), response->body.length);
    int quoted = (int)strlen(response->etag);
    snprintf(version, sizeof version, "%.*s", quoted > 2 ? quoted - 2 : 0, response->etag + 1);
    snprintf(response->etag, sizeof response->etag, "\"%.24s%s%.32s\"", version, quoted > 2 ? "-" : "",
             digest_hex(&digest, hex));
}

enum status call_read(void *context, const struct http_request *request, struct http_response *response,
                      const char *const *queries, call_operation operation, struct fault *fault)
{
    struct call call = call_of(context, request, response, fault);
    enum status status = http_query_only(request, queries, fault);
    bool again = status == STATUS_OK;
    for (int i = 0; again && i < CALL_DEAD_MAX; i++) {
        clear_response(response);
        status = db_pool_take(call.control->pool, CALL_TIMEOUT_MS, &call.db, fault);
        if (status == STATUS_OK)
            status = operation(&call);
        again = call_died(status, call.db);
        db_pool_give(call.control->pool, call.db);
        call.db = NULL;
    }
    if (status == STATUS_OK)
        name_answer(response);
    return status;
}

/* --- changes
 * ----------------------------------------------------------------------------------------------------- */

/* The body as an object; none at all is an empty object. */
static enum status read_body(struct call *call)
{
    const struct http_request *request = call->request;
    enum status status = STATUS_OK;
    if (request->body_length == 0) {
        call->body = json_object_new_object();
        return call->body != NULL ? STATUS_OK : fault_set(call->fault, STATUS_NO_MEMORY, "Out of memory");
    }
    status = json_parse(request->body, request->body_length, &call->body, call->fault);
    if (status == STATUS_OK && !json_object_is_type(call->body, json_type_object)) {
        status = fault_at(call->fault, "", "must be an object");
        fault_next(call->fault, "Send a JSON object, as the API's description has it for this path.");
    } else if (status != STATUS_OK && call->fault->next_step[0] == '\0') {
        fault_next(call->fault, "Mend the JSON at the place named, and send it again.");
    }
    return status;
}

/* Reads the Idempotency-Key, bare or quoted; "" if there is none. */
static enum status read_key(const struct http_request *request, char out[KEY_MAX + 1], struct fault *fault)
{
    const char *value = http_header(request, "Idempotency-Key");
    out[0] = '\0';
    if (value == NULL)
        return STATUS_OK;
    size_t length = strlen(value);
    if (length >= 2 && value[0] == '"' && value[length - 1] == '"') {
        value++;
        length -= 2;
    }
    bool good = length >= 1 && length <= KEY_MAX;
    for (size_t i = 0; good && i < length; i++)
        good = value[i] > ' ' && value[i] <= '~' && value[i] != '"';
    if (!good) {
        fault_set(fault, STATUS_MALFORMED,
                  "Idempotency-Key must be 1 to %d printable characters without spaces", KEY_MAX);
        fault_next(fault, "Send a random key such as a UUID, bare or in double quotes.");
        return STATUS_MALFORMED;
    }
    memcpy(out, value, length);
    out[length] = '\0';
    return STATUS_OK;
}

/* What must be the same for a key to mean the same request. */
static enum status request_digest(const struct http_request *request, struct digest *out, struct fault *fault)
{
    struct text all;
    const char *if_match = http_header(request, "If-Match");
    text_init(&all, request->body_length + 8192);
    text_printf(&all, "%s %s\n%s\n", http_method_name(request->method), request->path,
                if_match != NULL ? if_match : "");
    text_add(&all, request->body, request->body_length);
    enum status status = text_status(&all);
    if (status == STATUS_OK)
        *out = digest_sha256(text_get(&all), all.length);
    else
        fault_set(fault, status, "The request is too large");
    text_free(&all);
    return status;
}

struct keyed {
    char key[KEY_MAX + 1]; /* "" = none */
    const char *token;     /* id */
    struct digest request;
};

static enum status replay(struct call *call, const struct idempotent_answer *answer)
{
    call->response->status = answer->http_status;
    text_add(&call->response->body, text_get(&answer->body), answer->body.length);
    snprintf(call->response->etag, sizeof call->response->etag, "%s", answer->etag);
    enum status status = text_status(&call->response->body);
    if (status != STATUS_OK)
        return fault_set(call->fault, status, "The stored answer cannot be given again");
    status = http_response_header(call->response, "Idempotency-Replayed", "true");
    return status == STATUS_OK ? status : fault_set(call->fault, status, "The answer's headers do not fit");
}

/* Keeps the answer under its key, if it has one. */
static enum status keep(struct call *call, const struct keyed *keyed)
{
    struct idempotent_answer answer;
    const struct http_response *response = call->response;
    if (keyed->key[0] == '\0')
        return STATUS_OK;
    idempotency_answer_init(&answer);
    answer.http_status = response->status;
    snprintf(answer.etag, sizeof answer.etag, "%s", response->etag);
    text_add(&answer.body, text_get(&response->body), response->body.length);
    enum status status = text_status(&answer.body);
    if (status == STATUS_OK)
        status = idempotency_store(call->db, keyed->token, keyed->key, &keyed->request, &answer, call->fault);
    idempotency_answer_free(&answer);
    return status;
}

/* Does the operation in the open transaction, unless its answer is stored. */
static enum status work(struct call *call, const struct keyed *keyed, call_operation operation)
{
    struct idempotent_answer answer;
    enum status status = STATUS_OK;
    idempotency_answer_init(&answer);
    if (keyed->key[0] != '\0') {
        status = idempotency_begin(call->db, keyed->token, keyed->key, &keyed->request, &answer, call->fault);
        if (status != STATUS_OK)
            goto out;
        if (answer.http_status != 0) {
            status = replay(call, &answer);
            goto out;
        }
    }
    status = operation(call);
    if (status == STATUS_OK)
        status = text_status(&call->response->body);
    if (status == STATUS_OK)
        status = keep(call, keyed);
out:
    idempotency_answer_free(&answer);
    return status;
}

static enum status commit(struct call *call, bool has_key)
{
    enum status status = db_commit(call->db, call->fault);
    if (status == STATUS_OK || status == STATUS_IN_PROGRESS)
        return status;
    fault_set(call->fault, STATUS_DATABASE,
              "It is not known whether this was done: the database did not say");
    if (has_key)
        fault_next(call->fault,
                   "Look first; then repeat it with the same Idempotency-Key: it is done at most once.");
    else
        fault_next(call->fault, "Look first whether it was done, before you repeat it.");
    return STATUS_DATABASE;
}

/* What is told beside the answer: it has a time of its own, holds no lock of the work, and cannot undo it. */
static void follow(struct call *call, const struct keyed *keyed)
{
    struct fault fault = {.detail = ""}, *ours = call->fault;
    call->fault = &fault;
    db_deadline(call->db, clock_mono_after_ms(clock_mono(), CALL_AFTER_MS));
    enum status status = call->after(call);
    if (status == STATUS_OK)
        status = keep(call, keyed);
    if (status != STATUS_OK)
        log_event(LOG_WARN, "control", "what is told beside an answer could not be read", "path",
                  call->request->path, "about", call->subject, "detail", fault.detail, NULL);
    call->fault = ours;
}

enum outcome { ENDED, DEAD, IN_THE_WAY };

/* One try. DEAD: the connection had died while it was idle. IN_THE_WAY: another transaction was. Nothing is
 * done then. */
static enum outcome attempt(struct call *call, const struct keyed *keyed, call_operation operation,
                            enum status *status)
{
    enum outcome outcome = ENDED;
    clear_response(call->response);
    call->after = NULL;
    *status = db_pool_take(call->control->pool, CALL_TIMEOUT_MS, &call->db, call->fault);
    if (*status != STATUS_OK)
        return ENDED;
    *status = db_begin(call->db, call->fault);
    if (call_died(*status, call->db))
        outcome = DEAD;
    if (*status == STATUS_OK)
        *status = work(call, keyed, operation);
    if (*status == STATUS_OK)
        *status = commit(call, keyed->key[0] != '\0');
    if (*status == STATUS_OK && call->after != NULL)
        follow(call, keyed);
    if (*status == STATUS_IN_PROGRESS && db_sqlstate(call->db)[0] != '\0')
        outcome = IN_THE_WAY;
    db_pool_give(call->control->pool, call->db); /* rolls back what is open */
    call->db = NULL;
    return outcome;
}

enum status call_change(void *context, const struct http_request *request, struct http_response *response,
                        unsigned flags, call_operation operation, struct fault *fault)
{
    static const char *const no_queries[] = {NULL};
    struct call call = call_of(context, request, response, fault);
    const struct token *token = request->principal;
    struct keyed keyed = {.token = token != NULL ? token->id : ""};
    enum status status = http_query_only(request, no_queries, fault);
    if (status == STATUS_OK && (flags & CALL_SECRET) == 0)
        status = read_key(request, keyed.key, fault);
    if (status == STATUS_OK && keyed.key[0] != '\0')
        status = request_digest(request, &keyed.request, fault);
    if (status == STATUS_OK)
        status = read_body(&call);
    if (status == STATUS_OK) {
        int dead = 0, in_the_way = 0;
        enum outcome outcome;
        do {
            outcome = attempt(&call, &keyed, operation, &status);
            dead += outcome == DEAD;
            in_the_way += outcome == IN_THE_WAY;
        } while (outcome != ENDED && dead < CALL_DEAD_MAX && in_the_way < CALL_ATTEMPTS);
    }
    json_object_put(call.body);
    return status;
}

/* --- for operations
 * ---------------------------------------------------------------------------------------------- */

static enum status not_a_name(const struct call *call, const char *what)
{
    fault_set(call->fault, STATUS_INVALID, "The %s is not a name", what);
    fault_next(call->fault, "Names are 1 to %d of A-Z a-z 0-9 . _ -, the first a letter or digit.",
               NAME_MAX_LENGTH);
    return STATUS_INVALID;
}

enum status call_name(const struct call *call, size_t index, const char *what, const char **out)
{
    *out = call->request->parameter[index];
    return name_valid(*out) ? STATUS_OK : not_a_name(call, what);
}

enum status call_query_name(const struct call *call, const char *query, const char **out)
{
    *out = http_query(call->request, query);
    return *out == NULL || name_valid(*out) ? STATUS_OK : not_a_name(call, query);
}

enum status call_version(const struct call *call, size_t index, int64_t *out)
{
    const char *text = call->request->parameter[index];
    size_t digits = strspn(text, "0123456789");
    *out = 0;
    if (strcmp(text, "latest") == 0)
        return STATUS_OK;
    if (digits > 0 && digits <= 9 && text[digits] == '\0' && text[0] != '0') {
        *out = strtoll(text, NULL, 10);
        return STATUS_OK;
    }
    fault_set(call->fault, STATUS_INVALID, "\"%.32s\" is not a version", text);
    fault_next(call->fault, "Give a number from 1, or latest.");
    return STATUS_INVALID;
}

enum status call_page(const struct call *call, struct page *page)
{
    struct http_page asked;
    page_init(page, "", HTTP_LIMIT_DEFAULT);
    enum status status = http_page_read(call->request, &asked, call->fault);
    if (status == STATUS_OK)
        page_init(page, asked.after, asked.limit);
    return status;
}

enum status call_answer_page(struct call *call, struct page *page, enum status status)
{
    struct text *body = &call->response->body;
    char cursor[HTTP_CURSOR_ENCODED];
    if (status == STATUS_OK) {
        text_puts(body, "{\"items\":[");
        text_add(body, text_get(&page->items), page->items.length);
        text_puts(body, "],\"next_cursor\":");
        if (page->next[0] != '\0')
            text_printf(body, "\"%s\"}", http_cursor_encode(page->next, cursor));
        else
            text_puts(body, "null}");
        status = text_status(body);
        if (status != STATUS_OK) {
            fault_set(call->fault, status, "The page is too large");
            fault_next(call->fault, "Ask for fewer items with limit.");
        }
    }
    page_free(page);
    return status;
}

void call_etag(struct call *call, int64_t row_version)
{
    snprintf(call->response->etag, sizeof call->response->etag, "\"v%" PRId64 "\"", row_version);
}

/* Is the version one of the tags, with or without the digest that a GET's ETag has behind it? */
static bool names_version(const struct http_etags *tags, int64_t version)
{
    char begin[32];
    size_t length = (size_t)snprintf(begin, sizeof begin, "\"v%" PRId64, version);
    for (size_t i = 0; i < tags->count; i++) {
        const char *tag = tags->tag[i].opaque;
        if (!tags->tag[i].weak && tags->tag[i].length > length && memcmp(tag, begin, length) == 0 &&
            (tag[length] == '"' || tag[length] == '-'))
            return true;
    }
    return false;
}

enum status call_if_match(const struct call *call, int64_t current, int64_t *expected)
{
    struct http_etags tags;
    const char *header = http_header(call->request, "If-Match");
    *expected = header != NULL ? current : STORE_ANY_VERSION;
    enum status status = http_etags_parse(header, &tags, call->fault);
    if (status == STATUS_OK && current != STORE_ANY_VERSION && names_version(&tags, current))
        return STATUS_OK;
    if (status != STATUS_OK)
        return status;
    /* what is left is "*", or stale: a weak tag is matched by nothing else */
    return http_if_match(call->request, current != STORE_ANY_VERSION ? "W/\"\"" : "", call->fault);
}

void call_characters(struct json_fields *fields, const char *name, size_t max, const char **out)
{
    char pointer[128];
    size_t count = 0;
    if (!json_fields_text(fields, name, JSON_OPTIONAL, 0, 4 * max, out))
        return;
    for (const char *at = *out; *at != '\0'; at++)
        count += ((unsigned char)*at & 0xC0) != 0x80; /* not the middle of a character */
    if (count > max) {
        fields->failed = true;
        fault_at(fields->fault, json_fields_pointer(fields, name, pointer),
                 "has %zu characters, at most %zu may be", count, max);
    }
}

void call_reason(struct json_fields *fields, enum json_need need, const char **out)
{
    json_fields_text(fields, "reason", need, need == JSON_REQUIRED ? 1 : 0, 1000, out);
}

enum status call_close(struct call *call, struct json_fields *fields)
{
    enum status status = json_fields_close(fields);
    if (status != STATUS_OK && call->fault->next_step[0] == '\0')
        fault_next(call->fault, "Mend the fields named under errors, and send it again.");
    return status;
}
