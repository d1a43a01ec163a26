/* The gateway port's only door to Postgres. One thread follows the routes and publishes snapshots; the two
   calls below are made by jobs, never while a gateway waits for weights. */
#pragma once

#include "base/digest.h"
#include "base/fault.h"
#include "base/text.h"
#include "gateway/acks.h"

#include <stdbool.h>

struct gateway;
struct publisher;

/* Loads the last known good routes and publishes them: the gateway's threads need not run yet. NULL on no
   memory or file descriptors. */
struct publisher *publisher_new(struct gateway *gateway);
/* Starts following the database. INTERNAL. */
enum status publisher_run(struct publisher *publisher, struct fault *fault) MUST_CHECK;
/* Stops and joins its thread; the calls below still work. NULL is fine. */
void publisher_stop(struct publisher *publisher);
void publisher_free(struct publisher *publisher); /* NULL is fine */

/* Blocking, from any thread: content of an artifact version. NOT_FOUND, or what the database has to say. */
enum status publisher_read_content(struct publisher *publisher, const struct digest *digest, struct text *out,
                                   bool *json, struct fault *fault) MUST_CHECK;
/* Blocking, from any thread: notes what gateways have applied. */
enum status publisher_write_acks(struct publisher *publisher, const struct ack *acks,
                                 size_t count) MUST_CHECK;
