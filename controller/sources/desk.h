/* The desk where rollouts ask for what their sources say. Sources with the same settings are asked once for
   all of them, in a lane of the desk's own: a source that is slow or hostile holds up no rollout, and costs
   bounded time and memory: DESK_BUDGET_MS a round, one round at a time, one answer read at a time in the
   whole daemon, and no sooner again than it took when it fails. */
#pragma once

#include "sources/source.h"

enum {
    DESK_BUDGET_MS = 10000, /* for all requests of one round */
    DESK_SOURCES_MAX = 256
};

struct desk;
/* A complete round: what a source said at one time. Shared, never changed. */
struct desk_round;

struct desk_news {
    struct desk_round *round; /* the newest that is complete and fresh; NULL = none. Give it back */
    bool failed;              /* the source was asked later than that, and failed: */
    struct fault fault;       /* why, with a next step */
};

/* `threads` (1..16) sources are asked at the same time. NULL on no memory or threads. */
struct desk *desk_new(size_t threads);
/* Waits for the rounds under way (at most DESK_BUDGET_MS), begins no others, frees. NULL is fine. */
void desk_free(struct desk *desk);

/* What `source` (of a kind with a driver) has said last, and has it asked again if its interval has passed.
   Never waits for the source. UNAVAILABLE with a next step if there are too many sources, NO_MEMORY. Any
   thread. */
enum status desk_ask(struct desk *desk, const struct spec_source *source, struct desk_news *out,
                     struct fault *fault) MUST_CHECK;
/* See source_driver.take and .warning. */
enum status desk_take(const struct desk_round *round, const struct source_want *want, const char *cursor,
                      struct source_tick *out, struct text *new_cursor, struct fault *fault) MUST_CHECK;
const char *desk_warning(const struct desk_round *round);
void desk_give_back(struct desk_round *round); /* NULL is fine */
