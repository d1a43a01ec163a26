/* Where everything stands: what the whole database says of rollouts, gateways, routes and webhooks, as
 * gauges. */
#pragma once

#include "store/db.h"

struct meter_draft;

/* Reads it in four statements, and puts it into `draft`. */
enum status standing_read(struct db *db, struct meter_draft *draft, struct fault *fault) MUST_CHECK;
