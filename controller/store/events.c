/* Appending to the chain: the body is canonical JSON, so that anyone can compute the hash anew. */
#include "store/events.h"

#include "base/json.h"

#include "events.sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void (*listener)(void *argument, const struct event_told *told, const struct db_committed *times);
static void *listener_argument;

void events_listen(void (*on_event)(void *argument, const struct event_told *told,
                                    const struct db_committed *times),
                   void *argument)
{
    listener = on_event;
    listener_argument = argument;
}

/* An event until its transaction has ended: a copy in one piece. */
struct kept {
    struct event event;
    struct event_told told;
    char phase[16];
    char texts[];
};

static const char *keep(char **at, const char *text)
{
    if (text == NULL)
        return NULL;
    char *copy = *at;
    *at = stpcpy(copy, text) + 1;
    return copy;
}

static size_t size_of(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

static void read_data(struct kept *kept, struct json_object *data)
{
    struct json_object *value;
    kept->told.weight = -1;
    if (data == NULL)
        return;
    if (json_object_object_get_ex(data, "epoch", &value))
        kept->told.epoch = json_object_get_int64(value);
    if (json_object_object_get_ex(data, "weight", &value))
        kept->told.weight = json_object_get_int(value);
    if (json_object_object_get_ex(data, "page", &value))
        kept->told.page = json_object_get_boolean(value);
    if (json_object_object_get_ex(data, "phase", &value)) {
        snprintf(kept->phase, sizeof kept->phase, "%s", json_object_get_string(value));
        kept->told.phase = kept->phase;
    }
}

static void tell(void *argument, const struct db_committed *times)
{
    struct kept *kept = argument;
    if (times != NULL)
        listener(listener_argument, &kept->told, times);
    free(kept);
}

/* What cannot be kept for want of memory is not told: the event itself is in the database. */
static void tell_later(struct db *db, const struct event *event, const char *id)
{
    if (listener == NULL)
        return;
    size_t size = size_of(event->type) + size_of(event->service) + size_of(event->rollout) +
                  size_of(event->release) + size_of(event->rule) + size_of(event->actor) +
                  size_of(event->reason);
    struct kept *kept = calloc(1, sizeof *kept + size);
    if (kept == NULL)
        return;
    char *at = kept->texts;
    kept->event = (struct event){.type = keep(&at, event->type),
                                 .service = keep(&at, event->service),
                                 .rollout = keep(&at, event->rollout),
                                 .release = keep(&at, event->release),
                                 .rule = keep(&at, event->rule),
                                 .actor = keep(&at, event->actor),
                                 .reason = keep(&at, event->reason)};
    snprintf(kept->told.id, sizeof kept->told.id, "%s", id);
    kept->told.event = &kept->event;
    read_data(kept, event->data);
    if (!db_after(db, tell, kept))
        free(kept);
}

static bool put_text(struct json_object *object, const char *name, const char *value)
{
    struct json_object *text = value == NULL ? NULL : json_object_new_string(value);
    if (value != NULL && text == NULL)
        return false;
    if (json_object_object_add(object, name, text) == 0)
        return true;
    json_object_put(text);
    return false;
}

static enum status body_of(const struct event *event, const char *id, const char *at, int64_t seq,
                           struct text *out, struct fault *fault)
{
    struct json_object *body = json_object_new_object();
    struct json_object *data = event->data != NULL ? json_object_get(event->data) : json_object_new_object();
    struct json_object *number = json_object_new_int64(seq);
    bool good = body != NULL && data != NULL && number != NULL;
    if (good && json_object_object_add(body, "data", data) == 0)
        data = NULL;
    else
        good = false;
    if (good && json_object_object_add(body, "seq", number) == 0)
        number = NULL;
    else
        good = false;
    good = good && put_text(body, "id", id) && put_text(body, "at", at) &&
           put_text(body, "type", event->type) && put_text(body, "service", event->service) &&
           put_text(body, "rollout", event->rollout) && put_text(body, "release", event->release) &&
           put_text(body, "rule", event->rule) && put_text(body, "actor", event->actor) &&
           put_text(body, "reason", event->reason);
    enum status status = good ? json_canonical(body, out) : STATUS_NO_MEMORY;
    json_object_put(data);
    json_object_put(number);
    json_object_put(body);
    if (status != STATUS_OK)
        fault_set(fault, status, "The event could not be written down");
    return status;
}

static struct digest chain_hash(const struct digest *before, const struct text *body, struct text *scratch)
{
    text_clear(scratch);
    text_add(scratch, (const char *)before->bytes, sizeof before->bytes);
    text_add(scratch, text_get(body), body->length);
    return digest_sha256(scratch->data, scratch->length);
}

enum status events_append(struct db *db, const struct event *event, char id[ID_MAX], struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *head = NULL;
    struct text body, scratch;
    struct digest before, hash;
    text_init(&body, 1 << 20);
    text_init(&scratch, (1 << 20) + DIGEST_BYTES);

    if (event->service != NULL)
        db_text(&params, event->service);
    enum status status = db_run(db, event->service != NULL ? &sql_event_head_service : &sql_event_head_system,
                                &params, &head, fault);
    if (status != STATUS_OK)
        goto out;
    if (db_rows_count(head) != 1 ||
        db_get_bytes(head, 0, 1, before.bytes, sizeof before.bytes) != DIGEST_BYTES) {
        status = fault_set(fault, STATUS_NOT_FOUND, "There is no service %s", event->service);
        goto out;
    }
    int64_t seq = db_get_integer(head, 0, 0) + 1;
    const char *at = db_get_text(head, 0, 2);
    id_new("ev", id);
    status = body_of(event, id, at, seq, &body, fault);
    if (status != STATUS_OK)
        goto out;
    hash = chain_hash(&before, &body, &scratch);
    status = text_status(&scratch);
    if (status != STATUS_OK) {
        fault_set(fault, status, "The event is too large");
        goto out;
    }

    db_params_clear(&params);
    db_text(&params, id);
    db_text(&params, event->service);
    db_integer(&params, seq);
    db_text(&params, at);
    db_text(&params, event->type);
    db_text(&params, event->rollout);
    db_text(&params, text_get(&body));
    db_bytes(&params, before.bytes, sizeof before.bytes);
    db_bytes(&params, hash.bytes, sizeof hash.bytes);
    status = db_run(db, &sql_event_insert, &params, NULL, fault);
    if (status != STATUS_OK)
        goto out;

    db_params_clear(&params);
    if (event->service != NULL)
        db_text(&params, event->service);
    db_integer(&params, seq);
    db_bytes(&params, hash.bytes, sizeof hash.bytes);
    status = db_run(db, event->service != NULL ? &sql_event_advance_service : &sql_event_advance_system,
                    &params, NULL, fault);
    if (status != STATUS_OK)
        goto out;

    db_params_clear(&params);
    db_text(&params, id);
    db_text(&params, event->service);
    status = db_run(db, &sql_event_outbox, &params, NULL, fault);
    if (status == STATUS_OK)
        tell_later(db, event, id);
out:
    db_rows_free(head);
    text_free(&scratch);
    text_free(&body);
    return status;
}

enum status events_decision(struct db *db, const char *service, int64_t epoch, char out[ID_MAX],
                            struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    out[0] = '\0';
    db_text(&params, service);
    db_integer(&params, epoch);
    enum status status = db_run(db, &sql_event_decision, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) > 0)
        snprintf(out, ID_MAX, "%s", db_get_text(rows, 0, 0));
    db_rows_free(rows);
    return status;
}
