/* Prometheus as a source of counts: raw counters, never rate(): differences of counters and their resets are
   taken here, so that a request counts once, and what is not known is dropped in both arms instead of being
   estimated. Counting is by completion, as counters cannot do otherwise: the caller drops what follows a
   change of weights (blanking). */
#pragma once

#include "sources/source.h"

enum {
    PROMETHEUS_SETTLE_MS = 2000 /* how far behind now it reads: a scrape is stored after its timestamp */
};

extern const struct source_driver prometheus;
