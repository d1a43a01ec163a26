/* Standard Webhooks: https://www.standardwebhooks.com, specification 1.0. */
#include "notify/webhook.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/fetch.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { KEY_MIN = 24, KEY_MAX = 64, BODY_MAX = 2 << 20, ANSWER_MAX = 64 * 1024, RETRY_AFTER_MAX_S = 86400 };

void webhook_body(const char *type, const char *timestamp, const char *traceparent, const char *body,
                  struct text *out)
{
    text_puts(out, "{\"type\":");
    json_put_string(out, type, strlen(type));
    text_puts(out, ",\"timestamp\":");
    json_put_string(out, timestamp, strlen(timestamp));
    if (traceparent[0] != '\0')
        text_printf(out, ",\"traceparent\":\"%s\"", traceparent);
    text_puts(out, ",\"data\":");
    text_puts(out, body);
    text_putc(out, '}');
}

enum status webhook_sign(const char *secret, const char *id, int64_t timestamp_s, const char *body,
                         size_t length, char out[WEBHOOK_SIGNATURE_MAX], struct fault *fault)
{
    static const char prefix[] = "whsec_";
    uint8_t key[KEY_MAX];
    size_t key_length = 0;
    struct text signed_text;
    if (strncmp(secret, prefix, sizeof prefix - 1) != 0 ||
        !digest_parse_base64(secret + sizeof prefix - 1, strlen(secret) - (sizeof prefix - 1), key,
                             sizeof key, &key_length) ||
        key_length < KEY_MIN) {
        fault_set(fault, STATUS_INVALID,
                  "The webhook's secret is not \"whsec_\" and base64 of %d to %d bytes", KEY_MIN, KEY_MAX);
        fault_next(fault, "Remove the webhook and make it again: it then has a new secret.");
        return STATUS_INVALID;
    }
    text_init(&signed_text, length + 512);
    text_printf(&signed_text, "%s.%" PRId64 ".", id, timestamp_s);
    text_add(&signed_text, body, length);
    enum status status = text_status(&signed_text);
    if (status != STATUS_OK) {
        fault_set(fault, status, "The webhook could not be signed");
    } else {
        struct digest mac = digest_hmac_sha256(key, key_length, text_get(&signed_text), signed_text.length);
        memcpy(out, "v1,", 3);
        digest_base64(mac.bytes, sizeof mac.bytes, out + 3, WEBHOOK_SIGNATURE_MAX - 3);
    }
    text_free(&signed_text);
    explicit_bzero(key, sizeof key);
    return status;
}

double webhook_delay_s(int64_t attempts, double jitter)
{
    static const double delay_s[WEBHOOK_ATTEMPTS] = {0,     5,     300,   1800,  7200,
                                                     18000, 36000, 50400, 72000, 86400};
    if (attempts < 0 || attempts >= WEBHOOK_ATTEMPTS)
        return -1;
    return delay_s[attempts] * (1 + 0.1 * jitter);
}

static enum webhook_result judge(const struct fetch_answer *answer, int64_t *retry_after_s,
                                 struct fault *fault)
{
    if (answer->code >= 200 && answer->code < 300)
        return WEBHOOK_DELIVERED;
    *retry_after_s = answer->retry_after_s < RETRY_AFTER_MAX_S ? answer->retry_after_s : RETRY_AFTER_MAX_S;
    fault_set(fault, STATUS_PEER, "The endpoint answered %d", answer->code);
    if (answer->code == 410) {
        fault_next(fault, "It wants no more events: the webhook is disabled.");
        return WEBHOOK_GONE;
    }
    fault_next(fault, "Look at the log of the endpoint; it is tried again.");
    return WEBHOOK_FAILED;
}

enum webhook_result webhook_send(struct fetch *fetch, const struct webhook_delivery *delivery,
                                 int64_t *retry_after_s, struct fault *fault)
{
    char signature[WEBHOOK_SIGNATURE_MAX], id_line[128], time_line[64], signature_line[128], trace_line[128];
    const char *traceparent = delivery->traceparent != NULL ? delivery->traceparent : "";
    int64_t now_s = clock_wall().us / 1000000;
    enum webhook_result result = WEBHOOK_FAILED;
    struct fetch_answer answer;
    struct text body;
    *retry_after_s = 0;
    text_init(&body, BODY_MAX);
    webhook_body(delivery->type, delivery->timestamp, traceparent, delivery->body, &body);
    enum status status = text_status(&body);
    if (status != STATUS_OK)
        fault_set(fault, status, "The event could not be written down");
    else
        status = webhook_sign(delivery->secret, delivery->id, now_s, text_get(&body), body.length, signature,
                              fault);
    if (status == STATUS_OK) {
        snprintf(id_line, sizeof id_line, "webhook-id: %s", delivery->id);
        snprintf(time_line, sizeof time_line, "webhook-timestamp: %" PRId64, now_s);
        snprintf(trace_line, sizeof trace_line, "traceparent: %s", traceparent);
        snprintf(signature_line, sizeof signature_line, "webhook-signature: %s", signature);
        const char *headers[] = {
            "Content-Type: application/json",           id_line, time_line, signature_line,
            traceparent[0] != '\0' ? trace_line : NULL, NULL};
        struct fetch_request request = {.url = delivery->url,
                                        .headers = headers,
                                        .body = text_get(&body),
                                        .body_length = body.length,
                                        .connect_ms = WEBHOOK_TIMEOUT_MS,
                                        .total_ms = WEBHOOK_TIMEOUT_MS,
                                        .body_max = ANSWER_MAX};
        status = fetch_run(fetch, &request, &answer, fault);
        if (status == STATUS_OK)
            result = judge(&answer, retry_after_s, fault);
        fetch_answer_free(&answer);
    }
    text_free(&body);
    return result;
}
