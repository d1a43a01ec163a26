/* One webhook delivery as Standard Webhooks wants it: the body, the signature, the schedule. */
#pragma once

#include "base/fault.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fetch;

enum {
    WEBHOOK_SIGNATURE_MAX = 64, /* "v1," and 44 of base64 */
    WEBHOOK_ATTEMPTS = 10,
    WEBHOOK_TIMEOUT_MS = 15000
};

/* Appends {"type":...,"timestamp":...,"data":<body>}, with "traceparent" before the data unless it is "".
   `body` is JSON and goes in as it is. */
void webhook_body(const char *type, const char *timestamp, const char *traceparent, const char *body,
                  struct text *out);

/* Signs "<id>.<timestamp>.<body>" with the key of `secret` ("whsec_" and base64 of 24 to 64 bytes). INVALID
   with a next step if the secret is not one; NO_MEMORY. */
enum status webhook_sign(const char *secret, const char *id, int64_t timestamp_s, const char *body,
                         size_t length, char out[WEBHOOK_SIGNATURE_MAX], struct fault *fault) MUST_CHECK;

/* Seconds until the attempt after `attempts` failed ones: 5 s, 5 min, 30 min, 2, 5, 10, 14, 20, 24 h, each up
   to a tenth longer by `jitter` (0 .. 1). Negative: no more attempts. */
double webhook_delay_s(int64_t attempts, double jitter);

enum webhook_result { WEBHOOK_DELIVERED, WEBHOOK_FAILED, WEBHOOK_GONE /* 410: wants no more */ };

struct webhook_delivery {
    const char *url, *secret, *id, *type, *timestamp, *body; /* lent */
    const char *traceparent;                                 /* lent; "" or NULL = none */
};

/* Signs with the present time and sends, once, within WEBHOOK_TIMEOUT_MS. On WEBHOOK_FAILED and WEBHOOK_GONE
   `fault` says why; *retry_after_s is what the endpoint asked for, at most a day, else 0. */
enum webhook_result webhook_send(struct fetch *fetch, const struct webhook_delivery *delivery,
                                 int64_t *retry_after_s, struct fault *fault) MUST_CHECK;
