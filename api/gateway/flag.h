/* A service as an OpenFeature flag (OFREP): the service is the flag, the release its variant, and what a
   gateway needs to call the release its value. Read once from the body of the route; choosing is pure. */
#pragma once

#include "base/id.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FLAG_SALT_MAX = 64, FLAG_TIME_MAX = 40 };

struct flag_arm {
    char release[NAME_MAX_LENGTH + 1];
    bool canary;
    int32_t weight;    /* in 1/10,000 */
    const char *value; /* a JSON object that lacks its closing brace; lent by the body */
    size_t value_length;
};

struct flag {
    size_t arms; /* stable first; their weights sum to 10,000. 0: there is none */
    struct flag_arm arm[2];
    char salt[FLAG_SALT_MAX], rollout[ID_MAX], valid_until[FLAG_TIME_MAX]; /* "" = none */
};

/* Reads a body of route_body_write(), to which the flag points from then on. A body that is none, as a
   damaged file may hold it, gives a flag without arms. */
void flag_read(const char *body, size_t length, struct flag *flag);

/* Which of the arms (there is one at least) this key gets: the canary owns the buckets of sha256(salt ":"
   key) below its weight, unless its lease has run out. */
const struct flag_arm *flag_choose(const struct flag *flag, bool lapsed, const char *key, size_t key_length);

struct flag_answer {
    const char *service;
    int64_t incarnation, epoch;
    bool lapsed; /* the lease on canary weight has run out */
    bool stale;  /* it could not be checked against the database */
};
/* Appends the evaluation (schema FlagEvaluation). */
void flag_put(struct text *out, const struct flag *flag, const struct flag_arm *arm,
              const struct flag_answer *answer);
