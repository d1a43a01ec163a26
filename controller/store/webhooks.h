/* Webhooks: who is told of events. */
#pragma once

#include "base/id.h"
#include "store/page.h"

enum { WEBHOOK_SECRET_MAX = 64 /* "whsec_" and base64 of 32 random bytes (Standard Webhooks) */ };

/* Makes a webhook for `service` (NULL = all), with its event. `secret` signs the deliveries. NOT_FOUND
   (service). The caller's transaction. */
enum status webhooks_create(struct db *db, const char *url, const char *service, const char *actor,
                            char id[ID_MAX], char secret[WEBHOOK_SECRET_MAX], struct fault *fault) MUST_CHECK;
/* Stops it for good and gives up what it is still owed, with an event; twice is OK. NOT_FOUND. The caller's
   transaction. */
enum status webhooks_delete(struct db *db, const char *id, const char *actor, struct fault *fault) MUST_CHECK;

/* Appends one webhook (schema Webhook) to `out`. NOT_FOUND. */
enum status webhooks_get(struct db *db, const char *id, struct text *out, struct fault *fault) MUST_CHECK;
/* All webhooks, newest first. */
enum status webhooks_list(struct db *db, struct page *page, struct fault *fault) MUST_CHECK;
