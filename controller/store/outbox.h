/* The outbox: what webhooks are still to be told. A claim is a lease: until it runs out nobody else sends the
   same, and if the sender dies, somebody sends it again. So a webhook may hear an event twice, with the same
   id. */
#pragma once

#include "store/db.h"

enum { OUTBOX_LEASE_S = 60, OUTBOX_DAYS = 5 };

/* One delivery to make; everything lent by its batch. */
struct outbox_delivery {
    const char *event, *webhook;
    int64_t attempts;             /* this one included */
    const char *type, *at, *body; /* of the event; the body is JSON */
    const char *url, *secret;
    int64_t turn;         /* 1 = the first of its webhook in this batch */
    const char *decision; /* the event of the decision that it is about; "" = of none */
};

struct outbox_batch;

/* Claims at most `max` due deliveries, not of the webhooks named in `without` (`without_count` ids, lent),
   for OUTBOX_LEASE_S of real time. In one statement: the caller has no transaction open. Sorted by turn. On
   success *out is the caller's (outbox_batch_free). */
enum status outbox_claim(struct db *db, int max, const char *const *without, size_t without_count,
                         struct outbox_batch **out, struct fault *fault) MUST_CHECK;
void outbox_batch_free(struct outbox_batch *batch); /* NULL is fine */
size_t outbox_batch_count(const struct outbox_batch *batch);
struct outbox_delivery outbox_batch_get(const struct outbox_batch *batch, size_t at);

/* What came of a delivery. Each is one statement. A claim that was taken over by another is left alone (but
   delivered is delivered). `error` is kept as last_error, at most 500 bytes. */
enum status outbox_delivered(struct db *db, const struct outbox_delivery *delivery,
                             struct fault *fault) MUST_CHECK;
/* Next attempt in `delay_s` seconds of the database's clock. */
enum status outbox_failed(struct db *db, const struct outbox_delivery *delivery, double delay_s,
                          const char *error, struct fault *fault) MUST_CHECK;
enum status outbox_given_up(struct db *db, const struct outbox_delivery *delivery, const char *error,
                            struct fault *fault) MUST_CHECK;
/* It was claimed but not sent: the attempt does not count, and it is due at once. */
enum status outbox_put_back(struct db *db, const struct outbox_delivery *delivery,
                            struct fault *fault) MUST_CHECK;
/* Nothing more is sent to this webhook; what it is still owed is given up. */
enum status outbox_disable(struct db *db, const char *webhook, const char *error,
                           struct fault *fault) MUST_CHECK;
/* Gives up what is due and older than OUTBOX_DAYS. */
enum status outbox_expire(struct db *db, struct fault *fault) MUST_CHECK;
