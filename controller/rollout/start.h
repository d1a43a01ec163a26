/* Starting a rollout, also as the retry of another. */
#pragma once

#include "rollout/rollout.h"

struct start_origin {
    const char *salt;     /* kept on retry, so that the same keys come first; NULL = a new one */
    const char *retry_of; /* id of the rollout that is retried; NULL = none */
};

/* As rollout_start(), with where it comes from. */
enum status start_run(struct db *db, const struct rollout_start *start, const struct start_origin *origin,
                      const char *actor, char id[ID_MAX], struct fault *fault) MUST_CHECK;
