/* Observing a rollout whose source is polled. */
#pragma once

#include "reconcile/observe.h"
#include "sources/desk.h"

/* Asks the desk, and gives one tick for each SLI that has counts. A source that fails or warns says so in the
   observation and is OK. */
enum status scrape_rollout(struct desk *desk, struct observe_result *result, struct fault *fault) MUST_CHECK;
