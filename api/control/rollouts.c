/* Rollouts: start, read, command, explain, and their verdicts and blocks. */
#include "rollout/rollout.h"

#include "control/call.h"
#include "control/handlers.h"
#include "spec/fields.h"
#include "store/views.h"

#include <stdio.h>
#include <string.h>

enum { FORECAST_MAX = 64 * 1024, WARNINGS_MAX = 32 * 1024 };

static enum status answer(struct call *call, const char *id)
{
    int64_t version = 0;
    enum status status = views_rollout(call->db, id, &call->response->body, &version, call->fault);
    call_etag(call, version);
    return status;
}

static const char untold[] = ",\"forecast\":null,\"warnings\":[]}";

/* In the place of `untold`: the time that a rollout which was just started is expected to take, and what
   stands in its way. */
static enum status foretell(struct call *call)
{
    struct text *body = &call->response->body, forecast, warnings;
    text_init(&forecast, FORECAST_MAX);
    text_init(&warnings, WARNINGS_MAX);
    enum status status = rollout_forecast(call->db, call->subject, &forecast, &warnings, call->fault);
    if (status == STATUS_OK)
        status = text_status(&forecast);
    if (status == STATUS_OK)
        status = text_status(&warnings);
    if (status == STATUS_OK) {
        body->length -= sizeof untold - 1;
        body->data[body->length] = '\0';
        text_printf(body, ",\"forecast\":%s,\"warnings\":%s}", text_get(&forecast), text_get(&warnings));
    }
    text_free(&forecast);
    text_free(&warnings);
    return status;
}

/* The same of a rollout that was just started. What is foretold reads many counts: it must neither undo the
   start nor hold the service's lock. */
static enum status answer_started(struct call *call, const char *id)
{
    struct text *body = &call->response->body;
    enum status status = answer(call, id);
    if (status != STATUS_OK || body->length < 2 || text_get(body)[body->length - 1] != '}')
        return status;
    body->data[--body->length] = '\0';
    text_puts(body, untold);
    snprintf(call->subject, sizeof call->subject, "%s", id);
    call->after = foretell;
    return text_status(body);
}

static enum status list(struct call *call)
{
    struct page page;
    const char *service;
    enum status status = call_page(call, &page);
    if (status == STATUS_OK)
        status = call_name(call, 0, "service", &service);
    if (status == STATUS_OK)
        status = services_exists(call->db, service, call->fault);
    if (status == STATUS_OK)
        status = views_rollouts(call->db, service, &page, call->fault);
    return call_answer_page(call, &page, status);
}
CALL_READ(control_list_rollouts, list, "limit", "cursor", )

static enum status get(struct call *call)
{
    return answer(call, call->request->parameter[0]);
}
CALL_READ(control_get_rollout, get, )

static enum status explain(struct call *call)
{
    return rollout_explain(call->db, call->request->parameter[0], &call->response->body, call->fault);
}
CALL_READ(control_explain_rollout, explain, )

static enum status record(struct call *call)
{
    struct text *body = &call->response->body;
    struct http_page asked;
    char next[ROLLOUT_RECORD_CURSOR], cursor[HTTP_CURSOR_ENCODED];
    enum status status = http_page_read(call->request, &asked, call->fault);
    if (status == STATUS_OK)
        status = rollout_record(call->db, call->request->parameter[0], asked.after, body, next, call->fault);
    if (status != STATUS_OK)
        return status;
    if (next[0] != '\0')
        text_printf(body, "\"next_cursor\":\"%s\"}", http_cursor_encode(next, cursor));
    else
        text_puts(body, "\"next_cursor\":null}");
    return text_status(body);
}
CALL_READ(control_record_rollout, record, "cursor", )

static enum status verdicts(struct call *call)
{
    struct page page;
    enum status status = call_page(call, &page);
    if (status == STATUS_OK)
        status = views_verdicts(call->db, call->request->parameter[0], &page, call->fault);
    return call_answer_page(call, &page, status);
}
CALL_READ(control_list_verdicts, verdicts, "limit", "cursor", )

static enum status blocks(struct call *call)
{
    struct page page;
    enum status status = call_page(call, &page);
    if (status == STATUS_OK)
        status = views_blocks(call->db, call->request->parameter[0], &page, call->fault);
    return call_answer_page(call, &page, status);
}
CALL_READ(control_list_blocks, blocks, "limit", "cursor", )

static enum status start(struct call *call)
{
    struct json_fields fields;
    struct rollout_start order = {.service = NULL};
    char id[ID_MAX];
    json_fields_open(&fields, call->body, "", call->fault);
    json_fields_name(&fields, "release", JSON_REQUIRED, &order.release);
    json_fields_object(&fields, "plan", JSON_OPTIONAL, &order.plan);
    call_reason(&fields, JSON_OPTIONAL, &order.reason);
    json_fields_bool(&fields, "supersede", JSON_OPTIONAL, &order.supersede);
    json_fields_bool(&fields, "fix", JSON_OPTIONAL, &order.fix);
    json_fields_bool(&fields, "allow_no_gateway", JSON_OPTIONAL, &order.allow_no_gateway);
    enum status status = call_close(call, &fields);
    if (status == STATUS_OK)
        status = call_name(call, 0, "service", &order.service);
    if (status == STATUS_OK)
        status = services_exists(call->db, order.service, call->fault);
    if (status == STATUS_OK) {
        status = rollout_start(call->db, &order, call->actor, id, call->fault);
        if (status == STATUS_INVALID && call->fault->next_step[0] == '\0')
            fault_next(call->fault, "Mend the fields named under errors, and send it again.");
    }
    if (status == STATUS_OK)
        status = answer_started(call, id);
    call->response->status = 201;
    return status;
}
CALL_CHANGE(control_start_rollout, start, 0)

static const struct {
    const char *word;
    enum verb verb;
} verbs[] = {
    {"pause", VERB_PAUSE}, {"resume", VERB_RESUME},         {"promote", VERB_PROMOTE}, {"abort", VERB_ABORT},
    {"retry", VERB_RETRY}, {"set-weight", VERB_SET_WEIGHT}, {"mute", VERB_MUTE},
};

static enum status read_verb(const struct call *call, const char *word, enum verb *out)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(word, verbs[i].word) == 0) {
            *out = verbs[i].verb;
            return STATUS_OK;
        }
    }
    fault_set(call->fault, STATUS_NOT_FOUND, "A rollout has no command \"%.32s\"", word);
    fault_next(call->fault, "Commands are pause, resume, promote, abort, retry, set-weight and mute.");
    return STATUS_NOT_FOUND;
}

/* Each command takes its own fields; those of another are refused as unknown. */
static enum status read_command(struct call *call, struct rollout_command *command)
{
    struct json_fields fields;
    bool full = false;
    int64_t weight = 0;
    const char *muted = NULL;
    json_fields_open(&fields, call->body, "", call->fault);
    call_reason(&fields, command->verb == VERB_MUTE ? JSON_REQUIRED : JSON_OPTIONAL, &command->reason);
    if (command->verb == VERB_PROMOTE)
        json_fields_bool(&fields, "full", JSON_OPTIONAL, &full);
    if (command->verb == VERB_RETRY)
        json_fields_bool(&fields, "allow_no_gateway", JSON_OPTIONAL, &command->allow_no_gateway);
    if (command->verb == VERB_SET_WEIGHT)
        json_fields_weight(&fields, "weight", JSON_REQUIRED, 0, 10000, &weight);
    if (command->verb == VERB_MUTE) {
        if (json_fields_text(&fields, "sli", JSON_REQUIRED, 1, 64, &muted) &&
            !watch_parse(muted, &command->muted))
            spec_wrong(&fields, "sli", "must be an SLI, \"split\", \"coverage\", \"late\" or \"alert\"");
        json_fields_text(&fields, "until", JSON_REQUIRED, 1, 64, &command->until);
    }
    if (full)
        command->verb = VERB_PROMOTE_FULL;
    command->weight = (int32_t)weight;
    return call_close(call, &fields);
}

/* If-Match as a row version: the version is read here, and held against the row again under its lock. */
static enum status read_if_match(struct call *call, const char *id, int64_t *if_version)
{
    struct text ignored;
    int64_t version = 0, expected = STORE_ANY_VERSION;
    enum status status = STATUS_OK;
    *if_version = 0;
    if (http_header(call->request, "If-Match") == NULL)
        return STATUS_OK;
    text_init(&ignored, 4 << 20);
    status = views_rollout(call->db, id, &ignored, &version, call->fault);
    text_free(&ignored);
    if (status == STATUS_OK)
        status = call_if_match(call, version, &expected);
    if (status == STATUS_OK)
        *if_version = expected;
    return status;
}

static enum status command(struct call *call)
{
    const char *id = call->request->parameter[0];
    struct rollout_command order = {.reason = NULL};
    char result[ID_MAX] = "";
    enum status status = read_verb(call, call->request->parameter[1], &order.verb);
    if (status == STATUS_OK)
        status = read_command(call, &order);
    if (status == STATUS_OK)
        status = read_if_match(call, id, &order.if_version);
    if (status == STATUS_OK)
        status = rollout_command(call->db, id, &order, call->actor, result, call->fault);
    if (status != STATUS_OK)
        return status;
    return order.verb == VERB_RETRY ? answer_started(call, result) : answer(call, result);
}
CALL_CHANGE(control_command_rollout, command, 0)
