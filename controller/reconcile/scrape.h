/* Observing a rollout whose counters are read from Prometheus. */
#pragma once

#include "reconcile/observe.h"

/* Reads the source if its interval has passed, and gives one tick for each SLI that has counts. A source that
   fails sets observation.source_error and is OK. */
enum status scrape_rollout(struct observe_result *result, struct fault *fault) MUST_CHECK;
