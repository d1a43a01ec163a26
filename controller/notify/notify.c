/* The outbox out: claim, send, record; and the memory of how endpoints behave. */
#include "notify/notify.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/fetch.h"
#include "base/id.h"
#include "base/log.h"
#include "base/meter.h"
#include "base/trace_export.h"
#include "notify/webhook.h"
#include "store/outbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    POOL_WAIT_MS = 5000,
    BACK_OFF_FIRST_MS = 5000,
    BACK_OFF_MAX_MS = 300000,
    EXPIRE_EVERY_MS = 60000,
    ENDPOINTS_MAX = 4096
};
/* A batch must be done before its lease is: the last delivery may begin at NOTIFY_RUN_MS and take its
 * timeout. */
_Static_assert(NOTIFY_RUN_MS + WEBHOOK_TIMEOUT_MS + POOL_WAIT_MS < OUTBOX_LEASE_S * 1000,
               "the lease is too short");

struct endpoint {
    char webhook[ID_MAX];
    int failures;                /* in a row */
    struct mono_time left_until; /* left alone until then; 0 = not */
    int64_t took_ms;             /* its last answer */
};

struct notify {
    struct fetch *fetch;
    struct endpoint *endpoints; /* owned */
    size_t count, capacity;
    struct mono_time expired_at; /* when old deliveries were given up last; 0 = never */
};

struct notify *notify_new(bool public_only)
{
    struct notify *notify = calloc(1, sizeof *notify);
    if (notify == NULL)
        return NULL;
    notify->fetch = fetch_new(public_only);
    if (notify->fetch == NULL) {
        free(notify);
        return NULL;
    }
    return notify;
}

void notify_free(struct notify *notify)
{
    if (notify == NULL)
        return;
    fetch_free(notify->fetch);
    free(notify->endpoints);
    free(notify);
}

/* --- how endpoints behave
 * ---------------------------------------------------------------------------------------- */

static struct endpoint *find_endpoint(struct notify *notify, const char *webhook)
{
    for (size_t i = 0; i < notify->count; i++)
        if (strcmp(notify->endpoints[i].webhook, webhook) == 0)
            return &notify->endpoints[i];
    return NULL;
}

/* NULL if there is no room: then this endpoint is not left alone, which only costs time. */
static struct endpoint *make_endpoint(struct notify *notify, const char *webhook)
{
    struct endpoint *found = find_endpoint(notify, webhook);
    if (found != NULL)
        return found;
    if (notify->count == ENDPOINTS_MAX)
        notify->count = 0; /* begin anew: removed webhooks are never heard of again */
    if (notify->count == notify->capacity) {
        size_t capacity = notify->capacity > 0 ? notify->capacity * 2 : 16;
        struct endpoint *grown = realloc(notify->endpoints, capacity * sizeof *grown);
        if (grown == NULL)
            return NULL;
        notify->endpoints = grown;
        notify->capacity = capacity;
    }
    found = &notify->endpoints[notify->count++];
    *found = (struct endpoint){0};
    snprintf(found->webhook, sizeof found->webhook, "%s", webhook);
    return found;
}

static bool left_alone(const struct endpoint *endpoint)
{
    return endpoint != NULL && endpoint->left_until.us > clock_mono().us;
}

static void note_answer(struct notify *notify, const char *webhook, bool good, int64_t took_ms,
                        int64_t retry_after_s)
{
    struct endpoint *endpoint = make_endpoint(notify, webhook);
    if (endpoint == NULL)
        return;
    endpoint->took_ms = took_ms;
    if (good) {
        endpoint->failures = 0;
        endpoint->left_until = (struct mono_time){0};
        return;
    }
    int64_t wait_ms = BACK_OFF_MAX_MS;
    if (endpoint->failures < 6)
        wait_ms = (int64_t)BACK_OFF_FIRST_MS << endpoint->failures;
    if (wait_ms > BACK_OFF_MAX_MS)
        wait_ms = BACK_OFF_MAX_MS;
    if (wait_ms < retry_after_s * 1000)
        wait_ms = retry_after_s * 1000;
    endpoint->failures++;
    endpoint->left_until = clock_mono_after_ms(clock_mono(), wait_ms);
}

/* --- one batch
 * --------------------------------------------------------------------------------------------------- */

static enum status claim(struct db_pool *pool, struct notify *notify, int max, struct outbox_batch **batch,
                         struct fault *fault)
{
    const char **without = calloc(notify->count + 1, sizeof *without);
    size_t count = 0;
    struct db *db = NULL;
    *batch = NULL;
    if (without == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    for (size_t i = 0; i < notify->count; i++)
        if (left_alone(&notify->endpoints[i]))
            without[count++] = notify->endpoints[i].webhook;
    enum status status = db_pool_take(pool, POOL_WAIT_MS, &db, fault);
    if (status == STATUS_OK &&
        (notify->expired_at.us == 0 || clock_mono_since_ms(notify->expired_at) >= EXPIRE_EVERY_MS)) {
        status = outbox_expire(db, fault);
        notify->expired_at = clock_mono();
    }
    if (status == STATUS_OK)
        status = outbox_claim(db, max, without, count, batch, fault);
    db_pool_give(pool, db);
    free(without);
    return status;
}

/* Turns first, then the quicker endpoint, then older events. Insertion sort: at most NOTIFY_MAX. */
static size_t sort_batch(struct notify *notify, const struct outbox_batch *batch,
                         struct outbox_delivery sorted[NOTIFY_MAX])
{
    int64_t took_ms[NOTIFY_MAX];
    size_t count = 0;
    for (size_t i = 0; i < outbox_batch_count(batch) && i < NOTIFY_MAX; i++) {
        struct outbox_delivery delivery = outbox_batch_get(batch, i);
        const struct endpoint *endpoint = find_endpoint(notify, delivery.webhook);
        int64_t took = endpoint != NULL ? endpoint->took_ms : 0;
        size_t at = count++;
        for (; at > 0 && (sorted[at - 1].turn > delivery.turn ||
                          (sorted[at - 1].turn == delivery.turn && took_ms[at - 1] > took));
             at--) {
            sorted[at] = sorted[at - 1];
            took_ms[at] = took_ms[at - 1];
        }
        sorted[at] = delivery;
        took_ms[at] = took;
    }
    return count;
}

static double random_part(void)
{
    uint32_t bits;
    digest_random(&bits, sizeof bits);
    return bits / 4294967296.0;
}

static void log_failure(const struct outbox_delivery *delivery, const char *what, const struct fault *why)
{
    char attempts[24];
    snprintf(attempts, sizeof attempts, "%lld", (long long)delivery->attempts);
    log_event(LOG_WARN, "notify", what, "webhook", delivery->webhook, "event", delivery->event, "attempt",
              attempts, "error", why->detail, "next_step", why->next_step, NULL);
}

/* Writes down what came of a delivery that did not arrive. */
static enum status record_failure(struct db *db, const struct outbox_delivery *delivery,
                                  enum webhook_result result, int64_t retry_after_s, const struct fault *why,
                                  struct fault *fault)
{
    double delay_s = webhook_delay_s(delivery->attempts, random_part());
    if (result == WEBHOOK_GONE) {
        meter_add(METRIC_WEBHOOK_DELIVERIES_TOTAL, 1, "gone", NULL);
        log_failure(delivery, "the webhook is gone (410) and was disabled", why);
        return outbox_disable(db, delivery->webhook, why->detail, fault);
    }
    if (delay_s < 0) {
        meter_add(METRIC_WEBHOOK_DELIVERIES_TOTAL, 1, "given_up", NULL);
        log_failure(delivery, "a webhook delivery was given up", why);
        return outbox_given_up(db, delivery, why->detail, fault);
    }
    meter_add(METRIC_WEBHOOK_DELIVERIES_TOTAL, 1, "failed", NULL);
    log_failure(delivery, "a webhook delivery failed", why);
    if (delay_s < (double)retry_after_s)
        delay_s = (double)retry_after_s;
    return outbox_failed(db, delivery, delay_s, why->detail, fault);
}

static enum status put_back(struct db_pool *pool, const struct outbox_delivery *delivery, struct fault *fault)
{
    struct db *db = NULL;
    enum status status = db_pool_take(pool, POOL_WAIT_MS, &db, fault);
    if (status == STATUS_OK)
        status = outbox_put_back(db, delivery, fault);
    db_pool_give(pool, db);
    return status;
}

static enum status deliver(struct db_pool *pool, struct notify *notify,
                           const struct outbox_delivery *delivery, int *sent, struct fault *fault)
{
    char traceparent[TRACE_PARENT_MAX];
    trace_parent(delivery->decision, trace_export_on(), traceparent);
    struct webhook_delivery out = {.url = delivery->url,
                                   .secret = delivery->secret,
                                   .id = delivery->event,
                                   .type = delivery->type,
                                   .timestamp = delivery->at,
                                   .body = delivery->body,
                                   .traceparent = traceparent};
    struct mono_time begun = clock_mono();
    int64_t retry_after_s;
    struct fault why = {.status = STATUS_OK};
    struct db *db = NULL;
    enum webhook_result result = webhook_send(notify->fetch, &out, &retry_after_s, &why);
    note_answer(notify, delivery->webhook, result == WEBHOOK_DELIVERED, clock_mono_since_ms(begun),
                retry_after_s);
    enum status status = db_pool_take(pool, POOL_WAIT_MS, &db, fault);
    if (status != STATUS_OK)
        return status;
    if (result == WEBHOOK_DELIVERED) {
        meter_add(METRIC_WEBHOOK_DELIVERIES_TOTAL, 1, "delivered", NULL);
        status = outbox_delivered(db, delivery, fault);
        *sent += 1;
    } else {
        status = record_failure(db, delivery, result, retry_after_s, &why, fault);
    }
    db_pool_give(pool, db);
    return status;
}

enum status notify_run_once(struct db_pool *pool, struct notify *notify, int max, int *sent,
                            struct fault *fault)
{
    struct outbox_delivery sorted[NOTIFY_MAX];
    struct outbox_batch *batch = NULL;
    struct mono_time begun = clock_mono();
    *sent = 0;
    if (max > NOTIFY_MAX)
        max = NOTIFY_MAX;
    enum status status = claim(pool, notify, max, &batch, fault);
    if (status != STATUS_OK)
        return status;
    size_t count = sort_batch(notify, batch, sorted);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (clock_mono_since_ms(begun) > NOTIFY_RUN_MS ||
            left_alone(find_endpoint(notify, sorted[i].webhook)))
            status = put_back(pool, &sorted[i], fault);
        else
            status = deliver(pool, notify, &sorted[i], sent, fault);
    }
    outbox_batch_free(batch);
    return status;
}
