/* The outbox out: every event, once committed, is told to each webhook at least once, signed, in the order of
   events as far as nothing fails. */
#pragma once

#include "base/fault.h"

#include <stdbool.h>

struct db_pool;

/* What a sender remembers between two runs: its connections, and which endpoints fail or are slow. One thread
   at a time. Losing it loses nothing. */
struct notify;

/* `public_only`: endpoints on loopback, private and link-local addresses are refused (for installations where
   those who make webhooks must not reach the inner network). NULL on no memory. */
struct notify *notify_new(bool public_only);
void notify_free(struct notify *notify); /* NULL is fine */

enum { NOTIFY_MAX = 20, NOTIFY_RUN_MS = 30000 };

/* One run, straight-line, for a lane job each second: claims at most `max` (1..NOTIFY_MAX) due deliveries and
   sends them; no transaction is open meanwhile. Each webhook has a turn before any has a second, quick ones
   first; one that fails is left alone for 5 s, then longer, up to 5 min, and costs a run at most one timeout
   (15 s). No new delivery is begun after NOTIFY_RUN_MS. *sent = how many were delivered (also on failure). A
   delivery that fails is no failure of the run; DATABASE, TIMEOUT, UNAVAILABLE and NO_MEMORY are: what was
   claimed is then repeated when its lease has run out. */
enum status notify_run_once(struct db_pool *pool, struct notify *notify, int max, int *sent,
                            struct fault *fault) MUST_CHECK;
